"""`sallyport queue` with a server and without one; retries and bounces on a real way out."""
import contextlib
import email
import email.policy
import json
import os
import pwd
import re
import shutil
import sqlite3
import subprocess
import unittest

from fake_server import FakeServer
from harness import ONE_MESSAGE, ROOT, SALLYPORT, ServerCase, sallyport, wait_for

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NASTY = b"Subject: nasty\r\n\r\n\x1b[2J\x01 caf\xe9 \xc3\xa9\r\n..two dots\r\n.\x07\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"".join(b"line %06d of a large message\r\n" % i for i in range(10000))


def as_dict(mails):
    return {m["id"]: m for m in mails}


class Queue(ServerCase):
    def fake(self, **options):
        server = FakeServer(**options)
        self.addCleanup(server.stop)
        return server

    def command(self, server, *words, code=0):
        done = server.run("queue", *words, check=False)
        self.assertEqual(done.returncode, code, f"{words}: {done.output}")
        return done


class Held(Queue):
    """What a sandbox keeps, seen through the tool; each step with the server, and again without it."""

    def fill(self):
        server = self.serve()
        self.assertEqual(server.run("queue", "list", "--json").stdout, "[]\n")
        self.assertEqual(server.run("queue", "list").stdout, "the queue is empty\n")
        with server.talk() as c:
            c.hello()
            self.ids = [c.mail(), c.mail(NASTY, sender="", recipients=("b@example.org", '"q\\" x"@example.org')),
                        c.mail(LARGE, sender="big@example.org")]
            c.quit()
        return server

    def check(self, server, ids):
        text = server.run("queue", "list", "--json").stdout
        mails = json.loads(text)
        self.assertEqual([m["id"] for m in mails], ids)  # oldest first
        for m in mails:
            self.assertEqual(set(m), {"id", "state", "sender", "stranger", "recipients", "size", "received"})
            self.assertEqual(m["state"], "held")
            self.assertRegex(m["received"], TIME)
            for r in m["recipients"]:
                self.assertEqual(set(r), {"address", "state", "unreturned", "attempts", "next_attempt", "last_reply"})
                self.assertEqual((r["state"], r["attempts"], r["next_attempt"]), ("held", 0, None))
        by_id = as_dict(mails)
        sent = dict(zip(self.ids, (ONE_MESSAGE, NASTY, LARGE)))
        for i in ids:
            content = server.content(i)
            self.assertTrue(content.endswith(sent[i]), "content differs")
            self.assertRegex(content[:-len(sent[i])].decode(), r"(?s)\AReceived: from .*" + i)
            self.assertEqual(by_id[i]["size"], len(content))
            whole = server.run("queue", "show", i).stdout_octets
            envelope, _, rest = whole.partition(b"\n\n")
            self.assertEqual(rest, content)
            self.assertIn(b"id         " + i.encode(), envelope)
        human = server.run("queue", "list").stdout_octets
        for i in ids:
            self.assertIn(i.encode(), human)
        self.assertNotRegex(human, rb"[\x00-\x09\x0b-\x1f\x7f]")
        return by_id

    def test_with_a_server_and_without(self):
        server = self.fill()
        by_id = self.check(server, self.ids)
        self.assertEqual(by_id[self.ids[1]]["sender"], "")
        self.assertEqual([r["address"] for r in by_id[self.ids[1]]["recipients"]],
                         ["b@example.org", '"q\\" x"@example.org'])
        shown = json.loads(server.run("queue", "show", "--json", self.ids[0]).stdout)
        self.assertEqual(shown["client"], "127.0.0.1")
        self.assertEqual(shown["recipients"][0]["route"], "hold")
        status = json.loads(server.run("queue", "status", "--json").stdout)
        self.assertEqual((status["running"], status["messages"], status["accepted"]), (True, 3, 3))
        self.assertIn("acceptances per fsync", server.run("queue", "status").stdout)
        self.assertEqual(server.stop(), 0)
        self.check(server, self.ids)
        status = json.loads(server.run("queue", "status", "--json").stdout)
        self.assertEqual(status, {"running": False, "messages": 3})
        self.command(server, "remove", self.ids[0])
        self.check(server, self.ids[1:])
        server = self.serve()
        self.check(server, self.ids[1:])
        self.command(server, "remove", self.ids[2])
        self.check(server, self.ids[1:2])
        self.assertFalse(list((server.data / "queue" / "bodies").iterdir()))
        self.command(server, "remove", "all")
        self.assertEqual(server.queue(), [])
        server.wait_log("mail-removed", id=self.ids[1])

    def test_the_sql_of_the_documentation(self):
        text = (ROOT / "docs" / "store.md").read_text()
        statements = re.findall(r"^    (SELECT .*;)$", text, re.M)
        self.assertEqual(len(statements), 3)
        server = self.fill()
        for _ in range(2):
            with contextlib.closing(sqlite3.connect(f"file:{server.data}/queue/queue.db?mode=ro", uri=True)) as db:
                by_reason, by_domain, content = [
                    db.execute(s.replace("0sawnzznr0000", self.ids[0])).fetchall() for s in statements]
                whole = db.execute("SELECT id, received, route, attempts, next_attempt FROM queue").fetchall()
            self.assertEqual(by_reason, [("hold", "held", 4, "")])
            self.assertEqual(len(by_domain), 4)
            self.assertEqual(content[0][0].encode(), server.content(self.ids[0]))
            received = {m["id"]: m["received"] for m in server.queue()}
            for row in whole:
                self.assertEqual(row[1:], (received[row[0]], "hold", 0, None))
            if server.process.poll() is None:
                self.assertEqual(server.stop(), 0)

    def test_what_turns_text_around_is_shown_as_octets(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a\u202egpj@example.org> SMTPUTF8", 250)
            c.command("RCPT TO:<th\u01b0\u2028x@example.org>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)
        text = server.run("queue", "list").stdout
        self.assertIn("<a\\xe2\\x80\\xaegpj@example.org>", text)
        self.assertIn("<th\u01b0\\xe2\\x80\\xa8x@example.org>", text)

    def test_faults_are_said(self):
        server = self.fill()
        for _ in range(2):
            for word in ("show", "retry", "remove"):
                done = self.command(server, word, "0000000000000", code=os.EX_NOINPUT)
                self.assertIn("no message 0000000000000 is in the queue", done.stderr)
                self.assertEqual(done.stdout, "")
                done = self.command(server, word, "nonsense", code=os.EX_USAGE)
                self.assertIn("'nonsense' is not a queue id", done.stderr)
                self.assertIn("needs the ID", self.command(server, word, code=os.EX_USAGE).stderr)
            done = self.command(server, "retry", self.ids[0], code=os.EX_UNAVAILABLE)
            self.assertIn("is held", done.stderr)
            self.assertIn("'lst' is none of", self.command(server, "lst", code=os.EX_USAGE).stderr)
            self.command(server, "list", "more", code=os.EX_USAGE)
            self.command(server, "remove", self.ids[0], "--json", code=os.EX_USAGE)
            # One of several is unknown: the others are still served.
            self.assertIn("nothing waits", self.command(server, "retry", "all").stdout)
            if server.process.poll() is None:
                self.assertEqual(server.stop(), 0)
        done = sallyport("queue", "list", "--data", str(self.folder / "nowhere"), check=False)
        self.assertEqual(done.returncode, os.EX_NOINPUT)
        self.assertIn("there is no data folder", done.stderr)
        done = sallyport("queue", "list", "--data", str(self.folder), check=False)
        self.assertIn("is not a data folder", done.stderr)

    def test_a_long_list_comes_in_pages(self):
        server = self.serve()
        recipients = [f"r{i}@example.org" for i in range(150)]
        with server.talk() as c:
            c.hello()
            for _ in range(5):
                c.mail(recipients=recipients)
        for _ in range(2):
            mails = server.queue()
            self.assertEqual(len(mails), 5)
            for m in mails:
                self.assertEqual([r["address"] for r in m["recipients"]], recipients)
            shown = json.loads(server.run("queue", "show", "--json", mails[3]["id"]).stdout)
            self.assertEqual([r["address"] for r in shown["recipients"]], recipients)
            if server.process.poll() is None:
                self.assertEqual(server.stop(), 0)


@unittest.skipUnless(os.getuid() == 0, "needs root")
class AsRoot(Queue):
    def test_a_folder_of_the_roles_user_stays_theirs(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            c.mail(LARGE)
            c.mail()
        self.assertEqual(server.stop(), 0)
        queue = server.data / "queue"
        owner = (queue / "queue.db").stat().st_uid  # the role's user
        first, second = [m["id"] for m in server.queue()]
        self.command(server, "remove", first)
        server.queue()
        for path in queue.rglob("*"):
            self.assertEqual(path.stat().st_uid, owner, path)
        server = self.serve()
        self.assertEqual([m["id"] for m in server.queue()], [second])

    def test_others_are_refused(self):
        server = self.serve()
        program = shutil.copy(SALLYPORT, self.folder / "sallyport")
        self.folder.chmod(0o755)
        nobody = pwd.getpwnam("games")
        done = subprocess.run([program, "queue", "list", "--data", str(server.data)], capture_output=True, text=True,
                              user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
        self.assertEqual(done.returncode, os.EX_NOPERM, done.stderr)
        self.assertIn("ermission denied", done.stderr)
        self.assertEqual(done.stdout, "")


class OnTheWay(Queue):
    def test_a_refusal_comes_back_as_a_report(self):
        def rcpt(address):
            return "250 2.1.5 Ok" if address != "nobody@example.net" else "550 5.1.1 <nobody@example.net>: unknown here"

        out = self.fake(rcpt=rcpt)
        server = self.serve("--relay", out.address)
        with server.talk() as c:
            c.hello()
            sent = c.mail(b"Subject: =?utf-8?q?caf=C3=A9?=\r\nX-Raw: caf\xc3\xa9\r\n\r\nText.\r\n", sender="writer@example.org",
                          recipients=("somebody@example.net", "nobody@example.net"))
        mails = {m.sender: m for m in out.wait(2)}
        self.assertEqual(mails["writer@example.org"].recipients, ["somebody@example.net"])
        bounce = mails[""]
        self.assertEqual(bounce.recipients, ["writer@example.org"])
        report = email.message_from_bytes(bounce.content, policy=email.policy.default)
        self.assertEqual(report.defects, [])
        self.assertEqual(report.get_content_type(), "multipart/report")
        self.assertEqual(report.get_param("report-type"), "delivery-status")
        self.assertEqual(report["To"].addresses[0].addr_spec, "writer@example.org")
        self.assertEqual(report["Auto-Submitted"], "auto-replied")
        text, status, header = report.iter_parts()
        self.assertIn("550 5.1.1 <nobody@example.net>: unknown here", text.get_content().replace("\n    ", " "))
        self.assertEqual(status.get_content_type(), "message/delivery-status")
        of_mail, of_recipient = status.get_payload()
        self.assertEqual(of_mail["X-Sallyport-Queue-ID"], sent)
        self.assertEqual(of_recipient["Final-Recipient"], "rfc822; nobody@example.net")
        self.assertEqual(of_recipient["Action"], "failed")
        self.assertEqual(of_recipient["Status"], "5.1.1")
        self.assertEqual(" ".join(of_recipient["Diagnostic-Code"].split()),
                         "smtp; 550 5.1.1 <nobody@example.net>: unknown here")
        self.assertEqual(header.get_content_type(), "message/global-headers")  # the header is in UTF-8 (RFC 6533)
        original, = header.get_payload()
        self.assertEqual(original["Subject"], "café")
        self.assertIn(sent, original["Received"])
        wait_for(lambda: server.queue() == [], "the queue to be empty")
        server.wait_log("mail-bounced", id=sent, to="writer@example.org")

    def test_a_report_that_is_refused_is_not_reported(self):
        out = self.fake(rcpt=lambda address: "550 5.7.1 nobody at all")
        server = self.serve("--relay", out.address)
        with server.talk() as c:
            c.hello()
            c.mail(sender="writer@example.org")
        server.expect_log("mail-undeliverable")
        wait_for(lambda: server.queue() == [], "the queue to be empty")
        self.assertEqual(out.mails, [])

    def test_it_is_tried_again_until_it_is_taken(self):
        replies = iter(["451 4.7.1 greylisted, come back", None, "450 4.2.0 \x07bell"])
        out = self.fake(rcpt=lambda address: next(replies, "250 2.1.5 Ok"))
        server = self.serve("--relay", out.address)
        with server.talk() as c:
            c.hello()
            queue_id = c.mail()
        waiting = wait_for(lambda: [m for m in server.queue() if m["recipients"][0]["attempts"] >= 1], "an attempt")[0]
        self.assertEqual(waiting["id"], queue_id)
        self.assertIn(waiting["state"], ("deferred", "active"))
        self.assertEqual(len(out.wait(1)), 1)
        wait_for(lambda: server.queue() == [], "the queue to be empty")
        server.wait_log("mail-delivered", id=queue_id)  # it may be read after the queue is seen empty
        lines = server.logs("mail-deferred", id=queue_id) + server.logs("mail-delivered", id=queue_id)
        self.assertEqual([line["attempts"] for line in lines], ["1", "2", "3", "4"])

    def test_retry_does_not_wait_for_the_time(self):
        good = []
        out = self.fake(rcpt=lambda address: "250 2.1.5 Ok" if good else "450 4.2.0 later")
        server = self.configure(f"""
            hostname = "mx.example.org"
            default-route = "out"
            listener "l" {{
                address = "127.0.0.1:0"
                tls = off
                relay-from = {{"127.0.0.0/8"}}
            }}
            route "out" {{
                kind = relay
                host = "127.0.0.1"
                port = {out.port}
                tls = off
            }}
            queue {{
                retry-first = 1h
                retry-most = 4h
            }}
            """)
        with server.talk("l") as c:
            c.hello()
            ids = [c.mail() for _ in range(3)]
        def all_tried():
            mails = server.queue()
            return mails if [m["state"] for m in mails] == ["deferred"] * 3 else None
        mails = wait_for(all_tried, "a first attempt of each")
        for m in mails:
            self.assertRegex(m["recipients"][0]["next_attempt"], TIME)
            self.assertIn("450 4.2.0 later", m["recipients"][0]["last_reply"])
        human = server.run("queue", "list").stdout
        self.assertIn("450 4.2.0 later", human)
        good.append(True)
        self.assertIn("1 recipient will be tried now", self.command(server, "retry", ids[1]).stdout)
        out.wait(1)
        self.assertIn("2 recipients will be tried now", self.command(server, "retry", "all").stdout)
        out.wait(3)
        wait_for(lambda: server.queue() == [], "the queue to be empty")

    def test_removed_mail_is_not_delivered(self):
        out = self.fake(rcpt=lambda address: "450 4.2.0 later")
        server = self.serve("--relay", out.address)
        with server.talk() as c:
            c.hello()
            queue_id = c.mail()
        wait_for(lambda: server.queue()[0]["recipients"][0]["attempts"], "an attempt")
        self.command(server, "remove", queue_id)
        self.assertEqual(server.queue(), [])
        out.rcpt = lambda address: "250 2.1.5 Ok"
        with server.talk() as c:
            c.hello()
            other = c.mail()
        self.assertIn(other.encode(), out.wait(1)[0].content)
        self.assertEqual(len(out.mails), 1)

    def test_held_mail_stays_held_under_a_relay(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            held = c.mail()
        self.assertEqual(server.stop(), 0)
        out = self.fake()
        server = self.serve("--relay", out.address)
        with server.talk() as c:
            c.hello()
            sent = c.mail()
        self.assertIn(sent.encode(), out.wait(1)[0].content)
        self.assertEqual([m["id"] for m in wait_for(lambda: len(server.queue()) == 1 and server.queue(), "one")], [held])


if __name__ == "__main__":
    unittest.main()
