"""From one mail server to the next: addresses that race, hosts that are dead, and hosts that will not have a mail now."""
import signal
import socket
import time
import unittest

from fake_server import FakeServer
from harness import wait_for
from name_server import Zone
from world import SIGNED, Secured, World, key_digest


class Blackhole:
    """An address that answers nothing: a listener whose queue is full drops what else wants to connect."""

    def __init__(self, host, port):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.held = [socket.socket(family)]
        self.held[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.held[0].bind((host, port))
        self.held[0].listen(0)
        for _ in range(64):
            s = socket.socket(family)
            self.held.append(s)
            s.settimeout(0.3)
            try:
                s.connect((host, port))
            except TimeoutError:
                return
        raise AssertionError("the queue of a listener is never full")

    def stop(self):
        for s in self.held:
            s.close()


def half_open(port):
    """The connections to the port that wait for an answer, as pairs of addresses. What two readings have in common was there
    between them: one reading alone may show a connection that ends while it is read, and the one that follows it."""
    def read():
        found = set()
        for path in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(path) as lines:
                found |= {tuple(words[1:3]) for words in map(str.split, lines)
                          if words[2].endswith(f":{port:04X}") and words[3] == "02"}
        return found
    return read() & read()


class Fallover:
    """What the worlds of this file share. `zone`: more of the zone example."""

    def publish_more(self, text, **options):
        self.names.set([Zone("example", SIGNED + text, signed=True, **options)])

    def blackhole(self, host):
        hole = Blackhole(host, self.port)
        self.addCleanup(hole.stop)
        return hole

    def at(self, host, **options):
        server = FakeServer(host=host, port=self.port, **options)
        self.addCleanup(server.stop)
        return server


class Race(World, Fallover):
    def test_ipv6_goes_first(self):
        self.publish_more("dual AAAA ::1\ndual A 127.0.99.1\nboth6 MX 10 dual\n")
        six, four = self.at("::1"), self.host(1)
        server = self.relay(route="connections = 1")
        for i in range(3):
            self.send(server, f"x{i}@both6.example")
        six.wait(3)
        self.assertEqual(four.lines, [])
        server.wait_log("remote-connected", remote=f"dual.example [::1]:{self.port}")

    def test_ipv4_where_ipv6_does_not_answer(self):
        self.publish_more("dual AAAA ::1\ndual A 127.0.99.1\nboth6 MX 10 dual\n")
        self.blackhole("::1")
        held = half_open(self.port)
        four = self.host(1)
        server = self.relay()
        self.send(server, "x@both6.example")
        four.wait(1)
        server.wait_log("host-slow", remote=f"dual.example [::1]:{self.port}", instead=f"dual.example [127.0.99.1]:{self.port}")
        self.assertEqual(server.logs("host-down"), [], "an address that was merely slower is not dead")
        wait_for(lambda: half_open(self.port) <= held, "the loser is closed")

    def test_ipv4_where_ipv6_turns_everybody_away(self):
        self.publish_more("dual AAAA ::1\ndual A 127.0.99.1\nboth6 MX 10 dual\n")
        self.at("::1", sayings={"": "421 4.3.2 not now"})
        four = self.host(1)
        server = self.relay()
        self.send(server, "x@both6.example")
        four.wait(1)
        server.wait_log("host-down", remote=f"dual.example [::1]:{self.port}", why="421 4.3.2 not now")

    def test_of_equal_hosts_the_one_that_answers(self):
        self.publish_more("hole A 127.0.99.9\nequals MX 10 hole\nequals MX 10 mx2\n")
        self.blackhole("127.0.99.9")
        second = self.host(2)
        server = self.relay(route="connections = 1")
        for i in range(8):
            self.send(server, f"x{i}@equals.example")
        second.wait(8)

    def test_a_better_host_that_does_not_answer_is_remembered(self):
        self.blackhole("127.0.99.9")
        second = self.host(2)
        server = self.relay(route="connections = 1")
        for i in range(4):
            self.send(server, f"x{i}@fallback.example")
        second.wait(4)
        line = server.wait_log("host-down", remote=f"dead.example [127.0.99.9]:{self.port}")
        self.assertIn("timed out", line["why"])
        self.assertEqual(len(server.logs("host-down")), 1)

    def test_a_worse_host_waits_for_all_of_the_better(self):
        """MX 20 answers at once; of MX 10 the second address does."""
        self.publish_more("pair A 127.0.99.9\npair AAAA ::1\nranked MX 10 pair\nranked MX 20 mx2\n")
        self.blackhole("::1")
        good, worse = self.at("127.0.99.9"), self.host(2)
        server = self.relay()
        self.send(server, "x@ranked.example")
        good.wait(1)
        self.assertEqual(worse.lines, [])

    def test_what_is_told_of_an_address_names_the_host_of_the_mail(self):
        """Nobody is at the one address of two hosts: mail for the second is told of the second."""
        self.publish_more("this A 127.0.99.9\nthat A 127.0.99.9\nearly MX 10 this\nlate MX 10 that\n")
        server = self.relay()
        for name, host in (("early", "this"), ("late", "that")):
            self.send(server, f"x@{name}.example")
            said = wait_for(lambda: [r["last_reply"] for m in server.queue() for r in m["recipients"]
                                     if r["address"] == f"x@{name}.example" and r["attempts"]], "an attempt")
            self.assertIn(f"connect to {host}.example [127.0.99.9]:{self.port}: Connection refused", said[0])

    def holes(self, names, addresses):
        """Hosts of these names, each with so many addresses where nobody answers, the same for all of them."""
        holes = [f"127.0.99.{n}" for n in range(21, 21 + addresses)]
        self.publish_more("".join(f"{name} A {h}\n" for name in names for h in holes) +
                          "".join(f"to-{name} MX 10 {name}\n" for name in names))
        for h in holes:
            self.blackhole(h)

    def most(self, held, reached):
        """How many connections were half open at once until it was reached."""
        most = 0

        def watch():
            nonlocal most
            most = max(most, len(half_open(self.port) - held))
            return reached(most)
        wait_for(watch, "that many connections under way")
        for _ in range(20):  # and some more turns of each race
            most = max(most, len(half_open(self.port) - held))
            time.sleep(0.05)
        return most

    def test_no_more_than_four_at_once(self):
        self.holes(["many"], 7)
        server = self.relay()
        held = half_open(self.port)
        self.send(server, "x@to-many.example")
        self.assertEqual(self.most(held, lambda _: len(server.logs("host-down")) >= 3), 4)

    def test_the_limit_of_a_destination_holds_for_its_races_together(self):
        """Two connections are allowed, and three more while they are sought; each of the two would like four."""
        self.holes(["many"], 4)
        server = self.relay(route="connections = 2")
        held = half_open(self.port)
        server.run("queue", "suspend", "to-many.example")
        for i in range(4):
            self.send(server, f"x{i}@to-many.example")
        server.run("queue", "resume", "to-many.example")
        self.assertEqual(self.most(held, lambda most: most >= 5), 5)

    def test_the_limit_of_the_process(self):
        """A hundred destinations would like four connections each: one for each, and 256 more."""
        names = [f"many{i}" for i in range(100)]
        self.holes(names, 4)
        server = self.relay()
        held = half_open(self.port)
        self.send(server, *(f"x@to-{name}.example" for name in names))
        self.assertEqual(self.most(held, lambda most: most >= 356), 356)


class Proof(Secured, Fallover):
    """Each host is judged by its own records, whoever wins."""

    def world(self, digest):
        pair = self.certificate("mx2.example")
        self.publish_more(f"hole A 127.0.99.9\nequals MX 10 hole\nequals MX 10 mx2\n"
                          f"_{self.port}._tcp.hole TLSA 3 1 1 {'00' * 32}\n"
                          f"_{self.port}._tcp.mx2 TLSA 3 1 1 {digest or key_digest(pair[0])}\n")
        self.blackhole("127.0.99.9")
        self.mx(2, "mx2.example", pair, domain="equals.example")
        return self.relay(route="connections = 1")

    def test_the_winner_fits_its_own_records(self):
        server = self.world(None)
        for i in range(4):
            self.send(server, f"x{i}@equals.example")
        for i in range(4):
            wait_for(lambda: self.stored(f"x{i}@equals.example"), "the message")
        server.wait_log("remote-connected", policy="dane", verified="yes")

    def test_the_winner_fits_none(self):
        server = self.world("11" * 32)
        ident = self.send(server, "x@equals.example")
        self.assertIn("fits none of its TLSA records", self.deferred(server, ident)["last_reply"])
        self.assertEqual(self.stored("x@equals.example"), [])


class Detour(World, Fallover):
    """The next host, for recipients that one will not have now."""

    def test_a_refused_sender_goes_on(self):
        first, second = self.host(1, sayings={"MAIL": "451 4.3.0 not now"}), self.host(2)
        server = self.relay()
        ident = self.send(server, "x@both.example")
        self.assertEqual(second.wait(1)[0].recipients, ["x@both.example"])
        server.wait_log("next-host", id=ident, after=f"mx1.example [127.0.99.1]:{self.port}", why="451 4.3.0 not now")
        server.wait_log("mail-delivered", id=ident, remote=f"mx2.example [127.0.99.2]:{self.port}")
        self.assertEqual(len([line for line in first.lines if line.upper().startswith(b"MAIL")]), 1)
        self.assertEqual(server.logs("mail-deferred"), [])

    def test_each_recipient_has_its_own_way(self):
        replies = {"later": "450 4.2.1 not now", "never": "550 5.1.1 nobody"}
        first = self.host(1, rcpt=lambda address: replies.get(address.split("@")[0], "250 2.1.5 Ok"))
        second = self.host(2)
        server = self.relay()
        ident = self.send(server, "good@both.example", "later@both.example", "never@both.example")
        self.assertEqual(first.wait(1)[0].recipients, ["good@both.example"])
        self.assertEqual(second.wait(1)[0].recipients, ["later@both.example"])
        server.wait_log("mail-failed", id=ident, recipient="never@both.example")
        server.wait_log("mail-delivered", id=ident, recipient="later@both.example")

    def test_greylisted_everywhere_waits_with_the_word_of_the_best(self):
        first = self.host(1, rcpt=lambda _: "450 4.7.1 greylisted by one")
        second = self.host(2, rcpt=lambda _: "450 4.7.1 greylisted by two")
        server = self.relay()
        ident = self.send(server, "x@both.example")
        recipient = self.deferred(server, ident)
        self.assertEqual(recipient["last_reply"], "450 4.7.1 greylisted by one")
        self.assertIn("mx1.example", recipient["last_remote"])
        self.assertIn("mx1.example", server.run("queue", "show", ident).stdout)
        for hop in (first, second):
            self.assertTrue(any(line.upper().startswith(b"RCPT") for line in hop.lines))
        self.assertEqual(server.logs("destination-paused"), [], "hosts that speak are no trouble of the destination")

    def test_no_more_than_two(self):
        for n in (1, 2, 3):
            self.host(n, rcpt=lambda _: "450 4.2.0 not now")
        server = self.relay()
        self.send(server, "x@equal.example")
        server.wait_log("mail-deferred")
        events = [line["event"] for line in server.logs()]
        attempt = events[:events.index("mail-deferred")]
        self.assertEqual(attempt.count("remote-connected"), 2)
        self.assertEqual(attempt.count("next-host"), 1)

    def test_a_next_host_that_is_dead_changes_nothing(self):
        self.publish_more("half MX 10 mx1\nhalf MX 20 dead\n")
        self.host(1, rcpt=lambda _: "450 4.2.0 not now")
        server = self.relay()
        ident = self.send(server, "x@half.example")
        recipient = self.deferred(server, ident)
        self.assertEqual(recipient["last_reply"], "450 4.2.0 not now")
        server.wait_log("next-host-failed", id=ident)
        self.assertEqual(server.logs("remote-failed"), [])

    def test_a_next_host_that_says_never(self):
        self.host(1, rcpt=lambda _: "450 4.2.0 not now")
        self.host(2, rcpt=lambda _: "550 5.1.1 nobody")
        server = self.relay()
        ident = self.send(server, "x@both.example")
        self.assertEqual(server.wait_log("mail-failed", id=ident)["reply"], "550 5.1.1 nobody")

    def test_a_message_refused_for_now_goes_on(self):
        first, second = self.host(1, data=lambda _: "452 4.3.1 no room"), self.host(2)
        server = self.relay()
        self.send(server, "x@both.example")
        second.wait(1)
        self.assertEqual(first.mails, [])

    def test_a_connection_lost_before_the_dot_goes_on(self):
        self.host(1, rcpt=lambda _: None)
        second = self.host(2)
        server = self.relay()
        ident = self.send(server, "x@both.example")
        second.wait(1)
        server.wait_log("next-host", id=ident)

    def test_a_connection_lost_behind_the_dot_does_not(self):
        self.host(1, data=lambda _: None)
        second = self.host(2)
        server = self.relay()
        ident = self.send(server, "x@both.example")
        server.wait_log("mail-deferred", id=ident, note="may be delivered twice")
        self.assertEqual(second.lines, [])
        self.assertEqual(server.logs("next-host"), [])

    def test_a_reload_while_the_next_host_is_dialled(self):
        self.publish_more("hole A 127.0.99.9\nhalf MX 10 mx1\nhalf MX 20 hole\n")
        self.blackhole("127.0.99.9")
        self.host(1, rcpt=lambda _: "450 4.2.0 not now")
        server = self.relay()
        ident = self.send(server, "x@half.example")
        server.wait_log("next-host", id=ident)
        server.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.deferred(server, ident)["last_reply"], "450 4.2.0 not now")

    def test_over_one_connection_the_best_host_keeps_the_mail_that_it_takes(self):
        """Of twenty mails half are refused by the first: they go to the second, the others stay."""
        first = self.host(1, rcpt=lambda a: "450 4.2.0 not now" if a.startswith("odd") else "250 2.1.5 Ok")
        second = self.host(2)
        server = self.relay(route="connections = 1")
        for i in range(10):
            self.send(server, f"odd{i}@both.example")
            self.send(server, f"even{i}@both.example")
        self.assertTrue(all(m.recipients[0].startswith("even") for m in first.wait(10)))
        self.assertTrue(all(m.recipients[0].startswith("odd") for m in second.wait(10)))
        self.assertEqual(server.logs("mail-deferred"), [])


if __name__ == "__main__":
    unittest.main()
