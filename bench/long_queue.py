"""What a long queue costs: to those who bring mail, to those who wait beside it, in memory, and at the start.

The queue is written by SQL while no server runs: to send a million messages first would take minutes. Each row
prints what it has measured; README.md says how to read it.
"""
import asyncio
import contextlib
import json
import multiprocessing
import os
import pathlib
import re
import socket
import sqlite3
import statistics
import time

from harness import Server, free_port, wait_for

CONFIG = """
    hostname = "mx.example.org"
    default-route = "out"
    listener "smtp" {{
        address = "127.0.0.1:0"
        tls = off
        relay-from = {{"127.0.0.0/8"}}
    }}
    limits {{
        connections-per-address = 0
    }}
    route "out" {{
        kind = relay
        host = "127.0.0.1"
        port = {out}
        tls = off
    }}
    route "away" {{
        kind = relay
        host = "127.0.0.1"
        port = {away}
        tls = off
    }}
    route "mx" {{
        kind = mx
        port = {out}
        tls = off
    }}
    rule "away" {{
        to = {{"away.example"}}
        route = "away"
    }}
    rule "literals" {{
        to = {{"[127.*"}}
        route = "mx"
    }}
    queue {{
        retry-first = 1h
    }}
"""

CONTENT = b"Subject: one of many\r\n\r\n" + b"0123456789abcdefghijklmnopqrstuvwxyz and so on, to the end of the line\r\n" * 56

# Recipients by what they wait for, as SQL of n.i, the number of the message.
DUE = {"address": "'x' || n.i || '@away.example'", "route": "'away'", "next_ms": ":now", "parked": "NULL"}
LATER = DUE | {"next_ms": ":now + 3600000 + n.i % 10000000"}
PARKED = DUE | {"parked": "'away'"}
LITERAL = DUE | {"address": "'x@[127.' || (n.i / 65536 + 1) || '.' || (n.i / 256 % 256) || '.' || (n.i % 256) || ']'",
                 "route": "'mx'"}


def fill(data, n, *kinds):
    """Write n messages of 4,096 octets, divided among the kinds, into the queue of a server that does not run."""
    with contextlib.closing(sqlite3.connect(pathlib.Path(data) / "queue" / "queue.db")) as db, db:
        now = int(time.time() * 1000)
        # Ids of a day ago: what comes in later has greater ones.
        first = ((now - 1577836800000 - 86400000) << 22) + db.execute("SELECT count(*) FROM mail").fetchone()[0]
        numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :n - 1) "
        values = {"n": n, "first": first, "now": now, "content": CONTENT, "size": len(CONTENT), "kinds": len(kinds)}
        db.execute(numbers + "INSERT INTO mail (id, received_ms, session, client, user, sender, size, content, body) SELECT "
                   ":first + n.i, :now, '0c4n9f8m4t0g1', '127.0.0.1', '', 'a@example.org', :size, :content, '7bit' FROM n", values)
        for number, kind in enumerate(kinds):
            db.execute(numbers + f"INSERT INTO recipient (mail, number, {', '.join(kind)}, state) SELECT :first + n.i, 0, "
                       f"{', '.join(kind.values())}, 'queued' FROM n WHERE n.i % :kinds = {number}", values)


