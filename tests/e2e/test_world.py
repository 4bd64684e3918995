"""A world of its own on loopback: a name server with signed and unsigned zones, mail servers on addresses of 127.0.0.0/8,
and our relay that finds its way among them by MX."""
import hashlib
import http.server
import json
import signal
import socket
import ssl
import subprocess
import threading
import unittest

from certificates import Authority
from dovecot import Dovecot
from fake_server import FakeServer
from harness import ServerCase, free_port, wait_for
from name_server import NameServer, Zone


def free_world_port(addresses):
    """A port that is free on each of these addresses: all mail servers of a world have the same."""
    while True:
        port = free_port()
        held = []
        try:
            for address in addresses:
                held.append(socket.socket())
                held[-1].bind((address, port))
            return port
        except OSError:
            continue
        finally:
            for s in held:
                s.close()


ADDRESSES = [f"127.0.99.{n}" for n in range(1, 12)]

# Mail servers have 127.0.99.N; nobody has 127.0.99.9.
SIGNED = """
mx1 A 127.0.99.1
mx2 A 127.0.99.2
mx3 A 127.0.99.3
dead A 127.0.99.9
relay A 127.0.99.11
us A 127.0.99.10
one MX 10 mx1
two MX 10 mx1
both MX 10 mx1
both MX 20 mx2
fallback MX 10 dead
fallback MX 20 mx2
deaf MX 10 dead
null MX 0 .
lost MX 10 nowhere
loop MX 10 us
loop MX 20 mx1
behind MX 10 mx2
behind MX 20 us
behind MX 30 mx1
implicit A 127.0.99.3
nothing TXT "no mail, no address"
bad MX 10 mx1
alias CNAME one
xn--grn-ioa MX 10 mx3
equal MX 10 mx1
equal MX 10 mx2
equal MX 10 mx3
"""

CONFIG = """
hostname = us.example
data = "data"
delivery-processes = 1
listener smtp {{
    address = "127.0.99.10:{port}"
    {listener}
    relay-from = {{ "127.0.0.0/8" }}
}}
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
domain us.example {{
    route = hold
}}
queue {{ retry-first = 1s
    retry-most = 2s
    back-off-first = 1s
    back-off-most = 2s }}
{more}
"""


class World(ServerCase):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)  # the roles, which are somebody else, read the anchor
        self.port = free_world_port(ADDRESSES)
        self.names = NameServer(self.folder / "dns", [
            Zone("example", SIGNED, signed=True, spoil=[("bad.example.\t60\tIN\tMX\t10", "bad.example.\t60\tIN\tMX\t11")])])
        self.addCleanup(self.names.stop)

    def relay(self, route="tls = opportunistic", more="", listener="tls = off"):
        text = CONFIG.format(port=self.port, dns=self.names.address, anchor=self.names.anchor, route=route, more=more,
                             listener=listener)
        return self.configure(text)

    def host(self, number, **options):
        """A mail server on 127.0.99.NUMBER."""
        server = FakeServer(host=f"127.0.99.{number}", port=self.port, **options)
        self.addCleanup(server.stop)
        return server

    def send(self, server, *recipients, sender="a@us.example"):
        with server.talk() as c:
            c.hello()
            return c.mail(recipients=recipients, sender=sender)

    def bounced(self, server, ident):
        """The report about a message whose sender is one of us.example, who keep theirs in the queue."""
        bounce = server.wait_log("mail-bounced", id=ident)["bounce"]
        return server.content(bounce).decode()

    def deferred(self, server, ident):
        """What is known of the recipient of a message that waits."""
        server.wait_log("mail-deferred", id=ident)
        return json.loads(server.run("queue", "show", "--json", ident).stdout)["recipients"][0]


