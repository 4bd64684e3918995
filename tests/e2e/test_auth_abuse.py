"""Who guesses is slowed, who knows is not; time tells nothing; and no secret stays anywhere."""
import base64
import hmac
import os
import pathlib
import random
import resource
import signal
import time
import unittest

from harness import PERTURBED, SLOW, ServerCase, free_port, memories, sallyport

USER, RIGHT = "demo", "Xyzzy-plugh-1977"
SECRETS = (RIGHT, "Plover-1977-xyzzy", "Fee-fie-foe-foo")


def b64(octets):
    return base64.b64encode(octets if isinstance(octets, bytes) else octets.encode()).decode()


def attempt(c, user, password):
    c.send("AUTH PLAIN " + b64(f"\0{user}\0{password}"))
    return c.reply().code


def answer_cram_md5(c, user, password):
    c.send("AUTH CRAM-MD5")
    digest = hmac.new(password.encode(), base64.b64decode(c.expect(334).text), "md5").hexdigest()
    c.send(b64(f"{user} {digest}"))
    return digest


def attempt_cram_md5(c, user, password):
    answer_cram_md5(c, user, password)
    return c.reply().code


CONFIGURATION = """
hostname = mx.example.org
default-route = hold
listener "smtp" {{
    address = "127.0.0.1:{port}"
    tls = off
    auth = offered
    auth-in-clear = yes
}}
limits {{
    free-space = 1M
    {limits}
}}
"""


class Slow(ServerCase):
    def serve_with(self, *limits):
        port = free_port()
        server = self.configure(CONFIGURATION.format(port=port, limits="\n    ".join(limits)))
        server.addresses["smtp"] = ("127.0.0.1", port)
        for user in (USER, "other"):
            sallyport("user", "add", user, "--data", str(server.data), input=(RIGHT + "\n").encode())
        return server

    def test_who_guesses_waits_and_who_knows_does_not(self):
        server = self.serve_with("auth-slow-free = 1", "auth-slow-first = 60s", "auth-slow-most = 60s")
        with server.talk() as guesser, server.talk() as owner:
            guesser.hello()
            owner.hello()
            self.assertEqual(attempt(guesser, USER, SECRETS[1]), 535)
            guesser.send("AUTH PLAIN " + b64(f"\0DEMO\0{SECRETS[1]}"))
            line = server.wait_log("auth-slowed", user="DEMO")
            self.assertEqual(line["ms"], "60000")
            self.assertEqual(attempt(owner, USER, RIGHT), 235)
            guesser.socket.setblocking(False)
            with self.assertRaises(BlockingIOError):
                guesser.socket.recv(1)

    def test_an_unknown_name_is_counted_like_a_known_one(self):
        server = self.serve_with("auth-slow-free = 3", "auth-slow-first = 60s", "auth-slow-most = 60s", "auth-failures = 100")
        with server.talk() as c:
            c.hello()
            for name in ("nobody", "NOBODY", "NoBody"):
                self.assertEqual(attempt(c, name, SECRETS[1]), 535)
            c.send("AUTH PLAIN " + b64(f"\0nobody\0{SECRETS[1]}"))
            server.wait_log("auth-slowed", user="nobody")

    def test_it_can_be_off(self):
        server = self.serve_with("auth-slow-down = no", "auth-failures = 50")
        with server.talk() as c:
            c.hello()
            for _ in range(20):
                self.assertEqual(attempt(c, USER, SECRETS[1]), 535)
        self.assertEqual(server.logs("auth-slowed"), [])

    def test_the_sandbox_slows_nobody(self):
        server = self.serve("--user", f"{USER}:{RIGHT}")
        for _ in range(5):
            with server.talk() as c:
                c.hello()
                for _ in range(3):
                    self.assertEqual(attempt(c, USER, SECRETS[1]), 535)
        self.assertEqual(server.logs("auth-slowed"), [])

    def test_a_burst_of_attempts_does_not_hold_mail_up(self):
        server = self.serve_with("auth-slow-down = no", "connections-per-address = 0")
        guessers = [server.talk() for _ in range(100)]
        for c in guessers:
            self.addCleanup(c.close)
            c.hello()
        with server.talk() as c:
            c.hello()
            c.login(USER, RIGHT)
            for n, guesser in enumerate(guessers):
                guesser.send("AUTH PLAIN " + b64(f"\0{USER}\0{SECRETS[1]}{n}"))
            for _ in range(5):
                c.mail()
            c.quit()
        for guesser in guessers:
            guesser.expect(535)


