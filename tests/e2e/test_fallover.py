"""From one mail server to the next: addresses that race, hosts that are dead, and hosts that will not have a mail now."""
import socket
import unittest

import test_world
from fake_server import FakeServer
from harness import wait_for
from name_server import Zone
from test_world import key_digest


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
    """How many connections to the port wait for an answer at the moment."""
    n = 0
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(path) as lines:
            n += sum(1 for line in lines if line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "02")
    return n


class Fallover:
    """What the worlds of this file share. `zone`: more of the zone example."""

    def publish_more(self, text, **options):
        self.names.set([Zone("example", test_world.SIGNED + text, signed=True, **options)])

    def blackhole(self, host):
        hole = Blackhole(host, self.port)
        self.addCleanup(hole.stop)
        return hole

    def at(self, host, **options):
        server = FakeServer(host=host, port=self.port, **options)
        self.addCleanup(server.stop)
        return server


class Race(test_world.World, Fallover):
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
        four = self.host(1)
        server = self.relay()
        self.send(server, "x@both6.example")
        four.wait(1)
        server.wait_log("host-slow", remote=f"dual.example [::1]:{self.port}", instead=f"dual.example [127.0.99.1]:{self.port}")
        self.assertEqual(server.logs("host-down"), [], "an address that was merely slower is not dead")
        wait_for(lambda: half_open(self.port) <= 1, "the loser is closed")  # one is the blackhole's own

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

    def test_no_more_than_four_at_once(self):
        holes = [f"127.0.99.{n}" for n in range(21, 28)]
        self.publish_more("".join(f"many A {h}\n" for h in holes) + "crowd MX 10 many\n")
        for h in holes:
            self.blackhole(h)
        server = self.relay()
        before, most = half_open(self.port), 0
        self.send(server, "x@crowd.example")

        def watch():
            nonlocal most
            most = max(most, half_open(self.port) - before)
            return len(server.logs("host-down")) >= 3
        wait_for(watch, "three that are given up")
        self.assertEqual(most, 4)


class Proof(test_world.Secured, Fallover):
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


if __name__ == "__main__":
    unittest.main()
