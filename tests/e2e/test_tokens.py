"""Bearer tokens instead of passwords: OAUTHBEARER and XOAUTH2, with a key pair and tokens made here."""
import base64
import json
import os
import unittest

from harness import PERTURBED, SALLYPORT, ServerCase, memories, nodemailer, program, run
from issuer import AUDIENCE, ISSUER, Issuer

class Tokens(ServerCase):
    def setUp(self):
        super().setUp()
        program("openssl")
        self.issuer = Issuer(self.folder)
        self.server = self.configure(f"""
            hostname = mail.example.org
            data = data
            default-route = hold
            tokens {{
                jwks-file = "jwks.json"
                issuer = "{ISSUER}"
                audience = "{AUDIENCE}"
                scope = "smtp"
            }}
            listener submission {{
                address = "127.0.0.1:0"
                auth = required
            }}
        """, env=PERTURBED)

    def send(self, token, *words):
        file = self.folder / "token"
        file.write_text(token + "\n")
        return run([SALLYPORT, "send", f"127.0.0.1:{self.server.port('submission')}", "--tls", "starttls", "--auth",
                    "me@example.org", "--token-file", file, "--to", "you@example.org", *words], input="")

    def secure(self):
        c = self.server.talk("submission")
        self.addCleanup(c.close)
        c.hello()
        c.start_tls(self.server.client_tls())
        return c

    def test_send_with_each_mechanism(self):
        for mechanism in ("OAUTHBEARER", "XOAUTH2"):
            with self.subTest(mechanism=mechanism):
                token = self.issuer.token()
                done = self.send(token, "--mechanism", mechanism)
                self.assertEqual(done.returncode, 0, done.output)
                self.assertIn(f"C: AUTH {mechanism}", done.stdout)
                self.assertNotIn(token, done.output)
                self.server.wait_log("auth-ok", mechanism=mechanism, user="me@example.org")

    def test_a_token_that_is_refused_is_explained_first(self):
        for claims, reason in (({"exp": 1}, "token-expired"), ({"aud": "other"}, "token-audience"),
                               ({"iss": "other"}, "token-issuer"), ({"scope": "imap"}, "token-scope"),
                               ({"email": "you@example.org"}, "token-other-user")):
            with self.subTest(reason=reason):
                c = self.secure()
                self.assertIn("OAUTHBEARER XOAUTH2", " ".join(c.hello().lines))
                blob = f"user=me@example.org\1auth=Bearer {self.issuer.token(**claims)}\1\1"
                reply = c.command("AUTH XOAUTH2 " + base64.b64encode(blob.encode()).decode(), 334)
                self.assertEqual(json.loads(base64.b64decode(reply.lines[0].split()[-1]))["status"], "401")
                c.command("", 535)
                line = self.server.wait_log("auth-failed", mechanism="XOAUTH2", reason=reason)
                c.quit()
                trace = self.server.trace(line["session"])
                self.assertEqual([a["reason"] for a in trace["attempts"]], [reason])
                self.assertEqual(trace["diagnosis"]["id"], "oauth-token-refused")
        done = self.send(self.issuer.token(exp=1))
        self.assertEqual(done.returncode, 77, done.output)

    def test_a_response_of_another_form(self):
        c = self.secure()
        c.hello()
        c.command("AUTH XOAUTH2 " + base64.b64encode(b"user=me@example.org auth=Bearer x").decode(), 501)
        line = self.server.wait_log("auth-failed", mechanism="XOAUTH2", reason="malformed")
        c.quit()
        trace = self.server.trace(line["session"])
        self.assertEqual(trace["diagnosis"]["id"], "xoauth2-malformed")
        self.assertEqual([a["defect"] for a in trace["attempts"]], [line["defect"]])

    def test_a_disabled_user_is_refused(self):
        self.server.run("user", "add", "me@example.org", input="a password\n")
        self.assertEqual(self.send(self.issuer.token()).returncode, 0)
        self.server.run("user", "disable", "me@example.org")
        self.assertEqual(self.send(self.issuer.token()).returncode, 77)
        self.server.wait_log("auth-failed", reason="disabled")

    def test_not_in_clear(self):
        with self.server.talk("submission") as c:
            self.assertNotIn("AUTH", " ".join(c.hello().lines))

    def test_curl(self):
        program("curl")
        message = self.folder / "message"
        message.write_text("Subject: hello\r\n\r\nfrom curl\r\n")
        done = run(["curl", "--silent", "--show-error", "--ssl-reqd", "--insecure", "--url",
                    f"smtp://127.0.0.1:{self.server.port('submission')}", "--user", "me@example.org:",
                    "--oauth2-bearer", self.issuer.token(), "--mail-from", "me@example.org",
                    "--mail-rcpt", "you@example.org", "--upload-file", message])
        self.assertEqual(done.returncode, 0, done.output)
        self.server.wait_log("auth-ok", mechanism="OAUTHBEARER")

    def test_nodemailer(self):
        env = dict(nodemailer(), TOKEN=self.issuer.token())
        script = ('require("nodemailer").createTransport({host:"127.0.0.1",port:%d,requireTLS:true,'
                  'tls:{rejectUnauthorized:false},auth:{type:"OAuth2",user:"me@example.org",'
                  'accessToken:process.env.TOKEN}}).sendMail({from:"me@example.org",to:"you@example.org",'
                  'subject:"hello",text:"x"}).then(i=>console.log(i.response))' % self.server.port("submission"))
        done = run(["node", "-e", script], env=dict(os.environ, **env))
        self.assertEqual(done.returncode, 0, done.output)
        self.server.wait_log("auth-ok", mechanism="XOAUTH2")

    def test_no_token_is_logged_or_kept(self):
        token = self.issuer.token()
        self.assertEqual(self.send(token).returncode, 0)
        refused = self.issuer.token(exp=1)
        self.assertEqual(self.send(refused).returncode, 77)
        self.server.trace(self.server.wait_log("auth-failed", reason="token-expired")["session"])
        for secret in (token[-40:], refused[-40:]):
            self.assertNotIn(secret, self.server.err.text())
            self.assert_not_kept(secret.encode())

    def assert_not_kept(self, secret):
        for path in (self.folder / "data").rglob("*"):
            if path.is_file() and not path.is_socket():
                self.assertNotIn(secret, path.read_bytes(), path)
        for role in ("smtpd", "auth", "console"):
            for n, pid in enumerate(self.server.role_pids(role)):
                for name, octets in memories(pid, dump=n == 0):
                    self.assertNotIn(secret, octets, f"{name} of {role}")


if __name__ == "__main__":
    unittest.main()