class Time(ServerCase):
    """Unknown user, wrong password, disabled user: no test of ranks can tell them apart."""

    ROUNDS = 400 if SLOW else 120

    def samples(self, server, kinds, attempt=attempt):
        """Nanoseconds of each kind, interleaved in random order, so that what slows the machine slows all."""
        taken = {kind: [] for kind in kinds}
        for _ in range(self.ROUNDS):
            for kind in random.sample(kinds, len(kinds)):
                with server.talk() as c:
                    c.hello()
                    before = time.perf_counter_ns()
                    self.assertEqual(attempt(c, kind, SECRETS[1]), 535)
                    taken[kind].append(time.perf_counter_ns() - before)
        return taken

    @staticmethod
    def rank_z(a, b):
        """Mann-Whitney: how many standard deviations the ranks of a are from chance."""
        merged = sorted([(v, 0) for v in a] + [(v, 1) for v in b])
        ranks = sum(i + 1 for i, (_, which) in enumerate(merged) if which == 0)
        n, m = len(a), len(b)
        return (ranks - n * (n + m + 1) / 2) / (n * m * (n + m + 1) / 12) ** 0.5

    def test_the_measure_finds_what_is_there(self):
        fast = [random.gauss(1000, 100) for _ in range(self.ROUNDS)]
        slow = [random.gauss(1100, 100) for _ in range(self.ROUNDS)]
        self.assertGreater(abs(self.rank_z(fast, slow)), 4.5)
        self.assertLess(abs(self.rank_z(fast, list(fast))), 1)

    def test_time_tells_nothing(self):
        server = self.serve("--user", f"{USER}:{RIGHT}", "--user", f"many:{RIGHT}", "--user", f"disabled:{RIGHT}")
        data = str(server.data)
        sallyport("user", "disable", "disabled", "--data", data)
        for n in range(8):
            sallyport("user", "app-password", "many", f"label {n}", "--data", data)
        self.expect_nothing(server, [USER, "unknown", "disabled", "many"], attempt)

    def test_time_tells_nothing_of_cram_md5(self):
        """No PBKDF2 hides a difference here."""
        server = self.configure(CONFIGURATION.format(port=0, limits="auth-slow-down = no").replace(
            "auth-in-clear = yes", "auth-in-clear = yes\nmechanisms = { CRAM-MD5 }"), "--user", f"without:{RIGHT}")
        for user in (USER, "disabled"):
            sallyport("user", "add", "--cram-md5", user, "--data", str(server.data), input=RIGHT + "\n")
        sallyport("user", "disable", "disabled", "--data", str(server.data))
        self.expect_nothing(server, [USER, "unknown", "disabled", "without"], attempt_cram_md5)

    def expect_nothing(self, server, kinds, attempt):
        for attempt_n in range(3):  # one unlucky draw in a hundred thousand is not a leak; three in a row are
            taken = self.samples(server, kinds, attempt)
            found = {k: round(self.rank_z(taken[USER], taken[k]), 1) for k in kinds[1:]}
            if all(abs(z) < 4.5 for z in found.values()):
                return
        self.fail(f"the times of a wrong password and of these differ by standard deviations: {found}")


