"""Our relay in a world of its own: where mail goes, under which TLS, and what becomes of it."""
import json
import shutil
import signal
import unittest

from dovecot import Dovecot
from harness import wait_for
from name_server import NameServer, Zone
from world import SIGNED, STS_POLICY, STS_RECORD, PolicyServer, Secured, World, anybody, key_digest


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


class MtaSts(Secured):
    def policy(self, mode="enforce", mx="mx1.example", host="mta-sts.one.example", text=None):
        pair = self.certificate(host)
        self.web = PolicyServer(pair, text or STS_POLICY.format(mode=mode, mx=mx))
        self.addCleanup(self.web.stop)
        self.publish(STS_RECORD, signed=False)
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
        paused = server.wait_log("destination-paused", site="mx/one.example")  # that domain's, not of all with its servers
        self.assertIn("its MTA-STS policy names none", paused["reply"])
        self.send(server, "x@two.example")
        hop.wait(1)

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


class Policies(Secured):
    """The policy that applied, and what there was: in the log and in `queue show`, delivered and not."""

    # policy -> what the route says, what the zone says, what is said of the TLS of good mail; then of a host without STARTTLS
    ROWS = {
        "off": ("tls = off", "", "off, in clear", None),
        "opportunistic": ("tls = opportunistic", "", "opportunistic, TLSv1.3, not verified", "opportunistic, in clear"),
        "required": ("tls = required", "", "required, TLSv1.3, not verified", "required"),
        "verified": ("tls = verified", "", "verified, TLSv1.3, verified", "verified"),
        "dane": ("", "_{port}._tcp.mx1 TLSA 3 1 1 {good}\n_{port}._tcp.mx3 TLSA 3 1 1 {good}\n", "dane, TLSv1.3, verified", "dane"),
        "dane-unusable": ("", "_{port}._tcp.mx1 TLSA 0 1 1 {good}\n_{port}._tcp.mx3 TLSA 0 1 1 {good}\n", "dane-unusable, TLSv1.3, not verified",
                          "dane-unusable"),
        "mta-sts": ("", STS_RECORD + STS_RECORD.replace("one", "implicit"), "mta-sts, TLSv1.3, verified", "mta-sts"),
    }

    def test_each(self):
        pair = self.certificate("mx1.example")
        domains = ("one", "implicit")
        web = PolicyServer(self.authority.sign("web", "web", ",".join(f"DNS:mta-sts.{d}.example" for d in domains), usage="serverAuth"),
                           {f"mta-sts.{d}.example": STS_POLICY.format(mode="enforce", mx=mx) for d, mx in zip(domains, ("mx1.example", "implicit.example"))})
        self.addCleanup(web.stop)
        self.mx(1, "mx1.example", pair)
        bare = self.host(3)  # implicit.example: no STARTTLS
        for policy, (route, zone, good, clear) in self.ROWS.items():
            with self.subTest(policy=policy):
                zone = zone.format(port=self.port, good=key_digest(pair[0])).replace("._tcp.mx3", "._tcp.implicit")
                self.publish(zone, signed=policy.startswith("dane"))
                server = self.relay(f'{route}\nca-file = "{self.authority.certificate}"\nmta-sts-port = {web.port}')
                ident = self.send(server, "x@one.example", "y@implicit.example", "z@deaf.example")
                self.assert_tls(server, ident, "x@one.example", "mail-delivered", good)
                self.assert_tls(server, ident, "y@implicit.example", "mail-deferred" if clear == policy else "mail-delivered", clear or "off, in clear")
                server.stop()
                shutil.rmtree(server.data)
        self.assertEqual(len(bare.mails), 2)

    def assert_tls(self, server, ident, address, event, tls):
        line = server.wait_log(event, id=ident, recipient=address)
        self.assertEqual(line["tls"], tls)
        recipient, = [r for r in json.loads(server.run("queue", "show", "--json", ident).stdout)["recipients"] if r["address"] == address]
        self.assertEqual(recipient["last_tls"], tls)
        self.assertIn(f"(TLS: {tls})", server.run("queue", "show", ident).stdout)


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
                           STS_POLICY.format(mode="enforce", mx="mx1.example"))
        self.addCleanup(web.stop)
        self.publish(STS_RECORD + f"_{self.port}._tcp.mx1 TLSA 3 1 1 {key_digest(pair[0])}\n")
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
