"""Which mechanisms a listener offers and a route uses: what the configuration says is what EHLO lists, and nothing else works."""
import base64
import hmac
import json
import signal
import unittest

from harness import SALLYPORT, ServerCase, run, sallyport, wait_for

HEAD = """
hostname = mail.example.org
data = data
default-route = hold
"""

LISTENER = """
listener %s {
    address = "127.0.0.1:0"
    auth = required
    %s
}
"""

PLUS = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"]
PROVING = ["SCRAM-SHA-256", "SCRAM-SHA-1"]
SHOWING = ["PLAIN", "LOGIN"]


def offered(reply):
    """The words behind AUTH of an EHLO reply, or None."""
    lines = [line.split()[1:] for line in reply.lines if line.split()[0] == "AUTH"]
    return lines[0] if lines else None


class Listeners(ServerCase):
    def test_ehlo_lists_what_is_named(self):
        server = self.configure(HEAD + LISTENER % ("all", "") + LISTENER % ("proofs", """
            mechanisms = { scram-sha-1, SCRAM-SHA-256 }""") + LISTENER % ("clear", """
            auth-in-clear = yes
            mechanisms = { PLAIN, SCRAM-SHA-256-PLUS, SCRAM-SHA-256 }"""), "--user", "anna:secret")
        for listener, clear, tls in (("all", None, PLUS + PROVING + SHOWING), ("proofs", None, PROVING),
                                     ("clear", ["SCRAM-SHA-256", "PLAIN"],
                                      ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"])):
            with self.subTest(listener=listener), server.talk(listener) as c:
                self.assertEqual(offered(c.hello()), clear)
                c.start_tls(server.client_tls())
                self.assertEqual(offered(c.hello()), tls)
        with server.talk("proofs") as c:
            c.hello()
            c.start_tls(server.client_tls())
            c.hello()
            c.command("AUTH PLAIN AGFubmEAc2VjcmV0", 504, "[auth-unknown-mechanism]")
            c.command("AUTH SCRAM-SHA-256-PLUS", 504, "[auth-unknown-mechanism]")

    def test_where_plus_is_not_named_a_client_that_could_bind_may_say_so(self):
        """y in the gs2 header: "I can bind, you do not offer it". Refused only where it is offered."""
        server = self.configure(HEAD + LISTENER % ("proofs", "mechanisms = { SCRAM-SHA-256 }") +
                                LISTENER % ("bound", "mechanisms = { SCRAM-SHA-256, SCRAM-SHA-1-PLUS }"),
                                "--user", "anna:secret")
        first = base64.b64encode(b"y,,n=anna,r=fyko+d2lbbFgONRv9qkxdawL").decode()
        for listener, code in (("proofs", 334), ("bound", 535)):
            with self.subTest(listener=listener), server.talk(listener) as c:
                c.hello()
                c.start_tls(server.client_tls())
                c.hello()
                c.command("AUTH SCRAM-SHA-256 " + first, code)
        server.wait_log("auth-failed", defect="binding-downgrade")

    def test_a_reload_changes_the_list(self):
        server = self.configure(HEAD + LISTENER % ("one", ""))
        path = self.folder / "sallyport.conf"
        path.write_text(HEAD + LISTENER % ("one", "mechanisms = { PLAIN }"))
        server.process.send_signal(signal.SIGHUP)

        def list_now():
            with server.talk("one") as c:
                c.hello()
                c.start_tls(server.client_tls())
                return offered(c.hello()) == ["PLAIN"]
        wait_for(list_now, "the new list")


def cram(challenge, user, password):
    """The answer to a 334 of CRAM-MD5, RFC 2195."""
    digest = hmac.new(password.encode(), base64.b64decode(challenge), "md5").hexdigest()
    return base64.b64encode(f"{user} {digest}".encode()).decode()


class CramMd5(ServerCase):
    """Only for users who were given such a secret on purpose, on listeners that name it; the others learn nothing."""

    SECRET, WRONG = "Xyzzy-plugh-1977", "Plover-1977-xyzzy"

    def setUp(self):
        super().setUp()
        self.server = self.configure(HEAD + LISTENER % ("old", """
            auth-in-clear = yes
            mechanisms = { PLAIN, CRAM-MD5 }""") + LISTENER % ("new", "auth-in-clear = yes") +
            "limits {\n auth-slow-down = no\n auth-failures = 100\n}\n", "--user", "anna:" + self.SECRET)
        self.data = self.server.data

    def user(self, *words, password=None, data=None):
        return sallyport("user", *words, "--data", str(data or self.data), input=password and password + "\n").stdout

    def log_in(self, c, user, password):
        """The whole reply to a digest."""
        challenge = c.command("AUTH CRAM-MD5", 334).text
        c.send(cram(challenge, user, password))
        return c.reply()

    def test_by_wish_only(self):
        said = self.user("add", "--cram-md5", "fax", password=self.SECRET)
        for words in ("whoever reads the file", "encrypted", "without --cram-md5 removes", "mechanisms names it"):
            self.assertIn(words, said)
        with self.server.talk("new") as c:
            self.assertNotIn("CRAM-MD5", offered(c.hello()))
            c.command("AUTH CRAM-MD5", 504)
        with self.server.talk("old") as c:
            self.assertEqual(offered(c.hello()), ["CRAM-MD5", "PLAIN"])
            self.assertEqual(self.log_in(c, "FAX", self.SECRET).code, 235)
        self.assertEqual(self.server.wait_log("auth-ok", mechanism="CRAM-MD5")["user"], "fax")
        self.assertEqual(json.loads(self.user("show", "fax", "--json"))["cram_md5"], True)
        self.assertIn("a secret that can be used as it is is kept", self.user("show", "fax"))
        self.assertEqual([u["cram_md5"] for u in json.loads(self.user("list", "--json"))], [False, True])
        # A new password without the wish forgets the secret, with it replaces it.
        self.user("passwd", "fax", password=self.WRONG)
        with self.server.talk("old") as c:
            c.hello()
            for password in (self.SECRET, self.WRONG):
                self.assertEqual(self.log_in(c, "fax", password).code, 535)
                self.server.wait_log("auth-failed", user="fax", reason="no-cram-md5-secret")
            self.user("passwd", "--cram-md5", "fax", password=self.SECRET)
            self.assertEqual(self.log_in(c, "fax", self.WRONG).code, 535)
            self.assertEqual(self.log_in(c, "fax", self.SECRET).code, 235)
        self.server.wait_log("auth-failed", user="fax", mechanism="CRAM-MD5", reason="bad-password")

    def test_made_without_a_server(self):
        self.server.stop()
        self.user("add", "fax", "--cram-md5", password=self.SECRET)
        self.assertTrue(json.loads(self.user("show", "fax", "--json"))["cram_md5"])
        self.user("app-password", "fax", "label")  # another password of the user: the secret stays
        self.assertTrue(json.loads(self.user("show", "fax", "--json"))["cram_md5"])
        again = self.serve("-c", str(self.folder / "sallyport.conf"), sandbox=False)
        with again.talk("old") as c:
            c.hello()
            self.assertEqual(self.log_in(c, "fax", self.SECRET).code, 235)

    def test_every_failure_says_the_same(self):
        self.user("add", "--cram-md5", "fax", password=self.SECRET)
        self.user("add", "--cram-md5", "gone", password=self.SECRET)
        self.user("disable", "gone")
        with self.server.talk("old") as c:
            c.hello()
            said = {}
            for user, password, reason in (("fax", self.WRONG, "bad-password"), ("nobody", self.SECRET, "unknown-user"),
                                           ("anna", self.SECRET, "no-cram-md5-secret"), ("gone", self.SECRET, "disabled")):
                challenge = base64.b64decode(c.command("AUTH CRAM-MD5", 334).text)
                self.assertRegex(challenge, rb"^<[0-9a-f]{32}@mail\.example\.org>$")
                c.send(cram(base64.b64encode(challenge), user, password))
                said[user] = repr(c.reply())
                self.server.wait_log("auth-failed", user=user, reason=reason, steps="334:cram-challenge response:%d" % (
                    len(user) + 33))
            self.assertEqual(len(set(said.values())), 1, said)

    def test_malformed(self):
        with self.server.talk("old") as c:
            c.hello()
            for initial in ("=", base64.b64encode(b"fax " + b"0" * 32).decode()):
                c.command("AUTH CRAM-MD5 " + initial, 501, "5.7.0", "[auth-initial-response]")
            self.server.wait_log("auth-failed", reason="malformed", defect="initial-response", mechanism="CRAM-MD5")
            for response, defect in ((b"fax 123", "cram-grammar"), (self.SECRET.encode(), "cram-grammar"),
                                     (base64.b64encode(b"fax " + b"0" * 32), "double-base64")):
                c.command("AUTH CRAM-MD5", 334)
                c.command(base64.b64encode(response).decode(), 501, "5.5.2", "[auth-malformed]")
                self.server.wait_log("auth-failed", reason="malformed", defect=defect)

    def test_no_password_is_kept(self):
        self.user("add", "--cram-md5", "fax", password=self.SECRET)
        with self.server.talk("old") as c:
            c.hello()
            self.log_in(c, "fax", self.SECRET)
        self.assertEqual(self.server.stop(), 0)
        for file in self.data.rglob("*"):
            if file.is_file():
                self.assertNotIn(self.SECRET.encode(), file.read_bytes(), file)
        self.assertNotIn(self.SECRET, self.server.err.text())

    def test_words(self):
        for words in (["list", "--cram-md5"], ["disable", "anna", "--cram-md5"]):
            done = sallyport("user", *words, "--data", str(self.data), check=False)
            self.assertEqual(done.returncode, 64)
            self.assertIn("--cram-md5 is for add and passwd", done.stderr)


class Floor(ServerCase):
    """min-mechanism of a route: with a server that offers only weaker ones the mail waits, and says why."""

    def outer(self, inner, floor):
        (self.folder / "password").write_text("pa ss\n")
        return self.configure("""
            hostname = mail.example.org
            data = data
            default-route = smart
            listener inside {
                address = "127.0.0.1:0"
                relay-from = { "127.0.0.0/8" }
            }
            route smart {
                kind = relay
                host = 127.0.0.1
                port = %d
                user = relay
                password-file = password
                min-mechanism = %s
            }
        """ % (inner.port("submission"), floor), data="outer", name="outer.conf")

    def send(self, server):
        with server.talk("inside") as c:
            c.hello()
            return c.mail(recipients=["x@elsewhere.example"])

    def test_the_mail_waits_and_says_why(self):
        inner = self.configure(HEAD + LISTENER % ("submission", "mechanisms = { PLAIN, LOGIN }"), "--user", "relay:pa ss",
                               data="inner")
        outer = self.outer(inner, "SCRAM-SHA-1")
        ident = self.send(outer)
        why = "the server offers AUTH PLAIN LOGIN, and nothing weaker than SCRAM-SHA-1 may be used"
        outer.wait_log("remote-auth", why=why)
        wait_for(lambda: outer.queue()[0]["recipients"][0]["attempts"], "an attempt")
        entry, = outer.queue()
        self.assertEqual(entry["recipients"][0]["state"], "deferred")
        self.assertIn(why, entry["recipients"][0]["last_reply"])
        self.assertIn(why, outer.run("queue", "show", ident).stdout)
        self.assertEqual(inner.queue(), [])
        self.assertEqual(inner.logs("auth-ok") + inner.logs("auth-failed"), [])

    def test_what_is_strong_enough_is_used(self):
        inner = self.configure(HEAD + LISTENER % ("submission", "mechanisms = { PLAIN, SCRAM-SHA-1 }"), "--user", "relay:pa ss",
                               data="inner")
        outer = self.outer(inner, "SCRAM-SHA-1")
        self.send(outer)
        wait_for(lambda: inner.queue() and not outer.queue(), "the message to move")
        inner.wait_log("auth-ok", mechanism="SCRAM-SHA-1")

    def test_send_says_the_same(self):
        inner = self.configure(HEAD + LISTENER % ("submission", "mechanisms = { PLAIN, LOGIN }"), "--user", "relay:pa ss")
        (self.folder / "password").write_text("pa ss\n")
        done = run([SALLYPORT, "send", f"127.0.0.1:{inner.port('submission')}", "--to", "a@example.org", "--auth", "relay",
                    "--password-file", self.folder / "password", "--body", "x", "--min-mechanism", "SCRAM-SHA-256"])
        self.assertEqual(done.returncode, 77)
        self.assertIn("nothing weaker than SCRAM-SHA-256 may be used", done.output)


if __name__ == "__main__":
    unittest.main()