class Routing(World):
    def test_mail_goes_to_the_best_mx(self):
        first, second = self.host(1), self.host(2)
        server = self.relay()
        self.send(server, "x@both.example")
        self.assertEqual(first.wait(1)[0].recipients, ["x@both.example"])
        self.assertEqual(second.mails, [])
        server.wait_log("remote-connected", remote=f"mx1.example [127.0.99.1]:{self.port}")

    def test_the_next_one_when_the_best_is_dead_and_that_is_remembered(self):
        second = self.host(2)
        server = self.relay()
        for i in range(5):
            self.send(server, f"x{i}@fallback.example")
        second.wait(5)
        self.assertEqual(len(server.logs("host-down")), 1)

    def test_the_next_one_when_the_best_turns_everybody_away(self):
        self.host(1, sayings={"": "554 5.7.1 not you"})
        second = self.host(2)
        server = self.relay()
        self.send(server, "x@both.example")
        second.wait(1)

    def test_no_mx_is_the_domain_itself(self):
        third = self.host(3)
        server = self.relay()
        self.send(server, "x@implicit.example")
        third.wait(1)

    def test_an_alias_has_the_mail_servers_of_what_it_stands_for(self):
        first = self.host(1)
        server = self.relay()
        self.send(server, "x@alias.example")
        self.assertEqual(first.wait(1)[0].recipients, ["x@alias.example"])

    def test_an_address_literal(self):
        first = self.host(1)
        server = self.relay()
        self.send(server, "x@[127.0.99.1]")
        self.assertEqual(first.wait(1)[0].recipients, ["x@[127.0.99.1]"])

    def test_equal_ones_share_the_mail(self):
        hosts = [self.host(n) for n in (1, 2, 3)]
        server = self.relay(route="connections = 40")
        for i in range(40):
            self.send(server, f"x{i}@equal.example")
        wait_for(lambda: sum(len(h.mails) for h in hosts) == 40, "all mail")

    def test_what_fails_for_good(self):
        server = self.relay()
        for domain, enhanced, why in [("null.example", "5.1.10", "556 5.1.10 domain null.example takes no mail"),
                                      ("missing.example", "5.1.2", "there is no such domain"),
                                      ("nothing.example", "5.1.2", "neither MX records nor an address"),
                                      ("lost.example", "5.4.4", "its mail server nowhere.example: there is no such name"),
                                      ("loop.example", "5.4.6", "the DNS names this server")]:
            with self.subTest(domain=domain):
                ident = self.send(server, f"x@{domain}")
                report = self.bounced(server, ident)
                self.assertIn(f"\nStatus: {enhanced}\n", report.replace("\r", ""))
                self.assertIn(why, server.wait_log("mail-failed", id=ident)["reply"])

    def test_what_stands_behind_ourselves_is_not_asked(self):
        first = self.host(1)
        server = self.relay()
        ident = self.send(server, "x@behind.example")
        self.assertIn("mx2.example", self.deferred(server, ident)["last_remote"])
        self.host(2).wait(1)
        self.assertEqual(first.mails, [])

    def test_what_waits(self):
        server = self.relay()
        for domain, enhanced, why in [("bad.example", "4.4.3", "DNSSEC"),
                                      ("x.elsewhere", "4.4.3", "the name servers gave no answer"),
                                      ("deaf.example", "4.4.1", "refused")]:
            with self.subTest(domain=domain):
                ident = self.send(server, f"x@{domain}")
                recipient = self.deferred(server, ident)
                self.assertEqual(recipient["last_enhanced"], enhanced)
                self.assertIn(why, recipient["last_reply"])

    def test_domains_with_the_same_servers_share_connections(self):
        first = self.host(1)
        server = self.relay(route="connections = 1")
        self.send(server, "x@one.example")
        first.wait(1)
        self.send(server, "x@two.example")
        first.wait(2)
        self.assertEqual(len(server.logs("remote-connected")), 1)

    def test_a_dead_destination_is_one_line_in_the_log(self):
        server = self.relay()
        ident = self.send(server, "x@deaf.example")
        wait_for(lambda: len(server.logs("mail-deferred", id=ident)) >= 3, "three attempts")
        self.assertEqual(len(server.logs("remote-failed")), 1)
        hop = self.host(9)
        hop.wait(1)
        server.wait_log("remote-back")


MX_CONFIG = """
hostname = {name}
data = "{name}"
smtpd-processes = 1
delivery-processes = 1
auth-processes = 1
tls-certificate = "{certificate}"
tls-key = "{key}"
default-route = none
listener mx {{
    address = "127.0.99.{number}:{port}"
}}
domain "{domain}" {{
    route = boxes
}}
route boxes {{
    {boxes}
}}
"""


def anybody():
    """A client that looks at no certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def key_digest(certificate):
    """SHA-256 of the public key: selector 1, matching type 1."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, capture_output=True, check=True).stdout
    return hashlib.sha256(der).hexdigest()


