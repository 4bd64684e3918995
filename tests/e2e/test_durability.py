"""Every message that got its 250 is exactly where it should be, whatever was killed at whatever moment; and a full disk
passes. Clients send and note what was promised to them; meanwhile roles, or the whole server, die without notice.
"""
import collections
import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import types
import unittest

from fake_server import FakeServer
from harness import SLOW, Server, ServerCase, queue_id, sallyport, wait_for
from power import Disk, Recorder, octets

ALONE = True
TIMEOUT = 900

SCALE = 5 if SLOW else 1
CLIENTS = 8
FILLER = b"0123456789abcdefghijklmnopqrstuvwxyz and so on, to fill a line of a message\r\n"

# What kills leave in the log; anything else that is worse than info fails a test.
KILLED = ["role-died", "mail-not-stored", "edge-closed", "edge-write", "edge-failed", "spool-failed", "result-unknown"]


class Client(threading.Thread):
    """Sends messages one after another, each with a token of its own, and notes the promises."""

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load, self.number, self.sent, self.socket = load, number, 0, None
        self.random = random.Random(number)
        self.start()

    def run(self):
        while not self.load.enough():
            try:
                self.session()
            except (OSError, ValueError):
                time.sleep(0.02)  # refused, or gone in the middle: nothing was promised
        self.hang_up()

    def hang_up(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def session(self):
        self.hang_up()
        self.socket = socket.create_connection(self.load.address, timeout=20)
        with self.socket.makefile("rb") as replies:
            def expect(*codes):
                line = replies.readline()
                if line[:3] not in codes:
                    raise ValueError(line)
                return line

            expect(b"220")
            self.socket.sendall(b"HELO client.example\r\n")
            expect(b"250")
            while not self.load.enough():
                self.sent += 1
                token = f"token-{self.load.number}-{self.number}-{self.sent}-"
                size = 3000 if self.random.randrange(40) else 100000  # some go through a file
                content = b"Subject: %s\r\n\r\n" % token.encode() + FILLER * (size // len(FILLER))
                recipients = 1 + self.random.randrange(2)
                self.socket.sendall(b"MAIL FROM:<a@example.org>\r\n")
                expect(b"250")
                for i in range(recipients):
                    self.socket.sendall(b"RCPT TO:<r%d@example.org>\r\n" % i)
                    expect(b"250")
                self.socket.sendall(b"DATA\r\n")
                expect(b"354")
                self.socket.sendall(content + b".\r\n")
                line = replies.readline()
                if line.startswith(b"250 "):
                    self.load.promise(token, queue_id(line.decode()), recipients, content)
                elif not line.startswith(b"451 "):  # while the queue is away
                    raise ValueError(line)


class Promise(collections.namedtuple("Promise", "id recipients content")):
    pass


class Load:
    """Clients at work, until so many promises were made."""

    numbers = itertools.count()

    def __init__(self, address, n):
        self.number = next(self.numbers)
        self.address, self.n, self.promises, self.lock = address, n, {}, threading.Lock()
        self.stopped = False
        self.clients = [Client(self, i) for i in range(CLIENTS)]

    def enough(self):
        return self.stopped or len(self.promises) >= self.n

    def promise(self, token, queue_id, recipients, content):
        with self.lock:
            self.promises[token] = Promise(queue_id, recipients, content)

    def stop(self):
        self.stopped = True
        for c in self.clients:
            c.join(60)


def contents(server):
    """The contents of all messages in the store, by id text: what an operator's SQL sees, and the files beside it."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    found = {}
    with contextlib.closing(sqlite3.connect(f"file:{server.data}/queue/queue.db?mode=ro", uri=True)) as db:
        for number, content in db.execute("SELECT id, content FROM mail"):
            text = "".join(digits[number >> shift & 31] for shift in range(60, -1, -5))
            found[text] = (server.data / "queue" / "bodies" / text).read_bytes() if content is None else content
    return found


class Durability(ServerCase):
    def start(self, *arguments, **options):
        server = self.serve(*arguments, **options)
        for event in KILLED:
            server.accept_log(event, **({"signal": "KILL"} if event == "role-died" else {}))
        return server

    def check_store(self, server, promises):
        """Each promise is in the queue: once, whole, with its recipients held."""
        mails = server.queue()
        by_id = {m["id"]: m for m in mails}
        self.assertEqual(len(by_id), len(mails))
        stored = contents(server)
        self.assertEqual(set(stored), set(by_id))
        tokens = collections.Counter(re.search(rb"Subject: (\S+)", c).group(1) for c in stored.values())
        for token, p in promises.items():
            self.assertTrue(p.id in by_id, f"{p.id} ({token}) was promised and is not there")
            self.assertEqual([(r["address"], r["state"]) for r in by_id[p.id]["recipients"]],
                             [(f"r{i}@example.org", "held") for i in range(p.recipients)])
            self.assertTrue(stored[p.id].endswith(b"\r\n" + p.content), f"{token} is not whole")
            self.assertEqual(tokens[token.encode()], 1)
        bodies = {p.name for p in (server.data / "queue" / "bodies").iterdir()}
        self.assertEqual({i for i in bodies if i not in by_id}, set(), "files that no message owns")
        return len(mails)

    def test_random_roles_are_killed(self):
        server = self.start()
        load = Load(server.addresses["smtp"], 4000 * SCALE)
        dice = random.Random(7)
        kills = collections.Counter()
        while not load.enough():
            role = dice.choice(["queue", "queue", "smtpd", "auth", "delivery"])
            for pid in server.role_pids(role)[:1]:
                os.kill(pid, signal.SIGKILL)
                kills[role] += 1
            before = len(load.promises)
            # The next one dies when the server works again: when a tenth of a second's worth of mail came through.
            wait_for(lambda: load.enough() or len(load.promises) > before + dice.randrange(20, 200), "mail after a kill")
        load.stop()
        self.assertGreater(kills["queue"], 2)
        self.assertGreater(kills["smtpd"], 1)
        self.check_store(server, load.promises)
        self.assertEqual(server.stop(), 0)
        self.check_store(server, load.promises)

    def test_all_is_killed_at_once(self):
        promises, arguments = {}, []
        for _ in range(3 * SCALE):
            server = self.start(*arguments)
            # What was promised before is there at once, and stays.
            self.check_store(server, promises)
            load = Load(server.addresses["smtp"], 1000000)
            wait_for(lambda: len(load.promises) > 700, "some hundred messages")
            server.kill()
            load.stop()
            promises.update(load.promises)
        server = self.start()
        self.check_store(server, promises)
        self.assertFalse(list((server.data / "queue" / "incoming").iterdir()))
        self.assertEqual(server.stop(), 0)
        self.check_store(server, promises)

    def end(self, server):
        if server.process.poll() == -signal.SIGKILL:
            return  # killed by its test
        super().end(server)

    def test_relayed_mail_arrives_whatever_is_killed(self):
        arrived, lock = collections.Counter(), threading.Lock()

        def take(mail):
            token = re.search(rb"Subject: (\S+)", mail.content).group(1).decode()
            with lock:
                for r in mail.recipients:
                    arrived[token, r] += 1
            return "250 2.0.0 Ok"

        out = FakeServer(data=take, keep=False)
        self.addCleanup(out.stop)
        server = self.start("--relay", out.address)
        load = Load(server.addresses["smtp"], 2500 * SCALE)
        dice = random.Random(11)
        kills = 0
        while not load.enough():
            for pid in server.role_pids(dice.choice(["queue", "delivery", "delivery", "smtpd"]))[:1]:
                os.kill(pid, signal.SIGKILL)
                kills += 1
            before = len(load.promises)
            wait_for(lambda: load.enough() or len(load.promises) > before + dice.randrange(50, 300), "mail after a kill")
        load.stop()
        wait_for(lambda: server.queue() == [], "the queue to be empty", 120)
        for token, p in load.promises.items():
            for i in range(p.recipients):
                self.assertGreaterEqual(arrived[token, f"r{i}@example.org"], 1, f"{token} was promised and never came")
        # Twice is possible where a kill met an attempt under way, and nowhere else.
        twice = sum(n - 1 for n in arrived.values())
        under_way = 1000  # attempts at once
        self.assertLessEqual(twice, kills * under_way)

    def test_without_kills_mail_arrives_once(self):
        arrived, lock = collections.Counter(), threading.Lock()

        def take(mail):
            with lock:
                arrived[re.search(rb"Subject: (\S+)", mail.content).group(1).decode()] += 1
            return "250 2.0.0 Ok"

        out = FakeServer(data=take, keep=False)
        self.addCleanup(out.stop)
        server = self.serve("--relay", out.address)
        load = Load(server.addresses["smtp"], 1500 * SCALE)
        wait_for(load.enough, "all messages", 120)
        load.stop()
        wait_for(lambda: server.queue() == [], "the queue to be empty", 120)
        self.assertEqual({t: n for t, n in arrived.items() if n != 1}, {})
        self.assertEqual(set(arrived), set(load.promises))


TWO_WAYS = """
    hostname = "mx.example.org"
    default-route = "one"
    delivery-processes = 2
    listener "smtp" {{
        address = "127.0.0.1:0"
        tls = off
        relay-from = {{"127.0.0.0/8"}}
    }}
    route "one" {{
        kind = relay
        host = "127.0.0.1"
        port = {one}
        tls = off
        connections = {connections}
    }}
    route "two" {{
        kind = relay
        host = "127.0.0.1"
        port = {two}
        tls = off
        connections = {connections}
    }}
    rule "two" {{
        to = {{"two.example"}}
        route = "two"
    }}
    domain "home.example" {{
        route = "hold"
    }}
    limits {{
        connections-per-address = 0
    }}
    queue {{
        retry-first = 1s
        retry-most = 1s
        back-off-first = 1s
        back-off-most = 1s
    }}
"""


class Relayed(ServerCase):
    """Mail on its way to two destinations, that refuse some for good and put off others, and one of which is suspended now and
    then so that its mail is parked."""

    MESSAGES = 700 * SCALE
    KILLS = 15 * SCALE
    CONNECTIONS = 4

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("SALLYPORT_SEED") or time.time_ns() % 1000000)
        print(f"# SALLYPORT_SEED={self.seed}", flush=True)
        self.dice = random.Random(self.seed)
        self.arrived, self.lock, self.once = collections.Counter(), threading.Lock(), set()
        self.outs = {name: FakeServer(data=self.take, rcpt=self.judge, keep=False) for name in ("one", "two")}
        for out in self.outs.values():
            self.addCleanup(out.stop)
        self.config = TWO_WAYS.format(one=self.outs["one"].port, two=self.outs["two"].port, connections=self.CONNECTIONS)
        self.servers, self.promises, self.kills, self.suspended = [], {}, 0, False
        self.killed = 0  # of the kills, those that are over
        self.sent, self.told = {}, {}  # token to the kills over by then; (id, recipient) to the first kill that came after its end
        self.start()

    def start(self):
        path = self.folder / "two.conf"
        path.write_text(self.config)
        self.server = Server("-c", str(path), data=self.folder / "data", sandbox=False)
        self.servers.append(self.server)
        self.addCleanup(self.end, self.server)

    def end(self, server):
        if server.process.poll() != -signal.SIGKILL:
            super().end(server)

    def judge(self, address):
        """Names with `bad` are refused for good, those with `late` are put off the first time that they are met."""
        if address.startswith("bad"):
            return "550 5.1.1 no such user"
        with self.lock:
            late = address.startswith("late") and address not in self.once
            self.once.add(address)
        return "450 4.2.0 later" if late else "250 2.1.5 Ok"

    def take(self, mail):
        token = re.search(rb"Subject: (\S+)", mail.content).group(1).decode()
        with self.lock:
            self.arrived.update((token, r) for r in mail.recipients)
            pause_s = self.dice.random() / 20
        time.sleep(pause_s)  # a receiver that takes its time: a kill finds attempts under way
        return "250 2.0.0 Ok"

    def send(self, until):
        """In a thread: messages of one to three recipients, noted when they were promised, until there are so many."""
        dice = random.Random(self.seed + until)
        while len(self.promises) < until:
            try:
                with self.server.talk(timeout=20) as c:
                    c.hello()
                    while len(self.promises) < until:
                        token = f"token-{len(self.promises)}-{dice.getrandbits(48):x}-"
                        self.sent[token] = self.killed
                        recipients = [f"{name}{len(self.promises)}@{where}.example"
                                      for name, where in dice.sample([(n, w) for n in ("ok", "late", "bad")
                                                                      for w in ("one", "two")], dice.randrange(1, 4))]
                        c.command("MAIL FROM:<writer@home.example>", 250)
                        for r in recipients:
                            c.command(f"RCPT TO:<{r}>", 250)
                        c.command("DATA", 354)
                        c.raw(f"Subject: {token}\r\n\r\n".encode() + FILLER * dice.randrange(1, 40) + b".\r\n")
                        reply = c.reply()
                        if reply.code == 250:
                            self.promises[token] = (queue_id(reply.text), recipients)
            except (OSError, AssertionError):
                time.sleep(0.02)  # a role was killed, or the server is not there: nothing was promised

    def finish(self):
        """Wait until nothing is on its way, and compare with the promises. Returns how many came more than once."""
        if self.suspended:
            self.server.run("queue", "resume", "two")

        def open_ones():
            return [r for m in self.server.queue() for r in m["recipients"] if r["address"] != "writer@home.example"]
        wait_for(lambda: not open_ones(), "the last to have arrived", 180)
        reports = collections.Counter()
        for content in contents(self.server).values():
            token = re.findall(rb"Subject: (token-\S+)", content)[-1].decode()
            for r in re.findall(rb"(?m)^Final-Recipient: rfc822; ?(\S+)\r$", content):
                reports[token, r.decode()] += 1
        for token, (_, recipients) in self.promises.items():
            for r in recipients:
                if r.startswith("bad"):
                    self.assertEqual((self.arrived[token, r], reports[token, r]), (0, 1), f"{token} for {r}: refused")
                else:
                    self.assertGreaterEqual(self.arrived[token, r], 1, f"{token} for {r} never came")
                    self.assertEqual(reports[token, r], 0, f"{token} for {r} came and was returned")
        # Once it is written down that it was delivered, which the log says afterwards, it is not tried again.
        told = collections.Counter((f["id"], f["recipient"]) for s in self.servers for f in s.logs("mail-delivered"))
        self.assertEqual({it: n for it, n in told.items() if n > 1}, {})
        return sum(n - 1 for n in self.arrived.values() if n > 1)

    def check_copies(self):
        """A mail is sent once more only for a kill that found it under way: sent, and its end not yet in the log."""
        for (token, r), n in self.arrived.items():
            told = self.told.get((self.promises[token][0], r)) if token in self.promises else None
            found = (told or self.kills + 1) - 1 - self.sent[token]
            self.assertLessEqual(n - 1, found, f"{token} for {r} came {n} times, and {found} kills found it under way")

    def turn(self):
        """Suspend a destination, or let it go on."""
        done = self.server.run("queue", "resume" if self.suspended else "suspend", "two", check=False)
        self.suspended ^= done.returncode == 0

    def kill(self, what):
        """One role, the supervisor, or all at once; then all is there again."""
        for f in self.server.logs("mail-delivered"):
            self.told.setdefault((f["id"], f["recipient"]), self.kills + 1)
        self.kills += 1
        dead = what in ("supervisor", "all")
        if what in ("delivery", "queue"):
            for pid in self.server.role_pids(what)[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        elif what == "supervisor":
            children = self.server.children()
            os.kill(self.server.pid, signal.SIGKILL)
            self.server.process.wait()
            wait_for(lambda: not [p for p in children if os.path.exists(f"/proc/{p}")], "the roles to end with the supervisor")
        else:
            self.server.kill()
        self.killed += 1
        if dead:
            self.start()

    def test_whatever_is_killed(self):
        sender = threading.Thread(target=self.send, args=(self.MESSAGES,), daemon=True)
        sender.start()
        while self.kills < self.KILLS:
            time.sleep(self.dice.random() * 0.3)  # the moment is what is random here
            what = self.dice.choice(["delivery", "delivery", "queue", "supervisor", "all", "suspend"])
            if what == "suspend":
                self.turn()
            else:
                self.kill(what)
        sender.join(300)
        self.assertFalse(sender.is_alive())
        for server in self.servers:
            for event in KILLED:
                server.accept_log(event)
        twice = self.finish()
        print(f"# {len(self.promises)} messages, {self.kills} kills, {twice} came twice", flush=True)
        self.check_copies()

    def test_nothing_is_killed(self):
        sender = threading.Thread(target=self.send, args=(self.MESSAGES // 2,), daemon=True)
        sender.start()
        while sender.is_alive():
            self.turn()
            sender.join(0.2 + self.dice.random() * 0.5)
        self.assertEqual(self.finish(), 0)


class PowerCut(ServerCase):
    """What was promised is on the disk when the promise leaves: the power may be cut at any moment behind it."""

    MESSAGES = 60 * SCALE
    CUTS = 25 * SCALE

    def test_what_was_promised_is_there_after_a_power_cut(self):
        seed = int(os.environ.get("SALLYPORT_SEED") or time.time_ns() % 1000000)
        print(f"# SALLYPORT_SEED={seed}", flush=True)
        dice = random.Random(seed)
        server = self.serve()
        server.run("queue", "list")
        disk = Disk(server.data)
        recorder = Recorder(server.role_pids("queue") + server.role_pids("smtpd"), self.folder / "record")
        try:
            contents_sent = self.send(server, dice)
        finally:
            recorder.stop()
        events = recorder.events()
        promises = [m.decode() for e in events if e.call == "sendto" and "<" in e.arguments
                    for m in re.findall(rb"Queued as (\w{13})", octets(e.arguments))]
        self.assertEqual(sorted(promises), sorted(contents_sent))
        self.assertTrue([e for e in events if e.call.startswith("rename")], "no message went through a file")

        cuts, promised = set(dice.sample(range(len(events)), self.CUTS)) | {len(events) - 1}, []
        # Right behind a promise is the moment that matters most.
        behind = [i for i, e in enumerate(events) if e.call == "sendto" and b"Queued as" in octets(e.arguments)]
        cuts |= set(dice.sample(behind, min(len(behind), self.CUTS)))
        for at, event in enumerate(events):
            disk.take(event)
            if event.call == "sendto":
                promised += [m.decode() for m in re.findall(rb"Queued as (\w{13})", octets(event.arguments))]
            if at not in cuts:
                continue
            for how in (None, dice):
                after = self.folder / "after"
                disk.leave(after, how)
                self.check(after, {i: contents_sent[i] for i in promised}, f"cut behind event {at} of {len(events)}")

    def send(self, server, dice):
        """Messages one after another, some through a file; id -> content."""
        sent = {}
        with server.talk(timeout=120) as c:
            c.hello()
            for i in range(self.MESSAGES):
                content = f"Subject: {i}\r\n\r\n".encode() + FILLER * (1300 if i % 10 == 3 else dice.randrange(1, 60))
                sent[c.mail(content)] = content
        return sent

    def check(self, folder, promises, where):
        done = sallyport("queue", "list", "--json", "--data", str(folder), check=False)
        self.assertEqual(done.returncode, 0, f"{where}: {done.output}")
        there = {m["id"] for m in json.loads(done.stdout)}
        self.assertEqual(set(promises) - there, set(), f"{where}: promised, and not there")
        stored = contents(types.SimpleNamespace(data=folder))
        for queue_id_, content in promises.items():
            self.assertTrue(stored[queue_id_].endswith(content), f"{where}: {queue_id_} is not whole")


class GroupCommit(ServerCase):
    def test_sessions_share_a_commit(self):
        server = self.serve()

        def send():
            with server.talk() as c:
                c.hello()
                for _ in range(50):
                    c.mail()

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            for sending in [pool.submit(send) for _ in range(20)]:
                sending.result()
        counters = json.loads(server.run("queue", "status", "--json").stdout)
        self.assertEqual(counters["accepted"], 1000)
        self.assertLess(counters["commits"], 1000)


class SmallDisk:
    """A disk of its own with little room; as root only."""

    def __init__(self, mebibytes):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-disk-"))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", self.path],
                              capture_output=True, text=True)
        if done.returncode != 0:
            self.path.rmdir()
            raise unittest.SkipTest(f"no small disk can be mounted here: {done.stderr.strip()}")

    def fill(self, leave):
        """Take all space but so many octets."""
        free = os.statvfs(self.path)
        octets = free.f_bavail * free.f_frsize - leave
        with open(self.path / "filler", "ab") as f:
            os.posix_fallocate(f.fileno(), f.tell(), max(octets, 1))

    def clear(self):
        (self.path / "filler").unlink()

    def remove(self):
        subprocess.run(["umount", "-l", self.path], check=True)
        self.path.rmdir()


CONFIGURATION = """
hostname = "mx.example.org"
default-route = "hold"
listener "smtp" {
    address = "127.0.0.1:0"
    tls = off
    relay-from = {"127.0.0.0/8"}
}
limits {
    free-space = %s
}
"""


class FullDisk(ServerCase):
    def setUp(self):
        super().setUp()
        if os.getuid() != 0:
            raise unittest.SkipTest("a small disk can be mounted by root only")
        self.disk = SmallDisk(24)
        self.addCleanup(self.disk.remove)

    def start(self, floor):
        path = self.folder / "small.conf"
        path.write_text(CONFIGURATION % floor)
        server = Server("-c", str(path), data=self.disk.path / "data", sandbox=False)
        self.addCleanup(self.end, server)
        return server

    def send(self, c, content):
        """The reply to the message's end."""
        c.command("MAIL FROM:<a@example.org>", 250)
        c.command("RCPT TO:<b@example.org>", 250)
        c.command("DATA", 354)
        c.raw(content + b".\r\n")
        return c.reply()

    def until_full(self, c, content, kept):
        for _ in range(2000):
            reply = self.send(c, content)
            if reply.code == 452:
                self.assertIn("4.3.1", reply.text)
                return
            self.assertEqual(reply.code, 250, reply)
            kept.append(queue_id(reply.text))
        self.fail("the disk never got full")

    def check(self, server, kept):
        self.assertEqual([m["id"] for m in server.queue()], kept)

    def test_below_the_floor_it_refuses_and_recovers(self):
        server, kept = self.start("8M"), []
        server.accept_log("mail-not-stored", reason="disk-full")
        with server.talk() as c:
            c.hello()
            self.until_full(c, b"Subject: small\r\n\r\n" + FILLER * 500, kept)
            self.until_full(c, b"Subject: large\r\n\r\n" + FILLER * 5000, kept)
            server.expect_log("disk-low")
            self.check(server, kept)
            for queue_id_ in kept[::2]:
                server.run("queue", "remove", queue_id_)
            del kept[::2]
            # By itself: space comes back as the store gives it back.
            def taken():
                reply = self.send(c, b"Subject: again\r\n\r\n" + FILLER * 5000)
                self.assertIn(reply.code, (250, 452), reply)
                if reply.code == 250:
                    kept.append(queue_id(reply.text))
                return reply.code == 250
            wait_for(taken, "large mail to be taken again")
            self.assertEqual(self.send(c, b"Subject: small again\r\n\r\n").code, 250)
            kept.append(server.queue()[-1]["id"])
        self.check(server, kept)

    def test_a_disk_that_is_full_to_the_last_octet(self):
        server, kept = self.start("0"), []
        server.accept_log("mail-not-stored")
        server.accept_log("store-failed")
        server.accept_log("spool-failed")
        with server.talk() as c:
            c.hello()
            for content in (b"Subject: small\r\n\r\n" + FILLER * 500, b"Subject: large\r\n\r\n" + FILLER * 5000):
                for leave in (300000, 70000, 0):
                    self.disk.fill(leave)
                    self.until_full(c, content, kept)
                    self.check(server, kept)
                    self.disk.clear()
                    self.assertEqual(self.send(c, content).code, 250)
                    kept.append(server.queue()[-1]["id"])
        self.check(server, kept)
        self.assertEqual(server.stop(), 0)
        self.check(server, kept)
        self.assertFalse(list((server.data / "queue" / "incoming").iterdir()))


if __name__ == "__main__":
    unittest.main()
