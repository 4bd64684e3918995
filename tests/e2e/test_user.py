"""`sallyport user` with a server and without one; passwords from a pipe and from a terminal; who may log in then."""
import base64
import concurrent.futures
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import termios
import time
import unittest

from harness import SALLYPORT, WAIT_S, ServerCase, sallyport

RIGHT, OTHER = "Xyzzy-plugh-1977", "Plover-1977-xyzzy"


class UserCase(ServerCase):
    def user(self, data, *words, password=None, code=0, says=()):
        line = None if password is None else password if isinstance(password, bytes) else (password + "\n").encode()
        done = sallyport("user", *words, "--data", str(data), input=line, check=False)
        self.assertEqual(done.returncode, code, f"user {words}: {done.output}")
        for word in (says,) if isinstance(says, str) else says:
            self.assertIn(word, done.stderr if code else done.stdout)
        return done

    def names(self, data):
        return {u["name"]: u["disabled"] for u in json.loads(self.user(data, "list", "--json").stdout)}

    def login(self, server, user, password, code):
        with server.talk() as c:
            c.hello()
            response = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
            return c.command("AUTH PLAIN " + response, code).text

    def stopped_folder(self):
        """The data folder of a server that has ended."""
        server = self.serve()
        self.assertEqual(server.stop(), 0)
        return server.data


class Life(UserCase):
    def walk(self, data, login):
        """A user's whole life; login(user, password, code) tries it, where there is a server."""
        self.user(data, "add", "bob@example.org", password=RIGHT, says="bob@example.org: added")
        login("bob@example.org", RIGHT, 235)
        login("BOB@Example.org", RIGHT, 235)
        login("bob@example.org", OTHER, 535)
        self.user(data, "add", "Bob@example.org", password=OTHER, code=73, says="user passwd")
        self.user(data, "passwd", "bob@example.org", password=OTHER)
        login("bob@example.org", RIGHT, 535)
        login("bob@example.org", OTHER, 235)
        self.user(data, "disable", "bob@example.org")
        self.assertEqual(self.names(data), {"bob@example.org": True, "demo": False})
        self.assertRegex(self.user(data, "list").stdout, r"(?m)^disabled +\S+Z +bob@example\.org$")
        login("bob@example.org", OTHER, 535)
        self.user(data, "enable", "bob@example.org")
        login("bob@example.org", OTHER, 235)
        self.user(data, "remove", "bob@example.org")
        login("bob@example.org", OTHER, 535)
        for word in ("remove", "disable", "enable"):
            self.user(data, word, "bob@example.org", code=67, says="no user bob@example.org")
        self.user(data, "passwd", "bob@example.org", password=RIGHT, code=67)
        self.assertEqual(self.names(data), {"demo": False})

    def test_with_a_server_and_without(self):
        server = self.serve()
        self.walk(server.data, lambda *words: self.login(server, *words))
        self.assertEqual(server.stop(), 0)
        self.walk(server.data, lambda *words: None)

    def test_what_is_set_without_a_server_counts_in_the_next(self):
        data = self.stopped_folder()
        self.user(data, "add", "\u0111\u1eb7ng", password="m\u1eadt kh\u1ea9u")
        self.user(data, "passwd", "demo", password=OTHER)
        server = self.serve()
        self.login(server, "\u0110\u1eb6NG", "m\u1eadt kh\u1ea9u", 235)
        self.login(server, "demo", OTHER, 235)

    def test_three_failures_say_the_same(self):
        server = self.serve()
        self.user(server.data, "add", "bob", password=RIGHT)
        self.user(server.data, "disable", "bob")
        said = {self.login(server, *who, 535) for who in (("demo", "wrong"), ("nobody", "wrong"), ("bob", RIGHT))}
        self.assertEqual(len(said), 1)
        server.wait_log("auth-failed", reason="disabled")
        reasons = [f["reason"] for f in server.logs("auth-failed")]
        self.assertEqual(reasons, ["bad-password", "unknown-user", "disabled"])

    def test_tools_wait_for_each_other(self):
        data = self.stopped_folder()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(self.user, data, "add", f"user{i}", password=RIGHT) for i in range(8)]:
                done.result()
        self.assertEqual(len(self.names(data)), 9)

    def test_a_long_list_comes_whole(self):
        server = self.serve()
        for i in range(300):  # more than a page
            self.user(server.data, "add", f"user{i:03}", password="x")
        self.assertEqual(len(self.names(server.data)), 301)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(list(self.names(server.data)), ["demo"] + [f"user{i:03}" for i in range(300)])

    def test_no_password_is_kept_or_logged(self):
        server = self.serve("--user", f"carol:{RIGHT}")
        self.user(server.data, "add", "bob", password=OTHER)
        self.login(server, "bob", OTHER, 235)
        self.login(server, "carol", RIGHT, 235)
        with server.talk() as c:  # PLAIN without its NULs
            c.hello()
            c.command("AUTH PLAIN " + base64.b64encode(f"carol:{RIGHT}".encode()).decode(), 501)
        self.assertEqual(server.stop(), 0)
        forms = [f(p.encode()) for p in (RIGHT, OTHER) for f in (bytes, base64.b64encode)]
        files = [f for f in pathlib.Path(server.data).rglob("*") if f.is_file()]
        self.assertTrue(any(f.name == "users.db" for f in files))
        for octets in [f.read_bytes() for f in files] + [server.err.text().encode()]:
            for form in forms:
                self.assertNotIn(form.rstrip(b"="), octets)