class Secured(World):
    """Our relay, and mail servers that are ours too, with certificates."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder / "authority")
        self.boxes = self.folder / "boxes"
        self.boxes.mkdir()
        self.boxes.chmod(0o777)

    def publish(self, text, signed=True, more=()):
        self.names.set([Zone("example", SIGNED + text, signed=signed), *more])

    def certificate(self, host, **options):
        return self.authority.sign(host, host, f"DNS:{host}", usage="serverAuth", **options)

    def mx(self, number, host, pair, domain="one.example", boxes=None):
        """A server of ours on 127.0.99.NUMBER that stores what comes."""
        text = MX_CONFIG.format(number=number, name=host, certificate=pair[0], key=pair[1], port=self.port, domain=domain,
                                boxes=boxes or f'kind = maildir\n path = "{self.boxes}/%d/%l"')
        return self.configure(text, name=f"{host}.conf", data=host)

    def stored(self, address):
        local, domain = address.split("@")
        return list((self.boxes / domain / local / "new").glob("*"))


class Dane(Secured):
    def test_a_certificate_that_fits_though_nobody_else_trusts_it(self):
        pair = self.certificate("other.example", days=0)
        self.publish(f"_{self.port}._tcp.mx1 TLSA 3 1 1 {key_digest(pair[0])}\n")
        self.mx(1, "mx1.example", pair)
        server = self.relay()
        self.send(server, "x@one.example")
        line = server.wait_log("remote-connected", policy="dane", verified="yes")
        self.assertTrue(line["tls"].startswith("TLSv1."))
        wait_for(lambda: self.stored("x@one.example"), "the message")

    def test_an_authority_in_the_dns_and_the_name(self):
        pair = self.certificate("mx1.example")
        chain = self.folder / "chain.pem"
        chain.write_text(pair[0].read_text() + self.authority.certificate.read_text())
        self.publish(f"_{self.port}._tcp.mx1 TLSA 2 1 1 {key_digest(self.authority.certificate)}\n")
        self.mx(1, "mx1.example", (chain, pair[1]))
        server = self.relay()
        self.send(server, "x@one.example")
        server.wait_log("remote-connected", policy="dane", verified="yes")
        wait_for(lambda: self.stored("x@one.example"), "the message")

    def test_a_certificate_that_does_not_fit(self):
        self.publish(f"_{self.port}._tcp.mx1 TLSA 3 1 1 {'00' * 32}\n")
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        server = self.relay()
        ident = self.send(server, "x@one.example")
        recipient = self.deferred(server, ident)
        self.assertIn("fits none of its TLSA records", recipient["last_reply"])
        self.assertEqual(recipient["last_tls"], "dane")
        self.assertIn("(TLS: dane)", server.run("queue", "show", ident).stdout)
        self.assertEqual(self.stored("x@one.example"), [])

    def test_no_tls_where_dane_demands_it(self):
        self.publish(f"_{self.port}._tcp.mx1 TLSA 3 1 1 {'00' * 32}\n")
        hop = self.host(1)
        server = self.relay()
        ident = self.send(server, "x@one.example")
        self.assertIn("STARTTLS", self.deferred(server, ident)["last_reply"])
        self.assertEqual(hop.mails, [])

    def test_records_that_are_not_signed_demand_nothing(self):
        self.publish(f"_{self.port}._tcp.mx1 TLSA 3 1 1 {'00' * 32}\n", signed=False)
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        server = self.relay()
        self.send(server, "x@one.example")
        server.wait_log("remote-connected", policy="opportunistic", verified="no")
        wait_for(lambda: self.stored("x@one.example"), "the message")

    def test_records_that_nobody_can_use_demand_tls(self):
        self.publish(f"_{self.port}._tcp.mx1 TLSA 0 1 1 {'00' * 32}\n")
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        server = self.relay()
        self.send(server, "x@one.example")
        server.wait_log("remote-connected", policy="dane-unusable", verified="no")

    def test_a_host_whose_records_do_not_come_is_left_out(self):
        record = f"_{self.port}._tcp.mx1 TLSA 3 1 1 {'00' * 32}"
        self.names.set([Zone("example", SIGNED + record + "\n", signed=True, spoil=[("00" * 32, "11" * 32)])])
        hop = self.host(2)
        self.host(1)
        server = self.relay()
        self.send(server, "x@both.example")
        hop.wait(1)
        ident = self.send(server, "x@one.example")
        self.assertIn("DNSSEC", self.deferred(server, ident)["last_reply"])

    def test_a_mail_may_waive_it(self):
        self.publish(f"_{self.port}._tcp.mx1 TLSA 3 1 1 {'00' * 32}\n")
        hop = self.host(1)
        server = self.relay()
        with server.talk() as c:
            c.hello()
            c.mail(b"TLS-Required: No\r\nSubject: x\r\n\r\nx\r\n", recipients=["x@one.example"])
        hop.wait(1)

    def test_dane_can_be_switched_off(self):
        self.publish(f"_{self.port}._tcp.mx1 TLSA 3 1 1 {'00' * 32}\n")
        hop = self.host(1)
        server = self.relay(route="dane = no")
        self.send(server, "x@one.example")
        hop.wait(1)


class Verified(Secured):
    def route(self):
        return f'tls = verified\n ca-file = "{self.authority.certificate}"\n'

    def test_a_good_certificate(self):
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        server = self.relay(self.route())
        self.send(server, "x@one.example")
        server.wait_log("remote-connected", policy="verified", verified="yes")
        wait_for(lambda: self.stored("x@one.example"), "the message")

    def test_an_expired_one_and_one_for_another_name(self):
        self.mx(1, "mx1.example", self.certificate("mx1.example", days=0))
        self.mx(3, "mx3.example", self.certificate("elsewhere.example"), domain="implicit.example")
        server = self.relay(self.route())
        for domain, why in [("one.example", "expired"), ("implicit.example", "is not for implicit.example but for elsewhere.example")]:
            ident = self.send(server, f"x@{domain}")
            self.assertIn(why, self.deferred(server, ident)["last_reply"])
            self.assertEqual(self.stored(f"x@{domain}"), [])

    def test_required_takes_any_certificate_but_no_clear_text(self):
        self.mx(1, "mx1.example", self.certificate("elsewhere.example", days=0))
        hop = self.host(3)
        server = self.relay("tls = required")
        self.send(server, "x@one.example")
        server.wait_log("remote-connected", policy="required", verified="no")
        ident = self.send(server, "x@implicit.example")
        self.assertIn("STARTTLS", self.deferred(server, ident)["last_reply"])
        self.assertEqual(hop.mails, [])


class PolicyServer:
    """https://mta-sts.DOMAIN/.well-known/mta-sts.txt; `text` None is a 404."""

    def __init__(self, pair, text):
        self.text, self.asked = text, []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.asked.append(self.path)
                body = (owner.text or "").encode()
                self.send_response(200 if owner.text else 404)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.99.8", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class MtaSts(Secured):
    RECORD = '_mta-sts.one TXT "v=STSv1; id=1;"\nmta-sts.one A 127.0.99.8\n'
    POLICY = "version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"

    def policy(self, mode="enforce", mx="mx1.example", host="mta-sts.one.example", text=None):
        pair = self.certificate(host)
        self.web = PolicyServer(pair, text or self.POLICY.format(mode=mode, mx=mx))
        self.addCleanup(self.web.stop)
        self.publish(self.RECORD, signed=False)
        return f'ca-file = "{self.authority.certificate}"\n mta-sts-port = {self.web.port}'

    def test_enforce_with_a_good_certificate(self):
        route = self.policy()
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        server = self.relay(route)
        self.send(server, "x@one.example")
        server.wait_log("mta-sts-policy", domain="one.example", mode="enforce")
        server.wait_log("remote-connected", policy="mta-sts", verified="yes")
        self.assertRegex(server.wait_log("mail-delivered")["tls"], r"mta-sts, TLSv1\.[23], verified")
        wait_for(lambda: self.stored("x@one.example"), "the message")
        self.send(server, "y@one.example")
        wait_for(lambda: self.stored("y@one.example"), "the message")
        self.assertEqual(self.web.asked, ["/.well-known/mta-sts.txt"])

    def test_enforce_with_an_expired_one(self):
        route = self.policy()
        self.mx(1, "mx1.example", self.certificate("mx1.example", days=0))
        server = self.relay(route)
        ident = self.send(server, "x@one.example")
        self.assertIn("expired", self.deferred(server, ident)["last_reply"])
        self.assertEqual(self.stored("x@one.example"), [])

    def test_enforce_without_tls(self):
        hop = self.host(1)
        server = self.relay(self.policy())
        ident = self.send(server, "x@one.example")
        self.assertIn("STARTTLS", self.deferred(server, ident)["last_reply"])
        self.assertEqual(hop.mails, [])

    def test_enforce_names_another_server(self):
        hop = self.host(1)
        server = self.relay(self.policy(mx="*.mx.example"))
        ident = self.send(server, "x@one.example")
        recipient = self.deferred(server, ident)
        self.assertIn("its MTA-STS policy names none of its mail servers", recipient["last_reply"])
        self.assertEqual(recipient["last_enhanced"], "4.7.5")
        self.assertEqual(hop.mails, [])

    def test_testing_demands_nothing_and_says_so(self):
        hop = self.host(1)
        server = self.relay(self.policy(mode="testing", mx="other.example"))
        self.send(server, "x@one.example")
        hop.wait(1)
        server.wait_log("mta-sts-testing", domain="one.example", host="mx1.example")

    def test_a_policy_that_cannot_be_had_is_none(self):
        for options in ({"host": "elsewhere.example"}, {"text": "version: STSv2\n"}):
            with self.subTest(**options):
                hop = self.host(1)
                server = self.relay(self.policy(**options))
                self.send(server, "x@one.example")
                hop.wait(1)
                server.wait_log("mta-sts-failed", domain="one.example")
                server.stop()
                hop.stop()

    def test_a_known_policy_holds_when_everything_about_it_is_hidden(self):
        route = self.policy()
        self.mx(1, "mx1.example", self.certificate("mx1.example", days=0))
        server = self.relay(route)
        self.deferred(server, self.send(server, "x@one.example"))
        server.stop()
        self.web.text = None
        self.publish("", signed=False)
        server = self.relay(route)
        ident = self.send(server, "y@one.example")
        self.assertIn("expired", self.deferred(server, ident)["last_reply"])
        self.assertEqual(len(self.web.asked), 1)


