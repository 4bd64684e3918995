"""Client x mechanism x listener: programs that people use log in, and are refused when they should be."""
import os
import smtplib
import unittest

from harness import SALLYPORT, ServerCase, nodemailer, program, run, swaks, wait_for

USER, PASSWORD = "demo", "ge heim=,%\"'pass"
LISTENERS = ("smtp", "submission", "submissions")
BOUND = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS")
PROVING = ("SCRAM-SHA-256", "SCRAM-SHA-1")
SHOWING = ("PLAIN", "LOGIN")


class Matrix(ServerCase):
    """Each cell twice: the right password, and a wrong one."""

    @classmethod
    def setUpClass(cls):
        cls.cells = []

    def setUp(self):
        super().setUp()
        self.server = self.serve("--user", f"{USER}:{PASSWORD}")
        self.message = self.folder / "message"
        self.message.write_bytes(b"Subject: hello\r\n\r\nhello\r\n")

    def fill(self, mechanisms, log_in, listeners=LISTENERS):
        """log_in(mechanism, listener, password) -> did it work?"""
        for listener in listeners:
            for mechanism in mechanisms:
                with self.subTest(mechanism=mechanism, listener=listener):
                    before = len(self.server.logs("auth-ok", mechanism=mechanism))
                    self.assertTrue(log_in(mechanism, listener, PASSWORD), "the right password")
                    wait_for(lambda: len(self.server.logs("auth-ok", mechanism=mechanism)) == before + 1, "the log")
                    self.assertFalse(log_in(mechanism, listener, "wrong"), "a wrong password")
                    self.server.wait_log("auth-failed", mechanism=mechanism, reason="bad-password")

    def test_send(self):
        def log_in(mechanism, listener, password):
            file = self.folder / "password"
            file.write_text(password)
            tls = {"smtp": "off", "submission": "starttls", "submissions": "implicit"}[listener]
            return run([SALLYPORT, "send", f"127.0.0.1:{self.server.port(listener)}", self.message, "--tls", tls,
                        "--to", "a@example.org", "--auth", USER, "--password-file", file,
                        "--mechanism", mechanism]).returncode == 0
        self.fill(PROVING + SHOWING, log_in)
        self.fill(BOUND, log_in, LISTENERS[1:])

    def test_gsasl(self):
        gsasl = program("gsasl")

        def log_in(mechanism, listener, password):
            plus = [] if mechanism in BOUND else ["--no-cb"]
            tls = ["--no-starttls"] if listener == "smtp" else [
                f"--x509-ca-file={self.server.certificate}", f"--priority={self.priority}"]
            return "\n235 " in run([gsasl, "--smtp", "--client", f"--mechanism={mechanism}", f"--authentication-id={USER}",
                                    f"--password={password}", *tls, *plus, "127.0.0.1",
                                    str(self.server.port(listener))], input="QUIT\n").output
        for priority in ("NORMAL", "NORMAL:-VERS-TLS1.3"):  # tls-exporter, tls-unique
            self.priority = priority
            self.fill(BOUND + PROVING + SHOWING, log_in, ["submission"])
        self.fill(PROVING + SHOWING, log_in, ["smtp"])

    def test_msmtp(self):
        msmtp = program("msmtp")

        def log_in(mechanism, listener, password):
            file = self.folder / "password"
            file.write_text(password)
            tls = ["--tls=off"] if listener == "smtp" else [
                "--tls=on", f"--tls-starttls={'on' if listener == 'submission' else 'off'}",
                f"--tls-trust-file={self.server.certificate}"]
            return run([msmtp, "--host=127.0.0.1", f"--port={self.server.port(listener)}", *tls,
                        f"--auth={mechanism.lower()}", f"--user={USER}", f"--passwordeval=cat {file}",
                        "--from=me@example.org", "you@example.org"], input="Subject: x\n\nx\n").returncode == 0
        self.fill(("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"), log_in)

    def test_swaks(self):
        tls = {"smtp": [], "submission": ["-tls"], "submissions": ["-tlsc"]}
        self.fill(SHOWING, lambda mechanism, listener, password: swaks(
            self.server.addresses[listener], *tls[listener], "--auth", mechanism, "--auth-user", USER,
            "--auth-password", password, "--to", "a@example.org", "--from", "b@example.org").returncode == 0)

    def test_curl(self):
        curl = program("curl")

        def log_in(mechanism, listener, password):
            scheme = "smtps" if listener == "submissions" else "smtp"
            tls = ["--ssl-reqd", "--cacert", self.server.certificate] if listener != "smtp" else []
            return run([curl, "--silent", *tls, "--url", f"{scheme}://127.0.0.1:{self.server.port(listener)}",
                        "--user", f"{USER}:{password}", "--login-options", f"AUTH={mechanism}", "--mail-from",
                        "me@example.org", "--mail-rcpt", "you@example.org", "--upload-file",
                        self.message]).returncode == 0
        self.fill(SHOWING, log_in)

    def test_smtplib(self):
        def log_in(mechanism, listener, password):
            kind = smtplib.SMTP_SSL if listener == "submissions" else smtplib.SMTP
            extra = {"context": self.server.client_tls()} if listener == "submissions" else {}
            with kind("127.0.0.1", self.server.port(listener), **extra) as s:
                if listener == "submission":
                    s.starttls(context=self.server.client_tls())
                s.ehlo()
                s.user, s.password = USER, password
                method = s.auth_plain if mechanism == "PLAIN" else s.auth_login
                for initial in (True, False):
                    try:
                        s.auth(mechanism, method, initial_response_ok=initial)
                    except smtplib.SMTPAuthenticationError as error:
                        self.assertEqual(error.smtp_code, 535)
                        return False
                    return True
        self.fill(SHOWING, log_in)

    def test_nodemailer(self):
        env = nodemailer()

        def log_in(mechanism, listener, password):
            tls = {"smtp": "ignoreTLS:true", "submission": "requireTLS:true", "submissions": "secure:true"}[listener]
            script = ('require("nodemailer").createTransport({host:"127.0.0.1",port:%d,%s,authMethod:"%s",'
                      'tls:{ca:require("fs").readFileSync("%s")},auth:{user:"%s",pass:process.env.PASSWORD}})'
                      '.sendMail({from:"me@example.org",to:"you@example.org",text:"x"})'
                      % (self.server.port(listener), tls, mechanism, self.server.certificate, USER))
            return run(["node", "-e", script], env=dict(os.environ, **env, PASSWORD=password)).returncode == 0
        self.fill(SHOWING, log_in)


if __name__ == "__main__":
    unittest.main()
