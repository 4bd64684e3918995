"""What a user has besides a password: application passwords, senders, a hash of another server."""
import base64
import json
import re
import subprocess
import tempfile
import unittest

from harness import SALLYPORT, WAIT_S, ServerCase, free_port, sallyport

RIGHT, OTHER = "Xyzzy-plugh-1977", "Plover-1977-xyzzy"


class MoreCase(ServerCase):
    def user(self, data, *words, password=None, code=0, says=""):
        line = None if password is None else (password + "\n").encode()
        done = sallyport("user", *words, "--data", str(data), input=line, check=False)
        self.assertEqual(done.returncode, code, f"user {words}: {done.output}")
        self.assertIn(says, done.stderr if code else done.stdout)
        return done

    def shown(self, data, name):
        return json.loads(self.user(data, "show", name, "--json").stdout)

    def plain(self, server, user, password, code):
        with server.talk() as c:
            c.hello()
            c.command("AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode(), code)

    def login(self, server, user, password, code):
        with server.talk() as c:
            c.hello()
            c.command("AUTH LOGIN", 334)
            c.command(base64.b64encode(user.encode()).decode(), 334)
            c.command(base64.b64encode(password.encode()).decode(), code)


class ApplicationPasswords(MoreCase):
    def make(self, data, label):
        made = self.user(data, "app-password", "demo", label).stdout.strip()
        self.assertRegex(made, r"^([a-z2-9]{4}-){4}[a-z2-9]{4}$")
        return made

    def scram(self, server, mechanism, password, code):
        path = tempfile.NamedTemporaryFile("w", suffix=".pw")
        self.addCleanup(path.close)
        path.write(password)
        path.flush()
        done = sallyport("send", "127.0.0.1:%d" % server.port(), "-", "--from", "a@example.org", "--to", "b@example.org",
                         "--auth", "demo", "--password-file", path.name, "--mechanism", mechanism, input=b"x\r\n", check=False)
        self.assertEqual(done.returncode == 0, code == 235, done.output)
        self.assertIn(mechanism, done.output)
        self.assertIn(str(code), done.output)

    def walk(self, data, server):
        phone, desk = self.make(data, "phone"), self.make(data, "desk at home")
        self.user(data, "app-password", "demo", "phone", code=73, says="already")
        self.user(data, "app-password", "nobody", "phone", code=67)
        self.assertEqual([p["label"] for p in self.shown(data, "demo")["app_passwords"]], ["phone", "desk at home"])
        for password in (RIGHT, phone, desk):
            self.plain(server, "demo", password, 235)
            self.plain(server, "demo", password, 235)  # from the cache
            self.login(server, "demo", password, 235)
            self.scram(server, "SCRAM-SHA-256", password, 235)
            self.scram(server, "SCRAM-SHA-1", password, 235)
        self.plain(server, "demo", phone[:-1], 535)
        self.user(data, "passwd", "demo", password=OTHER)
        for password, code in ((RIGHT, 535), (OTHER, 235), (phone, 235), (desk, 235)):
            self.plain(server, "demo", password, code)
            self.scram(server, "SCRAM-SHA-256", password, code)
        self.user(data, "revoke", "demo", "phone", says="revoked")
        for password, code in ((phone, 535), (desk, 235), (OTHER, 235)):
            self.plain(server, "demo", password, code)
            self.scram(server, "SCRAM-SHA-256", password, code)
        self.user(data, "revoke", "demo", "phone", code=67)
        return desk

    def test_each_opens_until_it_is_revoked(self):
        server = self.serve("--user", "demo:" + RIGHT)
        self.walk(server.data, server)
        used = {p["label"]: p["last_used"] for p in self.shown(server.data, "demo")["app_passwords"]}
        self.assertRegex(used["desk at home"], r"^\d{4}-.*Z$")
        server.expect_log("auth-ok", password="application")

    def test_made_and_revoked_without_a_server(self):
        server = self.serve("--user", "demo:" + RIGHT)
        data = server.data
        server.stop()
        phone, desk = self.make(data, "phone"), self.make(data, "desk")
        self.user(data, "revoke", "demo", "phone")
        self.assertIsNone(self.shown(data, "demo")["app_passwords"][0]["last_used"])
        server = self.serve()
        for password, code in ((RIGHT, 235), (desk, 235), (phone, 535)):
            self.plain(server, "demo", password, code)

    def test_one_that_nobody_has_seen(self):
        server = self.serve("--user", "demo:" + RIGHT)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SALLYPORT, "user", "app-password", "demo", "phone", "--data", str(server.data)], stdout=full,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=WAIT_S)
            self.assertEqual(done.returncode, 74, done.stderr)
            self.assertIn(b"nobody has seen the password; revoke 'phone'", done.stderr)
            for words in (("list",), ("list", "--json"), ("show", "demo"), ("show", "demo", "--json"), ("disable", "demo"),
                          ("revoke", "demo", "phone")):
                done = subprocess.run([SALLYPORT, "user", *words, "--data", str(server.data)], stdout=full,
                                      stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=WAIT_S)
                self.assertEqual(done.returncode, 74, (words, done.stderr))
                self.assertIn(b"cannot write to standard output", done.stderr)

    def test_sixteen_and_no_more(self):
        server = self.serve("--user", "demo:" + RIGHT)
        made = [self.make(server.data, str(n)) for n in range(16)]
        self.user(server.data, "app-password", "demo", "one more", code=65, says="16 application passwords")
        for password in (made[0], made[15], RIGHT):
            self.plain(server, "demo", password, 235)
        server.stop()
        self.user(server.data, "app-password", "demo", "one more", code=65, says="16 application passwords")

    def test_a_disabled_user_has_none_that_works(self):
        server = self.serve("--user", "demo:" + RIGHT)
        phone = self.make(server.data, "phone")
        self.plain(server, "demo", phone, 235)
        self.user(server.data, "disable", "demo")
        self.plain(server, "demo", phone, 535)
        self.scram(server, "SCRAM-SHA-256", phone, 535)

    def test_labels(self):
        server = self.serve()
        for label, says in (("", "empty"), ("x" * 65, "64 octets"), ("a\tb", "control")):
            self.user(server.data, "app-password", "demo", label, code=65, says=says)
        self.user(server.data, "app-password", "demo", code=64, says="LABEL")


