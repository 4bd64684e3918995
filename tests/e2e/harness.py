"""What the end-to-end tests share: a server of their own, conversations with it, and the programs that people use.

    class Something(ServerCase):
        def test_it(self):
            server = self.serve()                       # a sandbox on free ports, gone when the test is
            with server.talk("smtp") as c:              # a raw conversation
                c.command("EHLO client.example", 250)

A log line of level warn or worse that the test did not expect fails it: server.expect_log("role-died", ...) waits for one
and accepts it.
"""
import base64
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(os.environ.get("SALLYPORT_ROOT") or pathlib.Path(__file__).resolve().parent.parent.parent)
SALLYPORT = os.environ.get("SALLYPORT") or str(ROOT / "build" / "sallyport")
SLOW = bool(os.environ.get("SALLYPORT_SLOW"))

# Bounds, not measures: a machine under load may be slow, a test may not hang.
START_S, STOP_S, WAIT_S, TALK_S = 60, 15, 60, 30

ANY_PORT = ["--smtp", "127.0.0.1:0", "--submission", "127.0.0.1:0", "--submissions", "127.0.0.1:0"]

ONE_MESSAGE = b"Subject: hello\r\nFrom: <a@example.org>\r\nTo: <b@example.org>\r\n\r\nHello.\r\n"


def wait_for(condition, what, seconds=WAIT_S):
    """Poll until the condition is true and return what it gave."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def parse_logfmt(line):
    """key=value key="value with \\"quotes\\"" as a dict, or None when it is not logfmt."""
    fields, at = {}, 0
    pattern = re.compile(r'([a-z_0-9-]+)=("(?:\\.|[^"\\])*"|[^\s"]*)(?: |$)')
    while at < len(line):
        found = pattern.match(line, at)
        if not found:
            return None
        value = found.group(2)
        fields[found.group(1)] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        at = found.end()
    return fields or None


class Reader(threading.Thread):
    """Collects the lines of a pipe; others may wait for one."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe, self.lines, self.ended = pipe, [], False
        self.changed = threading.Condition()
        self.start()

    def run(self):
        for line in self.pipe:
            with self.changed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, accept, seconds):
        """The first line for which accept() is true, or None when there is none in time or the pipe has ended."""
        until, seen = time.monotonic() + seconds, 0
        with self.changed:
            while True:
                while seen < len(self.lines):
                    value = accept(self.lines[seen])
                    if value:
                        return value
                    seen += 1
                left = until - time.monotonic()
                if self.ended or left <= 0:
                    return None
                self.changed.wait(left)

    def text(self):
        with self.changed:
            return "\n".join(self.lines)


