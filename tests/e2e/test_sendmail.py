"""sendmail, mailq and newaliases: mail of local programs, whether the server runs or not."""
import email
import email.policy
import os
import pathlib
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import unittest

from harness import SALLYPORT, ServerCase, program, run, wait_for

CRON = b"""From: root (Cron Daemon)
To: root
Subject: Cron <root@host> test -x /usr/sbin/anacron
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Auto-Submitted: auto-generated
X-Cron-Env: <SHELL=/bin/sh>

Gr\xc3\xbc\xc3\x9fe
.
the end
"""

CONFIGURATION = """hostname = "mail.example.org"
data = "{data}"
default-route = none
listener "smtp" {{ address = "127.0.0.1:0" }}
domain "mail.example.org" {{ route = hold }}
domain "example.org" {{
    route = hold
    mailboxes = {{ "anna", "root" }}
}}
limits {{ free-space = 1M }}
"""


class Sendmail(ServerCase):
    def setUp(self):
        super().setUp()
        self.programs = {}
        for name in ("sendmail", "mailq", "newaliases"):
            self.programs[name] = self.folder / name
            self.programs[name].symlink_to(SALLYPORT)

    @property
    def data(self):
        return self.folder / "data"

    def call(self, name, *arguments, input=b"", code=0, env=None, user=None, cwd=None):
        environment = dict(os.environ, SALLYPORT_DATA=str(self.data), **(env or {}))
        command = [str(self.programs[name]), *arguments]
        if user:
            command = [program("setpriv"), f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]
        done = run(command, input=input, env=environment, cwd=cwd or self.folder)
        self.assertEqual(done.returncode, code, done.output)
        return done

    def sendmail(self, *arguments, **options):
        return self.call("sendmail", *arguments, **options)

    def configured(self, text=CONFIGURATION, **options):
        path = self.folder / "sallyport.conf"
        path.write_text(text.format(data=self.data))
        return self.serve("-c", str(path), sandbox=False, **options)

    def arrived(self, server, n):
        """The n messages that are in the queue, oldest first."""
        return wait_for(lambda: len(server.queue()) >= n and server.queue(), f"{n} messages in the queue")

    def recipients(self, entry):
        return [r["address"] for r in entry["recipients"]]

    def message(self, server, entry):
        return email.message_from_bytes(server.content(entry["id"]), policy=email.policy.default)


