"""`sallyport send` against our server, against a server that refuses, and against postfix's smtp-sink."""
import email
import email.policy
import json
import os
import re
import unittest

from fake_server import FakeServer
from harness import SALLYPORT, ServerCase, Sink, free_port, run

OK, USAGE, DATAERR, NOINPUT, NOUSER, NOHOST, UNAVAILABLE, TEMPFAIL, NOPERM = 0, 64, 65, 66, 67, 68, 69, 75, 77


class SendCase(ServerCase):
    def send(self, *words, code=OK, env=None, **options):
        done = run([SALLYPORT, "send", *map(str, words)], env=dict(os.environ, **(env or {})), **options)
        if code is None:
            self.assertNotEqual(done.returncode, OK, done.output)
        else:
            self.assertEqual(done.returncode, code, done.output)
        return done

    def json(self, *words, **options):
        done = self.send(*words, "--json", **options)
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def fake(self, **options):
        server = FakeServer(**options)
        self.addCleanup(server.stop)
        return server


class ToOurServer(SendCase):
    def test_nothing_but_an_address_is_needed(self):
        server = self.serve()
        out = self.send(f"127.0.0.1:{server.port()}", "--to", "me@example.org").stdout
        queue_id = re.search(r"^=> me@example.org: accepted: 250 2\.0\.0 Queued as (\w{13})$", out, re.M).group(1)
        content = server.content(queue_id).decode()
        for field in ("Date", "From", "To", "Subject", "Message-ID"):
            self.assertRegex(content, rf"(?m)^{field}: .+\r$")
        replies = re.findall(r"^S: \d\d\d .*\n(.*)$", out, re.M)
        self.assertGreater(len(replies), 6)
        for explained in replies:
            self.assertRegex(explained, r"^   = .+")
        self.assertRegex(out, r"(?m)^-- TLSv1\.[23], .* bits, CN=localhost: certificate not verified \(.+\)$")

    def test_in_vietnamese(self):
        server = self.serve()
        out = self.send(f"127.0.0.1:{server.port()}", "--to", "me@example.org", "--lang", "vi").stdout
        self.assertIn("=> me@example.org: đã nhận: 250", out)
        self.assertIn("đang kết nối tới", out)

    def test_a_file_goes_out_as_it_is(self):
        server = self.serve()
        path = self.folder / "mail"
        path.write_bytes(b"Subject: mine\nFrom: a@b.example\n\n.dot\n..\nend without newline")
        out = self.send(f"127.0.0.1:{server.port()}", path, "--to", "<me@example.org>", "--from=<>").stdout
        queue_id = re.search(r"Queued as (\w{13})", out).group(1)
        self.assertTrue(server.content(queue_id).endswith(
            b"Subject: mine\r\nFrom: a@b.example\r\n\r\n.dot\r\n..\r\nend without newline\r\n"))
        self.assertIn("C: MAIL FROM:<>", out)
        self.assertIn("C: ..dot", out)

    def test_a_body_gets_a_header(self):
        server = self.serve()
        out = self.send(f"127.0.0.1:{server.port()}", "-", "--to", "a@example.org, b@example.org", "--subject",
                        "Xin chào thế giới, đây là một tiêu đề dài hơn một từ mã hoá", "--header", "X-Test: yes",
                        "--header=Date: Mon, 02 Jan 2006 15:04:05 +0000", input="xin chào\n").stdout
        content = server.content(re.search(r"Queued as (\w{13})", out).group(1))
        mail = email.message_from_bytes(content, policy=email.policy.default)
        self.assertEqual(mail["Subject"], "Xin chào thế giới, đây là một tiêu đề dài hơn một từ mã hoá")
        self.assertEqual(mail["X-Test"], "yes")
        self.assertEqual(mail.get_all("Date"), ["Mon, 02 Jan 2006 15:04:05 +0000"])
        self.assertEqual(mail.get_content(), "xin chào\r\n")
        self.assertEqual([str(a) for a in mail["To"].addresses], ["a@example.org", "b@example.org"])

    def test_every_way_in(self):
        server = self.serve("--user", "demo:pa:ss word")
        for listener, words in (("smtp", ["--tls", "off"]), ("smtp", []), ("submission", []),
                                ("submission", ["--mechanism", "LOGIN"]), ("submissions", ["--tls=implicit"])):
            done = self.send(f"127.0.0.1:{server.port(listener)}", "--to", "me@example.org", "--auth",
                             "demo:pa:ss word", *words)
            self.assertIn("S: 235 ", done.stdout)
            self.assertNotIn("pa:ss", done.output)
            self.assertNotIn("ZGVtbw", done.output)  # "demo" in base64

    def test_where_the_password_comes_from(self):
        server = self.serve("--user", "demo:secret")
        where = f"127.0.0.1:{server.port('submission')}"
        path = self.folder / "password"
        path.write_text("secret\nmore\n")
        self.send(where, "--to", "me@example.org", "--auth", "demo", "--password-file", path)
        self.send(where, "--to", "me@example.org", "--auth", "demo", env={"SALLYPORT_PASSWORD": "secret"})
        self.send(where, "--to", "me@example.org", "--auth", "demo", "--password-file", self.folder / "none", code=NOINPUT)
        done = self.send(where, "--to", "me@example.org", "--auth", "demo", "--password-file", self.folder, code=NOINPUT)
        self.assertIn("Is a directory", done.stderr)

    def test_wrong_password(self):
        server = self.serve("--user", "demo:secret")
        done = self.send(f"127.0.0.1:{server.port('submission')}", "--to", "me@example.org", "--auth", "demo:wrong",
                         code=NOPERM)
        self.assertRegex(done.stdout, r"(?m)^=> nothing was sent: 535 5\.7\.8 ")
        self.assertIn("C: QUIT", done.stdout)

    def test_without_a_user(self):
        server = self.serve()
        done = self.send(f"127.0.0.1:{server.port('submission')}", "--to", "me@example.org", code=NOPERM)
        self.assertRegex(done.stdout, r"(?m)^=> me@example.org: refused: 530 5\.7\.0 ")

    def test_the_next_mechanism_when_one_fails(self):
        server = self.fake(auth={"SCRAM-SHA-256": "504 5.5.4 not today", "SCRAM-SHA-1": "504 5.5.4 nor this", "PLAIN": "235 2.7.0 in"})
        words = [server.address, "--to", "me@example.org", "--auth", "demo:secret"]
        out = self.send(*words).stdout
        self.assertIn("-- SCRAM-SHA-256 failed with 504; trying SCRAM-SHA-1\n", out)
        self.assertIn("-- SCRAM-SHA-1 failed with 504; trying PLAIN\n", out)
        self.assertEqual(len(server.mails), 1)
        out = self.send(*words, "--min-mechanism", "SCRAM-SHA-1", code=UNAVAILABLE).stdout
        self.assertNotIn("AUTH PLAIN <", out)
        out = self.send(*words, "--mechanism", "SCRAM-SHA-256", code=UNAVAILABLE).stdout
        self.assertNotIn("trying", out)
        self.send(*words, "--min-mechanism", "NTLM", code=USAGE)
        # Not after a refusal of the credentials, nor to a server that cannot prove itself.
        for said in ("535 5.7.8 no", "334 cj1ub25zZW5zZSxzPUFBQUEsaT00MDk2"):
            other = self.fake(auth={"SCRAM-SHA-256": said, "PLAIN": "235 2.7.0 in"})
            out = self.send(other.address, "--to", "me@example.org", "--auth", "demo:secret", code=None).stdout
            self.assertNotIn("AUTH PLAIN <", out)
            self.assertEqual(other.mails, [])
        self.assertEqual(len(server.mails), 1)

    def test_verify(self):
        server = self.serve()
        where = f"127.0.0.1:{server.port()}"
        done = self.send(where, "--to", "me@example.org", "--verify", code=NOPERM)
        self.assertIn("certificate", done.stdout.splitlines()[-1])
        self.assertNotIn("MAIL FROM", done.stdout)
        done = self.send(where, "--to", "me@example.org", "--verify", "--ca-file", server.certificate)
        self.assertIn("certificate verified", done.stdout)

    def test_json(self):
        server = self.serve("--user", "demo:secret")
        told = self.json(f"127.0.0.1:{server.port('submission')}", "--to", "a@example.org", "--to", "b@example.org",
                         "--auth", "demo:secret", "--mechanism", "plain")
        self.assertEqual(told["exit_code"], 0)
        self.assertIsNone(told["failure"])
        self.assertEqual([(r["address"], r["state"], r["code"]) for r in told["recipients"]],
                         [("a@example.org", "delivered", 250), ("b@example.org", "delivered", 250)])
        self.assertEqual(told["tls"]["name"], "localhost")
        self.assertFalse(told["tls"]["verified"])
        auth = next(e for e in told["conversation"] if e.get("line", "").startswith("AUTH"))
        self.assertEqual(auth["line"], "AUTH PLAIN ")
        self.assertEqual(auth["secret"], {"what": "user name and password", "octets": 12})
        self.assertTrue(all(e["means"] for e in told["conversation"] if e["from"] == "server"))

    def test_pipelined(self):
        server = self.serve()
        out = self.send(f"127.0.0.1:{server.port()}", "--to", "me@example.org", "--pipeline").stdout
        self.assertRegex(out, r"C: MAIL FROM:.*\nC: RCPT TO:.*\nC: DATA\nS: 250")


