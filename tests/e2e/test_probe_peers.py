"""`sallyport probe` against Postfix, Exim and OpenSMTPD, set up well and badly: the right verdict for each."""
import os
import unittest

from certificates import Authority
from mail_servers import PASSWORD, USER, Exim, OpenSmtpd, Postfix, with_users
from test_probe import FAULTY, FINE, WARNED, ProbeCase


class PeersCase(ProbeCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder / "ca")
        self.good = self.sign("mx.example.org", 60)
        self.trusted = ["--ca-file", str(self.authority.certificate), "--sni", "mx.example.org"]
        self.login = ["--auth", USER]
        self.env = dict(os.environ, SALLYPORT_PASSWORD=PASSWORD)

    def sign(self, name, days, file=None):
        return self.authority.sign(file or name, name, f"DNS:{name}", days=days, usage="serverAuth", kind=("rsa:2048",))

    def assert_good(self, port, role, warnings=()):
        """No fault and no other warning, and the password is taken."""
        found = self.probe(port, "--as", role, "--strict", *self.trusted, *self.login, env=self.env, code=WARNED if warnings else FINE)
        self.assertEqual({i for i, level in self.levels.items() if level == "warning"}, set(warnings), self.texts)
        self.assertTrue(found["tls"]["trusted"])
        self.assertIn(found["login"], ("PLAIN", "LOGIN"))
        self.assert_found(certificate_trusted="ok", rcpt_before_mail="ok", data_before_mail="ok", noop="ok", unknown_verb="ok")

    def assert_certificates(self, start):
        """start(pair) gives a port with STARTTLS."""
        for pair, wanted in ((self.sign("mx.example.org", -1, "expired"), "certificate-expired"), (self.sign("other.example.org", 60), "certificate-name")):
            with self.subTest(wanted=wanted):
                self.probe(start(pair), "--as", "submission", "--no-order", *self.trusted, code=FAULTY)
                self.assert_faults(wanted)


class OfPostfix(PeersCase):
    def postfix(self, pair, listeners):
        return Postfix.of(self, pair=pair, listeners=listeners, users=with_users(self, "plain login"))

    def test_good(self):
        server = self.postfix(self.good, {"submission": ["smtpd_sasl_auth_enable=yes", "smtpd_tls_security_level=encrypt"],
                                           "smtps": ["smtpd_sasl_auth_enable=yes", "smtpd_tls_wrappermode=yes"], "smtp": []})
        self.assert_good(server.ports["submission"], "submission")
        self.assert_found(injection="ok", auth_behind_tls="ok", starttls_inside="ok", pipelining_order="ok")
        self.assert_good(server.ports["smtps"], "submissions")
        self.probe(server.ports["smtp"], "--as", "smtp", "--strict", *self.trusted, code=FINE)
        self.assert_found(ehlo_resets="ok", starttls="ok")
        self.probe(server.ports["smtps"], "--as", "submission", "--no-order", *self.trusted, code=FAULTY)
        self.assert_faults("tls-first-octet")
        self.probe(server.ports["submission"], "--as", "submissions", "--no-order", *self.trusted, code=FAULTY)
        self.assert_faults("plain-on-tls-port")

    def test_broken(self):
        server = self.postfix(self.good, {
            "clear": ["smtpd_sasl_auth_enable=yes", "smtpd_tls_auth_only=no"],
            "bare": ["smtpd_tls_security_level=none", "smtpd_discard_ehlo_keywords=pipelining,8bitmime,dsn"],
            "small": ["message_size_limit=50000", "disable_vrfy_command=no"]})
        self.probe(server.ports["clear"], "--as", "submission", *self.trusted, code=FAULTY)
        self.assert_faults("auth-in-clear")
        self.probe(server.ports["bare"], "--as", "submission", "--no-order", code=FAULTY)
        self.assert_faults("starttls", "auth-missing")
        self.assert_found(pipelining="note", eightbitmime="warning", dsn="note")
        self.probe(server.ports["small"], "--as", "smtp", *self.trusted)
        self.assert_found(size_small="warning")

    def test_certificates(self):
        self.assert_certificates(lambda pair: self.postfix(pair, {"s": ["smtpd_sasl_auth_enable=yes"]}).ports["s"])

    def test_login_refused(self):
        server = self.postfix(self.good, {"s": ["smtpd_sasl_auth_enable=yes"]})
        self.probe(server.ports["s"], "--as", "submission", "--no-order", *self.trusted, *self.login, env=dict(self.env, SALLYPORT_PASSWORD="no"), code=FAULTY)
        self.assert_faults("login-refused")


class OfExim(PeersCase):
    def test_good(self):
        server = Exim.of(self, pair=self.good, listeners={"smtp": "", "smtps": "smtps"})
        self.assert_good(server.ports["smtp"], "submission")
        self.assert_found(injection="ok", auth_behind_tls="ok", starttls_inside="ok")
        self.assert_good(server.ports["smtps"], "submissions")
        self.probe(server.ports["smtps"], "--as", "submission", "--no-order", *self.trusted, code=FAULTY)
        self.assert_faults("tls-first-octet")

    def test_broken(self):
        server = Exim.of(self, pair=self.good, auth_in_clear=True, main="pipelining_advertise_hosts =")
        self.probe(server.ports["smtp"], "--as", "submission", "--no-order", *self.trusted, code=FAULTY)
        self.assert_faults("auth-in-clear")
        self.assert_found(pipelining="note")
        server = Exim.of(self)
        self.probe(server.ports["smtp"], "--as", "submission", "--no-order", code=FAULTY)
        self.assert_faults("starttls", "auth-missing")

    def test_certificates(self):
        self.assert_certificates(lambda pair: Exim.of(self, pair=pair).ports["smtp"])


class OfOpenSmtpd(PeersCase):
    SUBMISSION = "tls-require pki it auth <users>"

    def test_order(self):
        server = OpenSmtpd.of(self)
        self.probe(server.ports["smtp"], "--as", "smtp", code=FINE)
        self.assert_found(rcpt_before_mail="ok", data_before_mail="ok", noop="ok", unknown_verb="ok", starttls="warning", vrfy="warning",
                          parameters="note", rset_before_ehlo="note")

    def test_without_tls(self):
        server = OpenSmtpd.of(self)
        self.probe(server.ports["smtp"], "--as", "submission", "--no-order", code=FAULTY)
        self.assert_faults("starttls", "auth-missing")

    def test_good(self):
        server = OpenSmtpd.of(self, pair=self.good, listeners={"submission": self.SUBMISSION, "smtps": "smtps pki it auth <users>", "smtp": "tls pki it"})
        self.assert_good(server.ports["submission"], "submission", ["vrfy"])
        self.assert_good(server.ports["smtps"], "submissions", ["vrfy"])
        self.probe(server.ports["smtp"], "--as", "smtp", *self.trusted, code=FINE)
        self.probe(server.ports["smtps"], "--as", "submission", "--no-order", *self.trusted, code=FAULTY)
        self.assert_faults("tls-first-octet")

    def test_certificates(self):
        def start(pair):
            return OpenSmtpd.of(self, pair=pair, listeners={"s": self.SUBMISSION}).ports["s"]

        self.assert_certificates(start)


if __name__ == "__main__":
    unittest.main()