class Server:
    """`sallyport serve`, started and ready. Facts of the banner: addresses, user, password, certificate, data, ..."""

    def __init__(self, *arguments, data, sandbox=True, env=None, program=SALLYPORT):
        self.data = pathlib.Path(data)
        self.accepted_logs = []
        command = [program, "serve", *arguments, "--data", str(self.data)]
        if sandbox:
            for option, value in zip(ANY_PORT[::2], ANY_PORT[1::2]):
                if option not in arguments:
                    command += [option, value]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env, cwd=self.data.parent)
        self.out, self.err = Reader(self.process.stdout), Reader(self.process.stderr)
        self.pid = self.process.pid
        if not self.out.wait(lambda line: line == "ready", START_S):
            self.kill()
            raise AssertionError(f"{shlex.join(command)} did not get ready:\n{self.out.text()}\n{self.err.text()}")
        self.read_banner()

    def read_banner(self):
        facts, self.addresses = {}, {}
        for line in self.out.lines:
            found = re.match(r"  (\S+)\s+(.*)$", line)
            if not found:
                continue
            name, rest = found.groups()
            address = re.match(r"(\[[0-9a-f:]+\]|[0-9.]+):(\d+)\b", rest)
            if address:
                self.addresses[name] = (address.group(1).strip("[]"), int(address.group(2)))
            else:
                facts.setdefault(name, rest)
        self.user, self.password = facts.get("user"), facts.get("password")
        self.certificate = facts.get("certificate")
        self.fingerprint = facts.get("fingerprint", "").replace("SHA256 ", "")
        self.paste = {}  # listener -> the lines to paste into a shell
        listener = None
        for line in self.out.lines:
            found = re.match(r"Send a message through (\S+):$", line)
            if found:
                listener = self.paste.setdefault(found.group(1), [])
            elif listener is not None and line.startswith("  "):
                listener.append(line.strip())
            else:
                listener = None

    # --- logs ---

    def logs(self, event=None, **fields):
        """The log lines so far, as dicts, that have these fields."""
        with self.err.changed:
            lines = list(self.err.lines)
        return [f for f in map(parse_logfmt, lines) if f and matches(f, event, fields)]

    def wait_log(self, event, seconds=WAIT_S, **fields):
        def accept(line):
            parsed = parse_logfmt(line)
            return parsed if parsed and matches(parsed, event, fields) else None

        found = self.err.wait(accept, seconds)
        if not found:
            raise AssertionError(f"no log line {event} {fields} in {seconds} s; the log is:\n{self.err.text()}")
        return found

    def accept_log(self, event, **fields):
        """Lines like this are no reason to fail."""
        self.accepted_logs.append((event, fields))

    def expect_log(self, event, seconds=WAIT_S, **fields):
        self.accept_log(event, **fields)
        return self.wait_log(event, seconds, **fields)

    def unexpected_logs(self):
        """Lines that are worse than info, or no log lines at all."""
        found = []
        for line in self.err.lines:
            if re.fullmatch(r"==\d+==Unable to get registers from thread \d+\.", line):
                continue  # a sanitized role whose time was up while it looked for leaks
            fields = parse_logfmt(line)
            if not fields or "level" not in fields or "event" not in fields:
                found.append(line)
            elif fields["level"] != "info" and not any(matches(fields, e, f) for e, f in self.accepted_logs):
                found.append(line)
        return found

    # --- talking ---

    def talk(self, listener="smtp", **options):
        options.setdefault("tls", self.client_tls() if listener == "submissions" else None)
        return Conversation(self.addresses[listener], **options)

    def port(self, listener="smtp"):
        return self.addresses[listener][1]

    def client_tls(self):
        return ssl.create_default_context(cafile=self.certificate)

    def run(self, *arguments, input=None, check=True, timeout=WAIT_S):
        """A command of ours for this server's data folder; its stdout as text."""
        return sallyport(*arguments, "--data", str(self.data), input=input, check=check, timeout=timeout)

    def queue(self, *arguments):
        return json.loads(self.run("queue", "list", "--json", *arguments).stdout)

    def content(self, queue_id):
        """The octets of a held message."""
        return self.run("queue", "show", "--content", queue_id).stdout_octets

    def sessions(self, *arguments):
        """What `session list` has, newest first."""
        return json.loads(self.run("session", "list", "--json", *arguments).stdout)

    def trace(self, session, *arguments):
        """What `session show` has of a session that is over, as soon as it is kept."""
        def kept():
            done = self.run("session", "show", session, "--json", *arguments, check=False)
            return json.loads(done.stdout) if done.returncode == 0 else None
        return wait_for(kept, f"the trace of {session}")

    # --- ending ---

    def stop(self, how=signal.SIGTERM, seconds=STOP_S):
        """End it and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still there {seconds} s after {signal.Signals(how).name}; its log:\n{self.err.text()}")
        self.out.join(STOP_S)
        self.err.join(STOP_S)
        return self.process.returncode

    def kill(self):
        """Every process of it, at once and without notice."""
        for pid in [*self.children(), self.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def children(self):
        """Pids of the roles."""
        return [pid for pid, parent in processes() if parent == self.pid]

    def role_pids(self, role):
        """Pids of the processes of one role, as their command lines say."""
        found = []
        for pid in self.children():
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if role.encode() in words:
                found.append(pid)
        return found


def matches(fields, event, wanted):
    return (event is None or fields.get("event") == event) and all(
        fields.get(k.replace("_", "-"), fields.get(k)) == str(v) for k, v in wanted.items())


def processes():
    """(pid, parent's pid) of every living process."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z":
            yield int(folder.name), int(fields[1])


# A sanitizer has an allocator of its own: it is to overwrite what is freed, as the roles ask the libc's to.
PERTURBED = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":max_free_fill_size=1048576")


