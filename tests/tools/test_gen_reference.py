"""tools/gen-reference takes the catalogue as it is, and refuses each way of spoiling it by file and key."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Catalogue(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)
        self.reference = self.top / "reference"
        shutil.copytree(ROOT / "reference", self.reference)

    def generate(self):
        self.out, self.deps = self.top / "out.c", self.top / "out.d"
        return subprocess.run([sys.executable, ROOT / "tools" / "gen-reference", self.reference, self.out, self.deps],
                              capture_output=True, text=True)

    def spoil(self, name, old, new):
        path = self.reference / name
        text = path.read_text(encoding="utf-8")
        self.assertIn(old, text, f"{name} has changed: this test must too")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def assert_refused(self, *words):
        run = self.generate()
        self.assertEqual(run.returncode, 65, run.stderr)
        for word in words:
            self.assertIn(word, run.stderr)
        self.assertFalse(self.out.exists(), "something was written all the same")

    def test_the_catalogue_is_in_order(self):
        run = self.generate()
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        deps = self.deps.read_text()
        # Read by tools/gen-diagnoses and tools/gen-probe.
        others = {self.reference / "diagnoses.toml", self.reference / "probe.toml"}
        for path in {*self.reference.rglob("*.toml"), self.reference / "codes", self.reference / "pairs"} - others:
            self.assertIn(str(path), deps)

    def test_the_same_input_gives_the_same_output(self):
        self.generate()
        first = self.out.read_bytes()
        self.generate()
        self.assertEqual(self.out.read_bytes(), first)

    def test_not_toml(self):
        self.spoil("codes/503.toml", "code = 503", "code = ")
        self.assert_refused("reference/codes/503.toml")

    def test_not_utf8(self):
        path = self.reference / "words.toml"
        path.write_bytes(path.read_bytes() + b"# \xff\n")
        self.assert_refused("reference/words.toml")

    def test_a_language_is_missing(self):
        self.spoil("codes/334.toml", "name.vi = ", "# ")
        self.assert_refused("reference/codes/334.toml: name.vi: missing")

    def test_not_translated(self):
        self.spoil("reasons.toml", 'meaning.vi = "MAIL đến trước EHLO: client phải tự giới thiệu trước."',
                   'meaning.vi = "MAIL came before EHLO: introduce the client first."')
        self.assert_refused("mail-before-ehlo.meaning", "not translated")

    def test_an_empty_text(self):
        self.spoil("codes/211.toml", 'fix.en = "Nothing to fix: read it."', 'fix.en = "  "')
        self.assert_refused("reference/codes/211.toml: fix.en", "not empty")

    def test_an_unknown_key(self):
        self.spoil("codes/211.toml", "retry =", 'colour = "red"\nretry =')
        self.assert_refused("reference/codes/211.toml: colour: unknown key; allowed: code, retry")

    def test_diacritics_apart_from_their_letters(self):
        self.spoil("codes/211.toml", 'fix.vi = "Không', 'fix.vi = "Kho\u0302ng')
        self.assert_refused("reference/codes/211.toml: fix.vi", "NFC")

    def test_a_control_character(self):
        self.spoil("codes/211.toml", 'fix.en = "', 'fix.en = "\\u001b')
        self.assert_refused("reference/codes/211.toml: fix.en", "control character")

    def test_an_open_backtick(self):
        self.spoil("codes/211.toml", 'fix.en = "', 'fix.en = "`')
        self.assert_refused("reference/codes/211.toml: fix.en", "backtick")

    def test_a_summary_of_two_lines(self):
        self.spoil("codes/211.toml", 'summary.en = "', 'summary.en = "' + "long " * 30)
        self.assert_refused("reference/codes/211.toml: summary.en", "110 columns")

    def test_the_name_of_a_file(self):
        (self.reference / "codes" / "211.toml").rename(self.reference / "codes" / "212.toml")
        self.assert_refused("reference/codes/212.toml: code", "must be 211.toml")

    def test_no_such_class(self):
        self.spoil("codes/211.toml", "code = 211", "code = 611")
        self.assert_refused("reference/codes/211.toml: code", "200 to 599")

    def test_an_enhanced_code_of_another_class(self):
        self.spoil("codes/503.toml", 'enhanced = ["5.5.1"]', 'enhanced = ["5.5.1", "4.5.1"]')
        self.assert_refused("reference/codes/503.toml: enhanced", "another class")

    def test_retry_is_a_word_of_ours(self):
        self.spoil("codes/503.toml", 'retry = "reorder"', 'retry = "never"')
        self.assert_refused("reference/codes/503.toml: retry", "go-on, reorder, later, changed")

    def test_a_reference_that_leads_nowhere(self):
        self.spoil("codes/503.toml", "related = [250,", "related = [299,")
        self.assert_refused("reference/codes/503.toml: related: 299")

    def test_a_case_of_an_unknown_reason(self):
        self.spoil("codes/503.toml", 'reason = "data-before-rcpt"', 'reason = "data-too-soon"')
        self.assert_refused("reference/codes/503.toml: case[3].reason", "data-too-soon")

    def test_a_case_of_another_codes_reason(self):
        self.spoil("codes/503.toml", 'reason = "data-before-rcpt"', 'reason = "auth-failed"')
        self.assert_refused("reference/codes/503.toml: case[3].reason", "belongs to 535")

    def test_a_reason_without_a_page_for_its_code(self):
        self.spoil("reasons.toml", 'code = 535\nenhanced = "5.7.8"', 'code = 536\nenhanced = "5.7.8"')
        self.assert_refused("reference/reasons.toml: auth-failed.code: 536")

    def test_a_reason_with_an_enhanced_code_that_its_page_lacks(self):
        self.spoil("reasons.toml", 'code = 535\nenhanced = "5.7.8"', 'code = 535\nenhanced = "5.7.7"')
        self.assert_refused("reference/reasons.toml: auth-failed.enhanced", "codes/535.toml")

    def test_the_form_of_an_id(self):
        self.spoil("reasons.toml", "[auth-failed]", "[Auth_Failed]")
        self.assert_refused("Auth_Failed", "lower-case")

    def test_a_transcript_that_is_none(self):
        self.spoil("reasons.toml", "C: RCPT TO:<bob@mx.example>\n", "RCPT TO:<bob@mx.example>\n")
        self.assert_refused("rcpt-before-mail.transcript line 2", "'S: ', 'C: ' or '-- '")

    def test_a_transcript_that_does_not_show_its_reason(self):
        self.spoil("reasons.toml", " [rcpt-before-mail]", "")
        self.assert_refused("rcpt-before-mail.transcript: no server line ends in [rcpt-before-mail]")

    def test_a_transcript_with_an_unknown_id(self):
        self.spoil("codes/503.toml", "[nested-mail]\n", "[nested-message]\n")
        self.assert_refused("reference/codes/503.toml", "nested-message")

    def test_a_pair_in_the_wrong_order(self):
        self.spoil("pairs/334-503.toml", '["334", "503"]', '["503", "334"]')
        self.assert_refused("reference/pairs/334-503.toml: pages", "in the order of their names")

    def test_a_pair_of_an_unknown_code(self):
        self.spoil("pairs/334-503.toml", '["334", "503"]', '["334", "598"]')
        self.assert_refused("reference/pairs/334-503.toml: pages: there is no page for 598")

    def test_a_variant_of_two_minds(self):
        self.spoil("codes/334.toml", 'starts = "eyJ"', 'starts = "eyJ"\nis = "eyJ"')
        self.assert_refused("reference/codes/334.toml: variant[", "either 'is' or 'starts'")

    def test_a_variant_behind_one_that_takes_all(self):
        self.spoil("codes/550.toml", 'starts = "5.1.1 "', 'starts = "5."')
        self.assert_refused("reference/codes/550.toml: variant[2]: never reached: '5.' before it")

    def test_related_is_a_list_of_numbers(self):
        self.spoil("codes/503.toml", "related = [250,", 'related = ["250",')
        self.assert_refused("reference/codes/503.toml: related", "numbers")

    def test_an_enhanced_code_in_full(self):
        self.spoil("enhanced.toml", '["7.1"]', '["5.7.1"]')
        self.assert_refused("reference/enhanced.toml: 5.7.1", "subject.detail")

    def test_a_topic_that_leads_nowhere(self):
        self.spoil("commands.toml", 'related = ["HELO",', 'related = ["HALLO",')
        self.assert_refused("reference/commands.toml: EHLO.related: there is no other page HALLO")

    def test_a_topic_answered_by_an_unknown_code(self):
        self.spoil("commands.toml", "codes = [221, 501]", "codes = [222, 501]")
        self.assert_refused("reference/commands.toml: QUIT.codes: 222")

    def test_a_code_of_an_unknown_command(self):
        self.spoil("codes/253.toml", '["ETRN"]', '["ETURN"]')
        self.assert_refused("reference/codes/253.toml: commands: ETURN is not in commands.toml")

    def test_a_topic_in_one_language(self):
        self.spoil("mechanisms.toml", "title.vi = ", "# ")
        self.assert_refused("reference/mechanisms.toml: ", "title.vi: missing")

    def test_a_topic_of_no_origin(self):
        self.spoil("keywords.toml", 'rfc = ["2920 3"]', "rfc = []")
        self.assert_refused("reference/keywords.toml: PIPELINING.rfc: neither an RFC nor a source")

    def test_a_mechanism_spoken_first_by_nobody(self):
        self.spoil("mechanisms.toml", 'first = "client"', 'first = "both"')
        self.assert_refused("first: must be one of client, server")

    def test_a_code_that_nobody_acts_on(self):
        self.spoil("codes/503.toml", 'act = ["program"]', 'act = ["nobody", "program"]')
        self.assert_refused("reference/codes/503.toml: act", "nobody alone")

    def test_a_provider_with_an_unknown_code(self):
        self.spoil("providers.toml", "codes = [432]", "codes = [433]")
        self.assert_refused("reference/providers.toml", "433")

    def test_a_provider_that_is_known_by_nothing(self):
        self.spoil("providers.toml", 'texts = ["please log in*web browser", "weblogin required", "webloginrequired"]', "texts = []")
        self.assert_refused("google-web-login.texts", "neither a text nor the number")

    def test_a_provider_in_capitals(self):
        self.spoil("providers.toml", '"please log in*web browser"', '"Please log in*web browser"')
        self.assert_refused("google-web-login.texts", "lower-case ASCII")

    def test_everything_is_said_at_once(self):
        self.spoil("codes/211.toml", "name.vi = ", "# ")
        self.spoil("codes/503.toml", 'retry = "reorder"', 'retry = "never"')
        self.assert_refused("codes/211.toml", "codes/503.toml")

    def test_nothing_to_read(self):
        shutil.rmtree(self.reference / "pairs")
        self.assert_refused("must not be empty")

    def test_usage(self):
        run = subprocess.run([sys.executable, ROOT / "tools" / "gen-reference"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 64)
        self.assertIn("gen-reference FOLDER OUT.c", run.stderr)


if __name__ == "__main__":
    unittest.main()
