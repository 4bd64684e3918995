"""Sessions are recorded, kept within limits, and shown explained; and nothing of it stands in the way of mail."""
import base64
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import unittest

from harness import ServerCase, sallyport, wait_for

USER, WORD = "anna", "Sesame-1001"

CONFIGURATION = """
hostname = mx.example.org
default-route = hold
smtpd-processes = 1
listener smtp {{
    address = "127.0.0.1:0"
    relay-from = "127.0.0.1"
    auth = offered
    auth-in-clear = yes
}}
limits {{
    free-space = 1M
    auth-slow-down = no
    {limits}
}}
sessions {{
    {sessions}
}}
"""


def b64(text):
    return base64.b64encode(text.encode()).decode()


def talk_of(trace, side):
    return [line["text"] for line in trace["talk"] if line["from"] == side]


class SessionCase(ServerCase):
    def kept(self, *sessions, limits="", **options):
        return self.configure(CONFIGURATION.format(sessions="\n    ".join(sessions), limits=limits), **options)

    def fine(self, server):
        with server.talk() as c:
            c.hello()
            c.mail()
            c.quit()

    def fails(self, server, name="client.example"):
        """A session with a refusal; its trace."""
        with server.talk() as c:
            c.hello(name)
            c.command("MAIL FROM:<a@example.org> NONSENSE=1", 555)
            c.quit()
        return self.newest(server, hello=name)

    def newest(self, server, **fields):
        return server.trace(server.wait_log("session-ended", **fields)["session"])


class Look(SessionCase):
    def test_the_log_says_how_to_show_it(self):
        server = self.serve()
        self.fine(server)
        line = server.wait_log("session-ended")
        self.assertEqual(line["show"], f"sallyport session show {line['session']}")
        trace = server.trace(line["session"])
        self.assertEqual((trace["mails"], trace["refusals"], trace["failed"]), (1, 0, False))
        self.assertIn("C: MAIL FROM:<a@example.org>", server.run("session", "show", line["session"]).stdout)
        self.assertIn("message, 73 octets", talk_of(trace, "event"))
        self.assertEqual(trace["diagnosis"]["verdict"], "no failure")

    def test_list_filters_and_pages(self):
        server = self.serve("--user", f"{USER}:{WORD}")
        self.fine(server)
        with server.talk() as c:
            c.hello("second.example")
            c.login(USER, WORD)
            c.quit()
        with server.talk() as c:
            c.hello("third.example")
            c.command("AUTH PLAIN " + b64(f"\0{USER}\0wrong"), 535)
            c.quit()
        third = self.newest(server, hello="third.example")
        names = lambda *words: [s["hello"] for s in server.sessions(*words)]
        everybody = ["third.example", "second.example", "client.example"]
        self.assertEqual(names(), everybody)
        self.assertEqual(names("--failed"), ["third.example"])
        self.assertEqual(names("--user", USER), ["third.example", "second.example"])  # who tried to counts
        self.assertEqual(names("--client", "127.0.0.1", "--since", "1h"), everybody)
        self.assertEqual(names("--client", "192.0.2.1"), [])
        self.assertEqual(names("--since", "2999-01-01"), [])
        self.assertEqual(names("--most", "1"), ["third.example"])
        self.assertEqual(names("--before", third["id"]), everybody[1:])
        text = server.run("session", "list", "--most", "1").stdout
        self.assertIn(f"older ones: --before {third['id']}", text)
        self.assertIn("[auth-failed]", text)

    def test_without_a_server(self):
        server = self.serve()
        trace = self.fails(server)
        shown = server.run("session", "show", trace["id"]).stdout
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.run("session", "show", trace["id"]).stdout, shown)
        self.assertEqual([s["id"] for s in server.sessions()], [trace["id"]])
        again = self.serve()
        self.assertEqual([s["id"] for s in again.sessions()], [trace["id"]])

    def test_in_vietnamese(self):
        server = self.serve()
        trace = self.fails(server)
        shown = server.run("session", "show", trace["id"], "--lang", "vi").stdout
        self.assertIn("client", shown)
        again = json.loads(sallyport("diagnose", "-", "--json", "--lang", "vi", input=shown).stdout)
        self.assertEqual(again["id"], trace["diagnosis"]["id"])
        self.assertEqual(again["line"], trace["diagnosis"]["line"])

    def test_faults_of_the_command_line(self):
        server = self.serve()
        for words, code, said in ((["show", "s0000000000000"], 66, "no session"), (["show", "x"], 64, "not the id"),
                                  (["show"], 64, "needs the ID"), (["list", "--since", "yesterday"], 64, "is no time"),
                                  (["list", "--since", "2026-13-01"], 64, "is no time"), (["list", "--since", "2026-02-31"], 64, "is no time"),
                                  (["list", "--since", "2026-02-28T24:00:00Z"], 64, "is no time"), (["look"], 64, "neither"), ([], 64, "say what to do"),
                                  (["list", "--most", "x"], 64, "is no number"), (["show", "s1", "--failed"], 64, "is for list")):
            done = server.run("session", *words, check=False)
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.output)
            self.assertIn(said, done.stderr)
        done = sallyport("session", "list", "--data", str(self.folder / "nowhere"), check=False)
        self.assertEqual(done.returncode, 66)

    def test_the_folder_is_nobody_elses(self):
        server = self.serve()
        for path in (server.data / "console", server.data / "console" / "control", server.data / "console" / "sessions.db"):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


