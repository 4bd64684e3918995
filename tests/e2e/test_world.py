"""A world of its own on loopback: a name server with signed and unsigned zones, mail servers on addresses of 127.0.0.0/8,
and our relay that finds its way among them by MX."""
import json
import socket
import unittest

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
xn--grn-joa MX 10 mx3
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
    tls = off
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

    def relay(self, route="tls = opportunistic", more=""):
        text = CONFIG.format(port=self.port, dns=self.names.address, anchor=self.names.anchor, route=route, more=more)
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


if __name__ == "__main__":
    unittest.main()
