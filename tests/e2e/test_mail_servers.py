"""Mail from ours through Postfix, Exim and OpenSMTPD to ours, under TLS whose certificates are verified: each is a next hop of ours, and
a sender to us."""
import email
import email.policy
import hashlib
import json
import os
import re
import shutil
import smtplib
import unittest

from certificates import Authority
from harness import SALLYPORT, SLOW, ServerCase, run, wait_for
from mail_servers import PASSWORD, USER, Exim, OpenSmtpd, Postfix, with_users

TIMEOUT = 600

CONTENT = (b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nFrom: <a@example.org>\r\nTo: <b@example.org>\r\n"
           b"Subject: through\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
           b"\r\n.\r\n..\r\n.dot\r\n" + "xin chào\r\n".encode() + (b"y" * 990 + b"\r\n") * 300 + b"\r\n")

FIRST = """
hostname = first.example
data = data
delivery-processes = 1
listener smtp {{
    address = "127.0.0.1:0"
    tls = off
    relay-from = {{ "127.0.0.0/8" }}
}}
route out {{
    kind = relay
    host = "localhost"
    port = {port}
    tls = {tls}
    {more}
}}
default-route = out
queue {{
    retry-first = 1s
    retry-most = 5s
}}
{rest}
"""

LAST = """
hostname = last.example
data = last
tls-certificate = "{certificate}"
tls-key = "{key}"
listener smtp {{
    address = "127.0.0.1:0"
    auth = {auth}
    {mechanisms}
    relay-from = {{ "127.0.0.0/8" }}
}}
default-route = hold
limits {{
    connections-per-address = 0
}}
"""