def memory(pid):
    """The writable memory of a process. PermissionError: this user may not look."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            where, rights, *_ = line.split()
            begin, end = (int(n, 16) for n in where.split("-"))
            if "rw" not in rights or end - begin > 1 << 28:
                continue
            try:
                mem.seek(begin)
                found.append(mem.read(end - begin))
            except OSError:
                continue
    return b"".join(found)


def core_dump(pid):
    """What gcore writes of a living process; None where there is no gcore, or the process's memory is a sanitizer's."""
    gcore = shutil.which("gcore")
    if not gcore or b"libasan" in pathlib.Path(f"/proc/{pid}/maps").read_bytes():
        return None
    with tempfile.TemporaryDirectory(prefix="sallyport-core-") as folder:
        done = run([gcore, "-o", f"{folder}/core", str(pid)])
        path = pathlib.Path(f"{folder}/core.{pid}")
        if not path.exists():
            raise AssertionError(f"gcore made no core dump:\n{done.output}")
        return memory_of_core(path.read_bytes())


def memory_of_core(octets):
    """The memory in a core dump of a 64-bit ELF: not the registers, which hold what was copied last of all."""
    begin, size, count = struct.unpack_from("<Q", octets, 32)[0], *struct.unpack_from("<HH", octets, 54)
    found = []
    for n in range(count):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", octets, begin + n * size)
        if kind == 1:  # PT_LOAD
            found.append(octets[offset:offset + length])
    return b"".join(found)


def memories(pid, dump=False):
    """(name, octets): the memory of a process as it is, and in a core dump if that is wanted and one can be made."""
    try:
        yield "the memory", memory(pid)
    except PermissionError:
        raise unittest.SkipTest("the memory of the roles cannot be read by this user") from None
    core = core_dump(pid) if dump else None
    if core is not None:
        yield "a core dump", core


class Completed:
    def __init__(self, run):
        self.returncode, self.stdout_octets = run.returncode, run.stdout
        self.stdout, self.stderr = run.stdout.decode(errors="replace"), run.stderr.decode(errors="replace")
        self.output = self.stdout + self.stderr


def run(command, input=None, check=False, timeout=WAIT_S, env=None, cwd=None):
    if isinstance(input, str):
        input = input.encode()
    stdin = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    done = Completed(subprocess.run(command, capture_output=True, timeout=timeout, env=env, cwd=cwd, **stdin))
    if check and done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))} ended with {done.returncode}:\n{done.output}")
    return done


def sallyport(*arguments, input=None, check=True, timeout=WAIT_S):
    return run([SALLYPORT, *arguments], input=input, check=check, timeout=timeout)


class ServerCase(unittest.TestCase):
    """A test that has servers. Each is stopped at the end, and its log judged."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sallyport-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, *arguments, data="data", **options):
        server = Server(*arguments, data=self.folder / data, **options)
        self.addCleanup(self.end, server)
        return server

    def configure(self, text, *arguments, name="sallyport.conf", **options):
        """A server with a configuration of its own."""
        path = self.folder / name
        path.write_text(text)
        return self.serve("-c", str(path), *arguments, sandbox=False, **options)

    def end(self, server):
        if server.process.poll() is None:
            self.assertEqual(server.stop(), 0, f"exit status; the log is:\n{server.err.text()}")
        self.assertEqual(server.unexpected_logs(), [], "log lines that no test expected")


# --- raw conversations ---------------------------------------------------------------------------------


class Reply:
    def __init__(self, code, lines):
        self.code, self.lines = code, lines
        self.text = lines[-1]

    def __repr__(self):
        return f"{self.code} " + " / ".join(self.lines)


