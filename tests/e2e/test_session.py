"""The order of a session and the AUTH exchange, typed by hand into the running server."""
import base64
import unittest

from harness import ONE_MESSAGE, ServerCase, queue_id


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Order(ServerCase):
    def setUp(self):
        super().setUp()
        self.server = self.serve()

    def test_mail_before_ehlo(self):
        with self.server.talk() as c:
            c.command("MAIL FROM:<a@example.org>", 503, "5.5.1", "EHLO", "[mail-before-ehlo]")
            c.hello()
            c.mail()
            c.quit()

    def test_rcpt_before_mail_and_data_before_rcpt(self):
        with self.server.talk() as c:
            c.hello()
            c.command("RCPT TO:<b@example.org>", 503, "5.5.1", "MAIL", "[rcpt-before-mail]")
            c.command("DATA", 503, "5.5.1")
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("DATA", 503, "5.5.1", "DATA needs RCPT TO first", "now: ", "RCPT", "RSET", "[data-before-rcpt]")
            c.command("RCPT TO:<b@example.org>", 250)
            c.command("DATA", 354)
            c.raw(ONE_MESSAGE + b".\r\n")
            c.expect(250)

    def test_nested_mail_and_rset(self):
        with self.server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("MAIL FROM:<a@example.org>", 503, "5.5.1", "RSET")
            c.command("RSET", 250)
            c.mail()
        self.assertEqual(len(self.server.queue()), 1)

    def test_unknown_commands_and_arguments(self):
        with self.server.talk() as c:
            c.command("FROBNICATE", 500, "5.5.2", "[unknown-command]")
            c.hello()
            c.command("MAIL FROM:a@example.org", 501)
            c.command("MAIL FROM:<a@example.org> FOO=BAR", 555)
            c.command("NOOP", 250)
            c.command("HELP", 214)
            c.command("VRFY <b@example.org>", 252)
            c.quit()


class Auth(ServerCase):
    def setUp(self):
        super().setUp()
        self.server = self.serve("--user", "anna:se:cret")

    def secure(self):
        c = self.server.talk("submission")
        self.addCleanup(c.close)
        c.hello()
        c.start_tls(self.server.client_tls())
        c.hello()
        return c

    def test_plain_with_and_without_initial_response(self):
        c = self.secure()
        c.command("AUTH PLAIN " + b64("\0anna\0se:cret"), 235, "2.7.0")
        c = self.secure()
        c.send("AUTH PLAIN")
        self.assertEqual(c.line(), "334 ")
        c.command(b64("\0anna\0se:cret"), 235)
        c.mail()

    def test_login(self):
        c = self.secure()
        c.send("AUTH LOGIN")
        self.assertEqual(c.line(), "334 VXNlcm5hbWU6")
        c.send(b64("anna"))
        self.assertEqual(c.line(), "334 UGFzc3dvcmQ6")
        c.command(b64("se:cret"), 235, "2.7.0")

    def test_wrong_password_unknown_user_and_no_user_sound_the_same(self):
        c = self.secure()
        a = c.command("AUTH PLAIN " + b64("\0anna\0wrong"), 535, "5.7.8")
        b = c.command("AUTH PLAIN " + b64("\0nobody\0wrong"), 535, "5.7.8")
        self.assertEqual(a.text, b.text)
        c.command("AUTH PLAIN " + b64("\0anna\0se:cret"), 235)

    def test_cancel(self):
        c = self.secure()
        c.command("AUTH LOGIN", 334)
        c.command("*", 501)
        c.command("AUTH PLAIN", 334)
        c.command("*", 501)
        c.login("anna", "se:cret")

    def test_faults_of_the_exchange(self):
        c = self.secure()
        c.command("AUTH PLAIN !!!", 501, "5.5.2")
        c.command("AUTH LOGIN", 334)
        c.command("not base64", 501, "5.5.2")
        c.command("AUTH FROBNICATE", 504, "5.5.4")
        c.command("AUTH", 501)
        c.command("AUTH PLAIN", 334)
        c.command("A" * 13000, 500, "5.5.6")

    def test_auth_twice_and_in_a_transaction(self):
        c = self.secure()
        c.login("anna", "se:cret")
        c.command("AUTH PLAIN " + b64("\0anna\0se:cret"), 503, "5.5.1")
        with self.server.talk() as d:
            d.hello()
            d.command("MAIL FROM:<a@example.org>", 250)
            d.command("AUTH PLAIN " + b64("\0anna\0se:cret"), 503, "5.5.1")

    def test_five_failures_end_the_session(self):
        c = self.secure()
        for _ in range(4):
            c.command("AUTH PLAIN " + b64("\0anna\0wrong"), 535)
        c.send("AUTH PLAIN " + b64("\0anna\0wrong"))
        self.assertIn(c.reply().code, (421, 535))

    def test_in_clear_on_loopback_by_name(self):
        with self.server.talk() as c:
            self.assertTrue(any(line.startswith("AUTH ") for line in c.hello().lines))
            c.login("anna", "se:cret")
            c.mail()

    def test_no_auth_in_clear_on_submission(self):
        with self.server.talk("submission") as c:
            lines = c.hello().lines
            self.assertIn("STARTTLS", lines)
            self.assertFalse(any(line.startswith("AUTH") for line in lines), lines)
            c.command("MAIL FROM:<a@example.org>", 530, "5.7.0")

    def test_no_secret_is_logged(self):
        c = self.secure()
        c.command("AUTH PLAIN " + b64("\0anna\0se:cret"), 235)
        d = self.secure()
        d.command("AUTH PLAIN " + b64("\0anna\0not-the-word"), 535)
        self.server.stop()
        log = self.server.err.text()
        for secret in ("se:cret", "not-the-word", b64("\0anna\0se:cret"), b64("\0anna\0not-the-word")):
            self.assertNotIn(secret, log)