class Submission(Sendmail):
    def test_cron(self):
        server = self.configured()
        config = {"SALLYPORT_CONFIG": str(self.folder / "sallyport.conf")}
        self.sendmail("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root", input=CRON, env=config)
        entry = self.arrived(server, 1)[0]
        self.assertEqual(self.recipients(entry), ["root@mail.example.org"])
        shown = server.run("queue", "show", entry["id"]).stdout
        self.assertRegex(shown, rf"(?m)^user +{pwd.getpwuid(os.getuid()).pw_name}$")
        self.assertRegex(shown, r"(?m)^client +local$")
        octets = server.content(entry["id"])
        self.assertIn(b"From: root@mail.example.org (Cron Daemon)\r\nTo: root@mail.example.org\r\n", octets)
        self.assertTrue(octets.endswith(b"Gr\xc3\xbc\xc3\x9fe\r\n.\r\nthe end\r\n"))
        message = self.message(server, entry)
        self.assertTrue(message["Date"] and message["Message-ID"])
        self.assertRegex(message["Received"], r"by mail\.example\.org \(Sallyport, from the local user \S+\)")

    def test_recipients_of_the_header(self):
        server = self.serve()
        self.sendmail("-t", "-i", "-f", "me@example.org", "more@example.org", input=(
            b"To: Anna <anna@example.org>, \"Berta, B.\" <berta@example.org>\n"
            b"Cc: group: carl@example.org,\n (a comment, with a comma) dora@example.org;\n"
            b"Bcc: secret@example.org, anna@example.org\nSubject: hi\n\nHello.\n"))
        entry = self.arrived(server, 1)[0]
        self.assertEqual(self.recipients(entry), [f"{n}@example.org" for n in
                                                  ("more", "anna", "berta", "carl", "dora", "secret")])
        self.assertEqual(entry["sender"], "me@example.org")
        self.assertNotIn(b"secret", server.content(entry["id"]))

    def test_forms_of_mutt_and_php(self):
        server = self.serve()
        self.sendmail("-oem", "-oi", "-f", "a@b.example", "--", "c@d.example", input=b"Subject: mutt\n\nx\n")
        self.sendmail("-t", "-i", input=b"To: e@f.example\r\nSubject: PHP\r\n\r\nx\r\n")
        self.sendmail("-t", "-i", "-fbounce@b.example", input=b"To: g@h.example\r\nSubject: PHP\r\n\r\nx\r\n")
        self.sendmail("-G", "-U", "-odb", "-oee", "-q15m", "-m", "-n", "-f", "<>", "i@j.example", input=b"Subject: o\n\nx\n")
        entries = self.arrived(server, 4)
        self.assertEqual([self.recipients(e) for e in entries],
                         [["c@d.example"], ["e@f.example"], ["g@h.example"], ["i@j.example"]])
        self.assertEqual([e["sender"] for e in entries][0::2], ["a@b.example", "bounce@b.example"])
        self.assertEqual(entries[3]["sender"], "")
        self.assertEqual(self.sendmail("-q").output, "")

    def test_a_dot_ends_the_message_without_i(self):
        server = self.serve()
        self.sendmail("a@b.example", input=b"Subject: dot\n\nbefore\n.\nafter\n")
        entry = self.arrived(server, 1)[0]
        self.assertTrue(server.content(entry["id"]).endswith(b"\r\n\r\nbefore\r\n"))

    def test_text_without_a_header(self):
        server = self.serve()
        self.sendmail("a@b.example", input=b"just text\nin two lines")
        entry = self.arrived(server, 1)[0]
        message = self.message(server, entry)
        self.assertEqual(message.get_content().split(), "just text in two lines".split())
        self.assertTrue(message["From"])

    def test_reports_are_asked_for(self):
        server = self.serve()
        self.sendmail("-N", "success,failure", "-R", "hdrs", "-V", "job 1+2", "a@b.example", input=b"Subject: dsn\n\nx\n")
        entry = self.arrived(server, 1)[0]
        shown = server.run("queue", "show", entry["id"]).stdout
        self.assertIn("SUCCESS,FAILURE", shown)
        self.assertIn("job 1+2", shown)

    def test_smtp_on_standard_input(self):
        server = self.serve()
        done = self.sendmail("-bs", input=b"EHLO me\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<nobody>\r\n"
                             b"RCPT TO:<c@d.example> NOTIFY=NEVER\r\nDATA\r\nSubject: bs\r\n\r\n..dot\r\n.\r\n"
                             b"MAIL FROM:<>\r\nRCPT TO:<e@f.example>\r\nDATA\r\nSubject: 2\r\n\r\nx\r\n.\r\nQUIT\r\n")
        codes = [line[:3] for line in done.stdout.splitlines() if line[3:4] == " "]
        self.assertEqual(codes, ["220", "250", "250", "501", "250", "354", "250", "250", "250", "354", "250", "221"])
        first, second = self.arrived(server, 2)
        self.assertEqual((self.recipients(first), first["sender"]), (["c@d.example"], "a@b.example"))
        self.assertTrue(server.content(first["id"]).endswith(b"\r\n\r\n.dot\r\n"))
        self.assertEqual((self.recipients(second), second["sender"]), (["e@f.example"], ""))

    def test_a_large_message(self):
        server = self.serve()
        body = b"0123456789abcdef" * 4 + b"\n"
        self.sendmail("-i", "a@b.example", input=b"Subject: large\n\n" + body * 20000)
        entry = self.arrived(server, 1)[0]
        self.assertEqual(server.content(entry["id"]).split(b"\r\n\r\n", 1)[1], body.replace(b"\n", b"\r\n") * 20000)

    def test_who_cannot_be_reached_comes_back(self):
        server = self.configured()
        self.sendmail("-f", "anna@example.org", "nobody@example.org", "x@elsewhere.example", "root@example.org",
                      input=b"Subject: to nobody\n\nx\n")
        entries = {e["sender"]: e for e in self.arrived(server, 2)}
        self.assertEqual(self.recipients(entries["anna@example.org"]), ["root@example.org"])
        report = self.message(server, entries[""])
        self.assertEqual(self.recipients(entries[""]), ["anna@example.org"])
        status = [part for part in report.walk() if part.get_content_type() == "message/delivery-status"][0]
        failed = [dict(block.items()) for block in status.get_payload()[1:]]
        self.assertEqual({(f["Final-Recipient"].split(";")[1].strip(), f["Status"]) for f in failed},
                         {("nobody@example.org", "5.1.1"), ("x@elsewhere.example", "5.4.4")})

    def test_git_send_email(self):
        git = program("git")
        if run([git, "send-email", "-h"]).returncode not in (0, 129) or "not a git command" in run([git, "send-email", "-h"]).output:
            raise unittest.SkipTest("git send-email is not installed")
        server = self.serve()
        patch = self.folder / "0001-fix.patch"
        patch.write_text("From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Anna <anna@example.org>\n"
                         "Date: Tue, 24 Nov 2026 12:00:00 +0000\nSubject: [PATCH] fix it\n\nIt was broken.\n---\n a | 1 +\n")
        env = dict(os.environ, SALLYPORT_DATA=str(self.data), HOME=str(self.folder), GIT_CONFIG_NOSYSTEM="1")
        run([git, "send-email", f"--sendmail-cmd={self.programs['sendmail']}", "--from=anna@example.org",
             "--to=list@example.org", "--confirm=never", "--quiet", str(patch)], env=env, check=True, cwd=self.folder)
        self.assertIn("list@example.org", self.recipients(self.arrived(server, 1)[0]))


