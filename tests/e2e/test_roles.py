"""Roles that hang, die and come back; what a reload keeps; limits that hold over all processes."""
import base64
import ctypes
import os
import pathlib
import re
import signal
import socket
import ssl
import unittest

from harness import ONE_MESSAGE, SALLYPORT, STOP_S, Server, ServerCase, free_port, run, wait_for

SUPERVISOR_FD, SYS_PIDFD_GETFD = 3, 438  # the same number on every architecture

B64 = lambda text: base64.b64encode(text.encode()).decode()


def send(pids, how):
    for pid in pids:
        os.kill(pid, how)


def break_edges(pid):
    """Shut down every edge of a role but the one to its supervisor, as if each had met a fault; both sides live on."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    broken = 0
    for fd in map(int, os.listdir(f"/proc/{pid}/fd")):
        if fd <= SUPERVISOR_FD or not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
            continue
        copy = libc.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0)
        if copy < 0:
            raise unittest.SkipTest(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        with socket.socket(fileno=copy) as s:
            if s.family == socket.AF_UNIX:
                s.shutdown(socket.SHUT_RDWR)
                broken += 1
    os.close(pidfd)
    assert broken


class RoleCase(ServerCase):
    def kill_role(self, server, role):
        """Kill a role's processes and wait until others have taken their place."""
        old = server.role_pids(role)
        send(old, signal.SIGKILL)
        server.expect_log("role-died", signal="KILL")
        wait_for(lambda: len(set(server.role_pids(role)) - set(old)) == len(old), f"{role} to be started again")


class Away(RoleCase):
    """While a role is away the answer is 451 or 454; the session goes on and works again."""

    def works(self, c):
        """The session itself is fine: the next mail is accepted as soon as the queue is back."""
        def accepted():
            c.command("RSET", 250)
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.send("DATA")
            reply = c.reply()
            if reply.code == 354:
                c.raw(ONE_MESSAGE + b".\r\n")
                reply = c.reply()
            if reply.code not in (250, 451):
                self.fail(f"{reply}; {c.told()}")
            return reply.code == 250
        wait_for(accepted, "mail to be accepted again")

    def test_queue_dies_before_it_answers(self):
        server = self.serve()
        server.accept_log("mail-not-stored", reason="queue-unavailable")
        with server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.command("DATA", 354)
            send(server.role_pids("queue"), signal.SIGSTOP)
            c.raw(ONE_MESSAGE + b".\r\n")
            self.kill_role(server, "queue")
            c.expect(451, "4.3.0", "[queue-unavailable]")
            self.works(c)
            c.quit()

    def test_queue_dies_in_the_middle_of_a_large_message(self):
        server = self.serve()
        server.accept_log("mail-not-stored", reason="queue-unavailable")
        with server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 20000)
            self.kill_role(server, "queue")
            c.raw(b"more\r\n.\r\n")
            c.expect(451, "4.3.0", "[queue-unavailable]")
            self.works(c)
            c.quit()

    def test_auth_dies_before_it_answers(self):
        server = self.serve("--user", "anna:secret")
        with server.talk() as c:
            c.hello()
            send(server.role_pids("auth"), signal.SIGSTOP)
            c.send("AUTH PLAIN " + B64("\0anna\0secret"))
            self.kill_role(server, "auth")
            c.expect(454, "4.7.0", "[auth-unavailable]")
            self.logs_in(c)
            c.mail()
            c.quit()

    def test_auth_dies_between_challenge_and_answer(self):
        server = self.serve("--user", "anna:secret")
        with server.talk() as c:
            c.hello()
            c.command("AUTH LOGIN", 334)
            self.kill_role(server, "auth")
            c.command(B64("anna"), 454, "4.7.0", "[auth-unavailable]")
            self.logs_in(c)
            c.quit()

    def logs_in(self, c):
        def logged_in():
            c.send("AUTH PLAIN " + B64("\0anna\0secret"))
            reply = c.reply()
            if reply.code not in (235, 454):
                self.fail(f"{reply}; {c.told()}")
            return reply.code == 235
        wait_for(logged_in, "auth to answer again")

    def test_sessions_outlive_other_roles(self):
        server = self.serve("--user", "anna:secret")
        server.accept_log("mail-not-stored", reason="queue-unavailable")
        server.accept_log("traces-lost")
        with server.talk("submissions") as c:
            c.hello()
            c.login("anna", "secret")
            for role in ("auth", "delivery", "queue", "console"):
                self.kill_role(server, role)
                self.works(c)
            c.quit()

    def test_an_edge_that_breaks_between_two_that_live(self):
        server = self.serve("--user", "anna:secret")
        server.accept_log("mail-not-stored", reason="queue-unavailable")
        with server.talk() as c:
            c.hello()
            c.mail()
            for smtpd in server.role_pids("smtpd"):
                break_edges(smtpd)
            server.expect_log("edge-joined-again", a="smtpd", b="queue")
            server.expect_log("edge-joined-again", a="smtpd", b="auth")
            server.expect_log("edge-joined-again", a="smtpd", b="console")
            self.works(c)
            self.logs_in(c)
            c.quit()
        self.assertEqual(server.logs("role-died"), [])

    def test_a_role_that_dies_again_and_again(self):
        server = self.serve()
        for _ in range(4):
            self.kill_role(server, "smtpd")
        with server.talk() as c:
            c.hello()
            c.mail()


