"""Users that are known elsewhere: a password file, Dovecot, and something that only looks like Dovecot."""
import base64
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import unittest

from dovecot import Dovecot
from harness import SALLYPORT, ServerCase, free_port, program, run, sallyport, wait_for

USER, RIGHT, WRONG = "bob@example.org", "Xyzzy-plugh-1977", "Plover-1977-xyzzy"

CONFIGURATION = """
hostname = mx.example.org
default-route = hold
listener "smtp" {{
    address = "127.0.0.1:{port}"
    tls = off
    auth = required
    auth-in-clear = yes
}}
users {{
    {users}
}}
limits {{
    free-space = 1M
    auth-slow-down = no
}}
"""


def b64(octets):
    return base64.b64encode(octets if isinstance(octets, bytes) else octets.encode()).decode()


class SourceCase(ServerCase):
    def serve_from(self, *users, top="smtpd-processes = 1\n"):
        port = free_port()
        server = self.configure(CONFIGURATION.format(port=port, users="\n    ".join(users)) + top)
        server.addresses["smtp"] = ("127.0.0.1", port)
        return server

    @staticmethod
    def open_to_roles(path):
        """Where the roles run as another user they must reach the socket."""
        path.chmod(0o666)
        for folder in path.parents:
            if folder == pathlib.Path(tempfile.gettempdir()):
                break
            folder.chmod(folder.stat().st_mode | 0o011)

    def plain(self, server, user, password, code):
        with server.talk() as c:
            c.hello()
            c.command("AUTH PLAIN " + b64(f"\0{user}\0{password}"), code)
            if code == 235:
                c.mail()

    def login(self, server, user, password, code):
        with server.talk() as c:
            c.hello()
            c.command("AUTH LOGIN", 334)
            c.command(b64(user), 334)
            c.command(b64(password), code)

    def offers_what_can_be_checked(self, server):
        with server.talk() as c:
            offered = "\n".join(c.hello().lines)
            self.assertIn("AUTH PLAIN LOGIN", offered)
            self.assertNotIn("SCRAM", offered)


class PasswordFile(SourceCase):
    def write(self, text):
        path = self.folder / "passwords"
        path.write_text(text)
        return path

    def hash(self, password):
        return subprocess.run(["openssl", "passwd", "-6", password], capture_output=True, text=True,
                              check=True).stdout.strip()

    def test_who_stands_in_it_logs_in(self):
        path = self.write(f"# users\n{USER}:{self.hash(RIGHT)}:1000:\nanna:{{SHA512-CRYPT}}{self.hash(WRONG)}\n")
        server = self.serve_from("source = password-file", "path = passwords")
        self.offers_what_can_be_checked(server)
        for _ in range(2):
            self.plain(server, USER, RIGHT, 235)
            self.plain(server, "BOB@example.org", RIGHT, 235)
            self.login(server, "anna", WRONG, 235)
            self.plain(server, USER, WRONG, 535)
            self.plain(server, "nobody", RIGHT, 535)
        server.expect_log("auth-failed", reason="unknown-user", user="nobody")
        server.expect_log("auth-failed", reason="bad-password", user=USER)
        path.write_text(f"{USER}:{self.hash(WRONG)}\n")
        server.process.send_signal(1)
        server.wait_log("reloaded")
        self.plain(server, USER, WRONG, 235)
        self.plain(server, USER, RIGHT, 535)
        self.plain(server, "anna", WRONG, 535)

    def test_a_faulty_line_is_named(self):
        self.write(f"{USER}:{self.hash(RIGHT)}\nanna:secret\n")
        path = self.folder / "sallyport.conf"
        path.write_text(CONFIGURATION.format(port=free_port(), users="source = password-file\n    path = passwords"))
        done = sallyport("serve", "-c", str(path), "--data", str(self.folder / "data"), check=False)
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"passwords: line 2: anna: it is not a crypt")
        self.assertNotIn("secret", done.stderr)