class Refused(UserCase):
    def test_passwords(self):
        data = self.stopped_folder()
        for password, why in ((b"", "empty"), (b"\n", "empty"), (b"one\ntwo\n", "more than one line"),
                              (b"caf\xe9\n", "UTF-8"), (b"a\tb\n", "control character"), (b"x" * 1025, "1,024"),
                              (b"x" * 9999, "1,024"), (b"a\0b\n", "NUL"), ("\U0001f600\n".encode(), "SASLprep")):
            with self.subTest(password=password[:20]):
                self.user(data, "add", "bob", password=password, code=65, says=why)
        self.user(data, "add", "bob", password=b"x" * 1024)
        self.user(data, "passwd", "bob", password=b"crlf\r\n")
        server = self.serve()
        self.login(server, "bob", "crlf", 235)

    def test_names(self):
        data = self.stopped_folder()
        for name, why in (("", "empty"), ("a\nb", "control character"), ("x" * 256, "255")):
            self.user(data, "add", name, password=RIGHT, code=65, says=why)
        self.assertEqual(self.names(data), {"demo": False})

    def test_folders(self):
        nothing = self.folder / "nothing"
        self.user(nothing, "list", code=66, says=("no data folder", str(nothing), "--data"))
        nothing.mkdir()
        self.user(nothing, "list", code=66, says="not a data folder")
        self.assertEqual(list(nothing.iterdir()), [])

    def test_words(self):
        data = self.folder
        for words, why in (((), "say what to do"), (("ad", "x"), "none of add"), (("add",), "needs the NAME"),
                           (("list", "x"), "not expected"), (("remove", "x", "y"), "not expected"),
                           (("remove", "x", "--json"), "--json is for list")):
            self.user(data, *words, code=64, says=why)


class Terminal(UserCase):
    """A person at a terminal: what is typed is not shown."""

    def at_terminal(self, data, *words):
        return self.run_at_terminal("user", *words, "--data", str(data))

    def run_at_terminal(self, *words):
        pid, terminal = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a runner in the background has it ignored
            os.execv(SALLYPORT, [SALLYPORT, *words])
        self.addCleanup(os.close, terminal)
        return pid, terminal

    def read_until(self, terminal, wanted):
        shown, until = b"", time.monotonic() + WAIT_S
        while not re.search(wanted, shown):
            self.assertTrue(time.monotonic() < until, f"waited in vain for {wanted}; shown was {shown}")
            if select.select([terminal], [], [], 1)[0]:
                try:
                    shown += os.read(terminal, 4096)
                except OSError:  # the program has closed it
                    self.assertRegex(shown, wanted)
        return shown

    def wait(self, pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def type_twice(self, data, first, second):
        pid, terminal = self.at_terminal(data, "passwd", "demo")
        shown = self.read_until(terminal, rb"New password for demo: ")
        os.write(terminal, first.encode() + b"\n")
        shown += self.read_until(terminal, rb"The same again: ")
        os.write(terminal, second.encode() + b"\n")
        shown += self.read_until(terminal, rb"demo: password set|differ")
        self.assertNotIn(first.encode(), shown)
        return self.wait(pid)

    def test_a_password_is_typed_twice_and_not_shown(self):
        server = self.serve()
        self.assertEqual(self.type_twice(server.data, RIGHT, RIGHT), 0)
        self.login(server, "demo", RIGHT, 235)
        self.assertEqual(self.type_twice(server.data, OTHER, RIGHT), 65)
        self.login(server, "demo", RIGHT, 235)

    def test_send_and_probe_do_not_show_it_either(self):
        server = self.serve("--user", "demo:" + RIGHT)
        address = "127.0.0.1:%d" % server.port("submission")
        for words in (("send", address, "--to", "b@example.org", "--auth", "demo"), ("probe", address, "--auth", "demo")):
            with self.subTest(program=words[0]):
                pid, terminal = self.run_at_terminal(*words)
                shown = self.read_until(terminal, rb"Password.*: ")
                self.assertFalse(termios.tcgetattr(terminal)[3] & termios.ECHO)
                os.write(terminal, RIGHT.encode() + b"\n")
                shown += self.read_until(terminal, rb"235 2.7.0|Logged in")
                self.assertNotIn(RIGHT.encode(), shown)
                os.kill(pid, signal.SIGKILL)
                self.wait(pid)

    def test_an_interrupt_restores_the_terminal(self):
        pid, terminal = self.at_terminal(self.stopped_folder(), "passwd", "demo")
        self.read_until(terminal, rb"New password for demo: ")
        self.assertFalse(termios.tcgetattr(terminal)[3] & termios.ECHO)
        os.write(terminal, b"half a pass\x03")
        self.assertEqual(self.wait(pid), -signal.SIGINT)
        self.assertTrue(termios.tcgetattr(terminal)[3] & termios.ECHO)

    def test_without_a_terminal_and_without_input(self):
        data = self.stopped_folder()
        done = subprocess.run([SALLYPORT, "user", "passwd", "demo", "--data", str(data)], stdin=subprocess.DEVNULL,
                              capture_output=True, start_new_session=True, timeout=WAIT_S)
        self.assertEqual(done.returncode, 65)
        self.assertIn(b"the password is empty", done.stderr)


if __name__ == "__main__":
    unittest.main()
