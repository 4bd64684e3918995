"""diagnose, as a person uses it: a log as a file or on standard input, and what must never be seen of it."""
import json
import pathlib
import tempfile
import unittest

from harness import sallyport

LOG = """\
C: EHLO client.example.org
S: 250-mail.example.com
S: 250 STARTTLS
C: AUTH PLAIN AGFubgBodW50ZXIy
S: 503 5.5.1 Error: authentication not enabled
C: QUIT
S: 221 2.0.0 Bye
"""


class Diagnose(unittest.TestCase):
    def diagnose(self, log, *words, **more):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "log"
            path.write_bytes(log if isinstance(log, bytes) else log.encode())
            return sallyport("diagnose", str(path), *words, **more)

    def test_json(self):
        answer = json.loads(self.diagnose(LOG, "--json").stdout)
        self.assertEqual((answer["verdict"], answer["id"], answer["line"]), ("failure", "auth-before-starttls", 5))
        self.assertEqual(answer["codes"], ["503", "5.5.1"])
        self.assertIn("503 5.5.1", answer["quote"])
        self.assertEqual(answer["cause"].count("."), 1, "one sentence")
        self.assertTrue(answer["why"].endswith("."))
        self.assertTrue(0 < answer["confidence"] <= 1)
        for other in answer["also"]:
            self.assertLessEqual({"verdict", "cause", "id", "line", "quote", "fix", "codes", "confidence", "also"}, other.keys())

    def test_page_in_both_languages(self):
        self.assertIn("AUTH came before STARTTLS", self.diagnose(LOG, "--lang", "en").stdout)
        self.assertIn("AUTH đến trước STARTTLS", self.diagnose(LOG, "--lang", "vi").stdout)

    def test_basic_authentication_is_no_secret_and_what_follows_basic_is(self):
        out = self.diagnose("C: EHLO a.example\nS: 250-b.example\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: eA==\n"
                            "S: 334 UGFzc3dvcmQ6\nC: eA==\nS: 535 5.7.139 Authentication unsuccessful, basic authentication is "
                            "disabled. [mail.example.com]\n", "--lang", "en").stdout
        self.assertIn("basic authentication is", " ".join(out.split()))
        self.assertIn("Microsoft no longer takes a password here", " ".join(out.split()))
        self.assertNotIn("dXNlcjpwYXNz", self.diagnose("S: 220 b.example\nC: EHLO a.example\nS: 500 5.5.2 Authorization: Basic dXNlcjpwYXNz\n").stdout)

    def test_no_secret_is_shown(self):
        for words in (["--json"], []):
            with self.subTest(words=words):
                for log in (LOG, "curl --user ann:hunter2 smtp://mail.example.com\n535 5.7.8 no\n",
                            "Error: Invalid login: 535 5.7.8 no { auth: { user: 'ann', pass: 'hunter2' } }\n",
                            "C: AUTH PLAIN AGFubgBodW50ZXIy\nS: 535 5.7.8 bad hunter2\n",
                            "C: AUTH LOGIN YW5u\nS: 334 UGFzc3dvcmQ6\nC: hunter2\nS: 501 5.5.2 cannot decode hunter2 of ann\n",
                            "password hunter2\n".replace(" ", "=") + "S: 535 5.7.8 " + "x" * 295 + " hunter2\n"):
                    out = self.diagnose(log, *words).stdout
                    self.assertNotIn("hunter2", out)
                    self.assertNotIn("AGFubgBodW50ZXIy", out)

    def test_a_334_is_decoded(self):
        answer = json.loads(self.diagnose("C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\n", "--json").stdout)
        self.assertEqual(answer["challenges"][0]["decoded"], "Username:")

    def test_whatever_the_octets(self):
        for log in (b"", b"\x00\xff\xfe" * 1000, b"\n" * 100, "\ufeffC: EHLO x\r\n".encode("utf-16"), b"A" * 100_000):
            with self.subTest(log=log[:20]):
                self.assertEqual(json.loads(self.diagnose(log, "--json").stdout)["verdict"], "undetermined")

    def test_utf16(self):
        self.assertEqual(json.loads(self.diagnose(LOG.encode("utf-16"), "--json").stdout)["id"], "auth-before-starttls")

    def test_a_file_that_is_not_there(self):
        done = sallyport("diagnose", "/no/such/log", check=False)
        self.assertEqual((done.returncode, done.stdout), (66, ""))
        self.assertIn("/no/such/log", done.stderr)


if __name__ == "__main__":
    unittest.main()
