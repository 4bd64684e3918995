"""Each reply of the corpus, said by a server that takes mail for nobody, and what the queue did about it: to that destination,
to that recipient, and in what it tells its operator."""
import os
import tomllib

from fake_server import FakeServer
from harness import ROOT, SALLYPORT, run, wait_for
from test_operator import Operator

HEAD = """
    hostname = "mx.example.org"
    default-route = "hold"
    listener "l" {
        address = "127.0.0.1:0"
        tls = off
        relay-from = {"127.0.0.0/8"}
    }
    domain "example.org" {
        route = "discard"
    }
    queue {
        retry-first = 1h
        back-off-first = 10m
        back-off-most = 2h
    }
"""
ROUTE = """
    route "%s" {
        kind = relay
        host = "127.0.0.1"
        port = %d
        tls = off
    }
    domain "%s.example" {
        route = "%s"
    }
"""

# What an action does on a route to a relay: for how long its destination is left alone at first, and whether a 5yz returns the mail.
DOES = {"slow-down": (600, False), "blocked": (600, False), "access": (600, False), "greylist": (0, True),
        "sender": (0, True), "message": (0, True), "recipient": (0, True), "protocol": (0, True)}


def corpus():
    providers = tomllib.loads((ROOT / "reference" / "providers.toml").read_text())
    return {name: row for provider in providers.values() for name, row in provider.get("reply", {}).items()}


class Replies(Operator):
    def config(self, ports):
        return HEAD + "".join(ROUTE % (name, port, name, name) for name, port in ports.items())

    def check(self, server, name, row, queue_id):
        pause, bounces = DOES[row["action"]]
        returned = bounces and row["said"].startswith("5") and not row["said"].startswith("503")  # that speaks of the session
        line = server.wait_log("mail-failed" if returned else "mail-deferred", id=queue_id)
        self.assertEqual((line["meaning"], line["action"]), (name, row["action"]))
        if returned:
            return
        reason, = self.why(server, queue_id)
        self.assertEqual((reason["last_reply_means"]["id"], reason["last_reply_means"]["vi"]), (name, row["meaning"]["vi"]))
        if row["action"] not in self.shown:
            self.shown.add(row["action"])
            self.assertIn(f"{row['meaning']['en']} ({name})", self.command(server, "show", queue_id).stdout)
        self.assertIs(reason["destination"]["slowed_by"] is None, pause == 0)
        if not pause:
            self.assertEqual((reason["rule"], reason["destination"]["troubles"]), ("time", 0))
            return
        self.assertEqual(reason["destination"]["slowed_by"][:3], row["said"][:3])
        self.assertEqual(reason["destination"]["slowed_by_means"]["id"], name)
        self.assertEqual((reason["destination"]["action"], reason["destination"]["troubles"]), (row["action"], 1))
        paused = server.wait_log("destination-paused", site=name)
        self.assertEqual((paused["meaning"], paused["action"]), (name, row["action"]))
        self.assertTrue(pause <= int(paused["seconds"]) <= pause * 17 / 16, paused)

    def test_each_reply(self):
        rows, self.shown = corpus(), set()
        out = self.fake(rcpt=lambda address: rows[address.split("@")[1].removesuffix(".example")]["said"])
        server = self.configure(self.config({name: out.port for name in rows}))
        server.accept_log("mail-undeliverable")  # its mail is discarded, and so nobody is told
        with server.talk("l") as c:
            c.hello()
            ids = {name: c.mail(sender="writer@example.org", recipients=(f"a@{name}.example",)) for name in rows}
        for name, row in rows.items():
            with self.subTest(name):
                self.check(server, name, row, ids[name])

    def test_a_sender_that_is_blocked_keeps_its_queue(self):
        """A block in answer to MAIL: one message has met it, the others wait, none comes back; `why` says what is the matter."""
        said = "550 5.7.1 Your host is on our blocklist"
        out = self.fake(sayings={"MAIL": said})
        server = self.configure(self.config({"blocking": out.port}))
        with server.talk("l") as c:
            c.hello()
            ids = [c.mail(sender="writer@example.org", recipients=("a@blocking.example",)) for _ in range(20)]
        server.wait_log("destination-paused", site="blocking", action="blocked")
        last = self.rule(server, ids[-1], "back-off")
        self.assertEqual((last["destination"]["slowed_by"], last["destination"]["action"]), (said, "blocked"))
        self.assertEqual(len(server.queue()), 20)
        text = self.command(server, "why", ids[-1]).stdout
        for part in (f"slowed by    {said}", "it means", "therefore    the server refuses this host as such"):
            self.assertIn(part, text)
        words = [SALLYPORT, "queue", "why", ids[-1], "--data", str(server.data)]
        self.assertIn("server từ chối chính máy này", run(words, env=dict(os.environ, LC_ALL="vi_VN.UTF-8")).stdout)
        out.sayings.clear()
        self.command(server, "retry", "all")
        out.wait(20)
        wait_for(lambda: server.queue() == [], "the queue to be empty")
