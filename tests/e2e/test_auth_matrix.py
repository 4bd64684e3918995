"""Client x mechanism x listener: programs that people use log in, and are refused when they should be."""
import os
import smtplib
import unittest

from certificates import Authority
from harness import SALLYPORT, ServerCase, nodemailer, program, run, sallyport, swaks, wait_for

USER, PASSWORD = "demo", "ge heim=,%\"'pass"
LISTENERS = ("smtp", "submission", "submissions")
BOUND = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS")
PROVING = ("SCRAM-SHA-256", "SCRAM-SHA-1")
SHOWING = ("PLAIN", "LOGIN")


class Matrix(ServerCase):
    """Each cell twice: the right password, and a wrong one."""

    priority, initial = "NORMAL", False  # of gsasl's TLS; whether smtplib sends an initial response

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

    # --- the programs: with_NAME(mechanism, listener, password) -> did it work? ---

    def password_file(self, password):
        file = self.folder / "password"
        file.write_text(password)
        return file

    def with_send(self, mechanism, listener, password):
        tls = {"smtp": "off", "submission": "starttls", "submissions": "implicit"}[listener]
        return run([SALLYPORT, "send", f"127.0.0.1:{self.server.port(listener)}", self.message, "--tls", tls,
                    "--to", "a@example.org", "--auth", USER, "--password-file", self.password_file(password),
                    "--mechanism", mechanism]).returncode == 0

    def with_gsasl(self, mechanism, listener, password):
        plus = [] if mechanism in BOUND else ["--no-cb"]
        tls = ["--no-starttls"] if listener == "smtp" else [
            f"--x509-ca-file={self.server.certificate}", f"--priority={self.priority}"]
        return "\n235 " in run([program("gsasl"), "--smtp", "--client", f"--mechanism={mechanism}",
                                f"--authentication-id={USER}", f"--password={password}", *tls, *plus, "127.0.0.1",
                                str(self.server.port(listener))], input="QUIT\n").output

    def with_msmtp(self, mechanism, listener, password):
        tls = ["--tls=off"] if listener == "smtp" else [
            "--tls=on", f"--tls-starttls={'on' if listener == 'submission' else 'off'}",
            f"--tls-trust-file={self.server.certificate}"]
        return run([program("msmtp"), "--host=127.0.0.1", f"--port={self.server.port(listener)}", *tls,
                    f"--auth={mechanism.lower()}", f"--user={USER}", f"--passwordeval=cat {self.password_file(password)}",
                    "--from=me@example.org", "you@example.org"], input="Subject: x\n\nx\n").returncode == 0

    def with_swaks(self, mechanism, listener, password):
        tls = {"smtp": [], "submission": ["-tls"], "submissions": ["-tlsc"]}[listener]
        return swaks(self.server.addresses[listener], *tls, "--auth", mechanism, "--auth-user", USER,
                     "--auth-password", password, "--to", "a@example.org", "--from", "b@example.org").returncode == 0

    def with_curl(self, mechanism, listener, password):
        scheme = "smtps" if listener == "submissions" else "smtp"
        tls = ["--ssl-reqd", "--cacert", self.server.certificate] if listener != "smtp" else []
        return run([program("curl"), "--silent", *tls, "--url", f"{scheme}://127.0.0.1:{self.server.port(listener)}",
                    "--user", f"{USER}:{password}", "--login-options", f"AUTH={mechanism}", "--mail-from",
                    "me@example.org", "--mail-rcpt", "you@example.org", "--upload-file",
                    self.message]).returncode == 0

    def with_smtplib(self, mechanism, listener, password):
        kind = smtplib.SMTP_SSL if listener == "submissions" else smtplib.SMTP
        extra = {"context": self.server.client_tls()} if listener == "submissions" else {}
        with kind("127.0.0.1", self.server.port(listener), **extra) as s:
            if listener == "submission":
                s.starttls(context=self.server.client_tls())
            s.ehlo()
            s.user, s.password = USER, password
            method = {"PLAIN": s.auth_plain, "LOGIN": s.auth_login, "CRAM-MD5": s.auth_cram_md5}[mechanism]
            try:
                s.auth(mechanism, method, initial_response_ok=self.initial)
            except smtplib.SMTPAuthenticationError as error:
                self.assertEqual(error.smtp_code, 535)
                return False
            return True

    def with_nodemailer(self, mechanism, listener, password):
        tls = {"smtp": "ignoreTLS:true", "submission": "requireTLS:true", "submissions": "secure:true"}[listener]
        script = ('require("nodemailer").createTransport({host:"127.0.0.1",port:%d,%s,authMethod:"%s",'
                  'tls:{ca:require("fs").readFileSync("%s")},auth:{user:"%s",pass:process.env.PASSWORD}})'
                  '.sendMail({from:"me@example.org",to:"you@example.org",text:"x"})'
                  % (self.server.port(listener), tls, mechanism, self.server.certificate, USER))
        return run(["node", "-e", script], env=dict(os.environ, **nodemailer(), PASSWORD=password)).returncode == 0

    # --- the cells ---

    def test_send(self):
        self.fill(PROVING + SHOWING, self.with_send)
        self.fill(BOUND, self.with_send, LISTENERS[1:])

    def test_gsasl(self):
        for self.priority in ("NORMAL", "NORMAL:-VERS-TLS1.3"):  # tls-exporter, tls-unique
            self.fill(BOUND + PROVING + SHOWING, self.with_gsasl, ["submission"])
        self.fill(PROVING + SHOWING, self.with_gsasl, ["smtp"])

    def test_msmtp(self):
        self.fill(PROVING + SHOWING, self.with_msmtp)

    def test_swaks(self):
        self.fill(SHOWING, self.with_swaks)

    def test_curl(self):
        self.fill(SHOWING, self.with_curl)

    def test_smtplib(self):
        for self.initial in (True, False):
            self.fill(SHOWING, self.with_smtplib)

    def test_nodemailer(self):
        self.fill(SHOWING, self.with_nodemailer)

    def test_cram_md5(self):
        """Of a user with such a secret, at a listener that names it: with each program that can do it."""
        self.server = self.configure("""
            hostname = localhost
            data = data
            default-route = hold
            limits { auth-slow-down = no }
        """ + "".join("""
            listener %s {
                address = "127.0.0.1:0"
                tls = %s
                auth = required
                %s
                mechanisms = { CRAM-MD5 }
            }
        """ % cell for cell in (("smtp", "starttls", "auth-in-clear = yes"), ("submission", "starttls", ""),
                                ("submissions", "implicit", ""))), data="cram")
        sallyport("user", "add", "--cram-md5", USER, "--data", str(self.server.data), input=PASSWORD + "\n")
        for name, log_in in (("send", self.with_send), ("gsasl", self.with_gsasl), ("msmtp", self.with_msmtp),
                             ("curl", self.with_curl), ("swaks", self.with_swaks), ("smtplib", self.with_smtplib)):
            with self.subTest(program=name):
                # gsasl has no implicit TLS
                self.fill(["CRAM-MD5"], log_in, LISTENERS[:2] if name == "gsasl" else LISTENERS)


