"""Every row of outcomes.py on the whole way: sender, our relay, our MX, Dovecot's mailboxes; broken, judged by what an operator sees,
mended, and then it arrives."""
import email
import email.policy
import json
import unittest

import outcomes
from certificates import Authority
from dovecot import Dovecot
from gate import Gate
from harness import ROOT, SLOW, ServerCase, queue_id, wait_for
from name_server import NameServer, Zone
from outcomes import ROWS
from world import PolicyServer, free_world_port, key_digest

TIMEOUT = 300
RELAY, MX, WEB, WEB_EXPIRED, DEAD, DEAD2 = "127.0.97.1", "127.0.97.2", "127.0.97.3", "127.0.97.4", "127.0.97.8", "127.0.97.9"
WAIT_S = 900 if SLOW else 60

HEAD = """
hostname = {name}
data = "{data}"
smtpd-processes = 1
delivery-processes = 1
auth-processes = 1
dns {{
    servers = {{ "{dns}" }}
    trust-anchor = "{anchor}"
    hosts = no
}}
route mx {{
    kind = mx
    port = {port}
    {route}
}}
queue {{
    retry-first = 1h
    retry-most = 1h
    back-off-first = 1h
    back-off-most = 1h
}}
"""

RELAY_CONFIG = HEAD + """
listener smtp {{
    address = "{address}:{port}"
    tls = off
    relay-from = {{ "127.0.0.0/8" }}
}}
domain us.example {{
    route = hold
}}
"""

MX_CONFIG = HEAD + """
tls-certificate = "{pair[0]}"
tls-key = "{pair[1]}"
listener mx {{
    address = "{address}:{port}"
}}
limits {{
    connections-per-address = 0
}}
route boxes {{
    kind = lmtp
    socket = "{socket}"
}}
"""

MAILBOXES = """
    protocols = lmtp
    mail_location = maildir:~/Maildir
    userdb {
      driver = passwd-file
      args = FOLDER/users
    }
    mail_plugins = quota
    plugin {
      quota = maildir:User quota
    }
    service lmtp {
      unix_listener FOLDER/lmtp {
        mode = 0666
      }
    }
"""

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: {mx}\r\nmax_age: 86400\r\n"


