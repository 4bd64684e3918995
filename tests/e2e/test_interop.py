"""The same random sessions, typed into ours and into Postfix, Exim and OpenSMTPD: every difference is one that is explained."""
import re
import sys
import unittest

from harness import ROOT, SLOW, ServerCase
from mail_servers import Exim, OpenSmtpd, Postfix

sys.path.insert(0, str(ROOT / "tests" / "interop"))

import differential  # noqa: E402

TIMEOUT = 600


class Beside(ServerCase):
    def run_with(self, kind, n):
        ours, theirs = differential.beside(self, kind)
        outcome = differential.run(ours, theirs, range(n), differential.rows())
        self.assertEqual([str(d) for d in outcome.unexplained], [])
        self.assertGreater(outcome.same, outcome.commands / 2)
        self.assertGreater(outcome.commands, 3 * n)

    def test_postfix(self):
        self.run_with(Postfix, 5000 if SLOW else 150)

    def test_exim(self):
        self.run_with(Exim, 5000 if SLOW else 150)

    def test_opensmtpd(self):
        self.run_with(OpenSmtpd, 500 if SLOW else 20)


class Page(unittest.TestCase):
    def test_the_page_has_the_rows(self):
        """Its numbers are of a run; its words are those of the table."""
        def words(text):
            return re.sub(r"\| \d* (?=\|)", "| ", re.sub(r"\|  (?=\|)", "| ", text))

        known = differential.rows()
        text = (ROOT / "docs" / "interop.md").read_text()
        counts = {name: {} for name in differential.SERVERS}
        self.assertEqual(words(text[text.index("\n## Where"):]), words(differential.rows_text(known, counts)), "./dev interop writes it")

    def test_ids_are_unique(self):
        ids = [row.id for row in differential.rows()]
        self.assertEqual(len(ids), len(set(ids)))


if __name__ == "__main__":
    unittest.main()