class Refused(SendCase):
    def test_codes(self):
        for reply, code, word in (("450 4.2.1 later", TEMPFAIL, "not now"), ("550 5.1.1 who?", NOUSER, "refused"),
                                  ("550 5.7.1 no", UNAVAILABLE, "refused")):
            fake = self.fake(rcpt=lambda address, reply=reply: reply)
            done = self.send(fake.address, "--to", "me@example.org", code=code)
            self.assertIn(f"=> me@example.org: {word}: {reply}\n", done.stdout)

    def test_one_of_two(self):
        fake = self.fake(rcpt=lambda address: "550 5.1.1 who?" if address.startswith("x") else "250 2.1.5 Ok")
        done = self.send(fake.address, "--to", "x@example.org", "--to", "y@example.org", code=NOUSER)
        self.assertIn("=> y@example.org: accepted", done.stdout)
        self.assertEqual([m.recipients for m in fake.mails], [["y@example.org"]])

    def test_hangs_up_after_the_dot(self):
        fake = self.fake(data=lambda mail: None)
        done = self.send(fake.address, "--to", "me@example.org", code=TEMPFAIL)
        self.assertIn("may or may not have the message", done.stdout)
        told = self.json(fake.address, "--to", "me@example.org", code=TEMPFAIL)
        self.assertEqual(told["recipients"][0]["state"], "unknown")

    def test_nobody_there(self):
        done = self.send(f"127.0.0.1:{free_port()}", "--to", "me@example.org", code=TEMPFAIL)
        self.assertIn("Connection refused", done.stdout.splitlines()[-1])
        told = self.json(f"127.0.0.1:{free_port()}", "--to", "me@example.org", code=TEMPFAIL)
        self.assertIn("Connection refused", told["failure"]["reply"])
        self.assertEqual(told["recipients"], [])

    def test_no_such_host(self):
        self.send("no_such*host", "--to", "me@example.org", code=NOHOST)

    def test_tls_is_not_offered(self):
        done = self.send(self.fake().address, "--to", "me@example.org", "--tls", "starttls", code=NOPERM)
        self.assertIn("STARTTLS", done.stdout.splitlines()[-1])

    def test_an_address_that_cannot_be_sent(self):
        done = self.send(self.fake().address, "--to", "a b@example.org", code=DATAERR)
        self.assertIn("=> a b@example.org: refused: ", done.stdout)