class End(RoleCase):
    def test_a_role_that_hangs_does_not_keep_the_server(self):
        for role in ("smtpd", "queue"):
            with self.subTest(role=role):
                server = self.serve(data=role)
                send(server.role_pids(role), signal.SIGSTOP)
                self.assertEqual(server.stop(seconds=STOP_S), 0)
                self.assertEqual(server.children(), [])

    def test_a_second_signal_ends_it_at_once(self):
        server = self.serve()
        hung = server.role_pids("smtpd")
        send(hung, signal.SIGSTOP)
        os.kill(server.pid, signal.SIGTERM)
        server.wait_log("stopping")
        self.assertIsNone(server.process.poll())
        self.assertEqual(server.stop(), 0)
        self.assertEqual(set(hung) & set(server.children()), set())

    def test_who_waits_for_a_store_that_is_late_is_told(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.command("DATA", 354)
            queue = server.role_pids("queue")
            send(queue, signal.SIGSTOP)
            c.raw(ONE_MESSAGE + b".\r\n")
            # The dot must have been read before the end is announced: another session is served by then.
            os.kill(server.pid, signal.SIGTERM)
            server.wait_log("stopping")
            send(queue, signal.SIGCONT)
            c.expect(250, "Queued as")
            c.expect(421, "[shutting-down]")
            c.expect_close()
        self.assertEqual(server.stop(), 0)

    def test_a_start_whose_role_cannot_run_ends(self):
        folder = self.folder / "data"
        (folder / "queue").mkdir(parents=True)
        (folder / "queue" / "queue.db").mkdir()  # not a database
        done = run([SALLYPORT, "serve", "--data", str(folder), "--smtp", "127.0.0.1:0", "--submission",
                    "127.0.0.1:0", "--submissions", "127.0.0.1:0"], timeout=STOP_S)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("ready", done.stdout)
        self.assertIn("queue", done.stderr)


class Reload(RoleCase):
    HEAD = "hostname = mail.example.org\ndefault-route = hold\n"

    def listener(self, name, port, more=""):
        return f'listener {name} {{\n address = "127.0.0.1:{port}"\n relay-from = "127.0.0.1"\n{more}\n}}\n'

    def reload(self, server, text):
        (self.folder / "sallyport.conf").write_text(text)
        done = len(server.logs("reloaded"))
        os.kill(server.pid, signal.SIGHUP)
        wait_for(lambda: len(server.logs("reloaded")) > done, "the reload")

    def refused_reload(self, server, text, why):
        (self.folder / "sallyport.conf").write_text(text)
        os.kill(server.pid, signal.SIGHUP)
        self.assertIn(why, server.expect_log("reload-refused")["why"])
        server.accept_log("reload-refused")

    def greets(self, port):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                return s.recv(4).startswith(b"220")
        except OSError:
            return False

    def test_listeners_come_stay_and_go(self):
        a, b, c = free_port(), free_port(), free_port()
        server = self.configure(self.HEAD + self.listener("a", a) + self.listener("b", b))
        with server.talk("a") as stays, server.talk("b") as leaves:
            stays.hello()
            leaves.hello()
            self.reload(server, self.HEAD + self.listener("a", a) + self.listener("c", c))
            wait_for(lambda: self.greets(c), "the new listener")
            wait_for(lambda: not self.greets(b), "the end of the old listener")
            self.assertTrue(self.greets(a))
            stays.mail()
            leaves.mail()  # its listener is gone, its session is not
            self.reload(server, self.HEAD + self.listener("renamed", a))
            wait_for(lambda: self.greets(a), "the listener under its new name")
            wait_for(lambda: not self.greets(c), "the end of the third listener")
            stays.mail()

    def test_a_taken_port_leaves_everything_as_it_was(self):
        a, b = free_port(), free_port()
        server = self.configure(self.HEAD + self.listener("a", a))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", b))
            taken.listen()
            self.refused_reload(server, self.HEAD.replace("mail.", "other.") + self.listener("b", b), "in use")
        with server.talk("a", greeting=None) as c:
            self.assertIn("mail.example.org", c.expect(220).text)

    def test_a_new_certificate_for_new_sessions(self):
        first, second = self.certificate("one"), self.certificate("two")
        port = free_port()

        def text(name):
            return (f"tls-certificate = {name}.pem\ntls-key = {name}.key\n" + self.HEAD +
                    self.listener("a", port, " tls = implicit"))

        server = self.configure(text("one"))

        def shown():
            with socket.create_connection(("127.0.0.1", port)) as plain:
                context = ssl._create_unverified_context()
                with context.wrap_socket(plain) as tls:
                    return tls.getpeercert(binary_form=True)

        with server.talk("a", tls=ssl._create_unverified_context()) as old:
            old.hello()
            self.assertEqual(shown(), first)
            self.reload(server, text("two"))
            self.assertEqual(shown(), second)
            old.mail()
            (self.folder / "two.key").write_text((self.folder / "one.key").read_text())
            self.refused_reload(server, text("two"), "two.pem")
            self.assertEqual(shown(), second)
            old.mail()

    def certificate(self, name):
        pem, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
             f"/CN={name}", "-keyout", str(key), "-out", str(pem)], check=True)
        return ssl.PEM_cert_to_DER_cert(pem.read_text())


