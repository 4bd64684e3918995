"""Starting, stopping, reloading, and what survives."""
import os
import pathlib
import signal
import socket
import threading
import unittest

from harness import (ANY_PORT, ONE_MESSAGE, SALLYPORT, STOP_S, Server, ServerCase, processes, queue_id, run, sallyport,
                     wait_for)


class Start(ServerCase):
    def test_the_banner(self):
        server = self.serve()
        self.assertEqual(sorted(server.addresses), ["smtp", "submission", "submissions"])
        self.assertEqual(server.user, "demo")
        self.assertGreaterEqual(len(server.password), 12)
        self.assertRegex(server.fingerprint, r"^([0-9A-F]{2}:){31}[0-9A-F]{2}$")
        self.assertTrue(pathlib.Path(server.certificate).is_file())
        self.assertEqual(server.out.lines[-1], "ready")

    def test_certificate_and_users_are_kept(self):
        first = self.serve()
        self.assertEqual(first.stop(), 0)
        second = self.serve()
        self.assertEqual(second.fingerprint, first.fingerprint)
        with second.talk() as c:
            c.hello()
            c.login("demo", first.password)

    def test_users_of_the_command_line(self):
        server = self.serve("--user", "anna:a:b", "--user", "ben:x")
        with server.talk() as c:
            c.hello()
            c.login("anna", "a:b")
        with server.talk() as c:
            c.hello()
            c.login("ben", "x")
        self.assertNotIn("demo", server.run("user", "list").stdout)

    def test_the_data_folder_is_private(self):
        server = self.serve()
        self.assertEqual(server.data.stat().st_mode & 0o077, 0)
        for path in server.data.rglob("*"):
            if path.is_file():
                with self.subTest(path=path):
                    self.assertEqual(path.stat().st_mode & 0o007, 0)


