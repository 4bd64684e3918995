"""What a next server sees of us: few connections, few transactions, few round trips, and no command that need not be."""
import socket
import threading
import unittest

from fake_server import FakeServer
from harness import ServerCase, wait_for

CONFIG = """
    hostname = "mx.example.org"
    default-route = "out"
    listener "l" {{
        address = "127.0.0.1:0"
        tls = off
        relay-from = {{"127.0.0.0/8"}}
    }}
    route "out" {{
        kind = relay
        host = "127.0.0.1"
        port = {port}
        tls = off
        {route}
    }}
"""
CONTENT = b"Subject: x\r\n\r\n.a line with a dot\r\n"


class Economy(ServerCase):
    def start(self, port, route="connections = 1"):
        return self.configure(CONFIG.format(port=port, route=route))

    def send(self, server, *recipients, n=1):
        with server.talk("l") as c:
            c.hello()
            return [c.mail(content=CONTENT, recipients=recipients) for _ in range(n)]

    def fake(self, **options):
        server = FakeServer(**options)
        self.addCleanup(server.stop)
        return server

    def verbs(self, server, out):
        """All commands of the connection, to its end: content never begins like one here."""
        self.assertEqual(server.stop(), 0)

        def verbs():
            words = (line.split(None, 1)[0].upper().decode() for line in out.lines if line.strip())
            return [w for w in words if w in ("EHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT")]
        wait_for(lambda: verbs()[-1:] == ["QUIT"], "the last command")
        return verbs()

    def test_many_messages_over_one_connection(self):
        """MAIL follows the 250 of the message before: no RSET, no second EHLO."""
        out = self.fake()
        server = self.start(out.port)
        self.send(server, "x@far.example", n=30)
        out.wait(30)
        self.assertEqual(self.verbs(server, out), ["EHLO"] + ["MAIL", "RCPT", "DATA"] * 30 + ["QUIT"])

    def test_rset_where_a_transaction_is_left_open_and_nowhere_else(self):
        """Nobody takes the third and the fifth message: the transaction that MAIL began is to be ended."""
        out = self.fake(rcpt=lambda a: "550 5.1.1 nobody" if a.startswith("never") else "250 2.1.5 Ok", keywords=["8BITMIME"])
        server = self.start(out.port)
        for name in ("a", "b", "never1", "c", "never2", "d"):
            self.send(server, f"{name}@far.example")
        out.wait(6)  # two reports go out, too
        for name in ("never1", "never2"):
            server.wait_log("mail-failed", recipient=f"{name}@far.example")
        whole, left = ["MAIL", "RCPT", "DATA"], ["MAIL", "RCPT", "RSET"]
        seen = self.verbs(server, out)
        self.assertEqual((seen[0], seen[-1]), ("EHLO", "QUIT"))
        self.assertEqual(sorted(seen[i:i + 3] for i in range(1, len(seen) - 1, 3)), sorted([whole] * 6 + [left] * 2))

    def test_recipients_of_a_message_share_a_transaction(self):
        out = self.fake()
        server = self.start(out.port)
        everybody = [f"r{i}@far{i % 7}.example" for i in range(60)]
        self.send(server, *everybody)
        self.assertEqual(sorted(out.wait(1)[0].recipients), sorted(everybody))
        self.assertEqual(self.verbs(server, out), ["EHLO", "MAIL"] + ["RCPT"] * 60 + ["DATA", "QUIT"])

    def test_chunks_where_they_are_offered(self):
        """RFC 3030: the octets as they are, without DATA's dots and its round trip."""
        out = self.fake(keywords=["8BITMIME", "PIPELINING", "CHUNKING"])
        server = self.start(out.port)
        self.send(server, "x@far.example", n=3)
        for mail in out.wait(3):
            self.assertTrue(mail.content.endswith(CONTENT), mail.content)
            self.assertEqual(mail.chunks, [len(mail.content)])
        self.assertEqual(self.verbs(server, out), ["EHLO"] + ["MAIL", "RCPT", "BDAT"] * 3 + ["QUIT"])

    def test_no_round_trip_for_each_command(self):
        """RFC 2920: the server answers nothing from MAIL on until it has heard DATA."""
        out = Withholding(["PIPELINING"], until=b"DATA")
        self.addCleanup(out.stop)
        server = self.start(out.port)
        ident, = self.send(server, "x@far.example", "y@far.example", "z@far.example")
        for name in "xyz":
            server.wait_log("mail-delivered", id=ident, recipient=f"{name}@far.example")

    def test_a_round_trip_for_each_command_where_that_is_not_offered(self):
        """Nothing stands behind a command before it is answered."""
        out = Withholding(["8BITMIME"], until=b"")
        self.addCleanup(out.stop)
        server = self.start(out.port)
        ident, = self.send(server, "x@far.example", "y@far.example")
        server.wait_log("mail-delivered", id=ident, recipient="y@far.example")
        self.assertEqual(server.stop(), 0)
        wait_for(lambda: out.heard[-1:] == [b"QUIT"], "the last command")
        self.assertEqual([line[:4] for line in out.heard], [b"EHLO", b"MAIL", b"RCPT", b"RCPT", b"DATA", b"QUIT"])
        self.assertEqual(out.early, [])


class Withholding:
    """A server of one connection that answers MAIL, and what follows it, when it has heard `until`; "": each command at once.
    `early`: what stood behind a command when that was answered."""

    def __init__(self, keywords, until):
        self.keywords, self.until, self.heard, self.early = keywords, until, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        connection, _ = self.listener.accept()
        with connection:
            kept, replies, in_content = b"", [], False
            connection.sendall(b"220 fake\r\n")
            while octets := connection.recv(65536):
                kept += octets
                while b"\r\n" in kept:
                    line, kept = kept.split(b"\r\n", 1)
                    if in_content and line != b".":
                        continue
                    verb = b"." if in_content else line.split()[0].upper()
                    replies += self.answer(verb)
                    if in_content or verb == b"DATA":
                        in_content = not in_content
                    if not in_content or verb == b"DATA":
                        self.heard += [] if verb == b"." else [line]
                    if self.until and verb in (b"MAIL", b"RCPT"):
                        continue
                    if kept:
                        self.early.append(kept)
                    connection.sendall(b"".join(r + b"\r\n" for r in replies))
                    replies = []

    def answer(self, verb):
        if verb == b"EHLO":
            words = ["fake", *self.keywords]
            return [f"250{'-' if i + 1 < len(words) else ' '}{w}".encode() for i, w in enumerate(words)]
        return [{b"DATA": b"354 go on", b"QUIT": b"221 2.0.0 Bye"}.get(verb, b"250 2.0.0 Ok")]

    def stop(self):
        self.listener.close()
        self.thread.join(5)


if __name__ == "__main__":
    unittest.main()