class Faults(ServerCase):
    def check(self, users, says):
        path = self.folder / "sallyport.conf"
        path.write_text(CONFIGURATION.format(port=2525, users=users))
        done = sallyport("check", "-c", str(path), check=False)
        self.assertEqual(done.returncode, 78, done.output)
        self.assertRegex(done.output, says)

    def test_each_names_its_line(self):
        self.check("source = ldap", r":11: users/source: 'ldap' is not one of the words; allowed: built-in password-file dovecot")
        self.check("source = dovecot", r":11: users/source: path is missing: .*/run/dovecot/auth-client")
        self.check("source = password-file", r":11: users/source: path is missing")
        self.check("source = built-in\n    path = x", r":12: users/path: has no effect")


class FakeDovecot:
    """Speaks the protocol, and misspeaks it on demand."""

    def __init__(self, path):
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        self.greeting = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n"
        self.answer, self.continued = self.judge, None
        self.questions, self.connections = [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        connection.sendall(self.greeting)
        try:
            for line in connection.makefile("rb"):
                word, *fields = line.rstrip(b"\n").split(b"\t")
                if word in (b"AUTH", b"CONT"):
                    self.questions.append(fields)
                    said = (self.answer if word == b"AUTH" else self.continued)(fields)
                    if said is None:
                        connection.shutdown(socket.SHUT_RDWR)
                    else:
                        connection.sendall(said)
        except OSError:
            pass

    @staticmethod
    def judge(fields):
        _, user, password = base64.b64decode(fields[-1].removeprefix(b"resp=")).split(b"\0")
        if password == RIGHT.encode():
            return b"OK\t" + fields[0] + b"\tuser=" + user.lower() + b"\textra=1\n"
        return b"FAIL\t" + fields[0] + b"\tuser=" + user + b"\n"

    def close(self):
        self.listening.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()


class Fake(SourceCase):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "auth-client"
        self.fake = FakeDovecot(self.path)
        self.open_to_roles(self.path)
        # One process of auth: all questions go over one connection.
        self.server = self.serve_from("source = dovecot", "path = auth-client", top="auth-processes = 1\n")
        self.server.accept_log("dovecot-away")

    def tearDown(self):
        self.fake.close()
        super().tearDown()

    def test_right_and_wrong(self):
        self.offers_what_can_be_checked(self.server)
        self.plain(self.server, USER, RIGHT, 235)
        self.login(self.server, "BOB@Example.org", RIGHT, 235)
        self.server.expect_log("auth-ok", user=USER, mechanism="LOGIN")
        self.plain(self.server, USER, WRONG, 535)
        self.server.expect_log("auth-failed", reason="refused-by-dovecot", user=USER)
        number, mechanism, *parameters, response = self.fake.questions[0]
        self.assertEqual(mechanism, b"PLAIN")
        self.assertIn(b"service=smtp", parameters)
        self.assertIn(b"rip=127.0.0.1", parameters)
        self.assertEqual(base64.b64decode(response[5:]), f"\0{USER}\0{RIGHT}".encode())
        self.assertLessEqual(len(self.fake.connections), 2 * 63)

    def test_what_it_says_of_failures(self):
        for words, code, reason in ((b"\ttemp", 454, "back-end-down"), (b"\tuser_disabled", 535, "disabled"),
                                    (b"\tcode=temp_fail", 454, "back-end-down"), (b"\treason=No", 535, "refused-by-dovecot")):
            self.fake.answer = lambda fields: b"FAIL\t" + fields[0] + words + b"\n"
            self.plain(self.server, USER, RIGHT, code)
            self.server.expect_log("auth-failed", reason=reason)

    def test_lost_and_found_again(self):
        self.plain(self.server, USER, RIGHT, 235)
        self.fake.answer = lambda fields: None
        self.plain(self.server, USER, RIGHT, 454)
        self.server.expect_log("dovecot-away")
        self.fake.answer = self.fake.judge
        self.plain(self.server, USER, RIGHT, 235)
        self.fake.close()
        os.unlink(self.path)
        for _ in range(3):
            self.plain(self.server, USER, RIGHT, 454)
        self.server.expect_log("auth-failed", reason="back-end-down")
        self.fake = FakeDovecot(self.path)
        self.open_to_roles(self.path)
        self.plain(self.server, USER, RIGHT, 235)

    def test_it_talks_nonsense(self):
        for greeting, answer in ((b"VERSION\t2\t0\n", self.fake.judge), (b"x" * 9000, self.fake.judge),
                                 (b"OK\t1\tuser=bob\n", self.fake.judge), (self.fake.greeting, lambda f: b"OK\n"),
                                 (self.fake.greeting, lambda f: b"OK\tone\n"),
                                 (self.fake.greeting, lambda f: b"CONT\t" + f[0] + b"\tYQ==\n")):
            for connection in self.fake.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.fake.greeting, self.fake.answer = greeting, answer
            self.plain(self.server, USER, RIGHT, 454)
        self.fake.greeting, self.fake.answer = b"VERSION\t1\t9\nNEWS\tx\n", self.fake.judge
        wait_for(lambda: self.recovered(), "a login after nonsense")

    def recovered(self):
        with self.server.talk() as c:
            c.hello()
            c.send("AUTH PLAIN " + b64(f"\0{USER}\0{RIGHT}"))
            return c.reply().code == 235

    def test_answers_may_come_in_any_order(self):
        held = []

        def hold(fields):
            held.append(fields)
            return b"" if len(held) < 2 else b"".join(self.fake.judge(f) for f in reversed(held))

        self.fake.answer = hold
        with self.server.talk() as a, self.server.talk() as b:
            for c, password in ((a, RIGHT), (b, WRONG)):
                c.hello()
                c.send("AUTH PLAIN " + b64(f"\0{USER}\0{password}"))
            a.expect(235)
            b.expect(535)


class FakeRelay(SourceCase):
    """What the real one does not do on demand: private and anonymous mechanisms, XOAUTH2, odd challenges."""

    def setUp(self):
        super().setUp()
        self.path = self.folder / "auth-client"
        self.fake = FakeDovecot(self.path)
        self.addCleanup(self.fake.close)
        self.fake.greeting = (b"VERSION\t1\t2\nMECH\tXOAUTH2\tprivate-not\nMECH\tSECRET-ONE\tprivate\n"
                              b"MECH\tANONYMOUS\tanonymous\nMECH\tEXTERNAL\nMECH\tSCRAM-SHA-256-PLUS\nMECH\tbad name\n"
                              b"MECH\nMECH\tNTLM\tdictionary\tactive\nSPID\t1\nDONE\n")
        self.open_to_roles(self.path)
        self.server = self.serve_from("source = dovecot", "path = auth-client", top="auth-processes = 1\nsmtpd-processes = 1\n")
        self.server.accept_log("dovecot-away")
        self.server.wait_log("dovecot-mechanisms", names="XOAUTH2 NTLM")
        wait_for(self.is_offered, "smtpd to know")

    def is_offered(self):
        with self.server.talk() as c:
            return "AUTH XOAUTH2 NTLM" in " ".join(c.hello().lines)

    def talk(self):
        c = self.server.talk()
        self.addCleanup(c.close)
        return c

    def test_flags_are_heeded(self):
        c = self.talk()
        self.assertNotIn("PLAIN", " ".join(c.hello().lines))
        for name in ("SECRET-ONE", "ANONYMOUS", "EXTERNAL", "SCRAM-SHA-256-PLUS", "PLAIN"):
            c.command(f"AUTH {name}", 504)

    def test_challenges_go_back_and_forth(self):
        def first(fields):
            return b"CONT\t" + fields[0] + b"\t" + b64('{"status":"401"}').encode() + b"\n"
        self.fake.answer = first
        c = self.talk()
        c.hello()
        self.assertEqual(base64.b64decode(c.command("AUTH XOAUTH2 " + b64("user=a\1auth=Bearer x\1\1"), 334).text),
                         b'{"status":"401"}')
        self.fake.continued = lambda fields: b"FAIL\t" + fields[0] + b"\tuser=a\n"
        c.command("", 535)
        failed = self.server.wait_log("auth-failed", mechanism="XOAUTH2", user="a", reason="refused-by-dovecot")
        self.assertIn("334:oauth-error", failed["steps"])
        self.fake.answer = lambda fields: b"CONT\t" + fields[0] + b"\n"  # an empty challenge
        self.fake.continued = lambda fields: b"OK\t" + fields[0] + b"\tuser=b\n"
        c.command("AUTH NTLM", 334)
        c.command("AAAA", 235)
        self.server.wait_log("auth-ok", mechanism="NTLM", user="b")

    def test_odd_answers_let_nobody_in(self):
        c = self.talk()
        c.hello()
        for answer in (lambda f: b"OK\t" + f[0] + b"\n",                       # who is it?
                       lambda f: b"OK\t" + f[0] + b"\tuser=a\x01tb\n",          # a tab in the name
                       lambda f: b"CONT\t" + f[0] + b"\t!!!\n",               # not base64
                       lambda f: b"FAIL\t" + f[0] + b"\ttemp\n", lambda f: None, lambda f: b"OK\tx\n"):
            self.fake.answer = answer
            c.command("AUTH NTLM AAAA", 454)
        self.fake.answer = lambda f: b"OK\t" + f[0] + b"\tuser=a\n"
        wait_for(lambda: self.can(), "the connection")

    def can(self):
        with self.server.talk() as c:
            c.hello()
            c.send("AUTH NTLM AAAA")
            return c.reply().code == 235

    def test_a_response_too_long_for_dovecot(self):
        c = self.talk()
        c.hello()
        c.command("AUTH XOAUTH2 " + b64("x" * 6000), 454)
        self.fake.answer = lambda f: b"OK\t" + f[0] + b"\tuser=a\n"
        c.command("AUTH XOAUTH2 " + b64("x" * 5000), 235)


class RealDovecot(SourceCase):
    """The real one, at its auth socket."""

    def setUp(self):
        super().setUp()
        self.dovecot = Dovecot(self, f"{USER}:{{PLAIN}}{RIGHT}\nodd user:{{PLAIN}}{WRONG}\n", """
            protocols =
            service auth {
              unix_listener auth-client {
                mode = 0666
              }
            }
        """)
        self.socket = self.dovecot.folder / "run" / "auth-client"
        self.dovecot.wait(self.socket.exists)

    def test_log_in(self):
        self.open_to_roles(self.socket)
        server = self.serve_from("source = dovecot", f'path = "{self.socket}"')
        for _ in range(3):
            self.plain(server, USER, RIGHT, 235)
            self.login(server, USER, RIGHT, 235)
            self.plain(server, USER, WRONG, 535)
            self.login(server, "nobody", RIGHT, 535)
        server.expect_log("auth-ok", user=USER)

    def offered(self, server):
        with server.talk() as c:
            found = [line for line in c.hello().lines if "AUTH " in line]
            return set(found[0].split("AUTH ")[1].split()) if found else set()

    def serve_all(self, *more):
        self.open_to_roles(self.socket)
        server = self.serve_from("source = dovecot", f'path = "{self.socket}"', *more)
        server.wait_log("dovecot-mechanisms")
        wait_for(lambda: "SCRAM-SHA-256" in self.offered(server), "smtpd to know")
        return server

    def log_in(self, server, mechanism, password):
        address = server.addresses["smtp"]
        file = self.folder / "password"
        file.write_text(password)
        message = self.folder / "message"
        message.write_text("Subject: x\n\nx\n")
        return run([SALLYPORT, "send", "%s:%d" % address, message, "--tls", "off", "--to", "a@example.org", "--auth", USER,
                    "--password-file", file, "--mechanism", mechanism]).returncode == 0

    def test_each_mechanism_step_by_step(self):
        server = self.serve_all()
        self.assertEqual(self.offered(server),
                         {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN", "DIGEST-MD5"})
        for mechanism, steps in (("SCRAM-SHA-256", r"initial:\d+ 334:scram-server-first,i=4096 response:\d+ 334:scram-server-final response:0"),
                                 ("SCRAM-SHA-1", "334:scram-server-first,i=4096"), ("CRAM-MD5", "334:cram-challenge"),
                                 ("PLAIN", "initial"), ("LOGIN", "334:password-prompt")):
            with self.subTest(mechanism=mechanism):
                self.assertTrue(self.log_in(server, mechanism, RIGHT))
                ok = server.wait_log("auth-ok", mechanism=mechanism, user=USER)
                self.assertRegex(ok["steps"], steps)
                self.assertFalse(self.log_in(server, mechanism, WRONG))
                server.wait_log("auth-failed", mechanism=mechanism, reason="refused-by-dovecot")
        self.assertNotIn(RIGHT, server.err.text())

    def test_gsasl(self):
        server = self.serve_all()
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "DIGEST-MD5"):
            for password, code in ((RIGHT, "235"), (WRONG, "535")):
                with self.subTest(mechanism=mechanism, password=password):
                    done = run([program("gsasl"), "--smtp", "--client", f"--mechanism={mechanism}", "--no-starttls",
                                f"--authentication-id={USER}", f"--password={password}", "--no-cb", "--service=smtp",
                                "--hostname=localhost", "--quality-of-protection=qop-auth", "127.0.0.1", str(server.port("smtp"))], input="QUIT\n")
                    self.assertIn(f"\n{code} ", done.output)
        digest = server.wait_log("auth-ok", mechanism="DIGEST-MD5", user=USER)
        self.assertRegex(digest["steps"], r"^334:digest-challenge response:\d+ 334:digest-final response:0$")

    def test_the_same_octets_for_every_refusal(self):
        server = self.serve_all()
        said = set()
        for user, answer in ((USER, "0" * 32), ("nobody", "0" * 32), ("nobody@x.example", "not hex"), (USER, "")):
            with server.talk() as c:
                c.hello()
                c.command("AUTH CRAM-MD5", 334)
                said.add(c.command(b64(f"{user} {answer}"), 535).text)
        self.assertEqual(len(said), 1)

    def test_cancelled_and_left(self):
        server = self.serve_all()
        for words in (["*"], []):
            with server.talk() as c:
                c.hello()
                c.command("AUTH DIGEST-MD5", 334)
                for word in words:
                    c.command(word, 501)
        server.wait_log("auth-given-up", mechanism="DIGEST-MD5", reason="cancelled")
        server.wait_log("auth-given-up", mechanism="DIGEST-MD5", reason="client-left")
        self.plain(server, USER, RIGHT, 235)

    def test_the_listener_narrows_it(self):
        self.open_to_roles(self.socket)
        port = free_port()
        text = CONFIGURATION.format(port=port, users=f'source = dovecot\n    path = "{self.socket}"')
        text = text.replace("auth-in-clear = yes\n", "auth-in-clear = yes\n    mechanisms = { SCRAM-SHA-256, LOGIN }\n")
        server = self.configure(text)
        server.addresses["smtp"] = ("127.0.0.1", port)
        wait_for(lambda: self.offered(server) == {"SCRAM-SHA-256", "LOGIN"}, "smtpd to know")
        with server.talk() as c:
            c.hello()
            c.command("AUTH CRAM-MD5", 504)


if __name__ == "__main__":
    unittest.main()
