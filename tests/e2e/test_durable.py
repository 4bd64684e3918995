"""Whatever is killed at whatever moment: a message that got its 250 is where it should be."""
import collections
import json
import os
import random
import signal
import threading
import time
import unittest

from harness import SLOW, Conversation, Server, ServerCase, Sink, free_port, program, queue_id, run, wait_for

KILLS = 100 if SLOW else 12
MESSAGES = 20000 if SLOW else 3000  # at least; senders go on until the last kill
SENDERS = 8
ROLES = ("smtpd", "auth", "queue", "delivery")
TIMEOUT = 300


class Sender(threading.Thread):
    """Sends over one connection after another until it is told to end, and notes what was acknowledged."""

    def __init__(self, port, number, enough):
        super().__init__(daemon=True)
        self.port, self.number, self.enough = port, number, enough
        self.acknowledged, self.failure = {}, None  # queue id -> recipient
        self.start()

    def run(self):
        try:
            self.send_all()
        except BaseException as error:
            self.failure = error

    def send_all(self):
        i, c = 0, None
        while not self.enough(i):
            try:
                if not c:
                    c = Conversation(("127.0.0.1", self.port))
                    c.hello()
                recipient = f"m{self.number}-{i}@example.org"
                c.raw(f"MAIL FROM:<a@example.org>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
                codes = [c.reply().code for _ in range(3)]
                if codes != [250, 250, 354]:
                    raise ConnectionError(codes)
                c.raw(f"Subject: {recipient}\r\n\r\n{'x' * (i * 7 % 3000)}\r\n.\r\n".encode())
                reply = c.reply()
                if reply.code == 250:
                    self.acknowledged[queue_id(reply.text)] = recipient
                    i += 1
                elif reply.code not in (421, 451):
                    raise AssertionError(f"{reply}; {c.told()}")
            except (OSError, AssertionError) as error:
                # The connection is gone, or what came back was cut: the message counts as not acknowledged.
                if isinstance(error, AssertionError) and "closed" not in str(error):
                    raise
                if c:
                    c.close()
                c = None
                time.sleep(0.01)


class Kill(ServerCase):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.random = random.Random(7)
        self.servers = []

    def start(self, *arguments):
        server = Server("--smtp", f"127.0.0.1:{self.port}", *arguments, data=self.folder / "data")
        server.accept_log(None, level="warn")  # that roles die is what this is about
        self.addCleanup(self.end_if_running, server)
        return server

    def end_if_running(self, server):
        if server.process.returncode is None:
            self.end(server)

    def send_while(self, disturb, *arguments):
        """Send everything while disturb(server) is called again and again; returns the last server and what was taken."""
        server = self.start(*arguments)
        done = threading.Event()
        senders = [Sender(self.port, n, lambda i: done.is_set()) for n in range(SENDERS)]
        taken = {}
        try:
            for _ in range(KILLS):
                time.sleep(self.random.uniform(0.02, 0.3))  # not a wait for anything: how often something is killed
                server = disturb(server)
            wait_for(lambda: sum(len(s.acknowledged) for s in senders) >= MESSAGES or
                     any(s.failure for s in senders), f"{MESSAGES} messages to be taken", 180)
        finally:
            done.set()
            for s in senders:
                s.join(60)
        for s in senders:
            if s.failure:
                raise s.failure
            self.assertFalse(s.is_alive())
            taken.update(s.acknowledged)
        return server, taken

    def kill_one(self, server):
        pids = server.role_pids(self.random.choice(ROLES))
        if pids:
            try:
                os.kill(self.random.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass
        return server

    def kill_all(self, server, *arguments):
        if self.random.random() < 0.6:
            return self.kill_one(server)
        server.kill()
        return self.start(*arguments)

    def assert_kept(self, server, taken):
        kept = {e["id"]: e for e in server.queue()}
        self.assertEqual(set(taken) - set(kept), set(), "acknowledged and lost")
        for ident in self.random.sample(sorted(taken), 20):
            self.assertEqual([r["address"] for r in kept[ident]["recipients"]], [taken[ident]])
            self.assertIn(f"Subject: {taken[ident]}\r\n".encode(), server.content(ident))

    def test_single_roles(self):
        server, taken = self.send_while(self.kill_one)
        self.assert_kept(server, taken)

    def test_all_at_once(self):
        server, taken = self.send_while(self.kill_all)
        self.assert_kept(server, taken)

    def test_relayed_at_least_once(self):
        sink = Sink()
        self.addCleanup(sink.stop)
        relay = ["--relay", sink.address]
        server, taken = self.send_while(lambda s: self.kill_all(s, *relay), *relay)
        wait_for(lambda: server.queue() == [], "the queue to empty", 120)
        came = collections.Counter(sink.recipients())
        self.assertEqual(set(taken.values()) - set(came), set(), "acknowledged and lost")


class GroupCommit(ServerCase):
    def test_sessions_share_a_commit(self):
        server = self.serve()
        senders = [Sender(server.port(), n, lambda i: i == 100) for n in range(20)]
        for s in senders:
            s.join(120)
            self.assertIsNone(s.failure)
        status = server.run("queue", "status", "--json").stdout
        numbers = json.loads(status)
        self.assertGreaterEqual(numbers["accepted"], 2000, numbers)
        self.assertGreater(numbers["accepted"] / numbers["commits"], 1.5, numbers)


class DiskFull(ServerCase):
    def mount(self, size):
        """A small disk of its own, gone after the test."""
        if os.getuid() != 0:
            self.skipTest("only root can mount a small disk")
        disk = self.folder / "disk"
        disk.mkdir()
        done = run([program("mount"), "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)])
        if done.returncode != 0:
            self.skipTest(f"no small disk can be mounted here: {done.stderr.strip()}")
        self.addCleanup(run, [program("umount"), str(disk)])
        return disk

    def test_452_and_recovery(self):
        disk = self.mount("64m")
        server = Server(data=disk / "data")
        self.addCleanup(self.end, server)
        server.accept_log(None, level="warn")
        large = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 65536 * 4
        with server.talk() as c:
            c.hello()
            first = c.mail()
            refused = None
            for _ in range(64):
                c.command("MAIL FROM:<a@example.org>", 250)
                c.command("RCPT TO:<b@example.org>", 250)
                c.send("DATA")
                refused = c.reply()
                if refused.code == 354:
                    c.raw(large + b".\r\n")
                    refused = c.reply()
                if refused.code != 250:
                    break
            self.assertEqual((refused.code, refused.text.split()[0]), (452, "4.3.1"))
            for entry in server.queue():
                if entry["id"] != first:
                    server.run("queue", "remove", entry["id"])

            def accepted():
                c.command("RSET", 250)
                c.command("MAIL FROM:<a@example.org>", 250)
                c.send("RCPT TO:<b@example.org>")
                if c.reply().code != 250:
                    return False
                c.send("DATA")
                reply = c.reply()
                if reply.code == 354:
                    c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
                    reply = c.reply()
                return reply.code == 250

            wait_for(accepted, "mail to be accepted again")
        self.assertIn(first, [e["id"] for e in server.queue()])


if __name__ == "__main__":
    unittest.main()