class Through:
    """first (ours) -> a server of theirs -> last (ours). A class below names theirs."""

    utf8, body = True, "7BIT"  # does it know SMTPUTF8? What it makes of BODY=8BITMIME
    one_mechanism = {}   # mechanism -> its listener on which no other is offered
    logs_in_with = {}    # mechanism -> what its configuration says so that it logs in with that one

    def setUp(self):
        super().setUp()
        self.theirs.check()
        self.folder.chmod(0o755)
        self.authority = Authority(self.folder / "authority")
        self.pair = self.sign("theirs")

    def sign(self, name):
        return self.authority.sign(name, "localhost", "DNS:localhost", usage="serverAuth", kind=("rsa:2048",))

    def end_at_last(self, mechanism=None):
        """Our last server, whose certificate the authority has signed."""
        pair = self.sign("last")
        auth, mechanisms = ("required", f"mechanisms = {{ {mechanism} }}") if mechanism else ("off", "")
        return self.configure(LAST.format(certificate=pair[0], key=pair[1], auth=auth, mechanisms=mechanisms), name="last.conf", data="last")

    def chain(self, secure=True, last=None, more="", rest="", **options):
        self.last = last or self.end_at_last()
        if secure:
            trusted = self.folder / "trusted.pem"  # what everybody may read
            shutil.copyfile(self.authority.certificate, trusted)
            trusted.chmod(0o644)
            options |= {"authority": trusted, "pair": self.pair}
        self.between = self.theirs.of(self, relay_to=("localhost", self.last.port()), **options)
        more += f'\nca-file = "{self.authority.certificate}"' if secure else ""
        self.first = self.configure(FIRST.format(port=self.between.port, more=more, tls="verified" if secure else "opportunistic", rest=rest))

    def arrived(self, n=1):
        try:
            return wait_for(lambda: len(self.last.queue()) >= n and self.last.queue(), "the message at the last server", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.between.name}:\n{self.between.log()[-3000:]}\n"
                                 f"first:\n{self.first.err.text()[-3000:]}\nlast:\n{self.last.err.text()[-3000:]}") from None

    def give(self, content, recipients=("b@example.org",), words=""):
        with self.first.talk(timeout=120) as c:
            c.hello()
            c.raw(f"MAIL FROM:<a@example.org>{words}\r\n".encode())
            c.expect(250)
            for recipient in recipients:
                c.raw(f"RCPT TO:{recipient}\r\n".encode() if recipient[0] == "<" else f"RCPT TO:<{recipient}>\r\n".encode())
                c.expect(250)
            c.command("DATA", 354)
            c.raw(re.sub(rb"(^|(?<=\r\n))\.", b"..", content) + b".\r\n")
            c.expect(250)

    def test_a_message_under_tls_on_both_hops(self):
        self.chain()
        self.give(CONTENT, words=" BODY=8BITMIME")
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
        self.first.wait_log("remote-connected", policy="verified", verified="yes", tls="TLSv1.3")
        self.last.wait_log("session-ended", tls="TLSv1.3", mails=1)
        self.assertIn("verified, TLSv1.3, verified", self.first.wait_log("mail-delivered")["tls"])
        wait_for(lambda: self.first.queue() == [], "the first server's queue to empty")

    def test_what_was_asked_is_passed_on(self):
        self.chain()
        utf8, to = (" SMTPUTF8", "hộp@thư.example") if self.utf8 else ("", "b@example.org")
        self.give(CONTENT, [f"<{to}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;other@example.org"], f" BODY=8BITMIME RET=HDRS ENVID=QQ314{utf8}")
        entry, = self.arrived()
        entry = json.loads(self.last.run("queue", "show", "--json", entry["id"]).stdout)
        recipient, = entry["recipients"]
        self.assertEqual((entry["ret"], entry["envid"], recipient["address"]), ("HDRS", "QQ314", to))
        self.assertEqual((sorted(recipient["notify"]), recipient["orcpt"]), (["FAILURE", "SUCCESS"], "rfc822;other@example.org"))
        self.assertEqual((entry["body"], entry["smtputf8"]), (self.body, self.utf8))

    def test_much(self):
        """A large message; then many small ones over one connection, of which one has many recipients."""
        self.chain(more="connections = 1")
        large = CONTENT + (os.urandom(60).hex().encode() + b"\r\n") * 160000  # 20 MB
        self.give(large)
        entry, = self.arrived()
        self.assertEqual(hashlib.sha256(self.last.content(entry["id"])[-len(large):]).digest(), hashlib.sha256(large).digest())
        with self.first.talk() as c:
            c.hello()
            for n in range(200):
                c.mail(recipients=[f"r{n}@example.org"])
            c.mail(recipients=[f"one-of-twenty{n}@example.org" for n in range(20)])
        entries = self.arrived(202)
        wait_for(lambda: self.first.queue() == [], "the first server's queue to empty")
        got = [r["address"] for e in entries for r in e["recipients"]]
        self.assertEqual(sorted(got), sorted(["b@example.org", *(f"r{n}@example.org" for n in range(200)),
                                              *(f"one-of-twenty{n}@example.org" for n in range(20))]))
        self.assertIn(20, [len(e["recipients"]) for e in entries])
        self.assertLessEqual(len(self.first.logs("remote-connected")), self.connections)

    connections = 1  # over which it takes 202 messages

    def mechanisms_as_server(self):
        """Each begins three servers anew."""
        names = list(self.logs_in_with)
        return names if SLOW else names[:1] + names[-1:] if len(names) > 2 else names[:1]

    def test_each_mechanism_as_its_client(self):
        """We log in there, with each mechanism that it offers; it throws the mail away."""
        names = list(self.one_mechanism)
        (self.folder / "password").write_text(PASSWORD + "\n")
        server = self.theirs.of(self, pair=self.pair, listeners={name: self.one_mechanism[name] for name in names}, **self.as_server())
        route = ('rule {id} {{\n to = {{ "{id}.example" }}\n route = {id}\n}}\nroute {id} {{\n kind = relay\n host = localhost\n port = {port}\n tls = verified\n'
                 ' ca-file = "{ca}"\n user = {user}\n password-file = "{password}"\n}}\n')
        rest = "".join(route.format(id=name.lower(), port=server.ports[name], ca=self.authority.certificate, user=USER, password=self.folder / "password")
                       for name in names)
        first = self.configure(FIRST.format(port=1, tls="off", more="", rest=rest))
        for name in names:
            with self.subTest(mechanism=name), first.talk() as c:
                c.hello()
                ident = c.mail(recipients=[f"x@{name.lower()}.example"])
                line = first.wait_log("mail-delivered", id=ident)
                self.assertIn("verified, TLSv1.3, verified", line["tls"])
                first.wait_log("remote-connected", route=name.lower(), user=USER)
                wait_for(lambda: re.search(self.says_mechanism.format(name=name), server.log()), f"{name} in its log:\n{server.log()}")

    def as_server(self):
        return {}

    def test_each_mechanism_as_its_server(self):
        """It logs in at our last server, with each mechanism that it knows."""
        for name in self.mechanisms_as_server():
            with self.subTest(mechanism=name):
                last = self.end_at_last(name)
                last.run("user", "add", "hop", *(["--cram-md5"] if name == "CRAM-MD5" else []), input="its-own-secret\n")
                self.chain(last=last, login=("hop", "its-own-secret"), main=self.logs_in_with[name])
                self.give(CONTENT)
                self.arrived()
                last.wait_log("auth-ok", user="hop", mechanism=name, tls="yes")
                for server in (self.first, last):
                    server.stop()
                    shutil.rmtree(server.data)
                self.between.stop()


