"""Addresses of our own domains: aliases, details, catch-alls, from a file and from SQLite, and what a reload makes of them."""
import contextlib
import os
import signal
import sqlite3

from fake_server import FakeServer
from harness import ServerCase, sallyport, wait_for

CONFIG = """
    hostname = "mx.example.org"
    default-route = "out"
    listener "l" {{
        address = "127.0.0.1:0"
        tls = off
    }}
    route "boxes" {{
        kind = maildir
        path = "{folder}/mail/%d/%l"
    }}
    route "out" {{
        kind = relay
        host = "127.0.0.1"
        port = {port}
        tls = off
    }}
    domain "example.org" {{
        route = "boxes"
        aliases = "{aliases}"
        mailboxes = {{ann, bob}}
        catch-all = "bob"
    }}
"""


class Expanded(ServerCase):
    """EXPN, by policy (RFC 5321 3.5.2, 7.3)."""

    def test_who_is_told_what(self):
        (self.folder / "aliases").write_text("staff: ann, bob, carl@far.example\nabroad: ann, büro@far.example\n")
        server = self.configure("""
            hostname = "mx.example.org"
            data = data
            default-route = hold
            domain example.org {
                route = hold
                aliases = "%s"
                mailboxes = { ann, bob }
            }
            domain all.example {
                route = hold
            }
            listener open {
                address = "127.0.0.1:0"
                auth = offered
                auth-in-clear = yes
                verify = yes
            }
            listener silent {
                address = "127.0.0.1:0"
                auth = offered
                auth-in-clear = yes
            }
        """ % (self.folder / "aliases"), "--user", "demo:pencil-and-paper")
        with server.talk("open") as c:
            c.hello()
            c.command("EXPN staff@example.org", 502, "[expn-off]")
            c.login("demo", "pencil-and-paper")
            reply = c.command("EXPN <staff@Example.org>", 250)
            self.assertEqual(reply.lines, ["2.1.5 <ann@example.org>", "2.1.5 <bob@example.org>", "2.1.5 <carl@far.example>"])
            c.command("EXPN staff", 252)
            c.command("EXPN ann@example.org", 250, "<ann@example.org>")
            c.command("EXPN nobody@example.org", 550, "[unknown-recipient]")
            c.command("EXPN x@far.example", 252)
            c.command("EXPN abroad@example.org", 252)  # a reply cannot name the other (RFC 6531 3.7.4.2)
            c.command("VRFY <jurgen@all.example>", 250, "jurgen@all.example")
            c.command("VRFY <jürgen@all.example>", 252)
            c.command("VRFY <jurgen@all.example> SMTPUTF8", 250, "jurgen@all.example")
            c.command("VRFY jürgen@all.example SMTPUTF8", 252)
            c.command("EXPN ann@example.org smtputf8", 250, "<ann@example.org>")
            c.command("EXPN SMTPUTF8", 252)
            c.command("NOOP", 250)
        with server.talk("silent") as c:
            c.hello()
            c.login("demo", "pencil-and-paper")
            c.command("EXPN staff", 502, "[expn-off]")


