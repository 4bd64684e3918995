"""A server with a configuration of its own: domains, mailboxes, routes, who may relay, limits."""
import mailbox
import os
import pathlib
import signal
import unittest

from harness import ServerCase, wait_for

HEAD = """
hostname = mail.example.org
data = data
"""

OPEN = """
listener mx {
    address = "127.0.0.1:0"
    tls = starttls
}
listener inside {
    address = "127.0.0.1:0"
    relay-from = { "127.0.0.0/8" }
}
listener submission {
    address = "127.0.0.1:0"
    auth = required
}
"""


class Routes(ServerCase):
    def maildir(self):
        return self.configure(HEAD + OPEN + """
            default-route = hold
            domain example.org {
                route = boxes
                mailboxes = { alice, bob }
            }
            domain gone.example {
                route = discard
            }
            route boxes {
                kind = maildir
                path = "%s/mail/%%d/%%l"
            }
        """ % self.folder)

    def test_maildir(self):
        self.folder.chmod(0o777)  # the roles may run as somebody else
        server = self.maildir()
        with server.talk("mx") as c:
            c.hello()
            ident = c.mail(b"Subject: one\r\n\r\n.dot\r\n", recipients=["Alice@Example.org", "bob@example.org"])
        wait_for(lambda: server.queue() == [], "delivery")
        for name in ("alice", "bob"):
            box = mailbox.Maildir(self.folder / "mail" / "example.org" / name, create=False)
            keys = box.keys()
            self.assertEqual(len(keys), 1)
            octets = box.get_bytes(keys[0])
            self.assertTrue(octets.endswith(b"Subject: one\n\n.dot\n") or octets.endswith(b"Subject: one\r\n\r\n.dot\r\n"))
            self.assertIn(ident.encode(), octets)

    def test_who_may_send_where(self):
        self.folder.chmod(0o777)
        server = self.maildir()
        with server.talk("mx") as c:
            c.hello()
            c.command("MAIL FROM:<x@elsewhere.example>", 250)
            c.command("RCPT TO:<nobody@example.org>", 550, "5.1.1")
            c.command("RCPT TO:<x@elsewhere.example>", 550, "5.7.1")
            c.command("RCPT TO:<anything@gone.example>", 250)
        with server.talk("inside") as c:
            c.hello()
            ident = c.mail(recipients=["x@elsewhere.example"])
        self.assertEqual([e["id"] for e in server.queue()], [ident])

    def test_discard(self):
        self.folder.chmod(0o777)
        server = self.maildir()
        with server.talk("mx") as c:
            c.hello()
            c.mail(recipients=["x@gone.example"])
        wait_for(lambda: server.queue() == [], "the message to go")

    def test_a_domain_without_default_route_relays_nothing(self):
        server = self.configure(HEAD + OPEN + "default-route = none\ndomain example.org {\n route = hold\n}\n")
        with server.talk("inside") as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("RCPT TO:<x@elsewhere.example>", 550)
            c.command("RCPT TO:<anybody@example.org>", 250)


class Limits(ServerCase):
    def test_each(self):
        server = self.configure(HEAD + OPEN + """
            default-route = hold
            limits {
                message-size = 64K
                recipients = 100
                connections-per-address = 2
            }
        """)
        with server.talk("inside") as c:
            self.assertIn("SIZE 65536", c.hello().lines)
            c.command("MAIL FROM:<a@example.org> SIZE=65537", 552, "5.3.4")
            c.command("MAIL FROM:<a@example.org>", 250)
            for i in range(100):
                c.command(f"RCPT TO:<r{i}@example.org>", 250)
            c.command("RCPT TO:<more@example.org>", 452, "4.5.3")
            c.command("DATA", 354)
            c.raw(b"x" * 70000 + b"\r\n.\r\n")
            c.expect(552, "5.3.4")
            with server.talk("inside"):
                with server.talk("inside", greeting=421):
                    pass

    def test_errors_end_a_session(self):
        server = self.configure(HEAD + OPEN + "default-route = hold\nlimits {\n errors = 3\n}\n")
        with server.talk("mx") as c:
            c.hello()
            for _ in range(3):
                c.command("NONSENSE", 500)
            c.command("NONSENSE", 421, "4.7.0")
            c.expect_close()

    def test_who_talks_before_the_greeting(self):
        server = self.configure(HEAD + OPEN.replace("listener mx {", "listener mx {\n greet-pause = 1s") + "default-route = hold\n")
        with server.talk("mx") as c:
            c.hello()
            c.quit()
        with server.talk("mx", greeting=None) as early:
            early.send("EHLO client.example")
            early.expect(554, "[talked-early]")
            early.expect(503)
            early.command("QUIT", 221)
        server.wait_log("refused", at="connect", reason="talked-early")
        with server.talk("mx", greeting=None) as silent:
            self.assertEqual(server.stop(seconds=5), 0)
            silent.expect(421, "[shutting-down]")

    def test_the_name_in_the_greeting(self):
        server = self.configure(HEAD + OPEN + "default-route = hold\n")
        with server.talk("mx") as c:
            self.assertTrue(c.greeting.text.startswith("mail.example.org "), c.greeting)


