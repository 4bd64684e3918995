"""Reports as their readers see them: Python's email package, and a parser of bounces that lists use."""
import email
import email.policy
import json
import os
import quopri
import signal
import subprocess

from fake_server import FakeServer
from harness import ROOT, SALLYPORT, ServerCase, free_port, peer, program, wait_for

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


CONFIG = """hostname = "mx.near.example"
data = "{data}"
smtpd-processes = 1
auth-processes = 1
delivery-processes = 1
default-route = "out"
route "out" {{
    kind = relay
    host = "127.0.0.1"
    port = {port}
    tls = off
}}
domain "near.example" {{
    route = "out"
    {domain}
}}
queue {{
    {queue}
}}
listener "outside" {{
    address = "127.0.0.1:0"
    tls = off
}}
listener "inside" {{
    address = "127.0.0.1:0"
    tls = off
    relay-from = {{ "127.0.0.0/8" }}
}}
"""


class Kinds(ServerCase):
    """Each kind of report, field by field (RFC 3461 6, RFC 3464 2, RFC 2852 4.1)."""

    MAIL_FIELDS = {"Original-Envelope-Id", "Reporting-MTA", "X-Sallyport-Queue-ID", "Arrival-Date"}
    FIELDS = {"Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date",
              "Will-Retry-Until"}

    def check(self, mail):
        """(action, status) of a report, whose form is right."""
        self.assertEqual((mail.sender, mail.recipients), ("", ["writer@far.example"]))
        self.assertNotIn("RET", "".join(mail.mail_words))
        report = email.message_from_bytes(mail.content, policy=email.policy.SMTP)
        self.assertEqual([d for part in report.walk() for d in part.defects], [])
        self.assertEqual(report["Auto-Submitted"], "auto-replied")
        self.assertEqual((report.get_content_type(), report.get_param("report-type")), ("multipart/report", "delivery-status"))
        text, status, returned = report.iter_parts()
        self.assertEqual((text.get_content_type(), status.get_content_type()), ("text/plain", "message/delivery-status"))
        of_mail, of_recipient = status.get_payload()
        self.assertLessEqual({"Reporting-MTA", "Arrival-Date", "Original-Envelope-Id"}, set(of_mail.keys()))
        self.assertLessEqual(set(of_mail.keys()), self.MAIL_FIELDS)
        self.assertLessEqual({"Original-Recipient", "Final-Recipient", "Action", "Status"}, set(of_recipient.keys()))
        self.assertLessEqual(set(of_recipient.keys()), self.FIELDS)
        for message in (of_mail, of_recipient):
            self.assertEqual(len(set(message.keys())), len(message.keys()), "a field stands there twice")
        self.assertEqual(of_mail["Original-Envelope-Id"], "Q=1")
        self.assertEqual(of_recipient["Original-Recipient"], "rfc822; first+x@far.example")
        self.assertEqual("Will-Retry-Until" in of_recipient, of_recipient["Action"] == "delayed")
        if "Diagnostic-Code" in of_recipient and of_recipient["Diagnostic-Code"].startswith("smtp;"):
            self.assertIn("Remote-MTA", of_recipient)
        return of_recipient["Action"], of_recipient["Status"]

    def send(self, out, words="", queue="", notify="SUCCESS,FAILURE,DELAY"):
        server = self.configure(CONFIG.format(data=self.folder / "data", port=out.port, domain="", queue=queue))
        with server.talk("inside") as c:
            c.hello()
            c.command(f"MAIL FROM:<writer@far.example> RET=HDRS ENVID=Q+3D1{words}", 250)
            c.command(f"RCPT TO:<a@away.example> NOTIFY={notify} ORCPT=rfc822;first+2Bx@far.example", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        return server

    def reports(self, out, n):
        def come():
            found = [m for m in list(out.mails) if m.sender == ""]
            return len(found) >= n and found
        return [self.check(m) for m in wait_for(come, f"{n} reports", seconds=60)]

    def out(self, *replies, **options):
        """A server that answers RCPT to the recipient with these, the last one for ever, and takes reports."""
        left = list(replies)
        out = FakeServer(rcpt=lambda address: "250 2.1.5 Ok" if address.startswith("writer") else left.pop(0) if len(left) > 1 else left[0],
                         **options)
        self.addCleanup(out.stop)
        return out

    def test_delayed_and_expired(self):
        out = self.out("450 4.2.0 later")
        self.send(out, queue="warn-after = 1s\n    retry-first = 3s\n    retry-most = 3s\n    expire = 10s")
        self.assertEqual(self.reports(out, 2), [("delayed", "4.2.0"), ("failed", "4.4.7")])

    def test_delayed_and_delivered(self):
        out = self.out("450 4.2.0 later", "450 4.2.0 later", "250 2.1.5 Ok")
        self.send(out, queue="warn-after = 1s\n    retry-first = 3s\n    retry-most = 3s")
        self.assertEqual(self.reports(out, 2), [("delayed", "4.2.0"), ("relayed", "2.0.0")])

    def test_refused(self):
        out = self.out("550 5.1.1 nobody")
        self.send(out)
        self.assertEqual(self.reports(out, 1), [("failed", "5.1.1")])

    def test_time_of_the_sender(self):
        for words, wanted in ((" BY=4;N", ("delayed", "4.4.7")), (" BY=4;R", ("failed", "5.4.7"))):
            with self.subTest(words):
                out = self.out("450 4.2.0 later", keywords=("8BITMIME", "DELIVERBY"))  # which BY=...;R needs
                server = self.send(out, words, queue="retry-first = 2s\n    retry-most = 2s")
                self.assertEqual(self.reports(out, 1), [wanted])
                server.stop()
                for path in (self.folder / "data" / "queue").glob("queue.db*"):
                    path.unlink()

    def test_who_knows_dsn_reports_itself(self):
        out = self.out("250 2.1.5 Ok", keywords=("8BITMIME", "DSN"))
        server = self.send(out)
        server.wait_log("mail-delivered")
        mail, = out.wait(1)
        self.assertEqual(sorted(w.upper() for w in mail.mail_words if not w.upper().startswith(("SIZE", "BODY"))), ["ENVID=Q+3D1", "RET=HDRS"])
        self.assertEqual(sorted(mail.rcpt_words[0]), ["NOTIFY=SUCCESS,FAILURE,DELAY", "ORCPT=rfc822;first+2Bx@far.example"])

    def test_never_is_never(self):
        out = self.out("450 4.2.0 later", "450 4.2.0 later", "550 5.1.1 nobody")
        server = self.send(out, queue="warn-after = 1s\n    retry-first = 2s\n    retry-most = 2s", notify="NEVER")
        server.wait_log("mail-failed", seconds=60)
        self.assertEqual(server.logs("mail-late") + server.logs("mail-bounced"), [])
        self.assertEqual(out.mails, [])


class Utf8(ServerCase):
    """A message with a header in UTF-8, between addresses in ASCII (RFC 6532, 6533)."""

    CONTENT = "Subject: thư từ\r\nX-Long: {long}\r\n\r\nxin chào\r\n".format(long="ấ" * 60)

    def report(self, keywords, ret):
        out = FakeServer(keywords=keywords, rcpt=lambda address: "550 5.1.1 nobody" if "gone" in address else "250 2.1.5 Ok")
        self.addCleanup(out.stop)
        server = self.serve("--relay", out.address, data=f"data-{len(keywords)}-{ret}")
        with server.talk() as c:
            c.hello()
            c.command(f"MAIL FROM:<writer@far.example> BODY=8BITMIME RET={ret}", 250)
            c.command("RCPT TO:<gone@far.example>", 250)
            c.command("DATA", 354)
            c.raw(self.CONTENT.encode() + b".\r\n")
            c.expect(250)
        mail, = out.wait(1)
        return mail

    def test_it_comes_back_as_it_was(self):
        for ret, kind in (("FULL", "message/global"), ("HDRS", "message/global-headers")):
            mail = self.report(("8BITMIME", "PIPELINING"), ret)
            report = email.message_from_bytes(mail.content, policy=email.policy.SMTPUTF8)
            self.assertEqual([d for part in report.walk() for d in part.defects], [])
            text, status, returned = report.iter_parts()
            self.assertEqual((status.get_content_type(), returned.get_content_type(), returned["Content-Transfer-Encoding"]),
                             ("message/delivery-status", kind, "8bit"))
            inner, = returned.get_payload()
            self.assertEqual(inner["Subject"], "thư từ")
            self.assertIn(self.CONTENT.encode() if ret == "FULL" else self.CONTENT.encode().split(b"\r\n\r\n")[0], mail.content)
            self.assertTrue(mail.body)
            self.assertNotIn("SMTPUTF8", mail.mail_words)

    def test_a_server_without_8bitmime_gets_it_encoded(self):
        for ret, kind in (("FULL", "message/global"), ("HDRS", "message/global-headers")):
            mail = self.report(("PIPELINING",), ret)
            self.assertTrue(mail.content.isascii())
            part = mail.content.split(f"Content-Type: {kind}\r\n".encode())[1]
            head, _, rest = part.partition(b"\r\n\r\n")
            self.assertIn(b"Content-Transfer-Encoding: quoted-printable", head)
            returned = quopri.decodestring(rest.split(b"\r\n--=_sallyport")[0])
            self.assertIn("Subject: thư từ".encode(), returned)
            self.assertEqual("xin chào".encode() in returned, ret == "FULL")
            self.assertLess(max(map(len, mail.content.split(b"\r\n"))), 78 + 20)


class Strangers(ServerCase):
    """Senders that anybody may have written."""

    def start(self, queue="", domain="", **options):
        out = FakeServer(**{"rcpt": lambda address: "550 5.1.1 nobody" if address.startswith("gone") else "250 2.1.5 Ok",
                            "data": lambda mail: "554 5.7.1 This is spam" if mail.sender else "250 2.0.0 Ok", **options})
        self.addCleanup(out.stop)
        return out, self.configure(CONFIG.format(data=self.folder / "data", port=out.port, queue=queue, domain=domain))

    def send(self, server, listener, recipient="a@near.example", sender="victim@far.example", words=""):
        with server.talk(listener) as c:
            c.hello()
            c.command(f"MAIL FROM:<{sender}>{words}", 250)
            c.command(f"RCPT TO:<{recipient}>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: buy\r\n\r\nnow\r\n.\r\n")
            return c.expect(250).lines[0].split()[-1]

    def why(self, server, queue_id):
        return json.loads(server.run("queue", "why", queue_id, "--json").stdout)

    def test_spam_of_a_stranger_is_kept_for_the_operator(self):
        out, server = self.start()
        kept = self.send(server, "outside")
        server.wait_log("mail-held", id=kept)
        reason, = self.why(server, kept)
        self.assertEqual((reason["rule"], reason["state"]), ("unreturned", "held"))
        self.assertIn("This is spam", reason["last_reply"])
        self.assertIn("queue bounce", server.run("queue", "why", kept).stdout)
        for command in (("list",), ("list", "--state", "unreturned"), ("show", kept)):
            found = json.loads(server.run("queue", *command, "--json").stdout)
            mail, = found if command[0] == "list" else [found]
            self.assertEqual((mail["stranger"], mail["recipients"][0]["unreturned"]), (True, True), command)
        shown = server.run("queue", "show", kept).stdout
        self.assertIn("sender     <victim@far.example> (a stranger's)", shown)
        self.assertIn("held, unreturned, route", shown)
        own = self.send(server, "inside")  # of our own network: it is told
        server.wait_log("mail-bounced", id=own)
        gone = self.send(server, "outside", "gone@near.example")  # no judgement of the message: it is told, as the RFC wants
        server.wait_log("mail-bounced", id=gone)
        self.assertEqual([m.recipients for m in out.wait(2) if m.sender == ""], [["victim@far.example"]] * 2)
        self.assertEqual(len(json.loads(server.run("queue", "list", "--json").stdout)), 1)
        server.run("queue", "bounce", kept)
        server.wait_log("mail-bounced", id=kept)
        self.assertEqual(len([m for m in out.wait(3) if m.sender == ""]), 3)

    def test_it_goes_when_its_time_is_over(self):
        out, server = self.start(queue="retry-first = 5s\n    expire = 10s")
        kept = self.send(server, "outside")
        server.wait_log("mail-held", id=kept)
        line = server.wait_log("mail-dropped", id=kept, seconds=40)
        self.assertIn("not told", line["note"])
        self.assertEqual(out.mails, [])
        self.assertEqual(json.loads(server.run("queue", "list", "--json").stdout), [])

    def test_released_spam_is_tried_again(self):
        verdicts = iter(["554 5.7.1 This is spam", "250 2.0.0 Ok"])
        out, server = self.start(data=lambda mail: next(verdicts))
        kept = self.send(server, "outside")
        server.wait_log("mail-held", id=kept)
        server.run("queue", "release", kept)
        server.wait_log("mail-delivered", id=kept)

    def test_a_stranger_gets_the_header_alone(self):
        out, server = self.start()
        server.wait_log("mail-bounced", id=self.send(server, "outside", "gone@near.example", words=" RET=FULL"))
        server.wait_log("mail-bounced", id=self.send(server, "inside", "gone@near.example", words=" RET=FULL"))
        stranger, own = out.wait(2)
        self.assertIn(b"text/rfc822-headers", stranger.content)
        self.assertNotIn(b"now\r\n", stranger.content)
        self.assertIn(b"now\r\n", own.content)

    def test_none_is_told(self):
        out, server = self.start(queue="return-to-strangers = none")
        kept = self.send(server, "outside", "gone@near.example")
        server.wait_log("mail-held", id=kept)
        self.assertEqual(self.why(server, kept)[0]["rule"], "unreturned")

    def test_the_queue_is_killed_while_spam_is_kept_and_returned(self):
        out, server = self.start()
        server.accept_log("role-died", name="queue/0")
        ids = {}

        def kill():
            for pid in server.role_pids("queue"):
                os.kill(pid, signal.SIGKILL)

        def listed():
            done = server.run("queue", "list", "--json", check=False)
            return {m["id"]: m["recipients"][0] for m in json.loads(done.stdout)} if done.returncode == 0 else None

        for i in range(12):
            ids[self.send(server, "outside", sender=f"victim{i}@far.example")] = f"victim{i}@far.example"
            if i % 4 == 3:
                kill()
                wait_for(lambda: listed() is not None, "the queue to be back")

        def all_kept():
            found = listed() or {}
            return set(found) == set(ids) and all(r["unreturned"] for r in found.values())

        wait_for(all_kept, "all to be kept", seconds=60)
        self.assertEqual(out.mails, [])  # killed or not, no stranger was told
        for i, queue_id in enumerate(ids):
            command = subprocess.Popen([SALLYPORT, "queue", "bounce", queue_id, "--data", str(server.data)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if i % 3 == 2:
                kill()
            command.wait(timeout=60)

        def all_returned():
            left = listed()
            for queue_id in set(left or ()) & set(ids):
                server.run("queue", "bounce", queue_id, check=False)
            return left == {}

        wait_for(all_returned, "all to be returned", seconds=60)
        reports = [m for m in out.mails if m.sender == ""]
        self.assertEqual({r for m in reports for r in m.recipients}, set(ids.values()))
        written = {m.content.split(b"Message-ID: <")[1].split(b">")[0] for m in reports}
        self.assertEqual(len(written), len(ids))  # one was perhaps sent twice, none was written twice


class Chains(ServerCase):
    """Two servers that hand everything on to each other: each message goes round until it has been through too many."""

    def test_never_a_report_of_a_report(self):
        ports, servers = [free_port(), free_port()], []
        for i, name in enumerate(("one", "two")):
            text = CONFIG.format(data=self.folder / name, port=ports[1 - i], domain="", queue="")
            text = text.replace("near.example", f"{name}.example")
            text = f'"127.0.0.1:{ports[i]}"'.join(text.rsplit('"127.0.0.1:0"', 1))  # of the listener that lets each other relay
            servers.append(self.configure(text, name=f"{name}.conf", data=name))

        def logs(event):
            return [line for server in servers for line in server.logs(event)]

        with servers[0].talk("inside") as c:
            c.hello()
            for sender in ("a@far.example", ""):
                for notify in ("", " NOTIFY=NEVER", " NOTIFY=SUCCESS,FAILURE,DELAY"):
                    c.command(f"MAIL FROM:<{sender}> RET=FULL", 250)
                    c.command(f"RCPT TO:<b@away.example>{notify}", 250)
                    c.command("DATA", 354)
                    c.raw(b"Subject: x\r\nAuto-Submitted: auto-generated\r\n\r\nx\r\n.\r\n")
                    c.expect(250)
        # Six messages end, and the two reports that two of those with a sender are worth.
        wait_for(lambda: len(logs("mail-failed")) == 8, "the end of all", seconds=90)
        wait_for(lambda: len(logs("mail-undeliverable")) == 5, "three messages without a sender, and two reports")
        for server in servers:
            server.accept_log("mail-undeliverable")
            server.accept_log("mail-not-stored", reason="mail-loop")
            self.assertEqual(json.loads(server.run("queue", "list", "--json").stdout), [])
        bounced = logs("mail-bounced")
        self.assertEqual([line["to"] for line in bounced], ["a@far.example"] * 2)
        self.assertFalse({line["bounce"] for line in bounced} & {line["id"] for line in bounced}, "a report was reported")
