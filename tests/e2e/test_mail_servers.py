"""Mail from ours through Postfix, Exim and OpenSMTPD to ours, under TLS whose certificates are verified."""
import email
import email.policy
import os
import re
import shutil
import unittest

from certificates import Authority
from harness import SALLYPORT, ServerCase, run, wait_for
from mail_servers import Exim, OpenSmtpd, Postfix

TIMEOUT = 600

CONTENT = (b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nFrom: <a@example.org>\r\nTo: <b@example.org>\r\n"
           b"Subject: through\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
           b"\r\n.\r\n..\r\n.dot\r\n" + "xin chào\r\n".encode() + (b"y" * 990 + b"\r\n") * 300 + b"\r\n")

FIRST = """
hostname = first.example
data = data
listener smtp {{
    address = "127.0.0.1:0"
    tls = off
    relay-from = {{ "127.0.0.0/8" }}
}}
route out {{
    kind = relay
    host = "{host}"
    port = {port}
    tls = {tls}
    {more}
}}
default-route = out
queue {{
    retry-first = 1s
    retry-most = 5s
}}
"""


class Through:
    """first (ours) -> a server of theirs -> last (ours). A class below names theirs."""

    def setUp(self):
        super().setUp()
        self.theirs.check()
        self.folder.chmod(0o755)

    def between(self, **options):
        return self.theirs.of(self, **options)

    def chain(self, secure=True, **options):
        self.last = self.serve(data="last")
        port = self.last.port()
        if secure:
            authority = Authority(self.folder / "authority")
            trusted = self.folder / "last.pem"  # what everybody may read
            shutil.copyfile(self.last.certificate, trusted)
            trusted.chmod(0o644)
            options["authority"] = trusted
            options["pair"] = authority.sign("theirs", "localhost", "DNS:localhost", usage="serverAuth", kind=("rsa:2048",))
        self.between_us = self.between(relay_to=("localhost", port), **options)
        more = f'ca-file = "{authority.certificate}"' if "pair" in options else ""
        self.first = self.configure(FIRST.format(host="localhost", port=self.between_us.port, more=more,
                                                 tls="verified" if "pair" in options else "opportunistic"))

    def arrived(self, n=1):
        try:
            return wait_for(lambda: len(self.last.queue()) >= n and self.last.queue(), "the message at the last server", 30)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.between_us.name}:\n{self.between_us.log()[-3000:]}\n"
                                 f"first:\n{self.first.err.text()[-3000:]}\nlast:\n{self.last.err.text()[-3000:]}") from None

    def test_a_message_under_tls_on_both_hops(self):
        self.chain()
        with self.first.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org> BODY=8BITMIME", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.command("DATA", 354)
            c.raw(CONTENT.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            c.expect(250)
        entry, = self.arrived()
        self.assertEqual(entry["sender"], "a@example.org")
        self.assertEqual([r["address"] for r in entry["recipients"]], ["b@example.org"])
        content = self.last.content(entry["id"])
        self.assertTrue(content.endswith(CONTENT), content[:3000])
        received = re.findall(rb"(?m)^Received: .*$", re.sub(rb"\r\n[ \t]", b" ", content))
        self.assertEqual(len(received), 3)
        # Ours says that theirs came by STARTTLS; theirs that ours did.
        self.assertRegex(received[0], rb"(?i)with ESMTPS\b")
        self.assertRegex(received[1], rb"(?i)with ESMTPS|TLSv?1|cipher")
        self.first.wait_log("remote-connected", policy="verified", verified="yes")
        wait_for(lambda: self.first.queue() == [], "the first server's queue to empty")


class ThroughPostfix(Through, ServerCase):
    theirs = Postfix

    def send(self, *words):
        return run([SALLYPORT, "send", f"127.0.0.1:{self.first.port()}", "--from", "a@example.org", "--quiet", *map(str, words)],
                   timeout=300, check=True)

    def test_thirty_megabytes_of_binary(self):
        """Postfix knows CHUNKING but not BINARYMIME: the message is converted, and what it holds is the same."""
        octets = os.urandom(1 << 16) * 330 + bytes(range(256)) + b"\r\n.\r\n\n--"  # over 30 MB in base64
        (self.folder / "blob").write_bytes(octets)
        self.chain(secure=False)
        self.send("--to", "b@example.org", "--binary", "--attach", self.folder / "blob", "--body", "xin chào")
        entry, = self.arrived()
        text, blob = email.message_from_bytes(self.last.content(entry["id"]), policy=email.policy.default).iter_parts()
        self.assertEqual(text.get_content(), "xin chào")
        self.assertEqual(blob.get_content(), octets)

    def test_binary_without_chunking(self):
        octets = bytes(range(256)) * 4000
        (self.folder / "blob").write_bytes(octets)
        self.chain(secure=False, main="smtpd_discard_ehlo_keywords = chunking")
        self.send("--to", "b@example.org", "--binary", "--attach", self.folder / "blob", "--body", "xin chào")
        entry, = self.arrived()
        text, blob = email.message_from_bytes(self.last.content(entry["id"]), policy=email.policy.default).iter_parts()
        self.assertEqual(blob.get_content(), octets)

    def test_an_address_in_utf8(self):
        self.chain(secure=False)
        self.send("--to", "hộp@thư.example")
        entry, = self.arrived()
        self.assertEqual(entry["recipients"][0]["address"], "hộp@thư.example", self.last.content(entry["id"]).decode())


class ThroughExim(Through, ServerCase):
    theirs = Exim


class ThroughOpenSmtpd(Through, ServerCase):
    theirs = OpenSmtpd

    def test_an_address_in_utf8_comes_back(self):
        """OpenSMTPD does not know SMTPUTF8."""
        self.chain(secure=False)
        with self.first.talk() as c:
            c.hello()
            c.raw("MAIL FROM:<a@example.org> SMTPUTF8\r\nRCPT TO:<hộp@thư.example>\r\n".encode())
            c.expect(250)
            c.expect(250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        entry, = self.arrived()
        self.assertEqual([r["address"] for r in entry["recipients"]], ["a@example.org"])
        self.assertIn(b"Status: 5.6.7", self.last.content(entry["id"]))


if __name__ == "__main__":
    unittest.main()