class CommandLine(SendCase):
    def test_faults(self):
        for words, says in (([], "HOST"), (["h"], "--to"), (["h:0", "--to=a"], "port"), (["h:x", "--to=a"], "port"),
                            (["[::1", "--to=a"], "[IPv6]"), (["h", "--to=a", "--tls=maybe"], "implicit"),
                            (["h", "f", "--to=a", "--body=b"], "one of --body, --data and FILE"), (["h", "f", "g", "--to=a"], "'g'"),
                            (["h", "--to=a", "--header=x"], "Name: value"), (["h", "--to=a", "--timeout=0"], "seconds"),
                            (["h", "--to=a", "--mechanism=PLAIN"], "--auth"), (["h", "--to=a", "--helo=a b"], "EHLO"),
                            (["h", "--to=a", "--verify", "--insecure"], "contradict"), (["h", "--to=a", "--lang=fr"], "en or vi"),
                            (["h", "--to=a", "--subject=a\nb"], "one line")):
            done = self.send(*words, code=USAGE)
            self.assertIn(says, done.stderr, words)
            self.assertEqual(done.stdout, "")

    def test_a_file_that_is_not_there(self):
        done = self.send("127.0.0.1:1", "/nonexistent/mail", "--to", "a@b", code=NOINPUT)
        self.assertIn("/nonexistent/mail: No such file", done.stderr)


class ToPostfix(SendCase):
    def test_smtp_sink(self):
        sink = Sink()
        self.addCleanup(sink.stop)
        self.send(sink.address, "--to", "a@example.org,b@example.org")
        self.assertEqual(sink.recipients(), ["a@example.org", "b@example.org"])

    def test_a_sink_without_extensions(self):
        sink = Sink("-e", "-8", "-p")
        self.addCleanup(sink.stop)
        self.send(sink.address, "--to", "a@example.org", "--body", "xin chào")
        self.assertEqual(sink.recipients(), ["a@example.org"])


if __name__ == "__main__":
    unittest.main()