class Down(Sendmail):
    def test_the_server_finds_what_came_while_it_was_down(self):
        server = self.serve()
        self.assertEqual(server.stop(), 0)
        for n in range(3):
            self.sendmail(f"r{n}@example.org", input=b"Subject: later\n\nx\n")
        self.assertIn("3 in the maildrop", self.call("mailq").stdout)
        again = self.serve()
        entries = self.arrived(again, 3)
        self.assertEqual({self.recipients(e)[0] for e in entries}, {f"r{n}@example.org" for n in range(3)})
        self.assertEqual(list((self.data / "maildrop").iterdir()), [])

    def test_pickup_is_killed_again_and_again(self):
        server = self.serve()
        server.accept_log("role-died", name="pickup/0")
        n = 60
        for i in range(n):
            self.sendmail("-i", f"r{i}@example.org", input=b"Subject: %d\n\n" % i + b"x" * 60 * (i % 7) ** 4)
            if i % 4 == 3:
                for pid in server.role_pids("pickup"):
                    os.kill(pid, signal.SIGKILL)
        entries = self.arrived(server, n)
        wait_for(lambda: not list((self.data / "maildrop").iterdir()), "an empty maildrop")
        wait_for(lambda: not list((self.data / "pickup").iterdir()), "an empty folder of pickup")
        entries = server.queue()
        self.assertEqual(sorted(self.recipients(e)[0] for e in entries), sorted(f"r{i}@example.org" for i in range(n)))

    def test_the_queue_is_killed(self):
        server = self.serve()
        server.accept_log("role-died", name="queue/0")
        for i in range(20):
            self.sendmail(f"r{i}@example.org", input=b"Subject: q\n\nx\n")
            if i % 5 == 4:
                for pid in server.role_pids("queue"):
                    os.kill(pid, signal.SIGKILL)
        self.arrived(server, 20)
        wait_for(lambda: not list((self.data / "pickup").iterdir()), "an empty folder of pickup")
        self.assertEqual(len(server.queue()), 20)


