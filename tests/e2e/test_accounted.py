"""A queue under strain: a receiver that fails in every way, a dead one beside it, and a store that is full from the start."""
import collections
import contextlib
import email
import json
import random
import re
import sqlite3
import time

from fake_server import FakeServer
from harness import SLOW, ServerCase, free_port, wait_for

MESSAGES = 50000 if SLOW else 1500
STORED = 1000000 if SLOW else 20000

CONFIG = """
    hostname = "mx.example.org"
    default-route = "out"
    listener "l" {{
        address = "127.0.0.1:0"
        tls = off
        relay-from = {{"127.0.0.0/8"}}
    }}
    route "out" {{
        kind = relay
        host = "127.0.0.1"
        port = {out}
        tls = off
    }}
    route "dead" {{
        kind = relay
        host = "127.0.0.1"
        port = {dead}
        tls = off
    }}
    rule "dead" {{
        to = {{"dead.example"}}
        route = "dead"
    }}
    domain "local.example" {{
        route = "hold"
    }}
    limits {{
        idle-commands = 100000
    }}
    queue {{
        retry-first = {first}
        retry-most = {most}
        back-off-first = 1s
        back-off-most = 4s
    }}
"""

# The way of reports, where they are to be received.
HOME = """
    route "home" {{
        kind = relay
        host = "127.0.0.1"
        port = {home}
        tls = off
    }}
"""


def memory_kib(pid):
    """Of its own: resident, without what it shares."""
    for line in open(f"/proc/{pid}/smaps_rollup", encoding="ascii"):
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1])
    raise AssertionError(f"no figure for {pid}")