class Limits(RoleCase):
    TEXT = ('hostname = mail.example.org\ndefault-route = hold\nsmtpd-processes = 3\n'
            'listener a {{\n address = "127.0.0.1:0"\n}}\n'
            'listener b {{\n address = "[::1]:0"\n}}\nlimits {{\n {limit}\n}}\n')

    def accepted(self, server, n, listener="a"):
        """Open n connections, keep them open; the greetings' codes."""
        talks = [server.talk(listener, greeting=None) for _ in range(n)]
        for c in talks:
            self.addCleanup(c.close)
        return talks, [c.reply().code for c in talks]

    def test_connections_in_all(self):
        server = self.configure(self.TEXT.format(limit="connections = 10\n connections-per-address = 0"))
        talks, codes = self.accepted(server, 10)
        self.assertEqual(codes, [220] * 10)
        more, codes = self.accepted(server, 3)
        self.assertEqual(codes, [421] * 3)
        talks[0].quit()
        wait_for(lambda: self.accepted(server, 1)[1] == [220], "a place to be free")

    def test_connections_of_an_address(self):
        if not socket.has_ipv6:
            self.skipTest("no IPv6 on this machine")
        server = self.configure(self.TEXT.format(limit="connections-per-address = 4"))
        _, codes = self.accepted(server, 4)
        self.assertEqual(codes, [220] * 4)
        more, codes = self.accepted(server, 1)
        self.assertEqual(codes, [421])
        _, codes = self.accepted(server, 4, "b")  # another address
        self.assertEqual(codes, [220] * 4)
        # A process that dies takes its counts with it.
        self.kill_role(server, "smtpd")
        _, codes = self.accepted(server, 4)
        self.assertEqual(codes, [220] * 4)

    def test_a_handshake_that_never_begins_takes_a_place(self):
        server = self.configure('hostname = mail.example.org\ndefault-route = hold\nsmtpd-processes = 1\n'
                                'listener a {\n address = "127.0.0.1:0"\n}\n'
                                'listener c {\n address = "127.0.0.1:0"\n tls = implicit\n}\n'
                                'limits {\n connections-per-address = 4\n}\n')
        silent = []

        def be_silent(n):
            for _ in range(n):
                silent.append(server.talk("c", greeting=None))
                self.addCleanup(silent[-1].close)
        be_silent(3)
        # Behind them in the same queue: with its greeting they have been accepted, too.
        speaking = server.talk("c", tls=server.client_tls())
        self.addCleanup(speaking.close)
        self.assertEqual(self.accepted(server, 1)[1], [421])
        server.wait_log("session-ended", why="too-many-connections-from-address")
        be_silent(8 + 1)  # those that would be told, and one that is not
        silent[-1].expect_close()
        for c in [speaking, *silent]:
            c.close()
        wait_for(lambda: self.accepted(server, 1)[1] == [220], "the places to be free")

    def test_descriptors_run_out_and_come_back(self):
        script = self.folder / "few"
        script.write_text(f'#!/bin/sh\nulimit -n 70 && exec "{SALLYPORT}" "$@"\n')
        script.chmod(0o755)
        server = Server(data=self.folder / "data", program=str(script))
        self.addCleanup(self.end, server)
        server.accept_log("few-descriptors")
        server.accept_log("accept-failed")
        large = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 10000
        with server.talk() as first:
            first.hello()
            talks = [server.talk(greeting=None) for _ in range(180)]
            for c in talks:
                self.addCleanup(c.close)
            server.wait_log("accept-failed")
            first.mail(large)  # its file's descriptor finds a place
            self.kill_role(server, "queue")  # and so does the edge to another queue
            self.takes_mail(first, large)
            for c in talks:
                c.close()
        for _ in range(4):  # whichever process answers
            with server.talk() as c:
                c.hello()
                c.mail(large)
        self.assertEqual(server.logs("edge-closed"), [])
        self.assertEqual(server.logs("role-died", name="smtpd/0"), [])

    def takes_mail(self, c, content):
        def accepted():
            c.command("RSET", 250)
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.send("DATA")
            return c.reply().code == 354
        wait_for(accepted, "the queue to be there again")
        c.raw(content + b".\r\n")
        c.expect(250)

    def test_memory_for_messages_that_never_end(self):
        server = self.configure('hostname = mail.example.org\ndefault-route = hold\nsmtpd-processes = 1\n'
                                'listener a {\n address = "127.0.0.1:0"\n relay-from = {"127.0.0.1"}\n}\n'
                                'limits {\n memory = 1M\n}\n')
        server.accept_log("mail-not-stored", reason="server-busy")
        early, late = server.talk("a"), []
        early.hello()
        early.command("MAIL FROM:<a@example.org>", 250)
        early.command("RCPT TO:<b@example.org>", 250)
        early.command("DATA", 354)

        def is_full():
            c = server.talk("a")
            self.addCleanup(c.close)
            late.append(c)
            c.hello()
            for line in ("MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>", "DATA"):
                c.send(line)
                reply = c.reply()
                if reply.code == 452:
                    self.assertIn("[server-busy]", reply.text)
                    return True
                self.assertLess(reply.code, 400, reply)
            c.raw(b"0123456789abcdef\r\n" * 3000)
            self.assertLess(len(late), 40)
            return False
        wait_for(is_full, "the memory to be used up")
        early.raw(b"no room for this\r\n.\r\n")
        early.expect(452, "4.3.1", "[server-busy]")
        for c in late[:-1]:
            c.close()
        wait_for(lambda: len(server.logs("session-ended")) >= len(late) - 1, "the others to be gone")
        for c in (early, late[-1]):
            c.command("RSET", 250)
            c.mail()
        early.close()

    def test_roles_have_all_descriptors_that_the_machine_allows(self):
        server = self.serve()
        for pid in server.role_pids("smtpd"):
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
            soft, hard = re.search(r"^Max open files +(\d+) +(\d+)", limits, re.M).groups()
            self.assertEqual(soft, hard)

    def test_a_ticket_is_good_at_every_process(self):
        server = self.serve()
        context, session, resumed = server.client_tls(), None, 0
        for _ in range(8):
            with socket.create_connection(server.addresses["submissions"]) as plain:
                with context.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
                    tls.recv(100)
                    resumed += tls.session_reused
                    session = tls.session
        self.assertEqual(resumed, 7)


class Secrets(RoleCase):
    def test_a_password_of_the_command_line_is_out_of_sight(self):
        server = self.serve("--user", "anna:a-secret-word")
        for pid in [server.pid, *server.children()]:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            self.assertNotIn(b"a-secret-word", words)
        with server.talk() as c:
            c.hello()
            c.login("anna", "a-secret-word")
        self.assertNotIn("a-secret-word", server.err.text())