class Refusals(Sendmail):
    def test_command_lines(self):
        self.data.mkdir()
        for arguments, code, word in (
                (["-bd"], 64, "sallyport serve"), (["-bz"], 64, "-bz"), (["-Z", "a@b"], 64, "-Z"), ([], 64, "recipients"),
                (["-f"], 64, "-f"), (["-N", "sometimes", "a@b.example"], 64, "sometimes"),
                (["a b"], 65, "a b"), (["-f", "x y", "a@b.example"], 65, "x y")):
            with self.subTest(arguments=arguments):
                self.assertIn(word, self.sendmail(*arguments, code=code).stderr)
        self.assertIn("To, Cc and Bcc", self.sendmail("-t", input=b"Subject: nobody\n\nx\n", code=64).stderr)

    def test_no_maildrop(self):
        self.data.mkdir()
        self.assertIn("sallyport serve", self.sendmail("a@b.example", input=b"x", code=69).stderr)

    def test_too_large(self):
        self.configured(CONFIGURATION.replace("free-space = 1M", "message-size = 64K"))
        done = self.sendmail("-C", str(self.folder / "sallyport.conf"), "root", input=b"x" * 70000, code=65)
        self.assertIn("larger", done.stderr)

    def test_a_full_disk(self):
        server = self.configured()
        (self.folder / "full.conf").write_text(CONFIGURATION.format(data=self.data).replace("1M", "1000G"))
        done = self.sendmail("-C", str(self.folder / "full.conf"), "root", input=b"x", code=75)
        self.assertIn("free-space", done.stderr)
        self.assertEqual(server.queue(), [])

    def test_no_folder_is_known(self):
        env = dict(os.environ)
        for name in ("SALLYPORT_DATA", "SALLYPORT_CONFIG"):
            env.pop(name, None)
        if pathlib.Path("/etc/sallyport/sallyport.conf").exists():
            self.skipTest("this machine has a configuration of its own")
        done = run([str(self.programs["sendmail"]), "a@b.example"], input=b"x", env=env, cwd=self.folder)
        self.assertEqual(done.returncode, 78)
        self.assertIn("SALLYPORT_DATA", done.stderr)