class StartTls(ServerCase):
    def test_what_was_said_in_clear_is_forgotten(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            self.assertIn("STARTTLS", c.hello().lines)
            c.start_tls(server.client_tls())
            c.command("MAIL FROM:<a@example.org>", 503, "5.5.1", "EHLO")
            self.assertNotIn("STARTTLS", c.hello().lines)
            c.command("STARTTLS", 503)
            c.mail()

    def test_a_command_behind_starttls_never_runs(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            c.raw(b"STARTTLS\r\nMAIL FROM:<evil@example.org>\r\n")
            c.expect(554, "5.5.0")
            c.expect_close()


class Content(ServerCase):
    def setUp(self):
        super().setUp()
        self.server = self.serve()

    def test_octets_stay_as_they_are(self):
        content = b"Subject: x\r\n\r\n.\r\n..\r\n...x\r\n \t\r\n\x01\xff\x80\r\n" + b"y" * 5000 + b"\r\n\r\n"
        with self.server.talk() as c:
            c.hello()
            ident = c.mail(content)
        self.assertTrue(self.server.content(ident).endswith(b"\r\n" + content))

    def test_a_large_message(self):
        content = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 64 * 1024 * 5 + b"\r\n"
        with self.server.talk() as c:
            c.hello()
            ident = c.mail(content)
        self.assertTrue(self.server.content(ident).endswith(content))

    def test_a_bare_line_feed_is_refused_after_the_true_end(self):
        with self.server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nfoo\n.\nMAIL FROM:<evil@example.org>\r\n.\r\n")
            c.expect(554, "5.6.0", "[bare-lf-in-message]")
            c.command("NOOP", 250)
        self.assertEqual(self.server.queue(), [])

    def test_a_bare_line_feed_in_a_command_closes(self):
        with self.server.talk() as c:
            c.hello()
            c.raw(b"NOOP\n")
            c.expect(500, "5.5.2", "[bare-lf]")
            c.expect_close()

    def test_a_loop_is_broken(self):
        with self.server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.command("DATA", 354)
            c.raw(b"Received: from x by y\r\n" * 101 + b"\r\nx\r\n.\r\n")
            c.expect(554, "5.4.6")
        self.server.expect_log("mail-not-stored", reason="mail-loop")

    def test_too_large_by_size_and_by_itself(self):
        text = self.server.talk()
        text.hello()
        text.command("MAIL FROM:<a@example.org> SIZE=99999999999", 552, "5.3.4")
        text.close()

    def test_pipelining(self):
        with self.server.talk() as c:
            c.hello()
            c.raw(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n")
            for code in (250, 250, 250, 354):
                c.expect(code)
            c.raw(ONE_MESSAGE + b".\r\nNOOP\r\nQUIT\r\n")
            ident = queue_id(c.expect(250).text)
            c.expect(250)
            c.expect(221)
            c.expect_close()
        entry, = self.server.queue()
        self.assertEqual(entry["id"], ident)
        self.assertEqual(len(entry["recipients"]), 2)


if __name__ == "__main__":
    unittest.main()
