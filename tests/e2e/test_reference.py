"""compare and explain, as a person types them."""
import json
import unittest

from harness import ServerCase, sallyport


class Compare(unittest.TestCase):
    def test_english(self):
        out = sallyport("compare", "334", "503").stdout
        for heading in ("Description", "When you see this code", "How to fix", "The key difference", "When to use which"):
            self.assertIn(heading.lower(), out.lower())
        self.assertIn("334", out)
        self.assertIn("503", out)

    def test_vietnamese(self):
        out = sallyport("compare", "334", "503", "--lang", "vi").stdout
        for heading in ("Mô tả", "Khi bạn thấy mã này", "Cách khắc phục", "Sự khác biệt chính", "Khi nào dùng cái nào"):
            self.assertIn(heading.lower(), out.lower())

    def test_options_before_and_behind(self):
        self.assertEqual(sallyport("compare", "--lang=vi", "334", "503").stdout,
                         sallyport("compare", "334", "503", "--lang", "vi").stdout)

    def test_json(self):
        self.assertIsInstance(json.loads(sallyport("compare", "334", "503", "--json").stdout), (dict, list))

    def test_explain_a_reason(self):
        out = sallyport("explain", "data-before-rcpt").stdout
        self.assertIn("503", out)
        self.assertIn("RCPT", out)

    def test_explain_a_code(self):
        self.assertIn("base64", sallyport("explain", "334").stdout.lower())

    def test_an_unknown_code_is_a_fault_of_use(self):
        done = sallyport("explain", "no-such-reason", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        self.assertIn("no-such-reason", done.stderr)


class Reasons(ServerCase):
    def test_every_503_names_its_reason_and_explain_knows_it(self):
        with self.serve().talk() as c:
            reasons = []
            for line in ("MAIL FROM:<a@b.example>", "RCPT TO:<a@b.example>", "DATA"):
                c.send(line)
                reasons.append(c.reply().text.rsplit("[", 1)[1].rstrip("]"))
        for reason in reasons:
            with self.subTest(reason=reason):
                self.assertIn("503", sallyport("explain", reason).stdout)


if __name__ == "__main__":
    unittest.main()
