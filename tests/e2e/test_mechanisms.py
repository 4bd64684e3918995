"""Which mechanisms a listener offers and a route uses: what the configuration says is what EHLO lists, and nothing else works."""
import base64
import signal
import unittest

from harness import SALLYPORT, ServerCase, run, wait_for

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
        outer.wait_log("relay-auth", why=why)
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
