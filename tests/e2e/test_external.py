"""EXTERNAL: clients that log in by a certificate of TLS, and why others do not."""
import base64
import signal
import ssl
import unittest

from certificates import Authority
from harness import SALLYPORT, ServerCase, program, run, sallyport, wait_for
from test_mechanisms import HEAD, LISTENER, offered

PASSWORD = "Xyzzy-plugh-1977"


def b64(text):
    return base64.b64encode(text.encode()).decode() or "="


class External(ServerCase):
    def setUp(self):
        super().setUp()
        program("openssl")
        self.folder.chmod(0o755)
        self.ca = Authority(self.folder / "ca")
        self.anna = self.ca.sign("anna", "Anna", "email:anna@example.org,DNS:anna.example.org")

    def listen(self, *listeners, limits="", **options):
        """A server with the users anna@example.org, anna.example.org and Anna; listeners as (name, more keys)."""
        text = HEAD + "limits {\n auth-slow-down = no\n auth-failures = 100\n}\n"
        for name, more in listeners:
            text += LISTENER % (name, f'client-ca = "{self.ca.certificate}"\n{more}')
        self.server = self.configure(text, "--user", f"anna@example.org:{PASSWORD}", **options)
        for user in ("anna.example.org", "Anna", "gone@example.org"):
            self.user("add", user)
        self.user("disable", "gone@example.org")
        return self.server

    def user(self, *words):
        return sallyport("user", *words, "--data", str(self.server.data), input=PASSWORD + "\n")

    def context(self, pair=None, tls12=False):
        context = self.server.client_tls()
        if pair:
            context.load_cert_chain(*map(str, pair))
        if tls12:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def talk(self, listener, pair=None, **options):
        """A session under TLS, and what EHLO lists in it."""
        c = self.server.talk(listener)
        self.addCleanup(c.close)
        c.hello()
        c.start_tls(self.context(pair, **options))
        return c, offered(c.hello())

    def refused(self, c, name, **fields):
        c.command("AUTH EXTERNAL " + b64(name), 535, "5.7.8", "[auth-failed]")
        return self.server.wait_log("auth-failed", mechanism="EXTERNAL", **fields)

    def test_a_certificate_logs_in(self):
        self.listen(("one", ""))
        for tls12 in (False, True):
            with self.subTest(tls12=tls12):
                c, mechanisms = self.talk("one", self.anna, tls12=tls12)
                self.assertEqual(mechanisms[0], "EXTERNAL")
                c.command("AUTH EXTERNAL =", 235)  # the server knows the name
                c.mail()
                self.server.wait_log("auth-ok", mechanism="EXTERNAL", user="anna@example.org", tls="yes", steps="initial:0")
        for line, answer in (("AUTH EXTERNAL " + b64("ANNA@example.ORG"), None), ("AUTH EXTERNAL", ""),
                             ("AUTH EXTERNAL", b64("anna@example.org"))):
            c, _ = self.talk("one", self.anna)
            if answer is None:
                c.command(line, 235)
            else:
                self.assertEqual(c.command(line, 334).text, "")
                c.command(answer, 235)

    def test_the_name_is_what_the_listener_goes_by(self):
        self.listen(("email", "client-name = email"), ("dns", "client-name = dns"), ("cn", "client-name = common-name"))
        for listener, user in (("email", "anna@example.org"), ("dns", "anna.example.org"), ("cn", "Anna")):
            with self.subTest(listener=listener):
                c, _ = self.talk(listener, self.anna)
                c.command("AUTH EXTERNAL =", 235)
                self.server.wait_log("auth-ok", mechanism="EXTERNAL", user=user)

    def test_without_a_certificate_it_is_not_offered(self):
        self.listen(("one", ""), ("alone", "mechanisms = { EXTERNAL }"))
        stranger = Authority(self.folder / "stranger").sign("anna", "Anna", "email:anna@example.org")
        server_only = self.ca.sign("server", "Anna", "email:anna@example.org", usage="serverAuth")
        for pair, reason, detail in ((None, "no-certificate", None),
                                     (stranger, "certificate-unverified", "unable to verify the first certificate"),
                                     (server_only, "certificate-unverified", None)):
            with self.subTest(reason=reason, pair=pair):
                c, mechanisms = self.talk("one", pair)
                self.assertNotIn("EXTERNAL", mechanisms)
                line = self.refused(c, "anna@example.org", reason=reason, user="anna@example.org")
                if detail:
                    self.assertIn(detail, line["detail"])
                c.login("anna@example.org", PASSWORD)  # everything else works
        c, mechanisms = self.talk("alone")
        self.assertIsNone(mechanisms)
        self.refused(c, "", reason="no-certificate")
        c, mechanisms = self.talk("alone", self.anna)
        self.assertEqual(mechanisms, ["EXTERNAL"])
        with self.server.talk("one") as c:
            c.hello()
            c.command("AUTH EXTERNAL =", 530, "[tls-required]")

    def test_an_expired_certificate(self):
        self.listen(("one", ""))
        c, mechanisms = self.talk("one", self.ca.sign("old", "Anna", "email:anna@example.org", days=-1))
        self.assertNotIn("EXTERNAL", mechanisms)
        self.assertIn("expired", self.refused(c, "", reason="certificate-unverified")["detail"])

    def test_no_such_user(self):
        self.listen(("one", ""))
        c, mechanisms = self.talk("one", self.ca.sign("bob", "Bob", "email:bob@example.org,email:rob@example.org"))
        self.assertIn("EXTERNAL", mechanisms)
        line = self.refused(c, "", reason="certificate-unknown-user", user="bob@example.org")
        self.assertEqual(line["detail"], "the certificate is of bob@example.org, rob@example.org")
        self.refused(c, "rob@example.org", reason="certificate-unknown-user", user="rob@example.org")
        c, _ = self.talk("one", self.ca.sign("gone", "Gone", "email:gone@example.org"))
        self.refused(c, "", reason="disabled", user="gone@example.org")
        c, _ = self.talk("one", self.ca.sign("nameless", "Anna"))
        self.refused(c, "", reason="certificate-without-name")

    def test_nobody_acts_for_somebody_else(self):
        self.listen(("one", ""))
        c, _ = self.talk("one", self.anna)
        line = self.refused(c, "gone@example.org", reason="certificate-other-user", user="gone@example.org")
        self.assertEqual(line["detail"], "the certificate is of anna@example.org")
        self.refused(c, "Anna", reason="certificate-other-user", user="Anna")
        c.command("AUTH EXTERNAL " + b64("anna@example.org\0"), 501, "[auth-malformed]")
        self.server.wait_log("auth-failed", reason="malformed", defect="nul")

    def test_of_several_names_the_one_that_is_asked_for(self):
        self.listen(("one", ""))
        self.user("add", "second@example.org")
        pair = self.ca.sign("two", "Two", "email:nobody@example.org,email:second@example.org,email:anna@example.org")
        for name, user in (("", "second@example.org"), ("anna@example.org", "anna@example.org")):
            c, _ = self.talk("one", pair)
            c.command("AUTH EXTERNAL " + b64(name), 235)
            self.server.wait_log("auth-ok", mechanism="EXTERNAL", user=user)

    def test_a_session_of_one_listener_is_none_of_anothers(self):
        """TLS sessions remember the certificate: resumed elsewhere it would be believed without being judged."""
        other = Authority(self.folder / "other", "Other CA")
        self.listen(("one", ""), ("two", ""))
        path = self.folder / "sallyport.conf"
        one, two = path.read_text().split("listener two")
        path.write_text(one + "listener two" + two.replace(str(self.ca.certificate), str(other.certificate)))
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_log("reloaded")
        context, session = self.context(self.anna, tls12=True), None
        for listener, resumed, there in (("one", False, True), ("one", True, True), ("two", False, False)):
            with self.subTest(listener=listener, resumed=resumed):
                c = self.server.talk(listener)
                self.addCleanup(c.close)
                c.hello()
                c.command("STARTTLS", 220)
                c.socket = context.wrap_socket(c.socket, server_hostname="localhost", session=session)
                self.assertEqual(c.socket.session_reused, resumed)
                self.assertEqual("EXTERNAL" in offered(c.hello()), there)
                session = session or c.socket.session

    def test_send(self):
        self.listen(("one", ""))
        at = f"127.0.0.1:{self.server.port('one')}"
        command = [SALLYPORT, "send", at, "--to", "a@example.org", "--body", "x", "--cert", self.anna[0], "--key", self.anna[1]]
        for more in (["--auth", "anna@example.org"], ["--mechanism", "EXTERNAL"],
                     ["--auth", "anna@example.org", "--min-mechanism", "EXTERNAL"]):
            done = run([*command, *more])
            self.assertEqual(done.returncode, 0, done.output)
            self.assertIn("AUTH EXTERNAL", done.output)
        self.assertEqual(len(self.server.logs("auth-ok", mechanism="EXTERNAL", user="anna@example.org")), 3)
        # A password besides: another way in, when the certificate is not believed.
        stranger = Authority(self.folder / "stranger").sign("anna", "Anna", "email:anna@example.org")
        done = run([SALLYPORT, "send", at, "--to", "a@example.org", "--body", "x", "--cert", stranger[0], "--key", stranger[1],
                    "--auth", f"anna@example.org:{PASSWORD}"])
        self.assertEqual(done.returncode, 0, done.output)
        self.assertIn("AUTH SCRAM-SHA-256-PLUS", done.output)
        done = run([SALLYPORT, "send", at, "--to", "a@example.org", "--body", "x", "--cert", stranger[0], "--key", stranger[1],
                    "--auth", "anna@example.org"])
        self.assertEqual(done.returncode, 77, done.output)
        self.assertIn("not EXTERNAL", done.output)

    def test_a_password_is_tried_behind_a_certificate(self):
        """What is refused is the certificate; the password has not been seen yet."""
        self.listen(("one", ""))
        bob = self.ca.sign("bob", "Bob", "email:bob@example.org")
        command = [SALLYPORT, "send", f"127.0.0.1:{self.server.port('one')}", "--to", "a@example.org", "--body", "x", "--cert", bob[0],
                   "--key", bob[1], "--auth", f"anna@example.org:{PASSWORD}"]
        done = run(command)
        self.assertEqual(done.returncode, 0, done.output)
        self.assertIn("EXTERNAL failed with 535; trying SCRAM-SHA-256-PLUS", done.output)
        self.assertEqual(run([*command, "--min-mechanism", "EXTERNAL"]).returncode, 77)
        self.assertEqual(run([*command[:-1], "anna@example.org:wrong"]).returncode, 77)
        # The wrong password was tried once.
        self.server.wait_log("auth-failed", reason="bad-password")
        self.assertEqual(len(self.server.logs("auth-failed", reason="bad-password")), 1)

    def test_users_of_a_password_file(self):
        users = self.folder / "users"
        users.write_text("anna@example.org:$6$salt$notahashthatanybodyknows......................................................................\n")
        text = HEAD + LISTENER % ("one", f'client-ca = "{self.ca.certificate}"')
        self.server = self.configure(text + 'users {\n source = password-file\n path = users\n}\n')
        c, mechanisms = self.talk("one", self.anna)
        self.assertEqual(mechanisms, ["EXTERNAL", "PLAIN", "LOGIN"])
        c.command("AUTH EXTERNAL =", 235)
        self.server.wait_log("auth-ok", mechanism="EXTERNAL", user="anna@example.org")
        c, _ = self.talk("one", self.ca.sign("bob", "Bob", "email:bob@example.org"))
        self.refused(c, "", reason="certificate-unknown-user")

    def test_send_says_what_is_missing(self):
        self.listen(("one", ""))
        at = f"127.0.0.1:{self.server.port('one')}"
        for more, code, words in ((["--mechanism", "EXTERNAL"], 64, "--cert FILE"), (["--key", "x"], 64, "--key goes with --cert"),
                                  (["--cert", self.anna[0], "--tls", "off"], 64, "--tls is off"),
                                  (["--cert", self.anna[0]], 65, "no private key"),
                                  (["--cert", self.ca.certificate, "--key", self.anna[1]], 65, "not that of the certificate"),
                                  (["--cert", self.folder / "none"], 66, "No such file")):
            done = run([SALLYPORT, "send", at, "--to", "a@example.org", "--body", "x", *more])
            self.assertEqual(done.returncode, code, done.output)
            self.assertIn(words, done.output)

    def test_a_route_logs_in_by_its_certificate(self):
        inner = self.listen(("submission", ""), data="inner")
        (self.folder / "authority.pem").write_bytes(open(inner.certificate, "rb").read())
        outer = self.configure(f"""
            hostname = mail.example.org
            data = data
            default-route = smart
            listener inside {{
                address = "127.0.0.1:0"
                relay-from = {{ "127.0.0.0/8" }}
            }}
            route smart {{
                kind = relay
                host = localhost
                port = {inner.port("submission")}
                tls = verified
                ca-file = "authority.pem"
                user = "anna@example.org"
                certificate-file = "{self.anna[0]}"
                key-file = "{self.anna[1]}"
            }}
        """, data="outer", name="outer.conf")
        with outer.talk("inside") as c:
            c.hello()
            c.mail(recipients=["x@elsewhere.example"])
        wait_for(lambda: inner.queue() and not outer.queue(), "the message to move")
        inner.wait_log("auth-ok", mechanism="EXTERNAL", user="anna@example.org")

    def test_a_reload_changes_whom_is_trusted(self):
        other = Authority(self.folder / "other")
        self.listen(("one", ""))
        path = self.folder / "sallyport.conf"
        path.write_text(path.read_text().replace(str(self.ca.certificate), str(other.certificate)))
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_log("reloaded")
        self.assertNotIn("EXTERNAL", self.talk("one", self.anna)[1])
        self.assertIn("EXTERNAL", self.talk("one", other.sign("anna", "Anna", "email:anna@example.org"))[1])

    def test_a_faulty_file_is_named(self):
        path = self.folder / "faulty.conf"
        path.write_text(HEAD + LISTENER % ("one", f'client-ca = "{self.anna[1]}"'))
        done = sallyport("check", "-c", str(path), check=False)
        self.assertEqual(done.returncode, 78, done.output)
        self.assertIn(f"{self.anna[1]}: ", done.stderr)
        done = run([SALLYPORT, "serve", "-c", path])
        self.assertEqual(done.returncode, 78, done.output)
        self.assertIn(f"{self.anna[1]}: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