class ThroughPostfix(Through, ServerCase):
    theirs, body = Postfix, "8BITMIME"
    one_mechanism = {name: ["smtpd_sasl_auth_enable=yes", f"smtpd_sasl_mechanism_filter={name}"]
                     for name in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")}
    logs_in_with = {name: f"smtp_sasl_mechanism_filter = {name}" for name in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")}
    says_mechanism = "sasl_method={name}, sasl_username=alice"

    def as_server(self):
        return {"users": with_users(self, "plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256")}

    def send(self, *words):
        return run([SALLYPORT, "send", f"127.0.0.1:{self.first.port()}", "--from", "a@example.org", "--quiet", *map(str, words)],
                   timeout=300, check=True)

    def test_tls_1_2(self):
        self.chain(main="smtpd_tls_protocols = <=TLSv1.2\nsmtp_tls_mandatory_protocols = <=TLSv1.2")
        self.give(CONTENT)
        self.arrived()
        self.first.wait_log("remote-connected", tls="TLSv1.2", verified="yes")
        self.last.wait_log("session-ended", tls="TLSv1.2")

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


class ThroughExim(Through, ServerCase):
    theirs = Exim
    one_mechanism = {"PLAIN": "PLAIN", "LOGIN": "LOGIN", "CRAM-MD5": "CRAM-MD5"}
    logs_in_with = {"PLAIN": "", "CRAM-MD5": ""}
    says_mechanism = "A=(plain|login|cram):alice"

    def test_tls_1_2(self):
        self.chain(main="tls_require_ciphers = NORMAL:-VERS-TLS1.3")
        self.give(CONTENT)
        self.arrived()
        self.first.wait_log("remote-connected", tls="TLSv1.2", verified="yes")


class ThroughOpenSmtpd(Through, ServerCase):
    theirs, utf8, connections = OpenSmtpd, False, 3  # 100 messages in each
    one_mechanism = {"PLAIN": "tls-require pki it auth <users>"}
    logs_in_with = {"PLAIN": "", "LOGIN": ""}
    says_mechanism = "user=alice .*result=ok"

    @unittest.skipUnless(SLOW, "it takes its time with each; with --slow")
    def test_much(self):
        super().test_much()

    def test_an_address_in_utf8_comes_back(self):
        """OpenSMTPD does not know SMTPUTF8."""
        self.chain(secure=False)
        self.give(b"Subject: x\r\n\r\nx\r\n", ["hộp@thư.example"], " SMTPUTF8")
        entry, = self.arrived()
        self.assertEqual([r["address"] for r in entry["recipients"]], ["a@example.org"])
        self.assertIn(b"Status: 5.6.7", self.last.content(entry["id"]))


if __name__ == "__main__":
    unittest.main()