class Secrets(ServerCase):
    def octets_left(self, server):
        """All that a server leaves: its folder and its log."""
        for path in pathlib.Path(server.data).rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()
        yield "the log", server.err.text().encode()

    def talk_about_secrets(self, server):
        for user, password in ((USER, RIGHT), (USER, SECRETS[1]), ("nobody", SECRETS[2])):
            with server.talk() as c:
                c.hello()
                attempt(c, user, password)
            with server.talk() as c:
                c.hello()
                c.command("AUTH LOGIN", 334)
                c.command(b64(user), 334)
                c.send(b64(password))
                c.reply()
            with server.talk() as c:
                c.hello()
                c.command("AUTH LOGIN", 334)
                c.command(b64(user), 334)
                c.send(password)  # in clear, where base64 is due
                c.reply()

    def forms(self):
        for secret in SECRETS:
            yield secret.encode()
            yield b64(secret).encode()
            for user in (USER, "nobody"):
                yield b64(f"\0{user}\0{secret}").encode()

    def expect_none(self, server, wanted, dump=False):
        """Of these octets nothing is left: on the disk, in the log, in memories and in core dumps."""
        for session in server.sessions("--most", "0"):
            server.trace(session["id"])
        for name, octets in self.octets_left(server):
            for secret in wanted:
                self.assertFalse(secret in octets, f"{secret!r} is in {name}")
        for role in ("auth", "smtpd", "queue", "delivery", "console"):
            for n, pid in enumerate(server.role_pids(role)):
                for name, octets in memories(pid, dump=dump and n == 0):
                    if role == "auth":
                        self.assertTrue(b"app_passwords" in octets, f"{name} was not read")
                    if role == "console":
                        self.assertTrue(b"INSERT OR REPLACE INTO session" in octets, f"{name} was not read")
                    for secret in wanted:
                        self.assertFalse(secret in octets, f"{secret!r} is in {name} of {role}")

    def test_nothing_of_a_password_is_left(self):
        server = self.serve("--user", f"{USER}:{RIGHT}", env=PERTURBED)
        self.talk_about_secrets(server)
        app = sallyport("user", "app-password", USER, "phone", "--data", str(server.data)).stdout.strip()
        with server.talk() as c:
            c.hello()
            self.assertEqual(attempt(c, USER, app), 235)
        self.expect_none(server, [*self.forms(), app.encode()], dump=True)

    def test_nothing_of_a_cram_md5_secret_is_left(self):
        server = self.configure(CONFIGURATION.format(port=0, limits="auth-slow-down = no").replace(
            "auth-in-clear = yes", "auth-in-clear = yes\nmechanisms = { CRAM-MD5 }") + "sessions { keep = all }\n", env=PERTURBED)
        sallyport("user", "add", "--cram-md5", USER, "--data", str(server.data), input=RIGHT + "\n")
        wanted = [RIGHT.encode(), b64(RIGHT).encode()]
        for user, code in ((USER, 235), ("nobody", 535)):
            with server.talk() as c:
                c.hello()
                digest = answer_cram_md5(c, user, RIGHT)
                wanted += [digest.encode(), b64(f"{user} {digest}").encode()]
                c.expect(code)
        self.expect_none(server, wanted, dump=True)

    def test_a_role_that_aborts_leaves_no_core_dump(self):
        """Whatever the limits are that the server was started with."""
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        if limits[1] == 0:
            self.skipTest("no process of this user may dump core anyway")
        server = self.serve("--user", f"{USER}:{RIGHT}", env=PERTURBED)
        self.talk_about_secrets(server)
        server.accepted_logs.append((None, {"level": "warn"}))
        for role in ("delivery", "console", "queue", "auth", "smtpd"):
            for pid in server.role_pids(role):
                os.kill(pid, signal.SIGABRT)
            server.wait_log("role-died", name=f"{role}/0", signal="ABRT")
        self.assertEqual([str(path) for path in self.folder.rglob("*core*")], [])


if __name__ == "__main__":
    unittest.main()
