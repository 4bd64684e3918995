"""Reports as their readers see them: Python's email package, and a parser of bounces that lists use."""
import email
import email.policy
import os
import subprocess

from fake_server import FakeServer
from harness import ROOT, ServerCase, peer, program, wait_for

READ = """
use Mail::DeliveryStatus::BounceParser;
local $/;
my $b = Mail::DeliveryStatus::BounceParser->new(<STDIN>);
print $b->is_bounce ? "bounce" : "no bounce", "\\n";
print join("|", $_->get("email"), $_->get("Status") // "", $_->get("std_reason") // "", $_->get("action") // ""), "\\n"
    for $b->reports;
print "original ", $b->orig_message_id // "", "\\n";
"""

REFUSALS = {  # the address, what its server says, and what the parser makes of it
    "gone@far.example": ("550 5.1.1 <gone@far.example>: no such user here", "5.1.1", "user_unknown"),
    "full@far.example": ("552 5.2.2 mailbox full", "5.2.2", "over_quota"),
    "spam@far.example": ("554 5.7.1 refused as spam", "5.7.1", "unknown"),
}


class Bounces(ServerCase):
    def parse(self, content):
        """As a mailbox keeps it, with plain line ends: it knows no others."""
        perl = program("perl")
        folder = ROOT / "build" / "peers" / "bounces" / "root" / "usr" / "share" / "perl5"
        peer("bounces", "usr/share/perl5/Mail/DeliveryStatus/BounceParser.pm")  # without it the test is skipped
        done = subprocess.run([perl, "-I", str(folder), "-e", READ], input=content.replace(b"\r\n", b"\n"), capture_output=True, timeout=60,
                              env=dict(os.environ, PERL5LIB=str(folder)))
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode().strip().splitlines()

    def reports(self, out, n):
        return [m for m in out.wait(n) if m.sender == ""]

    def start(self, **options):
        out = FakeServer(**options)
        self.addCleanup(out.stop)
        return out, self.serve("--relay", out.address)

    def test_a_parser_of_bounces_reads_each(self):
        out, server = self.start(rcpt=lambda address: REFUSALS.get(address, ("250 2.1.5 Ok",))[0])
        with server.talk() as c:
            c.hello()
            for address in REFUSALS:
                c.mail(b"Message-ID: <1@far.example>\r\nSubject: x\r\n\r\nx\r\n", sender="writer@far.example", recipients=(address,))
        for report in out.wait(len(REFUSALS)):
            first, *reports, original = self.parse(report.content)
            self.assertEqual(first, "bounce")
            (address, status, reason, action), = [r.split("|") for r in reports]
            self.assertEqual((status, reason, action), (*REFUSALS[address][1:], "failed"))
            self.assertEqual(original, "original <1@far.example>")

    def test_a_report_of_several_recipients(self):
        out, server = self.start(rcpt=lambda address: REFUSALS.get(address, ("250 2.1.5 Ok",))[0])
        with server.talk() as c:
            c.hello()
            c.mail(sender="writer@far.example", recipients=(*REFUSALS, "fine@far.example"))
        report, = wait_for(lambda: self.reports(out, 1) or self.reports(out, 2), "the report")
        reports = self.parse(report.content)[1:-1]
        self.assertEqual(sorted(r.split("|")[0] for r in reports), sorted(REFUSALS))

    def test_python_reads_all_kinds(self):
        out, server = self.start(keywords=("8BITMIME", "PIPELINING", "SMTPUTF8"),
                                 rcpt=lambda address: "550 5.1.1 nobody" if "gone" in address else "250 2.1.5 Ok")
        with server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<writer@far.example> RET=FULL ENVID=QQ+20314", 250)
            c.command("RCPT TO:<gone@far.example> ORCPT=rfc822;first+2Bx@far.example", 250)
            c.command("RCPT TO:<fine@far.example> NOTIFY=SUCCESS", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: whole\r\n\r\nall of it\r\n.\r\n")
            c.expect(250)
            c.command("MAIL FROM:<writer@far.example> SMTPUTF8", 250)
            c.command("RCPT TO:<gone-thư@far.example>", 250)
            c.command("DATA", 354)
            c.raw("Subject: thư\r\n\r\nx\r\n.\r\n".encode())
            c.expect(250)
        found = {}
        for mail in wait_for(lambda: len(self.reports(out, 4)) == 3 and self.reports(out, 4), "three reports"):
            report = email.message_from_bytes(mail.content, policy=email.policy.SMTPUTF8)
            self.assertEqual([d for part in report.walk() for d in part.defects], [])
            self.assertEqual((report.get_content_type(), report.get_param("report-type")),
                             ("multipart/report", "delivery-status"))
            text, status, returned = report.iter_parts()
            found[status.get_content_type(), returned.get_content_type()] = (text, status, returned)
        self.assertEqual(set(found), {("message/delivery-status", "message/rfc822"),
                                      ("message/delivery-status", "text/rfc822-headers"),
                                      ("message/global-delivery-status", "message/global-headers")})
        text, status, returned = found["message/delivery-status", "message/rfc822"]
        self.assertIn("What this means", text.get_content())
        mail, recipient = status.get_payload()
        self.assertEqual(mail["Original-Envelope-Id"], "QQ 314")
        self.assertEqual((recipient["Action"], recipient["Original-Recipient"]), ("failed", "rfc822; first+x@far.example"))
        self.assertEqual(returned.get_payload()[0].get_content(), "all of it\r\n")
        _, status, _ = found["message/delivery-status", "text/rfc822-headers"]
        self.assertEqual([status.get_payload()[1][k] for k in ("Final-Recipient", "Action", "Status")],
                         ["rfc822; fine@far.example", "relayed", "2.0.0"])