class Conversation:
    """SMTP by hand: what is sent is exactly what stands in the test."""

    def __init__(self, address, tls=None, greeting=220, server_name="localhost", timeout=TALK_S):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.server_name, self.received, self.transcript = server_name, b"", []
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=server_name)
        if greeting:
            self.greeting = self.expect(greeting)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def raw(self, octets):
        self.transcript.append(f"C: {octets!r}")
        self.socket.sendall(octets)

    def send(self, line):
        self.raw((line if isinstance(line, bytes) else line.encode()) + b"\r\n")

    def line(self):
        """The next line without its CRLF; None at the end."""
        while b"\r\n" not in self.received:
            try:
                octets = self.socket.recv(65536)
            except ConnectionResetError:
                octets = b""
            if not octets:
                if self.received:
                    raise AssertionError(f"the server closed within a line: {self.received!r}; {self.told()}")
                return None
            self.received += octets
        line, self.received = self.received.split(b"\r\n", 1)
        self.transcript.append(f"S: {line.decode(errors='replace')}")
        return line.decode("ascii")

    def reply(self):
        """The next whole reply, whatever it is."""
        lines, code = [], None
        while True:
            line = self.line()
            if line is None:
                raise AssertionError(f"the server closed where a reply was expected; {self.told()}")
            found = re.fullmatch(r"([2-5][0-9][0-9])([ -])(.*)", line)
            if not found or code not in (None, found.group(1)):
                raise AssertionError(f"not a reply: {line!r}; {self.told()}")
            code = found.group(1)
            lines.append(found.group(3))
            if found.group(2) == " ":
                return Reply(int(code), lines)

    def expect(self, code, *words):
        """The next reply must have this code, and hold these words."""
        reply = self.reply()
        text = "\n".join(reply.lines)
        if reply.code != code or any(word not in text for word in words):
            raise AssertionError(f"expected {code} with {words}, got {reply}; {self.told()}")
        return reply

    def command(self, line, code, *words):
        self.send(line)
        return self.expect(code, *words)

    def expect_close(self):
        line = self.line()
        if line is not None:
            raise AssertionError(f"expected the server to close, got {line!r}; {self.told()}")

    def told(self):
        return "so far:\n" + "\n".join(step if len(step) < 300 else step[:280] + f"... ({len(step)})"
                                      for step in self.transcript[-30:])

    # Steps that many tests take.

    def hello(self, name="client.example"):
        return self.command(f"EHLO {name}", 250)

    def start_tls(self, context):
        self.command("STARTTLS", 220)
        self.socket = context.wrap_socket(self.socket, server_hostname=self.server_name)

    def login(self, user, password):
        self.command("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode(), 235)

    def mail(self, content=ONE_MESSAGE, sender="a@example.org", recipients=("b@example.org",), words=""):
        """A whole transaction; returns the queue id. `content` is sent as it is, but for its dots; `words` of MAIL."""
        self.command(f"MAIL FROM:<{sender}>{words}", 250)
        for recipient in recipients:
            self.command(f"RCPT TO:<{recipient}>", 250)
        self.command("DATA", 354)
        self.raw(re.sub(rb"(^|(?<=\r\n))\.", b"..", content) + b".\r\n")
        return queue_id(self.expect(250, "Queued as").text)

    def quit(self):
        self.command("QUIT", 221)
        self.expect_close()


def queue_id(text):
    found = re.search(r"Queued as ([0-9a-zA-Z]{13})\b", text)
    if not found:
        raise AssertionError(f"no queue id in: {text}")
    return found.group(1)


# --- programs that people use --------------------------------------------------------------------------


def program(name):
    """The path of an installed program; without it the test is skipped."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if not path:
        raise unittest.SkipTest(f"{name} is not installed")
    return path


def peer(name, path):
    """A program unpacked below build/peers: (path, environment). Without it the test is skipped."""
    root = ROOT / "build" / "peers" / name / "root"
    file = root / path
    if not file.exists():
        raise unittest.SkipTest(f"{name}: {path} is not in build/peers (./dev deps)")
    # The machine's own libraries first: the unpacked ones are for what it lacks.
    folders = [root / "usr/lib/postfix", *sorted((root / "usr/lib").glob("*-linux-gnu")),
               *sorted((root / "lib").glob("*-linux-gnu"))]
    machine = [f for f in pathlib.Path("/usr/lib").glob("*-linux-gnu")]
    path_list = os.pathsep.join(map(str, [folders[0], *machine, *folders[1:]]))
    return str(file), dict(os.environ, LD_LIBRARY_PATH=path_list)


def nodemailer():
    """The environment in which node finds nodemailer."""
    program("node")
    modules = ROOT / "build" / "peers" / "nodemailer" / "root" / "usr" / "share" / "nodejs"
    if not (modules / "nodemailer").exists():
        raise unittest.SkipTest("nodemailer is not in build/peers (./dev deps)")
    return dict(os.environ, NODE_PATH=str(modules))


def swaks(address, *options, env=None):
    return run([program("swaks"), "--server", address[0], "--port", str(address[1]), *options], env=env)


class Sink:
    """Postfix's smtp-sink: accepts all mail and writes it to a file."""

    def __init__(self, *options, port=None):
        path, env = peer("postfix", "usr/sbin/smtp-sink")
        self.folder = tempfile.mkdtemp(prefix="sallyport-sink-")
        if os.getuid() == 0:
            os.chmod(self.folder, 0o777)  # as root it wants to be somebody else
            options = ["-u", "nobody", *options]
        self.dump = pathlib.Path(self.folder) / "mail"
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process = self.start(path, options, env)
        self.out = Reader(self.process.stdout)
        try:
            wait_for(self.listens, "smtp-sink to listen")
        except AssertionError:
            self.stop()
            raise

    def start(self, path, options, env):
        return subprocess.Popen([path, "-D", str(self.dump), *options, self.address, "1000"], env=env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                cwd=self.folder)

    def listens(self):
        if self.process.poll() is not None:
            self.out.join(STOP_S)
            raise AssertionError(f"smtp-sink ended with {self.process.returncode}: {self.out.text()}")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def recipients(self):
        """The envelope recipients of all messages that came, in order."""
        try:
            text = self.dump.read_bytes()
        except FileNotFoundError:
            return []
        return [r.decode() for r in re.findall(rb"^X-Rcpt-Args: <([^>\n]*)>", text, re.M)]

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


def smtp_source(address, *options, timeout=WAIT_S):
    path, env = peer("postfix", "usr/sbin/smtp-source")
    return run([path, *options, f"{address[0]}:{address[1]}"], env=env, check=True, timeout=timeout)
