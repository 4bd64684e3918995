"""Our client against Dovecot's submission service: each mechanism that it offers, with TLS and without; it relays to our server."""
import socket
import unittest

from dovecot import Dovecot
from harness import SALLYPORT, ServerCase, free_port, program, run, wait_for

USER, RIGHT, WRONG = "bob@example.org", "Xyzzy-plugh-1977", "Plover-1977-xyzzy"
OURS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN")

CONFIGURATION = """
    protocols = submission
    default_login_user = nobody
    hostname = dovecot.example.org
    ssl = yes
    ssl_cert = <CERT
    ssl_key = <KEY
    disable_plaintext_auth = no
    mail_location = maildir:FOLDER/mail/%u
    first_valid_uid = 1
    submission_relay_host = 127.0.0.1
    submission_relay_port = RELAY
    submission_relay_trusted = yes
    userdb {
      driver = static
      args = uid=65534 gid=65534 home=FOLDER/mail
    }
    service submission-login {
      chroot =
      inet_listener submission {
        address = 127.0.0.1
        port = CLEAR
      }
      inet_listener submissions {
        address = 127.0.0.1
        port = IMPLICIT
        ssl = yes
      }
    }
"""


class Submission(ServerCase):
    def setUp(self):
        super().setUp()
        self.next = self.serve()
        self.clear, self.implicit = free_port(), free_port()
        self.certificate, key = self.folder / "cert.pem", self.folder / "key.pem"
        run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", "/CN=dovecot", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
             self.certificate], check=True)
        text = CONFIGURATION
        for word, value in (("RELAY", self.next.port("smtp")), ("CLEAR", self.clear), ("IMPLICIT", self.implicit),
                            ("CERT", self.certificate), ("KEY", key)):
            text = text.replace(word, str(value))
        self.folder.chmod(0o755)  # its processes of users are somebody else
        self.dovecot = Dovecot(self, f"{USER}:{{PLAIN}}{RIGHT}\n", text, needs="usr/lib/dovecot/submission-login")
        (self.dovecot.folder / "mail").mkdir(mode=0o777)
        (self.dovecot.folder / "mail").chmod(0o777)
        self.dovecot.wait(lambda: self.answers(self.clear) and self.answers(self.implicit))
        self.message = self.folder / "message"
        self.message.write_text("From: <bob@example.org>\r\nSubject: x\r\n\r\nthrough Dovecot\r\n")

    @staticmethod
    def answers(port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def send(self, tls, mechanism, password, *more):
        file = self.folder / "password"
        file.write_text(password)
        port = self.implicit if tls == "implicit" else self.clear
        words = [] if tls == "off" else ["--ca-file", self.certificate]  # a loopback address may be spoken to in clear
        return run([SALLYPORT, "send", f"127.0.0.1:{port}", self.message, "--tls", tls, "--auth", USER, "--password-file",
                    file, "--from", USER, "--to", "you@example.net", *(["--mechanism", mechanism] if mechanism else []),
                    *words, *more])

    def test_each_mechanism_each_way(self):
        sent = 0
        for tls in ("off", "starttls", "implicit"):
            for mechanism in OURS:
                with self.subTest(tls=tls, mechanism=mechanism):
                    done = self.send(tls, mechanism, RIGHT)
                    self.assertEqual(done.returncode, 0, done.output + self.dovecot.log())
                    self.assertIn(f"C: AUTH {mechanism}", done.stdout)
                    self.assertNotIn(RIGHT, done.output)
                    sent += 1
                    done = self.send(tls, mechanism, WRONG)
                    self.assertEqual(done.returncode, 77, done.output)
        wait_for(lambda: len(self.next.queue()) == sent, "the mails at the next server")

    def test_the_strongest_is_chosen(self):
        done = self.send("starttls", None, RIGHT)
        self.assertEqual(done.returncode, 0, done.output)
        self.assertIn("C: AUTH SCRAM-SHA-256", done.stdout)

    def test_as_a_smarthost(self):
        """Our server hands everything to Dovecot, logged in with the strongest that both know, over each kind of TLS."""
        (self.folder / "secret").write_text(RIGHT + "\n")
        routes = "".join(SMARTHOST.format(name=name, port=port, implicit=implicit, ca=self.certificate, user=USER, password=self.folder / "secret")
                         for name, port, implicit in (("starttls", self.clear, "no"), ("implicit", self.implicit, "yes")))
        server = self.configure(OURS_BEFORE + routes, data="ours")
        for name in ("starttls", "implicit"):
            with self.subTest(tls=name), server.talk() as c:
                c.hello()
                ident = c.mail(recipients=[f"x@{name}.example"])
                server.wait_log("mail-delivered", id=ident, tls="verified, TLSv1.3, verified")
                server.wait_log("remote-connected", route=name, user=USER, verified="yes")
        wait_for(lambda: len(self.next.queue()) == 2, "both at the next server")
        self.assertRegex(self.dovecot.log(), r"submission-login: .*method=SCRAM-SHA-256")


OURS_BEFORE = """
hostname = ours.example
data = ours
listener smtp {
    address = "127.0.0.1:0"
    tls = off
    relay-from = { "127.0.0.0/8" }
}
"""

SMARTHOST = """
rule {name} {{
    to = {{ "{name}.example" }}
    route = {name}
}}
route {name} {{
    kind = relay
    host = "127.0.0.1"
    port = {port}
    implicit-tls = {implicit}
    tls = verified
    ca-file = "{ca}"
    user = "{user}"
    password-file = "{password}"
}}
"""


if __name__ == "__main__":
    unittest.main()