class Certificates(ServerCase):
    """EXTERNAL with each program that can show a certificate: of the user, and of somebody who is none."""

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        ca = Authority(self.folder / "ca")
        self.pairs = {name: ca.sign(name, name, f"email:{name}@example.org") for name in ("anna", "nobody")}
        self.server = self.configure("""
            hostname = localhost
            data = data
            default-route = hold
            limits { auth-slow-down = no }
        """ + "".join("""
            listener %s {
                address = "127.0.0.1:0"
                tls = %s
                auth = required
                client-ca = "%s"
            }
        """ % (name, tls, ca.certificate) for name, tls in (("submission", "starttls"), ("submissions", "implicit"))),
            "--user", f"anna@example.org:{PASSWORD}")
        self.message = self.folder / "message"
        self.message.write_bytes(b"Subject: hello\r\n\r\nhello\r\n")

    def fill(self, log_in, listeners=LISTENERS[1:]):
        """log_in(listener, user, certificate, key) -> did it work?"""
        for listener in listeners:
            with self.subTest(listener=listener):
                before = len(self.server.logs("auth-ok", mechanism="EXTERNAL"))
                self.assertTrue(log_in(listener, "anna@example.org", *self.pairs["anna"]), "the user's certificate")
                wait_for(lambda: len(self.server.logs("auth-ok", mechanism="EXTERNAL")) == before + 1, "the log")
                self.assertFalse(log_in(listener, "nobody@example.org", *self.pairs["nobody"]), "of nobody who is known")
                self.server.wait_log("auth-failed", mechanism="EXTERNAL", reason="certificate-unknown-user")
                self.assertFalse(log_in(listener, "anna@example.org", *self.pairs["nobody"]), "of somebody else")
                self.server.wait_log("auth-failed", mechanism="EXTERNAL", reason="certificate-other-user")

    def test_send(self):
        self.fill(lambda listener, user, certificate, key: run(
            [SALLYPORT, "send", f"127.0.0.1:{self.server.port(listener)}", self.message, "--to", "a@example.org", "--tls",
             "implicit" if listener == "submissions" else "starttls", "--auth", user, "--cert", certificate, "--key",
             key]).returncode == 0)

    def test_gsasl(self):
        self.fill(lambda listener, user, certificate, key: "\n235 " in run(
            [program("gsasl"), "--smtp", "--client", "--mechanism=EXTERNAL", f"--authorization-id={user}",
             f"--x509-ca-file={self.server.certificate}", f"--x509-cert-file={certificate}", f"--x509-key-file={key}",
             "127.0.0.1", str(self.server.port(listener))], input="QUIT\n").output, ["submission"])

    def test_msmtp(self):
        self.fill(lambda listener, user, certificate, key: run(
            [program("msmtp"), "--host=127.0.0.1", f"--port={self.server.port(listener)}", "--tls=on",
             f"--tls-starttls={'on' if listener == 'submission' else 'off'}", f"--tls-trust-file={self.server.certificate}",
             f"--tls-cert-file={certificate}", f"--tls-key-file={key}", "--auth=external", f"--user={user}",
             "--from=me@example.org", "you@example.org"], input="Subject: x\n\nx\n").returncode == 0)

    def test_curl(self):
        self.fill(lambda listener, user, certificate, key: run(
            [program("curl"), "--silent", "--ssl-reqd", "--cacert", self.server.certificate, "--cert", certificate, "--key", key,
             "--url", f"{'smtps' if listener == 'submissions' else 'smtp'}://127.0.0.1:{self.server.port(listener)}",
             "--user", f"{user}:", "--login-options", "AUTH=EXTERNAL", "--mail-from", "me@example.org", "--mail-rcpt",
             "you@example.org", "--upload-file", self.message]).returncode == 0)


if __name__ == "__main__":
    unittest.main()