class Refusals(ServerCase):
    def refused(self, *arguments):
        done = run([SALLYPORT, "serve", "--data", str(self.folder / "other"), *arguments], timeout=STOP_S)
        self.assertNotEqual(done.returncode, 0, done.output)
        self.assertEqual(done.stdout, "")
        return done

    def test_a_taken_port(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            address = f"127.0.0.1:{s.getsockname()[1]}"
            done = self.refused("--smtp", address, *ANY_PORT[2:])
        self.assertIn(address, done.stderr)
        self.assertIn("in use", done.stderr)

    def test_a_taken_data_folder(self):
        server = self.serve()
        done = run([SALLYPORT, "serve", "--data", str(server.data), *ANY_PORT], timeout=STOP_S)
        self.assertEqual(done.returncode, os.EX_TEMPFAIL, done.output)
        self.assertIn(str(server.pid), done.stderr)

    def test_an_address_that_is_not_loopback(self):
        done = self.refused("--smtp", "0.0.0.0:0", *ANY_PORT[2:])
        self.assertEqual(done.returncode, os.EX_USAGE)
        lines = [line.removeprefix("sallyport serve: ") for line in done.stderr.splitlines()]
        text = "\n".join(line[4:] for line in lines if line.startswith("    "))
        path = self.folder / "written.conf"
        path.write_text(text)
        self.assertIn("ok", sallyport("check", "-c", str(path)).stdout)

    def test_faulty_options(self):
        for arguments, word in ((["--relay", "nowhere"], "--relay"), (["--smtp", "x"], "--smtp"),
                                (["--user", "x"], "--user"), (["--frobnicate"], "--frobnicate"), (["extra"], "extra"),
                                (["-c", "/no/such/file"], "/no/such/file")):
            with self.subTest(arguments=arguments):
                self.assertIn(word, self.refused(*arguments).stderr)

    def test_a_faulty_file(self):
        path = self.folder / "faulty.conf"
        path.write_text("hostname = mail.example.org\nlisten = 25\n")
        done = run([SALLYPORT, "serve", "-c", str(path), "--data", str(self.folder / "other")], timeout=STOP_S)
        self.assertEqual(done.returncode, os.EX_CONFIG)
        self.assertIn(f"{path}:2: ", done.stderr)


class Stop(ServerCase):
    def stops(self, how):
        server = self.serve()
        idle = server.talk()
        idle.hello()
        self.assertEqual(server.stop(how, seconds=5), 0)
        idle.expect(421)
        idle.expect_close()
        idle.close()
        with self.assertRaises(OSError):
            server.talk()

    def test_sigterm(self):
        self.stops(signal.SIGTERM)

    def test_sigint(self):
        self.stops(signal.SIGINT)

    def test_a_message_whose_final_dot_has_arrived_is_finished(self):
        server = self.serve()
        c = server.talk()
        c.hello()
        c.command("MAIL FROM:<a@example.org>", 250)
        c.command("RCPT TO:<b@example.org>", 250)
        c.command("DATA", 354)
        c.raw(ONE_MESSAGE + b".\r\n")
        os.kill(server.pid, signal.SIGTERM)
        reply = c.reply()
        c.close()
        self.assertEqual(server.stop(seconds=5), 0)
        stored = [e["id"] for e in server.queue()]
        self.assertEqual(stored, [queue_id(reply.text)] if reply.code == 250 else [])

    ONE_PROCESS = ('hostname = mail.example.org\ndefault-route = hold\nsmtpd-processes = 1\n'
                   'listener smtp {\n address = "127.0.0.1:0"\n relay-from = {"127.0.0.1"}\n}\n')
    LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 20000 + b".\r\n"

    def begin_data(self, server):
        c = server.talk()
        self.addCleanup(c.close)
        c.hello()
        c.command("MAIL FROM:<a@example.org>", 250)
        c.command("RCPT TO:<b@example.org>", 250)
        c.command("DATA", 354)
        return c

    def test_a_large_message_that_was_not_read_yet_is_finished(self):
        server = self.configure(self.ONE_PROCESS)
        c = self.begin_data(server)
        smtpd, = server.role_pids("smtpd")
        os.kill(smtpd, signal.SIGSTOP)
        sender = threading.Thread(target=c.raw, args=(self.LARGE,))
        sender.start()
        os.kill(server.pid, signal.SIGTERM)
        server.wait_log("stopping")
        os.kill(smtpd, signal.SIGCONT)
        stored = queue_id(c.expect(250, "Queued as").text)
        c.expect(421, "[shutting-down]")
        sender.join()
        self.assertEqual(server.stop(seconds=5), 0)
        self.assertEqual([e["id"] for e in server.queue()], [stored])

    def test_a_large_message_that_waits_for_its_file_is_finished(self):
        server = self.configure(self.ONE_PROCESS)
        c, idle = self.begin_data(server), server.talk()
        self.addCleanup(idle.close)
        queue, = server.role_pids("queue")
        os.kill(queue, signal.SIGSTOP)
        c.raw(self.LARGE)
        os.kill(server.pid, signal.SIGTERM)
        idle.expect(421, "[shutting-down]")
        os.kill(queue, signal.SIGCONT)
        stored = queue_id(c.expect(250, "Queued as").text)
        self.assertEqual(server.stop(seconds=5), 0)
        self.assertEqual([e["id"] for e in server.queue()], [stored])

    def test_a_message_that_has_not_ended_is_not_waited_for(self):
        server = self.configure(self.ONE_PROCESS)
        c = self.begin_data(server)
        c.raw(b"Subject: half of a message\r\n")
        os.kill(server.pid, signal.SIGTERM)
        c.expect(421, "[shutting-down]")
        self.assertEqual(server.stop(seconds=5), 0)
        self.assertEqual(server.queue(), [])

    def test_nothing_is_left_when_the_supervisor_is_killed(self):
        server = self.serve()
        roles = server.children()
        self.assertGreater(len(roles), 3)
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        wait_for(lambda: not {pid for pid, _ in processes()} & set(roles), "the roles to leave")
        again = self.serve()
        with again.talk() as c:
            c.hello()
            c.mail()

    def test_a_new_start_waits_for_the_old_roles(self):
        server = self.serve()
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        again = Server(data=server.data)  # at once, whatever is still leaving
        self.addCleanup(self.end, again)


class Restart(ServerCase):
    def kill_role(self, server, role):
        for pid in server.role_pids(role):
            os.kill(pid, signal.SIGKILL)
            server.expect_log("role-died", signal="KILL")
        wait_for(lambda: server.role_pids(role), f"{role} to be started again")

    def accept_absence(self, server):
        server.accept_log("traces-lost")
        """While a role is away others may say so."""
        server.accepted_logs.append((None, {"level": "warn"}))

    def works(self, server):
        def deliver():
            try:
                with server.talk() as c:
                    c.hello()
                    c.login("anna", "secret")
                    return c.mail()
            except (AssertionError, OSError):
                return None

        return wait_for(deliver, "mail to be accepted again")

    def test_each_role(self):
        for role in ("smtpd", "auth", "queue", "delivery", "console"):
            with self.subTest(role=role):
                server = self.serve("--user", "anna:secret", data=role)
                self.accept_absence(server)
                before = self.works(server)
                self.kill_role(server, role)
                after = self.works(server)
                self.assertEqual({before, after} - {e["id"] for e in server.queue()}, set())


class Reload(ServerCase):
    TEXT = ("hostname = mail.example.org\ndefault-route = hold\n"
            "listener smtp {{\n address = \"127.0.0.1:0\"\n relay-from = \"127.0.0.1\"\n}}\n"
            "limits {{\n recipients = {recipients}\n}}\n")

    def test_a_new_limit_and_a_faulty_file(self):
        server = self.configure(self.TEXT.format(recipients=100))
        file = self.folder / "sallyport.conf"
        old = server.talk()
        old.hello()
        file.write_text(self.TEXT.format(recipients=200))
        os.kill(server.pid, signal.SIGHUP)
        server.wait_log("reloaded")
        old.mail()  # a session from before goes on
        file.write_text("nonsense\n")
        os.kill(server.pid, signal.SIGHUP)
        server.expect_log("reload-refused")

        def accepted():
            with server.talk() as c:
                c.hello()
                c.command("MAIL FROM:<a@example.org>", 250)
                for i in range(201):
                    c.send(f"RCPT TO:<r{i}@example.org>")
                return [c.reply().code for _ in range(201)].count(250)

        wait_for(lambda: accepted() == 200, "the new limit")
        old.quit()


class Many(ServerCase):
    def test_a_thousand_connections_at_once(self):
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 3000:
            self.skipTest(f"this process may open {hard} descriptors only")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
        server = self.serve()
        talks = []
        try:
            for _ in range(1000):
                talks.append(server.talk(greeting=None))
            for c in talks:
                c.expect(220)
                c.send("EHLO client.example")
            for c in talks:
                c.expect(250)
            talks[500].mail()
        finally:
            for c in talks:
                c.close()


if __name__ == "__main__":
    unittest.main()
