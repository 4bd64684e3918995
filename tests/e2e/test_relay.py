"""--relay hands everything to another server, each message once."""
import collections
import email
import email.policy
import os
import unittest

from fake_server import FakeServer
from harness import SALLYPORT, SLOW, ServerCase, Sink, free_port, run, smtp_source, wait_for

MESSAGES = 20000 if SLOW else 2000


class Relay(ServerCase):
    def sink(self, *options, port=None):
        sink = Sink(*options, port=port)
        self.addCleanup(sink.stop)
        return sink

    def test_a_stream_of_messages_arrives_once_each(self):
        sink = self.sink()
        server = self.serve("--relay", sink.address)
        smtp_source(server.addresses["smtp"], "-s", "20", "-m", str(MESSAGES), "-N", "-l", "4096",
                    "-f", "a@example.org", "-t", "user@example.org", timeout=600)
        wait_for(lambda: server.queue() == [], "the queue to empty", 300)
        counts = collections.Counter(sink.recipients())
        self.assertEqual(counts, {f"{i}user@example.org": 1 for i in range(1, MESSAGES + 1)})

    def test_a_server_that_comes_later_gets_the_mail(self):
        port = free_port()
        server = self.serve("--relay", f"127.0.0.1:{port}")
        with server.talk() as c:
            c.hello()
            ident = c.mail()

        def deferred():
            entry, = server.queue()
            self.assertEqual(entry["id"], ident)
            recipient, = entry["recipients"]
            return recipient["attempts"] >= 2 and recipient

        recipient = wait_for(deferred, "a second attempt")
        self.assertIn("refused", recipient["last_reply"].lower())
        sink = self.sink(port=port)
        wait_for(lambda: sink.recipients() == ["b@example.org"], "the message")
        wait_for(lambda: server.queue() == [], "the queue to empty")

    def next_server(self, **options):
        server = FakeServer(**options)
        self.addCleanup(server.stop)
        return server

    def test_content_goes_out_as_it_came_in(self):
        content = b"Subject: x\r\n\r\n.\r\n..\r\n.a\r\n" + "grün\r\n".encode() + b"y" * 200000 + b"\r\n"
        hop = self.next_server()
        server = self.serve("--relay", hop.address)
        with server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org> BODY=8BITMIME", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.command("DATA", 354)
            c.raw(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            c.expect(250)
        mail, = hop.wait(1)
        self.assertTrue(mail.content.endswith(b"\r\n" + content))
        self.assertTrue(mail.body, "BODY=8BITMIME was lost")

    def relay(self, server, content, *words, body="8BITMIME", rcpt=()):
        with server.talk() as c:
            c.hello()
            c.command(" ".join(["MAIL FROM:<a@example.org>", *([f"BODY={body}"] if body else []), *words]), 250)
            c.command(" ".join(["RCPT TO:<b@example.org>", *rcpt]), 250)
            c.command("DATA", 354)
            c.raw(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            return c.expect(250)

    def test_eight_bits_are_converted_for_a_server_that_takes_seven(self):
        hop = self.next_server(keywords=["PIPELINING"])
        server = self.serve("--relay", hop.address)
        picture = bytes(range(128, 256)) * 30
        content = (b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=limit\r\n"
                   b"Content-Transfer-Encoding: 8bit\r\n\r\n--limit\r\nContent-Type: text/plain; charset=utf-8\r\n"
                   b"Content-Transfer-Encoding: 8bit\r\n\r\n" + "xin chào = \r\n.\r\n".encode() * 3000 +
                   b"--limit\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + picture +
                   b"\r\n--limit--\r\n")
        self.relay(server, content)
        mail, = hop.wait(1)
        self.assertFalse(mail.body)
        self.assertTrue(mail.content.isascii())
        parsed = email.message_from_bytes(mail.content, policy=email.policy.default)
        text, image = parsed.iter_parts()
        self.assertEqual(text.get_content(), ("xin chào = \r\n.\r\n" * 3000)[:-2])  # the last line end is the boundary's
        self.assertEqual(image.get_content(), picture)

    def test_what_cannot_be_converted_comes_back(self):
        hop = self.next_server(keywords=["PIPELINING"])
        server = self.serve("--relay", hop.address)
        self.relay(server, b"Subject: x\r\n\r\ngr\xfcn\r\n")
        bounce, = hop.wait(1)
        self.assertEqual((bounce.sender, bounce.recipients), ("", ["a@example.org"]))
        self.assertIn(b"Status: 5.6.3", bounce.content)

    def send(self, server, *words):
        done = run([SALLYPORT, "send", f"127.0.0.1:{server.port()}", "--from", "a@example.org", "--quiet", *map(str, words)], timeout=300)
        self.assertEqual(done.returncode, 0, done.output)

    def blob(self):
        octets = os.urandom(1 << 16) * (480 if SLOW else 40) + bytes(range(256)) + b"\r\n.\r\n\n--"
        path = self.folder / "blob"
        path.write_bytes(octets)
        return path, octets

    def test_binary_octet_for_octet(self):
        hop = self.next_server(keywords=["PIPELINING", "CHUNKING", "BINARYMIME"])
        server = self.serve("--relay", hop.address)
        path, octets = self.blob()
        self.send(server, "--to", "b@example.org", "--binary", "--attach", path)
        mail, = hop.wait(1, 300)
        self.assertIn("BODY=BINARYMIME", mail.mail_words)
        self.assertIn(b"\r\n\r\n" + octets + b"\r\n--", mail.content)

    def test_binary_by_downgrade(self):
        path, octets = self.blob()
        for i, keywords in enumerate((["PIPELINING", "8BITMIME"], ["CHUNKING"], ["BINARYMIME"])):
            hop = self.next_server(keywords=keywords)
            server = self.serve("--relay", hop.address, data=f"data{i}")
            self.send(server, "--to", "b@example.org", "--binary", "--attach", path, "--body", "xin chào")
            mail, = hop.wait(1, 300)
            self.assertEqual(mail.mail_words, ["BODY=8BITMIME"] if "8BITMIME" in keywords else [])
            text, blob = email.message_from_bytes(mail.content, policy=email.policy.default).iter_parts()
            self.assertEqual(text.get_content(), "xin chào")
            self.assertEqual(blob.get_content(), octets)

    def test_what_may_not_be_converted_comes_back(self):
        hop = self.next_server(keywords=["8BITMIME"])
        server = self.serve("--relay", hop.address)
        path = self.folder / "signed"
        path.write_bytes(b"Subject: x\r\nContent-Type: multipart/signed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                         b"--b\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n--b--\r\n")
        self.send(server, path, "--to", "b@example.org", "--binary")
        self.assertIn(b"Status: 5.6.2", hop.wait(1)[0].content)

    def test_utf8_to_a_server_without_it(self):
        hop = self.next_server(keywords=["8BITMIME"])
        server = self.serve("--relay", hop.address)
        self.send(server, "--to", "hộp@thư.example", "--header", "To: them")
        bounce, = hop.wait(1)
        self.assertEqual(bounce.recipients, ["a@example.org"])
        self.assertIn(b"Status: 5.6.7", bounce.content)
        # SMTPUTF8 was said, but nothing needs it: it goes without.
        self.relay(server, b"Subject: x\r\n\r\nx\r\n", "SMTPUTF8")
        self.assertEqual(hop.wait(2)[1].mail_words, ["BODY=8BITMIME"])

    def test_what_was_asked_is_passed_on(self):
        hop = self.next_server(keywords=["8BITMIME", "SMTPUTF8", "DSN", "DELIVERBY", "MT-PRIORITY"])
        server = self.serve("--relay", hop.address)
        self.send(server, "--to", "hộp@thư.example", "--ret", "hdrs", "--envid", "a b", "--notify", "failure,success", "--orcpt",
                  "rfc822;x+y@example.org", "--deliver-by", "5000;N", "--priority=-3")
        mail, = hop.wait(1)
        words = " ".join(mail.mail_words)
        for word in ("SMTPUTF8", "RET=HDRS", "ENVID=a+20b", "BODY=8BITMIME"):
            self.assertIn(word, mail.mail_words)
        self.assertRegex(words, r"BY=(5000|49\d\d);N")
        self.assertIn("MT-PRIORITY=-3", words)
        self.assertEqual(mail.rcpt_words, [["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;x+2By@example.org"]])

    def auth_at_the_next(self, data, auth, log_in, said):
        """The words of MAIL at a server that takes AUTH=, or does not."""
        hop = self.next_server(auth=auth)
        server = self.serve("--relay", hop.address, data=data)
        with server.talk("submission" if log_in else "smtp") as c:
            c.hello()
            if log_in:
                c.start_tls(server.client_tls())
                c.hello()
                c.login(server.user, server.password)
            c.command("MAIL FROM:<a@example.org>" + said, 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        mail, = hop.wait(1)
        return [word for word in mail.mail_words if word.startswith("AUTH=")]

    def test_who_submitted_is_passed_on(self):
        """RFC 4954 5: as it was said by who has logged in; of anybody else it is not believed, and says nobody."""
        some = {"PLAIN": "535 5.7.8 no"}
        for data, auth, log_in, said, wanted in (("one", some, True, " AUTH=e+3Dmc2@example.org", ["AUTH=e+3Dmc2@example.org"]),
                                                 ("two", some, True, " AUTH=<>", ["AUTH=<>"]),
                                                 ("three", some, False, " AUTH=e+3Dmc2@example.org", ["AUTH=<>"]),
                                                 ("four", {}, True, " AUTH=e+3Dmc2@example.org", [])):
            with self.subTest(said=said, log_in=log_in, auth=auth):
                self.assertEqual(self.auth_at_the_next(data, auth, log_in, said), wanted)

    def test_limits_of_the_next_server_are_kept(self):
        hop = self.next_server(keywords=["PIPELINING", "LIMITS MAILMAX=1 RCPTMAX=2"])
        server = self.serve("--relay", hop.address)
        everybody = [f"u{i}@example.org" for i in range(5)]
        with server.talk() as c:
            c.hello()
            c.mail(recipients=everybody)
        mails = hop.wait(3)
        self.assertEqual(sorted(r for m in mails for r in m.recipients), everybody)
        self.assertTrue(all(len(m.recipients) <= 2 for m in mails))
        wait_for(lambda: server.queue() == [], "the queue to empty")
        self.assertEqual(sum(line.startswith(b"EHLO") for line in hop.lines), 3)

    def test_a_new_message_is_tried_at_once_whatever_earlier_ones_met(self):
        hop = self.next_server(rcpt=lambda a: "451 4.2.0 Later" if a.startswith("slow@") else "250 2.1.5 Ok")
        server = self.serve("--relay", hop.address)
        with server.talk() as c:
            c.hello()
            slow = c.mail(recipients=["slow@example.org"])
            wait_for(lambda: server.queue()[0]["recipients"][0]["attempts"] >= 1, "an attempt")
            c.mail(recipients=["fast@example.org"])
        self.assertEqual(hop.wait(1)[0].recipients, ["fast@example.org"])
        wait_for(lambda: [e["id"] for e in server.queue()] == [slow], "only the first message to be left")


if __name__ == "__main__":
    unittest.main()