class Addresses(ServerCase):
    def start(self, aliases, name="aliases"):
        self.out = FakeServer()
        self.addCleanup(self.out.stop)
        self.aliases = self.folder / name
        if isinstance(aliases, str):
            self.aliases.write_text(aliases)
        self.folder.chmod(0o755)
        (self.folder / "mail").mkdir()
        (self.folder / "mail").chmod(0o777)
        return self.configure(CONFIG.format(folder=self.folder, port=self.out.port, aliases=self.aliases))

    def boxes(self):
        return sorted(p.parent.parent.name for p in (self.folder / "mail").rglob("new/*"))

    def send(self, server, *recipients, expect=250):
        with server.talk("l") as c:
            c.hello()
            c.command("MAIL FROM:<writer@far.example>", 250)
            for r in recipients:
                c.command(f"RCPT TO:<{r}>", expect)
            if expect == 250:
                c.command("DATA", 354)
                c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
                c.expect(250)

    def test_an_alias_reaches_all_that_it_stands_for_once(self):
        server = self.start("sales: ann, bob, far@elsewhere.example\nall: sales, ann\n")
        self.send(server, "all@example.org", "ann@example.org", "Sales+x@example.org")
        self.assertEqual(self.out.wait(1)[0].recipients, ["far@elsewhere.example"])
        wait_for(lambda: self.boxes() == ["ann", "bob"], "both mailboxes")
        wait_for(lambda: server.queue() == [], "the queue to be empty")
        self.assertEqual(self.boxes(), ["ann", "bob"])
        self.assertEqual(len(self.out.mails), 1)

    def test_details_and_the_catch_all(self):
        server = self.start("# nothing\n")
        self.send(server, "ann+news@example.org")
        wait_for(lambda: self.boxes() == ["ann"], "ann")
        self.send(server, "whoever@example.org")
        wait_for(lambda: self.boxes() == ["ann", "bob"], "bob")

    def test_a_circle_is_not_the_senders_fault(self):
        server = self.start("a: b\nb: a\n")
        with server.talk("l") as c:
            c.hello()
            c.command("MAIL FROM:<writer@far.example>", 250)
            c.command("RCPT TO:<a@example.org>", 451, "[alias-tangle]")
        wait_for(lambda: "alias-tangle" in [line.get("reason") for line in server.logs()], "the line in the log")

    def test_a_report_reaches_all_that_its_sender_stands_for(self):
        server = self.start("sales: ann, bob\nlost: bob\nabroad: somebody@far.example\n")
        self.out.rcpt = lambda address: "550 5.1.1 nobody"
        with server.talk("l") as c:
            c.hello()
            c.command("MAIL FROM:<sales@example.org>", 250)
            c.command("RCPT TO:<abroad@example.org>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        wait_for(lambda: self.boxes() == ["ann", "bob"] and server.queue() == [], "a report in both mailboxes")

    def test_redirecting_to_an_alias(self):
        server = self.start("sales: ann, bob\nlost: bob\nabroad: somebody@far.example\n")
        self.out.rcpt = lambda address: "450 4.2.1 later"
        with server.talk("l") as c:
            c.hello()
            c.command("MAIL FROM:<writer@example.org>", 250)
            c.command("RCPT TO:<abroad@example.org>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        mail = wait_for(lambda: [m for m in server.queue() if m["recipients"][0]["state"] == "deferred"], "an attempt")[0]
        several = server.run("queue", "redirect", mail["id"], "sales@example.org", check=False)
        self.assertEqual((several.returncode, "stands for several" in several.stderr), (os.EX_USAGE, True))
        server.run("queue", "redirect", mail["id"], "lost@example.org")
        wait_for(lambda: self.boxes() == ["bob"] and server.queue() == [], "the message at bob's")

    def test_aliases_of_thousands(self):
        """All that one message may have; the one that does not fit is for another message, and nothing of it stays."""
        domain = ".".join(["a" * 60] * 3) + ".example"
        lists = {f"list{n}": [f"{n}-{i:05}@{domain}" for i in range(7000)] for n in range(2)}
        server = self.start("".join(f"{name}: {', '.join(of)}\n" for name, of in lists.items()))
        with server.talk("l") as c:
            c.hello()
            c.command("MAIL FROM:<writer@far.example>", 250)
            for _ in range(3):
                c.command("RCPT TO:<list0@example.org>", 250)
            c.command("RCPT TO:<list1@example.org>", 452, "[too-many-targets]")
            c.command("RCPT TO:<ann@example.org>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        self.assertEqual(server.wait_log("mail-accepted")["rcpts"], str(7001))

    def test_sqlite_and_a_reload(self):
        path = self.folder / "aliases.db"

        def fill(*rows):
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                db.execute("CREATE TABLE IF NOT EXISTS alias (name TEXT, target TEXT)")
                db.execute("DELETE FROM alias")
                db.executemany("INSERT INTO alias VALUES (?, ?)", rows)
        fill(("team", "ann"), ("team", "bob"))
        server = self.start(None, "aliases.db")
        self.send(server, "team@example.org")
        wait_for(lambda: self.boxes() == ["ann", "bob"], "both mailboxes")
        fill(("team", "ann"))
        server.process.send_signal(signal.SIGHUP)
        server.wait_log("reloaded")
        self.send(server, "team@example.org")
        wait_for(lambda: self.boxes() == ["ann", "ann", "bob"], "ann alone")
        # A faulty file changes nothing.
        fill(("team", "|/bin/sh"))
        server.process.send_signal(signal.SIGHUP)
        server.expect_log("reload-refused")
        self.send(server, "team@example.org")
        wait_for(lambda: self.boxes() == ["ann", "ann", "ann", "bob"], "ann again")

    def test_a_row_of_a_database_speaks_of_itself_alone(self):
        path, config = self.folder / "aliases.db", self.folder / "c.conf"
        config.write_text(CONFIG.format(folder=self.folder, port=25, aliases=path))
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE alias (name TEXT, target TEXT)")

        def check(*rows):
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                db.execute("DELETE FROM alias")
                db.executemany("INSERT INTO alias VALUES (?, ?)", rows)
            return sallyport("check", "-c", str(config), check=False)
        for name, target in (("team", "ann\nbob: thief@far.example"), ("team\nbob", "ann"), ("team: thief@far.example #", "ann"),
                             ('"x": thief@far.example, "', "ann"), ("team", "ann # no"), ("team", "ann, bob"), ("team", "ann\0bob"),
                             ("team", None), (None, "ann"), ("team", "")):
            done = check((name, target))
            self.assertEqual(done.returncode, os.EX_CONFIG, (name, target, done.output))
            self.assertIn("a row holds one name and one target", done.stderr)
        done = check(("Team", "ann"), ("team", '"a, # b"@far.example'), ("zz", "bob"), ('"x: y"', "bob"), ("TEAM", "bob"))
        self.assertEqual(done.returncode, 0, done.output)

    def test_a_faulty_file_is_refused_with_its_lines(self):
        (self.folder / "aliases").write_text("sales ann\na: |/bin/sh\n")
        config = self.folder / "c.conf"
        config.write_text(CONFIG.format(folder=self.folder, port=25, aliases=self.folder / "aliases"))
        for words in (("check", "-c", str(config)), ("serve", "-c", str(config), "--data", str(self.folder / "d"))):
            done = sallyport(*words, check=False)
            self.assertEqual(done.returncode, os.EX_CONFIG, done.output)
            self.assertIn("aliases:1: sales ann: there is no colon behind the name", done.stderr)
            self.assertIn("aliases:2: |/bin/sh is a program", done.stderr)

    def test_a_report_reaches_an_alias(self):
        server = self.start("sales: ann\n")
        self.out.rcpt = lambda address: "550 5.1.1 nobody"
        server.stop()
        server = self.configure(CONFIG.format(folder=self.folder, port=self.out.port, aliases=self.aliases).replace(
            "tls = off\n    }\n    route \"boxes\"", "tls = off\n        relay-from = {\"127.0.0.0/8\"}\n    }\n    route \"boxes\""))
        with server.talk("l") as c:
            c.hello()
            c.mail(sender="sales@example.org", recipients=("x@elsewhere.example",))
        wait_for(lambda: self.boxes() == ["ann"], "the report in ann's mailbox")