class Senders(MoreCase):
    def sends(self, server, sender, code, *words):
        with server.talk() as c:
            c.hello()
            c.login("demo", RIGHT)
            c.command(f"MAIL FROM:<{sender}>", code, *words)

    def test_only_who_is_in_the_list(self):
        server = self.serve("--user", "demo:" + RIGHT)
        self.sends(server, "anybody@example.net", 250)
        self.user(server.data, "may-send", "demo", "demo@example.org", "*@lists.example.org", "demo+*@example.org",
                  says="3 patterns")
        for sender in ("demo@example.org", "DEMO@Example.Org", '"demo"@example.org', "x@lists.example.org",
                       "demo+a+b@example.org", ""):
            self.sends(server, sender, 250)
        for sender in ("anybody@example.net", "demo@example.com", "demo@lists.example.org.evil.example",
                       '"x@lists.example.org"@example.net', "demo@sub.lists.example.org", "xdemo@example.org"):
            self.sends(server, sender, 553, "5.7.1", "[sender-not-yours]")
        server.expect_log("refused", reason="sender-not-yours", code="553", about="demo@example.com")
        self.assertEqual(len(self.shown(server.data, "demo")["may_send"]), 3)
        self.user(server.data, "may-send", "demo", "--anybody", says="anybody")
        self.sends(server, "anybody@example.net", 250)

    def test_the_header_too(self):
        port = free_port()
        server = self.configure(f'''
            hostname = mx.example.org
            default-route = hold
            listener "smtp" {{
                address = "127.0.0.1:{port}"
                tls = off
                auth = required
                auth-in-clear = yes
                from-header = check
            }}
        ''')
        server.addresses["smtp"] = ("127.0.0.1", port)
        for user in ("demo", "free"):
            server.run("user", "add", user, input=RIGHT + "\n")
        self.user(server.data, "may-send", "demo", "demo@example.org", says="1 pattern")
        for user, header, code, words in (
                ("demo", "From: Demo <demo@example.org>", 250, ()),
                ("demo", "Subject: no From at all", 250, ()),
                ("demo", "From: demo@example.org\r\nSubject: long\r\nX: " + "\r\n ".join(["x" * 70] * 2000), 250, ()),
                ("demo", "From: boss@example.org", 550, ("5.7.1", "[from-not-yours]")),
                ("demo", "From: demo@example.org,\r\n Boss <boss@example.org>", 550, ("[from-not-yours]",)),
                ("demo", "From: demo@example.org\r\nFrom: boss@example.org", 550, ("[from-not-yours]",)),
                ("demo", "From: demo@example.org\r\nSender: boss@example.org", 550, ("[from-not-yours]",)),
                ("demo", "X: " + "\r\n ".join(["x" * 70] * 2000) + "\r\nFrom: boss@example.org", 550, ("[from-not-yours]",)),
                ("demo", "From: demo@example.org <boss@example.org>", 550, ("5.7.1", "[from-unreadable]")),
                ("free", "From: boss@example.org", 250, ())):
            with self.subTest(header=header[:60]), server.talk() as c:
                c.hello()
                c.login(user, RIGHT)
                c.command("MAIL FROM:<demo@example.org>", 250)
                c.command("RCPT TO:<you@example.net>", 250)
                c.command("DATA", 354)
                c.raw(header.encode() + b"\r\n\r\nFrom: boss@example.org\r\n.\r\n")
                c.expect(code, *words)
                c.command("NOOP", 250)
        server.wait_log("refused", at="message", reason="from-not-yours", about="boss@example.org")
        server.wait_log("refused", at="message", reason="from-unreadable")
        self.assertEqual(len(server.queue()), 4)

    def test_set_without_a_server(self):
        server = self.serve("--user", "demo:" + RIGHT)
        server.stop()
        self.user(server.data, "may-send", "demo", "*@example.org")
        self.assertEqual(self.shown(server.data, "demo")["may_send"], ["*@example.org"])
        server = self.serve()
        self.sends(server, "x@example.org", 250)
        self.sends(server, "x@example.net", 553)

    def test_patterns_that_are_none(self):
        server = self.serve()
        for pattern in ("bob", "@example.org", "bob@", "a@b@c", "<bob@example.org>", "bob @example.org"):
            self.user(server.data, "may-send", "demo", pattern, code=65, says="cannot be used")
        self.user(server.data, "may-send", "demo", code=64, says="--anybody")
        self.user(server.data, "may-send", "nobody", "*@example.org", code=67)