class Hostile(Sendmail):
    def test_what_is_no_mail_harms_nobody(self):
        server = self.configured()
        server.accept_log("maildrop-removed")
        server.accept_log("maildrop-refused")
        drop, other = self.data / "maildrop", self.folder / "other"
        other.write_bytes(b"EHLO x\r\n")
        (drop / "link").symlink_to(other)
        os.mkfifo(drop / "pipe")
        os.link(other, drop / "hard")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(os.path.relpath(drop / "socket"))
        (drop / "folder").mkdir()
        full = self.folder / "full"
        full.mkdir()
        (full / "file").write_bytes(b"x")
        full.rename(drop / "full")  # all at once: an empty folder is removed
        good = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<root@example.org>\r\nDATA\r\n"
        for name, octets in (("empty", b""), ("noise", bytes(range(256)) * 300), ("half", good + b"Subject: x\r\n\r\nhalf"),
                             ("bare", good + b"Subject: x\n\r\nbare\n.\r\nQUIT\r\n"),
                             ("two", good + b"x\r\n.\r\n" + good[8:] + b"x\r\n.\r\nQUIT\r\n"),
                             ("unfinished.tmp", good), ("long", b"MAIL FROM:<" + b"x" * 2000000)):
            new = drop / f"{name.removesuffix('.tmp')}.tmp"
            new.write_bytes(octets)
            os.chmod(new, 0o640)
            new.rename(drop / name)
        self.sendmail("-f", "anna@example.org", "root@example.org", input=b"Subject: good\n\nx\n")
        wait_for(lambda: sorted(p.name for p in drop.iterdir()) == ["full", "unfinished.tmp"], "all to be looked at")
        entry = self.arrived(server, 1)
        self.assertEqual([e["sender"] for e in entry], ["anna@example.org"])
        self.assertEqual(other.read_bytes(), b"EHLO x\r\n")
        self.assertEqual(len(list((self.data / "pickup").glob("*.refused"))), 6)
        self.assertIn(f"6 refused files of the maildrop in {self.data}/pickup", self.call("mailq").stdout)
        self.assertEqual(len(server.role_pids("pickup")), 1)


    def test_names_of_all_kinds_and_files_that_grow(self):
        server = self.configured()
        server.accept_log("maildrop-refused")
        drop = self.data / "maildrop"
        session = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<root@example.org>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n"
        names = ["-rf", "a b", "new\nline", "\x1b[2J", "x" * 250, "é", "\"quoted\"", "0say8cc2m2000", "..a"]
        for number, name in enumerate(names):
            new = drop / f"{number}.tmp"
            new.write_bytes(session)
            os.chmod(new, 0o640)
            new.rename(drop / name)
        self.arrived(server, len(names))
        self.assertEqual(list(drop.iterdir()), [])
        # Its owner goes on writing while it is claimed and read: it is mail, or none, and the next is taken.
        with open(drop / "growing.tmp", "ab") as f:
            f.write(session[:-6])
            f.flush()
            os.chmod(drop / "growing.tmp", 0o640)
            (drop / "growing.tmp").rename(drop / "growing")
            f.write(b"NOOP\r\n" * 100000)
        wait_for(lambda: list(drop.iterdir()) == [], "it to be claimed")
        self.sendmail("-f", "anna@example.org", "root@example.org", input=b"Subject: good\n\nx\n")
        wait_for(lambda: "anna@example.org" in [e["sender"] for e in server.queue()], "the next")


