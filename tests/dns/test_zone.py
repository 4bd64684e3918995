"""The resolver against a real name server with a signed zone: what it finds, and what it holds to be proved."""
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from harness import run  # noqa: E402
from name_server import NameServer, Zone  # noqa: E402

MX, TXT, TLSA = "15", "16", "52"
SIGNED = """
mx1 A 192.0.2.1
mx1 AAAA 2001:db8::1
alias CNAME mx1
away CNAME host.plain-zone.
mail MX 10 mx1
mail MX 20 mx2.far.example.
null MX 0 .
text TXT "v=STSv1; " "id=1;"
_25._tcp.mx1 TLSA 3 1 1 {digest}
bad A 192.0.2.99
bad MX 7 badmx
""".format(digest="ab" * 32)
PLAIN = "host A 192.0.2.7\nmail MX 5 host\n"
ASK = None


class Zones(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="sallyport-dns-")
        cls.addClassCleanup(folder.cleanup)
        cls.server = NameServer(folder.name, [
            Zone("example", SIGNED, signed=True, spoil=[("192.0.2.99", "192.0.2.66"), ("7 badmx", "8 badmx")]),
            Zone("plain-zone", PLAIN)])
        cls.addClassCleanup(cls.server.stop)

    def ask(self, name, kind, anchor=None):
        done = run([ASK, self.server.address, anchor or str(self.server.anchor), name, kind], check=True)
        return done.stdout.splitlines()

    def test_signed_records_are_secure(self):
        self.assertEqual(self.ask("mx1.example", "ADDRESS"),
                         ["found", "secure", "name mx1.example", "address [2001:db8::1]:25", "address 192.0.2.1:25"])
        self.assertEqual(self.ask("mail.example", MX)[:2], ["found", "secure"])
        self.assertEqual(sorted(self.ask("mail.example", MX)[2:4]), ["mx 10 mx1.example", "mx 20 mx2.far.example"])
        self.assertEqual(self.ask("_25._tcp.mx1.example", TLSA)[:3], ["found", "secure", "tlsa 3 1 1 32"])
        self.assertEqual(self.ask("text.example", TXT)[:3], ["found", "secure", "txt v=STSv1; id=1;"])

    def test_the_null_mx_has_the_root_as_its_name(self):
        self.assertEqual(self.ask("null.example", MX)[:3], ["found", "secure", "mx 0 "])

    def test_absence_is_proved_too(self):
        self.assertEqual(self.ask("none.example", MX), ["there is no such name", "secure"])
        self.assertEqual(self.ask("mx1.example", MX), ["the name has no address", "secure"])
        self.assertEqual(self.ask("none.example", "ADDRESS")[:2], ["there is no such name", "secure"])

    def test_an_alias_is_followed(self):
        self.assertEqual(self.ask("alias.example", "ADDRESS")[:3], ["found", "secure", "name mx1.example"])

    def test_an_alias_out_of_the_signed_zone_is_not_secure(self):
        self.assertEqual(self.ask("away.example", "ADDRESS"),
                         ["found", "insecure", "name host.plain-zone", "address 192.0.2.7:25"])

    def test_unsigned_zones_are_found_and_not_secure(self):
        self.assertEqual(self.ask("mail.plain-zone", MX)[:3], ["found", "insecure", "mx 5 host.plain-zone"])
        self.assertEqual(self.ask("none.plain-zone", MX), ["there is no such name", "insecure"])

    def test_a_changed_record_is_bogus(self):
        for anchor in (None, f"+{self.server.anchor}"):
            verdict, secure, why = self.ask("bad.example", MX, anchor)
            self.assertIn("DNSSEC", verdict)
            self.assertEqual(secure, "insecure")
            self.assertRegex(why, "why validation failure")

    def test_without_an_anchor_nothing_is_proved(self):
        self.assertEqual(self.ask("bad.example", MX, "-")[:3], ["found", "insecure", "mx 8 badmx.example"])
        self.assertEqual(self.ask("mx1.example", "ADDRESS", "-")[:2], ["found", "insecure"])

    def test_a_server_that_leaves_the_signatures_out(self):
        strange = self.server.folder / "other.anchor"
        strange.write_text("plain-zone. IN DS 12345 13 2 " + "ab" * 32 + "\n")
        self.assertIn("DNSSEC", self.ask("mail.plain-zone", MX, str(strange))[0])
        self.assertEqual(self.ask("mail.plain-zone", MX, f"+{strange}")[:2], ["found", "insecure"])

    def test_a_server_that_refuses_to_say(self):
        self.assertEqual(self.ask("mail.elsewhere", MX), ["the name servers gave no answer", "insecure"])


if __name__ == "__main__":
    ASK = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