class Way(ServerCase):
    """The whole way, for some rows."""

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.port = free_world_port([RELAY, MX, DEAD, DEAD2, *(f"127.0.96.{n}" for n in range(1, 120))])
        self.make_pairs()

    def make_pairs(self):
        self.authority, stranger = Authority(self.folder / "authority"), Authority(self.folder / "stranger")
        names = "DNS:*.open.example,DNS:*.signed.example"
        sign = {"good": {}, "rolled": {}, "expired": {"days": 0}}
        self.pairs = {kind: self.authority.sign(kind, "mx.example", names, usage="serverAuth", **more) for kind, more in sign.items()}
        self.pairs["other"] = self.authority.sign("other", "elsewhere.example", "DNS:elsewhere.example", usage="serverAuth")
        self.pairs["strange"] = stranger.sign("strange", "mx.example", names, usage="serverAuth")
        self.digests = {kind: key_digest(pair[0]) for kind, pair in self.pairs.items()}

    def begin(self, rows):
        self.rows = rows
        self.addresses = {row.id: f"127.0.96.{n}" for n, row in enumerate(rows, 1)}
        self.gates = {row.id: self.gate(row) for row in rows}
        self.names = NameServer(self.folder / "dns", self.zones(broken=True))
        self.addCleanup(self.names.stop)
        self.webs = self.policy_servers()
        self.dovecot = self.mailboxes()
        common = {"dns": self.names.address, "anchor": self.names.anchor, "port": self.port}
        route = f'ca-file = "{self.authority.certificate}"\n mta-sts-port = {self.webs["good"].port}'
        mx = MX_CONFIG.format(name="mx.example", data="mx", address=MX, pair=self.pairs["good"], socket=self.dovecot.folder / "lmtp", route="", **common)
        mx += "".join(f"domain {row.domain} {{ route = boxes\n mailboxes = {{ x, stranger, full }} }}\n" for row in rows)
        self.mx = self.configure(mx, name="mx.conf", data="mx")
        self.relay = self.configure(RELAY_CONFIG.format(name="us.example", data="relay", address=RELAY, route=route, **common), data="relay")

    def gate(self, row):
        gate = Gate(self.addresses[row.id], self.port, (MX, self.port), self.pairs[row.pair], row.breaks, row.without)
        self.addCleanup(gate.stop)
        return gate

    def zones(self, broken):
        """As the rows say, or mended."""
        texts, own = {"open": "", "signed": ""}, []
        for row in self.rows:
            text = (row.records if broken or not row.mended else row.mended).format(
                d=row.domain, mx=row.host, address=self.addresses[row.id], dead=DEAD, dead2=DEAD2, port=self.port,
                web=WEB_EXPIRED if row.web == "expired" else WEB, **self.digests)
            if isinstance(row.zone, str):
                texts[row.zone] += text
            else:
                own.append(Zone(row.domain, text, signed=not row.zone.get("fails"), **(row.zone if broken else {})))
        return [Zone("example", f"us MX 10 us\nus A {RELAY}\nmx A {MX}\n", signed=True), Zone("open.example", texts["open"]), Zone("signed.example", texts["signed"], signed=True),
                *own]

    def policies(self, mended=False):
        return {f"mta-sts.{row.domain}": POLICY.format(mx="{mx}" if mended else row.policy).format(mx=row.host) for row in self.rows if row.policy}

    def policy_servers(self):
        """One whose certificate is good, and one whose certificate has expired, for the policies of all domains."""
        texts = self.policies()
        names = ",".join(f"DNS:{name}" for name in texts)
        port, webs = free_world_port([WEB, WEB_EXPIRED]), {}
        for kind, address, days in (("good", WEB, 2), ("expired", WEB_EXPIRED, 0)):
            webs[kind] = PolicyServer(self.authority.sign(f"web-{kind}", "policies", names, usage="serverAuth", days=days), texts, address, port)
            self.addCleanup(webs[kind].stop)
        return webs

    def mailboxes(self):
        users = "".join(f"x@{row.domain}:{{PLAIN}}secret:65534:65534::{self.folder}/home/{row.domain}::\n"
                        f"full@{row.domain}:{{PLAIN}}secret:65534:65534::{self.folder}/home/full::userdb_quota_rule=*:bytes=10\n" for row in self.rows)
        (self.folder / "home").mkdir()
        (self.folder / "home").chmod(0o777)
        dovecot = Dovecot(self, users, MAILBOXES, needs="usr/lib/dovecot/lmtp")
        dovecot.wait((dovecot.folder / "lmtp").exists)
        return dovecot

    def mend(self):
        self.names.set(self.zones(broken=False))
        for row in self.rows:
            self.gates[row.id].mend()
            self.gates[row.id].set_pair(self.pairs["good"])
        for web in self.webs.values():
            web.text = self.policies(mended=True)

    # --- what is seen

    def send(self, row):
        content = f"Subject: {row.id}\r\nFrom: <a@us.example>\r\n\r\nHello.\r\n".encode()
        with self.relay.talk() as c:
            c.hello()
            if not row.binary:
                return c.mail(content, sender="a@us.example", recipients=[f"{row.local}@{row.domain}"])
            c.command("MAIL FROM:<a@us.example> BODY=BINARYMIME", 250)
            c.command(f"RCPT TO:<{row.local}@{row.domain}>", 250)
            c.raw(b"BDAT %d LAST\r\n" % len(content) + content)
            return queue_id(c.expect(250).text)

    def arrived(self, row):
        return list((self.folder / "home" / row.domain / "Maildir" / "new").glob("*"))

    @staticmethod
    def ended(server, ident):
        """The first line of the log that says what became of it."""
        def find():
            return next((line for line in server.logs(id=ident) if line["event"] in ("mail-delivered", "mail-deferred", "mail-failed")), None)
        return wait_for(find, f"an outcome of {ident}", WAIT_S)

    def judge(self, row, ident):
        """Is what the operator sees what the row says?"""
        server, line = self.relay, self.ended(self.relay, ident)
        if row.at_mx:
            self.assertEqual(line["event"], "mail-delivered", line)
            server, ident = self.mx, queue_id(line["reply"])
            line = self.ended(server, ident)
        wanted = {"delivered": "mail-delivered", "deferred": "mail-deferred", "bounced": "mail-failed"}[row.outcome]
        self.assertEqual(line["event"], wanted, line)
        self.assertIn(row.says, line["reply"])
        self.assertIn(row.tls, line.get("tls", ""))
        self.assertEqual(line.get("note", ""), row.note)
        if row.outcome == "deferred":
            self.judge_waiting(row, server, ident)
        elif row.outcome == "bounced":
            self.judge_report(row, server, ident)

    def judge_waiting(self, row, server, ident):
        recipient, = json.loads(server.run("queue", "show", "--json", ident).stdout)["recipients"]
        self.assertEqual((recipient["state"], recipient["attempts"], recipient["last_enhanced"]), ("deferred", 1, row.code))
        self.assertIn(row.says, recipient["last_reply"])
        reason, = json.loads(server.run("queue", "why", "--json", ident).stdout)
        self.assertEqual(reason["rule"], row.rule)
        self.assertIn(row.says, reason["last_reply"])

    def judge_report(self, row, server, ident):
        """The report, which is in the sender's mailbox: kept by our relay, whoever wrote it."""
        address = f"{row.local}@{row.domain}"
        if server is self.relay:
            reports = [server.wait_log("mail-bounced", id=ident)["bounce"]]
        else:
            reports = wait_for(lambda: [entry["id"] for entry in self.relay.queue("--state", "held") if
                                        address.encode() in self.relay.content(entry["id"])], f"the report of {address}")
        report, = reports
        message = email.message_from_bytes(self.relay.content(report), policy=email.policy.default)
        self.assertEqual(message["To"], "a@us.example")
        status, = [part for part in message.walk() if part.get_content_type() == "message/delivery-status"]
        fields = status.get_payload()[1]
        self.assertEqual((fields["Action"], fields["Status"], fields["Final-Recipient"]), ("failed", row.code, f"rfc822; {address}"))
        if row.says[:1] == "5":
            self.assertIn(row.says, fields["Diagnostic-Code"])