class Outcomes(World):
    def test_later(self):
        answers = ["451 4.7.1 Greylisted", "250 2.1.5 Ok"]
        hop = self.host(1, rcpt=lambda a: answers.pop(0) if len(answers) > 1 else answers[0])
        server = self.relay()
        ident = self.send(server, "x@one.example")
        self.assertIn("451 4.7.1 Greylisted", server.wait_log("mail-deferred", id=ident)["reply"])
        hop.wait(1)
        server.wait_log("mail-delivered", id=ident)

    def test_never(self):
        self.host(1, rcpt=lambda a: "550 5.1.1 Nobody")
        server = self.relay()
        self.assertIn("550 5.1.1 Nobody", self.bounced(server, self.send(server, "x@one.example")))

    def test_a_connection_lost_behind_the_dot(self):
        replies = [None, "250 2.0.0 Ok"]
        hop = self.host(1, data=lambda mail: replies.pop(0))
        server = self.relay()
        ident = self.send(server, "x@one.example")
        server.wait_log("mail-deferred", id=ident, note="may be delivered twice")
        hop.wait(1)
        server.wait_log("mail-delivered", id=ident)

    def test_recipients_of_one_domain_go_in_one_transaction(self):
        first, third = self.host(1), self.host(3)
        server = self.relay()
        self.send(server, "x@one.example", "z@implicit.example", "y@one.example", "y@two.example")
        self.assertEqual(sorted(sorted(m.recipients) for m in first.wait(2)),
                         [["x@one.example", "y@one.example"], ["y@two.example"]])
        self.assertEqual(third.wait(1)[0].recipients, ["z@implicit.example"])

    def test_a_domain_in_utf8(self):
        hop = self.host(3, keywords=("8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "PIPELINING"))
        server = self.relay()
        with server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@us.example> SMTPUTF8", 250)
            c.command("RCPT TO:<x@grün.example>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        hop.wait(1)
        server.wait_log("remote-connected", remote=f"mx3.example [127.0.99.3]:{self.port}")


class WholeWay(Secured):
    """Sender, our relay, our mail server, Dovecot's mailboxes: with DNSSEC, DANE and MTA-STS."""

    MAILBOXES = """
        protocols = lmtp
        mail_location = maildir:~/Maildir
        userdb {
          driver = static
          args = uid=65534 gid=65534 home=FOLDER/home/%u allow_all_users=yes
        }
        service lmtp {
          unix_listener FOLDER/lmtp {
            mode = 0666
          }
        }
    """

    def test_from_end_to_end(self):
        dovecot = Dovecot(self, "x@one.example:{PLAIN}secret\n", self.MAILBOXES, needs="usr/lib/dovecot/lmtp")
        (dovecot.folder / "home").mkdir()
        (dovecot.folder / "home").chmod(0o777)
        dovecot.wait((dovecot.folder / "lmtp").exists)
        pair = self.certificate("mx1.example")
        web = PolicyServer(self.certificate("mta-sts.one.example"),
                           MtaSts.POLICY.format(mode="enforce", mx="mx1.example"))
        self.addCleanup(web.stop)
        self.publish(MtaSts.RECORD + f"_{self.port}._tcp.mx1 TLSA 3 1 1 {key_digest(pair[0])}\n")
        mx = self.mx(1, "mx1.example", pair, boxes=f'kind = lmtp\n socket = "{dovecot.folder}/lmtp"')
        server = self.relay(f'ca-file = "{self.authority.certificate}"\n mta-sts-port = {web.port}')
        self.send(server, "x@one.example", "somebody.else@one.example")
        server.wait_log("mta-sts-policy", domain="one.example")
        server.wait_log("remote-connected", policy="dane", verified="yes")
        box = dovecot.folder / "home" / "x@one.example" / "Maildir" / "new"
        mail, = wait_for(lambda: list(box.glob("*")), "the message in the mailbox")
        text = mail.read_text()
        self.assertIn("Return-Path: <a@us.example>", text)
        self.assertIn("Subject: hello", text)
        self.assertIn("by mx1.example", text)
        wait_for(lambda: mx.queue() == [] and server.queue() == [], "both queues to empty")

    def test_a_mail_that_requires_tls(self):
        pair = self.certificate("mx1.example")
        self.publish(f"_{self.port}._tcp.mx1 TLSA 3 1 1 {key_digest(pair[0])}\n")
        mx = self.mx(1, "mx1.example", pair)
        hop = self.host(3)
        server = self.relay(listener="tls = starttls")
        with server.talk() as c:
            c.hello()
            c.start_tls(anybody())
            c.hello()
            c.command("MAIL FROM:<a@us.example> REQUIRETLS", 250)
            c.command("RCPT TO:<x@one.example>", 250)
            c.command("RCPT TO:<x@implicit.example>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        wait_for(lambda: self.stored("x@one.example"), "the message")
        wait_for(lambda: mx.logs("mail-accepted"), "its way")
        server.wait_log("mail-deferred", recipient="x@implicit.example", tls="verified")
        self.assertEqual(hop.mails, [])

    def test_requiring_tls_of_a_domain_that_proves_nothing(self):
        self.publish("", signed=False)
        server = self.relay(listener="tls = starttls")
        with server.talk() as c:
            c.hello()
            c.start_tls(anybody())
            c.hello()
            c.command("MAIL FROM:<a@us.example> REQUIRETLS", 250)
            c.command("RCPT TO:<x@one.example>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        self.assertIn("neither DNSSEC nor MTA-STS", server.wait_log("mail-failed")["reply"])


class Rules(World):
    def test_a_rule_chooses_the_route(self):
        first, third = self.host(1), self.host(3)
        server = self.relay(more=f"""
            rule partner {{ to = {{ one.example }}
                route = partner }}
            route partner {{ kind = relay
                host = "127.0.99.3"
                port = {self.port} }}
        """)
        self.send(server, "x@one.example")
        third.wait(1)
        self.send(server, "x@two.example")
        first.wait(1)

    def test_a_reload_sends_what_waits_the_new_way(self):
        third = self.host(3)
        server = self.relay()
        ident = self.send(server, "x@one.example")
        self.deferred(server, ident)
        path = self.folder / "sallyport.conf"
        text = path.read_text()
        path.write_text(text.replace("kind = mx", 'kind = mx\n mta-sts = no\n dane = no').replace(
            "hosts = no", "hosts = no\n dnssec = strict"))
        self.names.set([Zone("example", SIGNED.replace("one MX 10 mx1", "one MX 10 mx3"), signed=True)])
        server.process.send_signal(signal.SIGHUP)
        server.wait_log("reloaded")
        server.wait_log("mail-delivered", id=ident)
        third.wait(1)


if __name__ == "__main__":
    unittest.main()