class Guessing(ServerCase):
    TEXT = HEAD + OPEN + "default-route = hold\nauth-processes = 1\n"

    def guess(self, server, times):
        c = server.talk("submission")
        self.addCleanup(c.close)
        c.hello()
        c.start_tls(server.client_tls())
        c.hello()
        for _ in range(times):
            c.command("AUTH PLAIN AGFubmEAd3Jvbmc=", 535, "5.7.8")
        return c

    def test_who_guesses_waits_and_who_knows_does_not(self):
        server = self.configure(self.TEXT, "--user", "anna:secret")
        self.guess(server, 2)
        self.assertEqual(server.logs("auth-slowed"), [])
        self.guess(server, 1)
        server.wait_log("auth-slowed", user="anna", client="127.0.0.1", ms=1000)
        self.guess(server, 0).login("anna", "secret")

    def test_all_processes_count_together(self):
        server = self.configure(self.TEXT.replace("auth-processes = 1", "auth-processes = 4"), "--user", "anna:secret")
        for _ in range(3):  # each by a session of its own: to whichever process it falls
            self.guess(server, 1)
        server.wait_log("auth-slowed", user="anna", client="127.0.0.1", ms=1000)
        for _ in range(9):
            self.guess(server, 0).login("anna", "secret")
        self.assertGreater(len({line["role"] for line in server.logs("auth-ok")}), 1)

    def test_who_leaves_before_the_answer_keeps_the_place(self):
        """Else a guesser would take silence for a no, and guess at once again by another connection."""
        server = self.configure(self.TEXT + "limits {\n connections-per-address = 3\n auth-slow-first = 1m\n"
                                " auth-slow-most = 1m\n}\n", "--user", "anna:secret")
        self.guess(server, 2).quit()
        for n in range(1, 4):
            c = self.guess(server, 0)
            c.send("AUTH PLAIN AGFubmEAd3Jvbmc=")
            wait_for(lambda: len(server.logs("auth-slowed")) == n, "the refusal to be held back")
            c.close()
        server.talk("submission", greeting=421).close()

    def test_smtpd_dies_while_an_answer_is_held_back(self):
        server = self.configure(self.TEXT, "--user", "anna:secret")
        self.guess(server, 2)
        self.guess(server, 0).send("AUTH PLAIN AGFubmEAd3Jvbmc=")
        server.wait_log("auth-slowed")
        old = server.role_pids("smtpd")
        for pid in old:
            os.kill(pid, signal.SIGKILL)
            server.expect_log("role-died", signal="KILL")
        wait_for(lambda: len(set(server.role_pids("smtpd")) - set(old)) == len(old), "smtpd to be started again")
        self.guess(server, 0).login("anna", "secret")

    def test_it_can_be_turned_off(self):
        server = self.configure(self.TEXT + "limits {\n auth-slow-down = no\n}\n", "--user", "anna:secret")
        self.guess(server, 4)
        self.assertEqual(server.logs("auth-slowed"), [])


class Smarthost(ServerCase):
    """One Sallyport hands over to another: AUTH and verified TLS on the way."""

    def test_with_auth_over_verified_tls(self):
        inner = self.serve("--user", "relay:pa ss", data="inner")
        password, authority = self.folder / "password", self.folder / "authority.pem"
        password.write_text("pa ss\n")
        self.folder.chmod(0o755)  # the role that reads the certificate may run as somebody else
        authority.write_bytes(pathlib.Path(inner.certificate).read_bytes())
        text = HEAD + OPEN + """
            default-route = smart
            route smart {
                kind = relay
                host = localhost
                port = %d
                tls = verified
                ca-file = "authority.pem"
                user = relay
                password-file = password
            }
        """ % inner.port("submission")
        outer = self.configure(text, data="outer")
        with outer.talk("inside") as c:
            c.hello()
            c.mail(recipients=["x@elsewhere.example"])
        wait_for(lambda: inner.queue() and not outer.queue(), "the message to move")
        self.assertIn(b"with ESMTPSA", inner.content(inner.queue()[0]["id"]))

    def test_an_unverified_server_gets_nothing(self):
        inner = self.serve("--user", "relay:secret", data="inner")
        (self.folder / "password").write_text("secret\n")
        outer = self.configure(HEAD + OPEN + """
            default-route = smart
            route smart {
                kind = relay
                host = localhost
                port = %d
                tls = verified
                user = relay
                password-file = password
            }
        """ % inner.port("submission"), data="outer")
        with outer.talk("inside") as c:
            c.hello()
            ident = c.mail(recipients=["x@elsewhere.example"])

        def attempted():
            entry, = outer.queue()
            return entry["recipients"][0]["attempts"] and entry

        entry = wait_for(attempted, "an attempt")
        self.assertEqual(entry["id"], ident)
        self.assertIn("certificate", entry["recipients"][0]["last_reply"].lower())
        self.assertEqual(inner.queue(), [])


if __name__ == "__main__":
    unittest.main()
