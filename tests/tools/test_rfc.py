"""docs/rfc.md names what exists: scenes, theorems, tests, functions, needs and phases."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def sources():
    files = [p for folder in ("src/smtp", "src/message", "src/roles/smtpd", "src/roles/delivery", "src/roles/queue", "src/dns") for p in (ROOT / folder).glob("*.[ch]")]
    return "\n".join(p.read_text() for p in files)


def words(row, kind):
    """`a`, `b` behind "scene a, b" or "theorems a, b", as far as the list goes."""
    for found in re.finditer(kind + r"s? ((?:`[\w-]+`(?:, )?)+)", row):
        yield from re.findall(r"`([\w-]+)`", found.group(1))


class Rfc(unittest.TestCase):
    def setUp(self):
        self.page = (ROOT / "docs/rfc.md").read_text()
        self.rows = [line for line in self.page.splitlines() if re.match(r"\| \d{4} ", line)]
        self.assertGreater(len(self.rows), 30)
        choices = self.page[self.page.index("\n## Where servers differ"):]
        self.choices = [line for line in choices.splitlines() if line.startswith("| ")][1:]
        self.assertGreater(len(self.choices), 30)

    def test_scenes_exist(self):
        for row in self.rows + self.choices:
            for name in words(row, "scene"):
                self.assertTrue((ROOT / "tests/scenes" / f"{name}.md").exists(), name)

    def test_theorems_exist(self):
        law = (ROOT / "tests/smtp/law.c").read_text()
        for row in self.rows + self.choices:
            for name in words(row, "theorem"):
                self.assertTrue(re.search(rf"(?:STATE|STEP|FORM)\({name}\)", law), f"{name}: {row}")

    def test_files_exist(self):
        for name in re.findall(r"`((?:tests|src)/[\w./-]+\.\w+)`", self.page):
            self.assertTrue((ROOT / name).exists(), name)

    def test_functions_exist(self):
        code = sources()
        for row in self.rows:
            where = row.split("|")[3]
            for name in re.findall(r"`([a-z]+_[a-z0-9_]+)`", where):
                self.assertTrue(re.search(rf"\b{name}\(", code), f"{name}: {row}")

    def test_needs_and_phases_exist(self):
        rules = (ROOT / "src/smtp/server_rules.h").read_text()
        for row in self.rows:
            where = row.split("|")[3]
            for name in words(where, "need"):
                self.assertTrue(f'X({name}, "' in rules, row)
            for phase in re.findall(r"`([A-Z_]+) x ", where):
                self.assertTrue(re.search(rf"X\({phase}, [A-Z_]+, [A-Z]+, ", rules), row)

    def test_every_section_of_the_table_has_its_row(self):
        states = (ROOT / "docs/server-states.md").read_text()
        ordered = set(re.findall(r"\b(\d{4}) (\d[\d.]*)(?= \()", states[states.index("\n## Sections"):]))
        self.assertGreater(len(ordered), 25)
        named = {(rfc, section) for rfc, sections in re.findall(r"^\| (\d{4}) ([\d., ]+?) \|", self.page, re.M)
                 for section in sections.split(", ")}
        self.assertEqual(sorted(ordered - named), [])

    def test_every_row_is_shown(self):
        for row in self.rows + self.choices:
            self.assertRegex(row.split("|")[4], r"scene|theorem|test|law book", row)


if __name__ == "__main__":
    unittest.main()
