"""`sallyport check`."""
import os
import pathlib
import tempfile
import unittest

from harness import ROOT, program, run, sallyport


class Check(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sallyport-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check(self, text):
        path = self.folder / "a.conf"
        path.write_text(text)
        return path, sallyport("check", "-c", str(path), check=False)

    def test_the_examples(self):
        for path in sorted((ROOT / "docs" / "examples").glob("*.conf")):
            with self.subTest(path=path.name):
                # The files that an example names are not here: only then may it be refused.
                done = sallyport("check", "-c", str(path), check=False)
                if done.returncode == 0:
                    self.assertTrue(done.stdout.startswith(f"{path}: ok\n"), done.stdout)
                else:
                    self.assertEqual(done.returncode, os.EX_CONFIG)
                    for line in done.stderr.splitlines():
                        self.assertRegex(line, r"^/etc/sallyport/\S+: \S+ cannot be read: No such file or directory$")

    def test_a_summary(self):
        path, done = self.check("hostname = mail.example.org\ndata = here\ndefault-route = out\n"
                                "listener l { address = \"127.0.0.1:2525\"\n auth = required\n}\n"
                                "domain example.org { route = hold\n mailboxes = { a, b }\n}\n"
                                "route out { kind = relay\n host = smtp.example.net\n}\n")
        self.assertEqual(done.returncode, 0, done.output)
        self.assertEqual(done.stdout, f"""{path}: ok
  hostname: mail.example.org
  data: {self.folder}/here
  listener l: 127.0.0.1:2525, STARTTLS required, AUTH required
    AUTH with TLS: SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN
  domain example.org: 2 mailboxes, route hold
  other domains: route out (to smtp.example.net port 25, with TLS when offered)
""")

    def test_what_dovecot_has_is_not_known_here(self):
        _, done = self.check("default-route = hold\nusers {\n source = dovecot\n path = /run/d\n}\n"
                             "listener l { address = \"127.0.0.1:2525\"\n auth = offered\n mechanisms = { SCRAM-SHA-1, PLAIN }\n}\n")
        self.assertEqual(done.returncode, 0, done.output)
        self.assertIn("    AUTH with TLS: SCRAM-SHA-1 PLAIN (of these what Dovecot has)\n", done.stdout)

    def test_faults_name_file_and_line(self):
        path, done = self.check("hostname = mail.example.org\nlisten = 25\n\ndata = \"\n")
        self.assertEqual((done.returncode, done.stdout), (os.EX_CONFIG, ""))
        lines = done.stderr.splitlines()
        self.assertTrue(lines[-2].startswith(f"{path}:2: ") and "listen" in lines[-2], lines)
        self.assertTrue(lines[-1].startswith(f"{path}:4: "), lines)

    def test_no_file(self):
        done = sallyport("check", "-c", str(self.folder / "none"), check=False)
        self.assertEqual(done.returncode, os.EX_NOINPUT)
        self.assertIn("No such file", done.stderr)

    def test_usage(self):
        for arguments in ([], ["a.conf"], ["-c"]):
            self.assertEqual(sallyport("check", *arguments, check=False).returncode, os.EX_USAGE)

    def certificate(self, name):
        run([program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", "/CN=mail.example.org", "-days", "1", "-keyout", str(self.folder / f"{name}.key"), "-out",
             str(self.folder / f"{name}.pem")], check=True)

    def test_certificate_and_key(self):
        self.certificate("one")
        self.certificate("two")
        text = ("hostname = mail.example.org\ndefault-route = hold\nlistener l { address = \"127.0.0.1:25\" }\n"
                "tls-certificate = {}.pem\ntls-key = {}.key\n")
        _, done = self.check(text.replace("{}", "one"))
        self.assertEqual(done.returncode, 0, done.output)
        _, done = self.check(text.replace("{}", "one", 1).replace("{}", "two"))
        self.assertEqual(done.returncode, os.EX_CONFIG, done.output)
        self.assertIn(str(self.folder / "one.pem"), done.stderr)
        _, done = self.check(text.replace("{}", "none"))
        self.assertEqual(done.returncode, os.EX_CONFIG)
        self.assertIn("none.pem: tls-certificate cannot be read: No such file or directory", done.stderr)
        (self.folder / "one.pem").write_text("this is no certificate\n")
        _, done = self.check(text.replace("{}", "one"))
        self.assertEqual(done.returncode, os.EX_CONFIG, done.output)


if __name__ == "__main__":
    unittest.main()