class Record(SessionCase):
    def test_tls_is_in_it(self):
        server = self.serve()
        with server.talk("submission") as c:
            c.hello()
            c.start_tls(server.client_tls())
            c.hello()
            c.quit()
        trace = self.newest(server)
        self.assertRegex(trace["tls"], r"^TLSv1\.3 TLS_\w+$")
        self.assertIn("TLS: " + trace["tls"], talk_of(trace, "event"))

    def test_a_handshake_that_fails(self):
        server = self.serve()
        with server.talk("submissions", tls=None, greeting=None) as c:
            c.raw(b"EHLO client.example\r\n")
            c.socket.recv(64)
        trace = self.newest(server)
        self.assertTrue(trace["failed"])
        self.assertIn("TLS", trace["refusal"])
        self.assertIn("closed: ", "\n".join(talk_of(trace, "event")))

    def test_no_line_that_may_be_a_password(self):
        server = self.serve("--user", f"{USER}:{WORD}")
        with server.talk() as c:
            c.hello()
            c.command(f"X-Key: {WORD}", 500)
            c.command(f"AUTH {WORD}-2", 504)
            c.command("AUTH LOGIN", 334)
            c.command(USER, 501)  # in clear
            c.command(WORD, 500)
            c.command(b64(WORD), 500)
            c.command(f"{WORD} with a blank", 500)
            c.raw(WORD.encode())  # and no line end
        trace = self.newest(server)
        said = talk_of(trace, "client")
        self.assertIn("X-Key: <12 octets>", said)
        self.assertIn("AUTH <no mechanism: 13 octets>", said)
        self.assertIn("<response: 4 characters, base64, 3 octets>", said)
        self.assertIn("<11 octets, no command>", said)
        self.assertIn("<16 octets, no command, base64>", said)
        self.assertIn("a line without its end, 11 octets", talk_of(trace, "event"))
        shown = server.run("session", "show", trace["id"]).stdout
        for form in (WORD, b64(WORD)):
            self.assertNotIn(form, shown)

    def test_scram_leaves_nothing_to_guess_from(self):
        server = self.serve("--user", f"{USER}:{WORD}")
        with server.talk() as c:
            c.hello()
            first = c.command("AUTH SCRAM-SHA-256 " + b64(f"n,,n={USER},r=abcdefgh"), 334).text
            c.command("*", 501)
            c.quit()
        trace = self.newest(server)
        self.assertTrue(any(re.fullmatch(r"334 <scram-server-first, i=4096, \d+ octets>", line)
                            for line in talk_of(trace, "server")), trace["talk"])
        salt = base64.b64decode(first).decode().split(",s=")[1].split(",")[0]
        self.assertNotIn(first, json.dumps(trace))
        self.assertNotIn(salt, json.dumps(trace))

    def test_octets_that_are_no_text(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            c.command(b"MAIL FROM:<\xff\x1b[31m\\@example.org>", 500)
            c.quit()
        trace = self.newest(server)
        self.assertIn("MAIL FROM:<\\xff\\x1b[31m\\\\@example.org>", talk_of(trace, "client"))
        self.assertNotIn("\x1b", server.run("session", "show", trace["id"]).stdout)

    def test_a_long_session_has_a_gap(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            for n in range(150):
                c.command(f"RCPT TO:<{n}@example.org>", 503) if n < 10 else c.mail(sender=f"n{n}@example.org")
            c.command("MAIL FROM:<last@example.org>", 250)
            c.quit()
        trace = self.newest(server)
        shown = [line["text"] for line in trace["talk"]]
        self.assertEqual(shown[0], "220 localhost ESMTP Sallyport")
        self.assertIn("MAIL FROM:<last@example.org>", shown)
        gap = [line for line in trace["talk"] if "lines are left out here" in line["text"]]
        self.assertEqual(len(gap), 1)
        self.assertLess(len(shown), 200)
        self.assertEqual(trace["mails"], 140)

    def test_a_message_in_chunks(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.raw(b"BDAT 5\r\nSubje")
            c.expect(250)
            c.raw(b"BDAT 18 LAST\r\nct: MAIL\r\n\r\nRCPT\r\n")
            c.expect(250)
            c.quit()
        trace = self.newest(server)
        self.assertEqual(talk_of(trace, "client")[-3:], ["BDAT 5", "BDAT 18 LAST", "QUIT"])
        self.assertEqual(talk_of(trace, "event")[:2], ["message, 5 octets", "message, 18 octets"])
        self.assertEqual(trace["diagnosis"]["verdict"], "no failure", trace)

    def test_a_long_line_is_cut(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            c.command("NOOP " + "x" * 500, 250)
            c.command("MAIL FROM:<a@example.org> X=" + "y" * 900, 555)
            c.quit()
        trace = self.newest(server)
        longest = max(talk_of(trace, "client"), key=len)
        self.assertRegex(longest, r"^MAIL FROM:<a@example.org> X=y+<... 928 octets>$")
        self.assertLess(len(longest), 560)


class Keep(SessionCase):
    def test_failed_is_the_default(self):
        server = self.kept("")
        self.fine(server)
        self.fails(server, "bad.example")
        with server.talk() as c:
            c.hello("left.example")
            c.command("AUTH LOGIN", 334)
        left = self.newest(server, hello="left.example")
        self.assertEqual(left["refusal"], "the client left in AUTH")
        self.assertEqual([s["hello"] for s in server.sessions()], ["left.example", "bad.example"])
        self.assertNotIn("show", server.logs("session-ended")[0])

    def test_none_and_a_reload(self):
        server = self.kept("keep = none")
        with server.talk() as c:
            c.hello()
            c.command("NONSENSE", 500)
            c.quit()
        server.wait_log("session-ended")
        self.assertEqual(server.sessions(), [])
        (self.folder / "sallyport.conf").write_text(CONFIGURATION.format(sessions="keep = all", limits=""))
        os.kill(server.pid, signal.SIGHUP)
        server.wait_log("reloaded")
        with server.talk() as c:
            c.hello("now.example")
            c.quit()
        self.newest(server, hello="now.example")

    def test_the_oldest_give_way(self):
        server = self.kept("keep = all", "most = 5")
        for n in range(12):
            with server.talk() as c:
                c.hello(f"n{n}.example")
                c.quit()
        self.newest(server, hello="n11.example")
        wait_for(lambda: len(server.sessions()) == 5, "the rest to be swept")
        self.assertEqual([s["hello"] for s in server.sessions()], [f"n{n}.example" for n in range(11, 6, -1)])

    def test_the_database_is_as_documented(self):
        server = self.serve("--user", f"{USER}:{WORD}")
        with server.talk() as c:
            c.hello()
            c.command("AUTH PLAIN " + b64(f"\0{USER}\0wrong"), 535)
            c.quit()
        self.newest(server)
        self.assertEqual(server.stop(), 0)
        db = sqlite3.connect(server.data / "console" / "sessions.db")
        self.addCleanup(db.close)
        self.assertEqual(db.execute("SELECT client, hello, failed, refusals FROM session").fetchall(),
                         [("127.0.0.1", "client.example", 1, 1)])
        self.assertEqual(db.execute("SELECT a.reason, a.user FROM attempt a JOIN session s ON a.session = s.id").fetchall(),
                         [("bad-password", USER)])


class Apart(SessionCase):
    """Whatever happens to the console, mail goes on."""

    def console(self, server):
        return wait_for(lambda: server.role_pids("console"), "the console")[0]

    def test_killed(self):
        server = self.serve()
        before = self.fails(server, "before.example")
        server.accept_log("traces-lost")
        with server.talk() as c:
            c.hello()
            os.kill(self.console(server), signal.SIGKILL)
            ids = [c.mail() for _ in range(20)]
            server.expect_log("role-died", name="console/0")
            c.quit()
        self.assertEqual(sorted(e["id"] for e in server.queue()), sorted(ids))
        wait_for(lambda: server.role_pids("console"), "the console to be started again")

        def kept_again():
            with server.talk() as c:
                c.hello("after.example")
                c.quit()
            return "after.example" in [s["hello"] for s in server.sessions()]
        wait_for(kept_again, "sessions to be kept again")
        self.assertEqual(server.trace(before["id"])["hello"], "before.example")

    def test_hung(self):
        server = self.serve()
        pid = self.console(server)
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(5):
                self.fine(server)
            self.assertEqual(len(server.queue()), 5)
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda: len(server.sessions()) == 5, "what had waited to be kept")

    def test_a_database_that_is_none(self):
        server = self.serve()
        self.assertEqual(server.stop(), 0)
        (server.data / "console" / "sessions.db").write_bytes(b"not a database" * 1000)
        for path in (server.data / "console").glob("sessions.db-*"):
            path.unlink()
        again = self.serve()
        again.expect_log("sessions-db")
        again.accept_log("sessions-not-kept")
        self.fine(again)
        self.assertEqual(len(again.queue()), 1)
        done = again.run("session", "list", check=False)
        self.assertEqual(done.returncode, 75, done.output)
        (again.data / "console" / "sessions.db").unlink()
        again.wait_log("sessions-db", effect="sessions are kept again")
        self.fine(again)
        wait_for(again.sessions, "sessions to be kept again")

    def test_damaged_and_no_server_whose_log_could_tell(self):
        server = self.serve()
        self.fine(server)
        wait_for(server.sessions, "a session to be kept")
        session = server.sessions()[0]["id"]
        self.assertEqual(server.stop(), 0)
        path = server.data / "console" / "sessions.db"
        db = sqlite3.connect(path)
        pages = [n for n, in db.execute("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'attempt'")]
        size, = db.execute("PRAGMA page_size").fetchone()
        db.close()
        with path.open("r+b") as file:
            for page in pages:
                file.seek((page - 1) * size)
                file.write(b"\xff" * size)
        done = server.run("session", "show", session, check=False)
        self.assertEqual(done.returncode, 74, done.output)
        self.assertIn("sessions.db cannot be read: database disk image is malformed", done.stderr)

    @unittest.skipUnless(os.getuid() == 0, "a disk of its own can only be mounted by root")
    def test_a_full_disk(self):
        folder = self.folder / "data" / "console"
        folder.mkdir(parents=True, mode=0o700)
        os.chmod(self.folder / "data", 0o700)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], capture_output=True).returncode:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=True)
        server = self.kept("keep = all", data="data")
        self.fine(server)
        wait_for(server.sessions, "the first session to be kept")
        (folder / "ballast").write_bytes(bytes(1 << 16))
        with open(folder / "ballast", "ab") as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
                    ballast.flush()
            except OSError:
                pass
        for _ in range(3):
            self.fine(server)
        server.expect_log("sessions-not-kept")
        self.assertEqual(len(server.queue()), 4)
        self.assertEqual(server.logs("role-died"), [])
        (folder / "ballast").unlink()
        self.fine(server)
        wait_for(lambda: len(server.sessions()) > 1, "sessions to be kept again")


if __name__ == "__main__":
    unittest.main()