class Outcomes(Way):
    def setUp(self):
        super().setUp()
        self.begin([row for row in ROWS if SLOW or not row.slow])

    def test_each_row(self):
        """Broken, judged, mended, arrived."""
        for down in ("", "mailboxes", "names"):
            self.take_down(down)
            rows = [row for row in self.rows if row.down == down]
            idents = {row.id: self.send(row) for row in rows}
            for row in rows:
                with self.subTest(row=row.id):
                    self.judge(row, idents[row.id])
        self.names.go_on()
        self.dovecot.begin()
        self.dovecot.wait((self.dovecot.folder / "lmtp").exists)
        self.mend()
        self.mx.run("queue", "retry", "all")
        self.relay.run("queue", "retry", "all")
        wait_for(lambda: not self.waits(self.relay) and not self.waits(self.mx), "everything to have left")
        for row in self.rows:
            with self.subTest(mended=row.id):
                self.assertEqual(len(self.arrived(row)), 0 if row.outcome == "bounced" else row.copies)

    def take_down(self, what):
        if what == "mailboxes":
            self.dovecot.stop()
            (self.dovecot.folder / "lmtp").unlink()
        elif what == "names":
            self.names.pause()

    @staticmethod
    def waits(server):
        return [entry for entry in server.queue() if entry["state"] != "held"]


class Page(unittest.TestCase):
    def test_the_page_has_the_table(self):
        page = (ROOT / "docs" / "delivery.md").read_text()
        self.assertEqual(outcomes.write(page), page, "./dev docs writes it")


if __name__ == "__main__":
    unittest.main()