def hashes():
    """One password in each form that libcrypt and openssl here make."""
    made = {}
    for method in ("6", "5", "1"):
        done = subprocess.run(["openssl", "passwd", f"-{method}", RIGHT], capture_output=True, text=True, check=True)
        made["m" + method] = done.stdout.strip()
    # Made with crypt(3) of libxcrypt for the same password.
    made["yescrypt"] = YESCRYPT
    made["bcrypt"] = BCRYPT
    return made


YESCRYPT = "$y$j75$L1iTqQaiNwha8e0uOKBNx.$QcWcdcDZYroFaOWnIJ1UBbEkt3EexZ2I/P5vnqMtEV/"
BCRYPT = "$2b$04$4vPPTejttNM9KjjT.iacAuND/ZpFdlU7LCCAZru50p.BGuvn0HzZS"


class Import(MoreCase):
    def write(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".passwd")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name

    def check(self, server, names):
        for name in names:
            self.plain(server, name, OTHER, 535)
            self.plain(server, name, RIGHT, 235)
            server.expect_log("user-converted", user=name)
            self.assertFalse(self.shown(server.data, name)["imported"])
            self.plain(server, name, RIGHT, 235)
            self.plain(server, name, OTHER, 535)

    def test_every_method_logs_in_and_becomes_a_verifier(self):
        server = self.serve()
        made = hashes()
        path = self.write("# a comment\n\n" + "".join(f"{name}:{h}:1000:1000::/home/{name}:/bin/sh\n"
                                                      for name, h in made.items()))
        self.user(server.data, "import", path, says="5 imported, 0 not")
        self.assertTrue(self.shown(server.data, "bcrypt")["imported"])
        self.plain(server, "nobody", RIGHT, 535)
        self.check(server, made)
        self.user(server.data, "import", path, code=65, says="such a user already")

    def test_without_a_server_and_with_a_scheme(self):
        server = self.serve()
        server.stop()
        h = hashes()
        self.user(server.data, "import", self.write(f"a:{{SHA512-CRYPT}}{h['m6']}\nb:{{blf-crypt}}{h['bcrypt']}\n"))
        self.check(self.serve(), "ab")

    def test_lines_that_cannot_be_taken(self):
        server = self.serve()
        path = self.write("good:" + BCRYPT + "\nlocked:!\nempty:\nno colon\n:x\nplain:secret\nodd:$9z$abc\n")
        done = self.user(server.data, "import", path, code=65)
        self.assertIn("1 imported, 6 not", done.stdout)
        for line, word in ((2, "locked"), (3, "locked"), (4, "NAME:HASH"), (5, "NAME:HASH"), (6, "not a crypt"), (7, "method")):
            self.assertRegex(done.stderr, f"(?m):{line}: .*{re.escape(word)}")
        self.assertNotIn("secret", done.stderr)
        self.user(server.data, "import", "/nonexistent", code=66)


if __name__ == "__main__":
    unittest.main()
