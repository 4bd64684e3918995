"""--relay hands everything to another server, each message once."""
import collections
import email
import unittest

from harness import SLOW, NextServer, ServerCase, Sink, free_port, smtp_source, wait_for

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

    def next_server(self, *arguments, **options):
        server = NextServer(*arguments, **options)
        self.addCleanup(server.stop)
        return server

    def test_a_permanent_refusal_makes_a_bounce_to_the_sender(self):
        hop = self.next_server({"RCPT TO:<gone@": "550 5.1.1 No such user here"})
        server = self.serve("--relay", hop.address)
        with server.talk() as c:
            c.hello()
            c.mail(b"Subject: lost\r\n\r\nThe body.\r\n", recipients=["gone@example.org", "there@example.org"])
        wait_for(lambda: len(hop.mails) == 2, "the message and the report")
        wait_for(lambda: server.queue() == [], "the queue to empty")
        mails = {tuple(recipients): (sender, content) for sender, recipients, content in hop.mails}
        self.assertEqual(mails[("there@example.org",)][0], "a@example.org")
        sender, report = mails[("a@example.org",)]
        self.assertEqual(sender, "")
        parsed = email.message_from_bytes(report)
        self.assertEqual(parsed.get_content_type(), "multipart/report")
        self.assertEqual(parsed.get_param("report-type"), "delivery-status")
        kinds = [part.get_content_type() for part in parsed.get_payload()]
        self.assertEqual(kinds[1], "message/delivery-status")
        status = parsed.get_payload()[1].as_string()
        self.assertIn("Final-Recipient: rfc822; gone@example.org", status)
        self.assertIn("Action: failed", status)
        self.assertIn("Status: 5.1.1", status)
        self.assertNotIn("there@example.org", status)
        self.assertIn("Subject: lost", report.decode())
        self.assertIn("550 5.1.1 No such user here", report.decode())

    def test_a_report_makes_no_report(self):
        hop = self.next_server({"RCPT": "550 5.1.1 Nobody"})
        server = self.serve("--relay", hop.address)
        with server.talk() as c:
            c.hello()
            c.mail()
            c.mail(sender="")
        wait_for(lambda: server.queue() == [], "the queue to empty")
        for _ in range(2):
            server.expect_log("mail-undeliverable")
        self.assertEqual(hop.mails, [])

    def test_a_temporary_refusal_is_tried_again(self):
        answers = {"RCPT": "451 4.7.1 Greylisted, come back"}
        hop = self.next_server(answers)
        server = self.serve("--relay", hop.address)
        with server.talk() as c:
            c.hello()
            c.mail()
        wait_for(lambda: server.queue()[0]["recipients"][0]["attempts"] >= 1, "an attempt")
        self.assertIn("451 4.7.1 Greylisted, come back", server.queue()[0]["recipients"][0]["last_reply"])
        answers.clear()
        wait_for(lambda: len(hop.mails) == 1, "the message")
        wait_for(lambda: server.queue() == [], "the queue to empty")

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
        wait_for(lambda: hop.mails, "the message")
        self.assertTrue(hop.mails[0][2].endswith(b"\r\n" + content))
        self.assertTrue(any("BODY=8BITMIME" in command for command in hop.commands), hop.commands)

    def test_a_new_message_is_tried_at_once_whatever_earlier_ones_met(self):
        answers = {"RCPT TO:<slow@": "451 4.2.0 Later"}
        hop = self.next_server(answers)
        server = self.serve("--relay", hop.address)
        with server.talk() as c:
            c.hello()
            slow = c.mail(recipients=["slow@example.org"])
            wait_for(lambda: server.queue()[0]["recipients"][0]["attempts"] >= 1, "an attempt")
            c.mail(recipients=["fast@example.org"])
        wait_for(lambda: [m[1] for m in hop.mails] == [["fast@example.org"]], "the second message")
        self.assertEqual([e["id"] for e in server.queue()], [slow])

    def test_held_mail_is_not_sent_by_a_later_relay(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            held = c.mail(recipients=["held@example.org"])
        self.assertEqual(server.stop(), 0)
        sink = self.sink()
        server = self.serve("--relay", sink.address)
        with server.talk() as c:
            c.hello()
            c.mail(recipients=["sent@example.org"])
        wait_for(lambda: sink.recipients() == ["sent@example.org"], "the second message")
        wait_for(lambda: [e["id"] for e in server.queue()] == [held], "only the held message to be left")


if __name__ == "__main__":
    unittest.main()