@unittest.skipUnless(os.getuid() == 0, "only root can be somebody else")
class OtherUsers(Sendmail):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.somebody = pwd.getpwnam("games")
        try:
            run([program("setpriv"), f"--reuid={self.somebody.pw_uid}", "--clear-groups", SALLYPORT, "version"], check=True)
        except (AssertionError, PermissionError):
            raise unittest.SkipTest("other users cannot run the program where it lies") from None

    def test_an_ordinary_user_submits_and_sees_nothing(self):
        server = self.configured()
        self.assertEqual(stat.S_IMODE((self.data / "maildrop").stat().st_mode), 0o3733)
        self.sendmail("-C", str(self.folder / "sallyport.conf"), "root@example.org", input=b"Subject: mine\n\nx\n",
                      user=self.somebody)
        entry = self.arrived(server, 1)[0]
        self.assertEqual(entry["sender"], "games@mail.example.org")
        self.assertRegex(server.run("queue", "show", entry["id"]).stdout, r"(?m)^user +games$")
        self.assertEqual(server.stop(), 0)
        self.sendmail("root@example.org", input=b"Subject: of root\n\nsecret\n")
        waiting = next((self.data / "maildrop").iterdir())
        self.assertEqual(stat.S_IMODE(waiting.stat().st_mode), 0o640)
        as_somebody = [program("setpriv"), f"--reuid={self.somebody.pw_uid}", f"--regid={self.somebody.pw_gid}", "--clear-groups"]
        self.assertNotEqual(run([*as_somebody, "ls", str(self.data / "maildrop")]).returncode, 0)
        self.assertNotEqual(run([*as_somebody, "cat", str(waiting)]).returncode, 0)
        self.assertNotEqual(run([*as_somebody, "rm", "-f", str(waiting)]).returncode, 0)
        self.assertNotEqual(run([*as_somebody, "mv", str(waiting), str(waiting) + "x"]).returncode, 0)
        self.call("mailq", code=77, user=self.somebody)
        self.call("newaliases", code=77, user=self.somebody)

    def drop(self, name, user, folder=None):
        """A session of a user in a file, as if the user had put it there."""
        drop = self.data / "maildrop"
        new = (folder or drop) / f"{name}.tmp"
        new.write_bytes(b"EHLO x\r\nMAIL FROM:<%s@b.example>\r\nRCPT TO:<root@example.org>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n" % name.encode())
        os.chown(new, user, -1)
        os.chmod(new, 0o644)
        new.rename(drop / name)

    def test_who_has_handed_in_enough_waits(self):
        server = self.configured(CONFIGURATION.replace("free-space = 1M", "\n    free-space = 1M\n    maildrop-messages = 2\n"))
        for i in range(4):
            self.drop(f"games{i}", self.somebody.pw_uid)
        server.expect_log("maildrop-limited", uid=str(self.somebody.pw_uid), messages="2")
        for i in range(3):
            self.drop(f"root{i}", 0)
        senders = [e["sender"].rstrip("0123456789@b.example") for e in self.arrived(server, 5)]
        self.assertEqual(len(server.queue()), 5)
        self.assertEqual(sorted(s[:4] for s in senders), ["game"] * 2 + ["root"] * 3)
        self.assertEqual(len(list((self.data / "maildrop").iterdir())), 2)
        self.assertIn("2 in the maildrop, not yet picked up", self.call("mailq").stdout)
        self.assertEqual(len(server.logs("maildrop-limited")), 1)

    def test_much_that_waits_is_in_nobodys_way(self):
        server = self.configured(CONFIGURATION.replace("free-space = 1M", "\n    free-space = 1M\n    maildrop-messages = 1\n"))
        server.accept_log("maildrop-limited")
        for i in range(3000):  # more than are looked at in one turn
            self.drop(f"games{i}", self.somebody.pw_uid)
        for i in range(5):
            self.drop(f"root{i}", 0)
            self.arrived(server, 2 + i)
        self.assertEqual(len(list((self.data / "maildrop").iterdir())), 2999)

    def test_a_file_that_somebody_else_wrote_is_nobodys_mail(self):
        server = self.configured()
        self.drop("moved", self.somebody.pw_uid, folder=self.folder)
        line = server.expect_log("maildrop-refused")
        self.assertIn("made elsewhere", line["why"])
        self.assertEqual(server.queue(), [])

    def test_a_maildrop_of_ones_own(self):
        self.serve()
        done = self.sendmail("a@b.example", input=b"x", code=77, user=self.somebody)
        self.assertIn("maildrop = all", done.stderr)


class Lists(Sendmail):
    def test_mailq(self):
        server = self.serve()
        self.assertEqual(self.call("mailq").stdout, "Mail queue is empty\n")
        self.sendmail("-f", "a@b.example", "c@d.example", input=b"Subject: listed\n\nx\n")
        entry = self.arrived(server, 1)[0]
        for shown in (self.call("mailq"), self.sendmail("-bp")):
            self.assertIn(entry["id"], shown.stdout)
            self.assertIn("<c@d.example>", shown.stdout)

    def test_newaliases(self):
        aliases = self.folder / "aliases"
        aliases.write_text("team: root\n")
        text = CONFIGURATION.replace("    route = hold\n", f'    route = hold\n    aliases = "{aliases}"\n')
        server = self.configured(text)
        aliases.write_text("team: root, anna\n")
        self.assertIn(str(server.pid), self.call("newaliases").stdout)
        server.wait_log("reloaded")
        self.sendmail("-f", "anna@example.org", "team@example.org", input=b"Subject: aliases\n\nx\n")
        self.assertEqual(self.recipients(self.arrived(server, 1)[0]), ["root@example.org", "anna@example.org"])
        self.assertEqual(server.stop(), 0)
        self.assertIn("no server is running", self.call("newaliases").stdout)


if __name__ == "__main__":
    unittest.main()
