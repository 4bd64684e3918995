"""The scenes of tests/scenes, typed into the running server. Their form is described in tests/scenes/README.md."""
import re
import unittest

from harness import ROOT, ServerCase, queue_id

SCENES = ROOT / "tests" / "scenes"
ESCAPES = {"r": b"\r", "n": b"\n", "0": b"\0", "t": b"\t", "\\": b"\\"}


class Scene:
    """A file: its options, and its sessions as (lines, message or None)."""

    def __init__(self, path):
        self.name = path.stem
        text = path.read_text()
        self.options = {}
        head = re.match(r"---\n(.*?)\n---\n", text, re.S)
        if head:
            self.options = dict(re.split(r":\s*", line, maxsplit=1) for line in head.group(1).splitlines())
        self.sessions = []
        for kind, block in re.findall(r"^```(smtp|message)\n(.*?)^```$", text, re.M | re.S):
            if kind == "smtp":
                self.sessions.append([block.splitlines(), None])
            else:
                self.sessions[-1][1] = block.replace("\n", "\r\n").encode()


def octets(text):
    def one(found):
        if found.group(1):
            return bytes([int(found.group(1), 16)]).decode("latin-1")
        return ESCAPES[found.group(2)].decode()

    return re.sub(r"\\(?:x([0-9A-Fa-f]{2})|([rn0t\\]))", one, text).encode("latin-1")


def written(line):
    """What a line of the client puts on the wire; None for other lines."""
    if line == "C:":
        return b"\r\n"
    if line.startswith("C: "):
        return line[3:].encode() + b"\r\n"
    if line.startswith("C! "):
        return octets(line[3:])
    repeat = re.fullmatch(r"-- (repeat|fill) (\d+) ?(.*)", line)
    if not repeat:
        return None
    kind, n, text = repeat.group(1), int(repeat.group(2)), repeat.group(3).encode()
    return (text + b"\r\n") * n if kind == "repeat" else text + b"a" * n + b"\r\n"


def pattern(text):
    """A line of the server with ... and <word> as a regular expression."""
    parts = re.split(r"(\.\.\.|<host>|<id>)", text)
    return "".join({"...": ".*", "<host>": r"\S+", "<id>": r"\S+"}.get(part) or re.escape(part) for part in parts)


class Scenes(ServerCase):
    def setUp(self):
        super().setUp()
        self.server = self.serve("--user", "demo:secret")
        self.server.accept_log(None, level="warn")  # many scenes are about what goes wrong

    def play(self, scene, lines):
        """Returns the conversation and the id of the last message taken."""
        listener = scene.options.get("listener", "smtp")
        c = self.server.talk(listener, greeting=None)
        self.addCleanup(c.close)
        group, ident, closed = b"", None, False
        for line in [*lines, None]:
            out = written(line) if line is not None else None
            if out is not None:
                group += out
                continue
            if group:
                c.raw(group)
                group = b""
            if line is None:
                break
            if line.startswith("S: "):
                got = c.line()
                self.assertIsNotNone(got, f"closed, expected {line}; {c.told()}")
                self.assertRegex(got, "^" + pattern(line[3:]) + "$", c.told())
                ident = queue_id(got) if "Queued as" in got else ident
            elif line == "-- tls":
                c.socket = self.server.client_tls().wrap_socket(c.socket, server_hostname="localhost")
            elif line == "-- closed":
                c.expect_close()
                closed = True
            else:
                self.fail(f"not a line of a scene: {line}")
        if not closed:
            self.assertEqual(c.received, b"", "the server has said more")
        return ident

    def test_all(self):
        played = 0
        for path in sorted(SCENES.glob("*.md")):
            if path.name == "README.md":
                continue
            scene = Scene(path)
            self.assertTrue(scene.sessions, path.name)
            if scene.options.get("only") == "engine":
                continue
            for lines, message in scene.sessions:
                with self.subTest(scene=scene.name):
                    ident = self.play(scene, lines)
                    if message is not None:
                        self.assertIsNotNone(ident)
                        content = self.server.content(ident)
                        behind = re.sub(rb"\AReceived: .*?\r\n(?![ \t])", b"", content, flags=re.S)
                        self.assertEqual(behind, message)
                    played += 1
        self.assertGreater(played, 20)


if __name__ == "__main__":
    unittest.main()