class Accounted(ServerCase):
    def submit(self, server, recipients, sender="writer@local.example"):
        with server.talk("l", timeout=120) as c:
            c.hello()
            return [c.mail(sender=sender, recipients=(r,)) for r in recipients]

    def test_every_message_is_accounted_for(self):
        """20 % of the answers are 4yz, 5 % of the recipients are refused for good, 1 % of the connections are dropped, half of
        those after the dot; some recipients are put off for ever. In the end each message, by its id, is in one place: delivered
        at the receiver, or returned in a report that its sender got, or in the queue with the reason. None is lost, and none is
        delivered twice but where the connection was lost after the dot."""
        dice, torn = random.Random(20), set()
        refused = {f"r{i}@far.example" for i in range(MESSAGES) if i % 20 == 7}
        put_off = {f"r{i}@far.example" for i in range(MESSAGES) if i % (MESSAGES // 100) == 3}

        def rcpt(address):
            if address in refused:
                return "550 5.1.1 no such user"
            if address in put_off:
                return "450 4.2.2 mailbox full"
            chance = dice.random()
            return None if chance < 0.005 else "450 4.2.0 later" if chance < 0.15 else "250 2.1.5 Ok"

        def data(mail):
            chance = dice.random()
            if chance < 0.005:
                torn.add(mail.recipients[0])  # it has the message, and does not say so
                with out.changed:
                    out.mails.append(mail)
                return None
            return "451 4.3.0 later" if chance < 0.07 else "250 2.0.0 Ok"

        out, home = FakeServer(rcpt=rcpt, data=data), FakeServer()
        self.addCleanup(out.stop)
        self.addCleanup(home.stop)
        server = self.configure(HOME.format(home=home.port) +
                                CONFIG.format(out=out.port, dead=free_port(), first="1s", most="2s")
                                .replace('route = "hold"', 'route = "home"'))
        addresses = [f"r{i}@far.example" for i in range(MESSAGES)]
        ids = dict(zip(addresses, self.submit(server, addresses)))

        def messages():
            return json.loads(server.run("queue", "status", "--json").stdout)["messages"]
        wait_for(lambda: messages() == len(put_off), "all but those that are put off to be done", 600)
        # Whoever is put off has been told so by now, each of them.
        wait_for(lambda: all(m["recipients"][0]["last_reply"] for m in server.queue()), "a reason for each", 120)
        delivered = collections.Counter((self.received_id(mail.content), r) for mail in out.mails for r in mail.recipients)
        returned = collections.Counter(self.returned(mail) for mail in home.mails)
        queued = {(m["id"], r["address"]): r for m in server.queue() for r in m["recipients"]}

        for address in addresses:
            it = (ids[address], address)
            places = [name for name, place in (("delivered", delivered), ("returned", returned), ("queued", queued))
                      if it in place]
            self.assertEqual(places, ["returned" if address in refused else "queued" if address in put_off else "delivered"], it)
        # And nothing else is anywhere.
        self.assertEqual(len(delivered) + len(returned) + len(queued), MESSAGES)
        # Each with its reason, be it between two attempts or in the midst of one.
        self.assertEqual([r for r in queued.values() if r["state"] not in ("deferred", "active")
                          or "mailbox full" not in r["last_reply"]], [])
        self.assertEqual([it for it, n in returned.items() if n > 1], [])
        self.assertLessEqual({address for (_, address), n in delivered.items() if n > 1}, torn)

    @staticmethod
    def received_id(content):
        """Our id of a message, from the Received field that we wrote."""
        return re.search(rb"\bid ([0-9a-z]{13})\b", content).group(1).decode()

    def returned(self, mail):
        """(id, recipient) of the message that a report is about."""
        self.assertEqual((mail.sender, mail.recipients), ("", ["writer@local.example"]))
        report = email.message_from_bytes(mail.content)
        status, original = report.get_payload()[1:3]
        about = status.get_payload()[1]
        self.assertEqual((about["Action"], about["Status"]), ("failed", "5.1.1"))
        return self.received_id(original.as_bytes()), about["Final-Recipient"].split(";")[1].strip()

    def test_a_dead_destination_with_a_long_queue_delays_nobody(self):
        out = FakeServer()
        self.addCleanup(out.stop)
        server = self.configure(CONFIG.format(out=out.port, dead=free_port(), first="1s", most="2s"))
        self.submit(server, [f"r{i}@dead.example" for i in range(MESSAGES)])
        self.submit(server, ["first@far.example"])
        self.assertEqual(out.wait(1)[0].recipients, ["first@far.example"])
        # And again when all of the others have been due several times.
        def troubles():
            places = json.loads(server.run("queue", "destinations", "--json").stdout)["destinations"]
            return max(place["troubles"] for place in places)
        wait_for(lambda: troubles() >= 3, "the dead one to have been tried again")
        self.assertEqual(len(server.logs("destination-paused")), 1)
        self.submit(server, ["second@far.example"])
        self.assertEqual(out.wait(2)[1].recipients, ["second@far.example"])
        self.assertEqual(len(server.queue()), MESSAGES)

    def test_a_long_queue_costs_no_memory_and_no_time_at_the_start(self):
        out = FakeServer(keep=False)
        self.addCleanup(out.stop)
        config = CONFIG.format(out=out.port, dead=free_port(), first="1h", most="1h")
        server = self.configure(config)
        queue_id, = self.submit(server, ["x@dead.example"])
        wait_for(lambda: server.queue()[0]["recipients"][0]["attempts"], "an attempt")
        empty_kib = memory_kib(server.role_pids("queue")[0])
        self.assertEqual(server.stop(), 0)
        with contextlib.closing(sqlite3.connect(server.data / "queue" / "queue.db")) as db, db:
            (first,) = db.execute("SELECT max(id) FROM mail").fetchone()
            columns = "received_ms, session, client, user, sender, size, content, body"
            db.execute(f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {STORED}) "
                       f"INSERT INTO mail (id, {columns}) SELECT ? + i, {columns} FROM mail, n WHERE id = ?", (first, first))
            db.execute("INSERT INTO recipient (mail, number, address, route, state, next_ms) "
                       "SELECT id, 0, 'x' || (id % 1000) || '@dead.example', 'dead', 'queued', received_ms FROM mail "
                       "WHERE id > ?", (first,))
        begin = time.monotonic()
        server = self.configure(config)
        print(f"# {STORED} messages: ready after {time.monotonic() - begin:.1f} s", flush=True)
        self.submit(server, ["now@far.example"])
        wait_for(lambda: server.logs("mail-delivered", recipient="now@far.example"), "a delivery past the long queue", 120)
        place, = [d for d in self.destinations(server) if d["name"] == "dead"]
        self.assertGreater(place["waiting"], 0)
        kib = memory_kib(server.role_pids("queue")[0])
        print(f"# memory of the queue: {empty_kib} KiB when empty, {kib} KiB with {STORED} messages", flush=True)
        self.assertLess(kib - empty_kib, 64 << 10)  # the window and SQLite's caches, however long the queue is

    def destinations(self, server):
        return json.loads(server.run("queue", "destinations", "--json").stdout)["destinations"]