class LoopbackSink:
    """A receiver in a process of its own, on all addresses of 127.0.0.0/8 and on no other device; it counts, and notes when
    each message came that has its time of sending in the sender's address."""

    def __init__(self, delay_s=0):
        # The protocol by name, or asyncio would not turn Nagle's algorithm off.
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("0.0.0.0", 0))
        self.listener.listen(4096)
        self.port = self.listener.getsockname()[1]
        self.count = multiprocessing.Value("q", 0)
        self.delays = multiprocessing.Queue()
        self.delay_s = delay_s
        self.process = multiprocessing.get_context("fork").Process(target=self.run, daemon=True)
        self.process.start()
        self.listener.close()

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        server = await asyncio.start_server(self.session, sock=self.listener, backlog=4096)
        await server.serve_forever()

    async def session(self, reader, writer):
        try:
            writer.write(b"220 sink\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                elif verb == b"MAIL":
                    sent = re.match(rb"(?i)MAIL FROM:<at-([0-9.]+)@", line)
                    writer.write(b"250 Ok\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    if self.delay_s:
                        await asyncio.sleep(self.delay_s)
                    if sent:
                        self.delays.put(time.time() - float(sent.group(1)))
                    with self.count.get_lock():
                        self.count.value += 1
                    writer.write(b"250 Ok\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 Bye\r\n")
                    break
                else:
                    writer.write(b"250 Ok\r\n")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def stop(self):
        self.process.terminate()
        self.process.join()


class Configured(Server):
    """A server with CONFIG, whose logs go nowhere: a hundred thousand lines of them are not what is measured."""

    def __init__(self, data, out, away):
        self.began = time.monotonic()
        path = pathlib.Path(data).parent / "bench.conf"
        path.write_text(CONFIG.format(out=out, away=away))
        super().__init__("-c", str(path), data=data, sandbox=False)
        self.ready_s = time.monotonic() - self.began

    def queue_pid(self):
        return self.role_pids("queue")[0]


def dirty_kib(pid):
    """What a process has of its own, without what it shares and what is only read."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Private_Dirty:\s+(\d+) kB", text, re.M).group(1))


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def forget_pages(data):
    """The queue's files, out of the machine's memory: the next start reads them from the disk."""
    for path in (pathlib.Path(data) / "queue").glob("queue.db*"):
        with open(path, "rb") as f:
            os.fsync(f.fileno())
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def quiet(server):
    """Its processor time stands still: it has done what there is to do at once."""
    last = [-1.0, 0]

    def still():
        now = sum(cpu_s(pid) for pid in server.children())
        last[:] = [now, last[1] + 1 if now - last[0] < 0.02 else 0]
        time.sleep(0.1)
        return last[1] >= 5
    wait_for(still, "the server to be quiet", 300)


def percentiles(delays):
    ordered = sorted(delays)
    return "  ".join(f"p{p} {ordered[min(len(ordered) - 1, len(ordered) * p // 100)] * 1000:.0f}" for p in (50, 95, 99)) + \
        f"  most {ordered[-1] * 1000:.0f} ms"


def spread(turns, number):
    return f"{min(t[number] for t in turns):,.0f} to {max(t[number] for t in turns):,.0f}"


# --- rows ----------------------------------------------------------------------------------------------


class Rows:
    """`source(address, messages, *options)` sends with smtp-source and gives the seconds that it took."""

    def __init__(self, folder, scale, source):
        self.folder, self.scale, self.source, self.made = pathlib.Path(folder), scale, source, 0

    def data(self):
        """A new data folder, with an empty queue."""
        self.made += 1
        data = self.folder / f"long-{self.made}" / "data"
        data.parent.mkdir()
        data.parent.chmod(0o755)
        Configured(data, free_port(), free_port()).stop()
        return data

    def filled(self, n, *kinds):
        data = self.data()
        fill(data, n, *kinds)
        return data

    def accept_and_start(self):
        """How long the start takes with a full queue; accepted, and accepted and delivered, beside it and an empty one."""
        n, messages = int(1000000 * self.scale), int(20000 * self.scale)
        data = {0: self.data(), n: self.filled(n, LATER, PARKED)}
        self.start(data[n], n)
        # Whoever is first finds everything cold, and a file that has to grow: each has a turn that does not count, then two
        # that do, in both orders.
        for full in (0, n):
            self.accept_and_relay(data[full], messages // 2)
        rates = {0: [], n: []}
        for full in (0, n, n, 0):
            rates[full].append(self.accept_and_relay(data[full], messages))
        for number, what in enumerate(("accepted", "accepted and delivered")):
            empty, full = (statistics.mean(turn[number] for turn in rates[queued]) for queued in (0, n))
            print(f"{what + ', messages/s: empty queue':40}{'':12}{empty:12,.0f}   {spread(rates[0], number)}")
            print(f"{f'   with {n:,} queued':40}{'':12}{full:12,.0f}   {spread(rates[n], number)}   to empty {full / empty:.2f}", flush=True)

    def start(self, data, n):
        forget_pages(data)
        server = Configured(data, free_port(), free_port())
        print(f"{f'{n:,} queued: s until ready, from the disk':40}{'':12}{server.ready_s:12.2f}", flush=True)
        quiet(server)
        print(f"{'   MiB of the queue role':40}{'':12}{dirty_kib(server.queue_pid()) / 1024:12.1f}", flush=True)
        server.stop(seconds=60)
        server = Configured(data, free_port(), free_port())
        print(f"{'   s until ready, from memory':40}{'':12}{server.ready_s:12.2f}", flush=True)
        server.stop(seconds=60)

    def accept_and_relay(self, data, messages):
        """Messages a second: accepted; accepted and delivered."""
        server = Configured(data, free_port(), free_port())
        server.run("queue", "suspend", "out")
        quiet(server)
        accepted = messages / self.source(server.addresses["smtp"], messages, "-d", "-s", "50")
        server.stop(seconds=60)
        return accepted, self.relay(data, messages)

    def relay(self, data, messages):
        """What was suspended, and as many more, go to a sink that counts."""
        sink = LoopbackSink()
        try:
            server = Configured(data, sink.port, free_port())
            quiet(server)
            began = time.monotonic()
            server.run("queue", "resume", "out")
            self.source(server.addresses["smtp"], messages, "-d", "-s", "50")
            wait_for(lambda: sink.count.value >= 2 * messages, "all to arrive", 600)
            took = time.monotonic() - began
            server.stop(seconds=60)
            return 2 * messages / took
        finally:
            sink.stop()

    def memory(self):
        """The queue role's own memory by the length of the queue, with all of it due and its destination dead."""
        figures = []
        for n in (int(thousands * 1000 * self.scale) for thousands in (1, 10, 100, 1000)):
            data = self.filled(n, DUE)
            server = Configured(data, free_port(), free_port())
            quiet(server)
            figures.append(f"{n:,}: {dirty_kib(server.queue_pid()) / 1024:.1f}")
            server.stop(seconds=60)
        print(f"{'MiB of the queue role, all due and dead':40}   " + "   ".join(figures), flush=True)

    def destinations(self):
        """As many destinations as messages, each at an address of its own."""
        n = int(100000 * self.scale)
        sink = LoopbackSink()
        try:
            data = self.filled(n, LITERAL)
            server = Configured(data, sink.port, free_port())
            most, until = 0, time.monotonic() + 600
            first = None
            while sink.count.value < n and time.monotonic() < until:
                if sink.count.value and first is None:
                    first = time.monotonic() - server.began
                most = max(most, dirty_kib(server.queue_pid()))
                time.sleep(0.2)
            took = time.monotonic() - server.began
            print(f"{f'{n:,} destinations, messages/s':40}{'':12}{sink.count.value / took:12,.0f}   first after {first:.1f} s; "
                  f"the queue role had {most / 1024:.0f} MiB at most", flush=True)
            server.stop(seconds=60)
        finally:
            sink.stop()

    def beside(self):
        """Delays of messages to a fast destination beside a slow one with a long queue."""
        n, messages = int(100000 * self.scale), max(200, int(1000 * self.scale))
        for queued in (0, n):
            slow, fast = LoopbackSink(delay_s=2), LoopbackSink()
            try:
                data = self.filled(queued, DUE) if queued else self.data()
                server = Configured(data, fast.port, slow.port)
                if queued:
                    wait_for(lambda: slow.count.value > 0, "the slow one to be at work")
                with server.talk() as c:
                    c.hello()
                    for _ in range(messages):
                        c.mail(CONTENT, sender=f"at-{time.time():.6f}@example.org", recipients=("x@fast.example",))
                delays = [fast.delays.get(timeout=60) for _ in range(messages)]
                print(f"{f'delay beside {queued:,} to a slow one':40}   {percentiles(delays)}", flush=True)
                server.stop(seconds=60)
            finally:
                slow.stop()
                fast.stop()

    def rest(self):
        """Memory and processor time of each role with nothing to do."""
        data = self.data()
        server = Configured(data, free_port(), free_port())
        quiet(server)
        pids = {role: pid for role in ("smtpd", "auth", "queue", "delivery", "pickup", "console")
                for pid in server.role_pids(role)[:1]} | {"supervisor": server.pid}
        before = {role: switches(pid) for role, pid in pids.items()}
        time.sleep(10)
        for role, pid in sorted(pids.items()):
            print(f"{f'{role} at rest: MiB of its own, turns/s':40}{'':12}{dirty_kib(pid) / 1024:12.1f}"
                  f"{(switches(pid) - before[role]) / 10:12.1f}", flush=True)
        server.stop()


def switches(pid):
    """How often it has gone to sleep: each is a turn of its loop."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1))
