"""The programs that people use deliver mail to the sandbox over each of its listeners."""
import email.message
import smtplib
import unittest

from harness import ServerCase, nodemailer, program, run, swaks

LISTENERS = ("smtp", "submission", "submissions")


class Paste(ServerCase):
    """The lines that the start prints work as they stand."""

    def setUp(self):
        super().setUp()
        self.server = self.serve()

    def paste(self, command, env=None):
        for listener in LISTENERS:
            lines = [line for line in self.server.paste[listener] if command(line)]
            self.assertEqual(len(lines), 1, self.server.paste[listener])
            with self.subTest(listener=listener, line=lines[0]):
                before = len(self.server.queue())
                done = run(["sh", "-c", lines[0]], env=env, cwd=self.folder)
                self.assertEqual(done.returncode, 0, done.output)
                self.assertEqual(len(self.server.queue()), before + 1, done.output)

    def test_swaks(self):
        program("swaks")
        self.paste(lambda line: line.startswith("swaks "))

    def test_msmtp(self):
        program("msmtp")
        self.paste(lambda line: "| msmtp " in line)

    def test_smtplib(self):
        self.paste(lambda line: line.startswith("python3 "))

    def test_nodemailer(self):
        env = nodemailer()
        self.paste(lambda line: line.startswith("node "), env=env)


class Smtplib(ServerCase):
    def test_the_message_arrives_octet_for_octet(self):
        server = self.serve()
        message = email.message.EmailMessage()
        message["Subject"], message["From"], message["To"] = "Grüße", "a@example.org", "b@example.org, c@example.org"
        message.set_content(".\n..\nläuft\n" + "x" * 2000 + "\n")
        client = smtplib.SMTP(*server.addresses["submission"])
        client.starttls(context=server.client_tls())
        client.login(server.user, server.password)
        self.assertEqual(client.send_message(message), {})
        client.quit()
        entry, = server.queue()
        self.assertEqual(entry["sender"], "a@example.org")
        self.assertEqual([r["address"] for r in entry["recipients"]], ["b@example.org", "c@example.org"])
        content = server.content(entry["id"])
        sent = message.as_bytes(policy=message.policy.clone(linesep="\r\n", utf8=False))
        self.assertTrue(content.endswith(sent), content)
        self.assertTrue(content.startswith(b"Received: from "), content)
        trace = b" ".join(content[:content.index(b"\r\nSubject: ")].split())
        self.assertRegex(trace, rb"with ESMTPSA \(TLSv1\.[23] \S+\) id " + entry["id"].encode() + b"; ")
        self.assertEqual(entry["size"], len(content))

    def test_eight_bit_content(self):
        server = self.serve()
        client = smtplib.SMTP(*server.addresses["smtp"])
        client.sendmail("a@example.org", ["b@example.org"], "Subject: x\r\n\r\ngrün\r\n".encode(), ["BODY=8BITMIME"])
        client.quit()
        self.assertTrue(server.content(server.queue()[0]["id"]).endswith("grün\r\n".encode()))


class Swaks(ServerCase):
    def test_login_shows_two_challenges(self):
        server = self.serve()
        done = swaks(server.addresses["submission"], "-tls", "--auth", "LOGIN", "--auth-user", server.user,
                     "--auth-password", server.password, "--from", "a@example.org", "--to", "b@example.org")
        self.assertEqual(done.returncode, 0, done.output)
        self.assertIn(" 334 VXNlcm5hbWU6", done.stdout)
        self.assertIn(" 334 UGFzc3dvcmQ6", done.stdout)
        self.assertEqual(done.stdout.count(" 334 "), 2, done.stdout)
        self.assertIn(" 235 2.7.0 ", done.stdout)

    def test_a_wrong_password(self):
        server = self.serve()
        done = swaks(server.addresses["submission"], "-tls", "--auth", "PLAIN", "--auth-user", server.user,
                     "--auth-password", "wrong", "--from", "a@example.org", "--to", "b@example.org")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(" 535 5.7.8 ", done.stdout)
        self.assertEqual(server.queue(), [])

    def test_submission_wants_tls_then_auth(self):
        server = self.serve()
        done = swaks(server.addresses["submission"], "--from", "a@example.org", "--to", "b@example.org")
        self.assertIn(" 530 5.7.0 ", done.stdout)
        done = swaks(server.addresses["submission"], "-tls", "--from", "a@example.org", "--to", "b@example.org")
        self.assertIn(" 530 5.7.0 ", done.stdout)
        self.assertEqual(server.queue(), [])


if __name__ == "__main__":
    unittest.main()
