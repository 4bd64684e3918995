"""Every known way to get AUTH wrong: the reply has the right code, the log of the role auth names the defect, and the trace
of the session has it with a verdict.

Each scene's letter-and-number is that of the case in the reference: 01 a client that stalls, 03 base64 twice, ...
"""
import base64
import json
import pathlib
import unittest

from harness import ServerCase, sallyport

USER, RIGHT, WRONG = "demo@example.org", "Xyzzy-plugh-1977", "Plover-1977-xyzzy"


CRAM_MD5 = """
    hostname = mx.example.org
    default-route = hold
    listener smtp {
        address = "127.0.0.1:0"
        auth = offered
        auth-in-clear = yes
        mechanisms = { CRAM-MD5 }
    }
    limits { free-space = 1M }
"""


def b64(octets):
    return base64.b64encode(octets if isinstance(octets, bytes) else octets.encode()).decode()


class Diagnoses(ServerCase):
    def setUp(self):
        super().setUp()
        self.noted = []
        self.server = self.serve("--user", f"{USER}:{RIGHT}")
        self.c = self.server.talk()
        self.addCleanup(self.c.close)
        self.c.hello()

    def failed(self, **fields):
        return self.note(self.server.expect_log("auth-failed", **fields))

    def given_up(self, **fields):
        return self.note(self.server.expect_log("auth-given-up", **fields))

    def note(self, line):
        """What the log says of an attempt is to be in the trace of its session, too: see tearDown."""
        self.noted.append(line)
        return line

    def trace(self, session=None):
        """The trace of this conversation, or of that session, which is over then."""
        self.c.close()
        return self.server.trace(session or self.server.wait_log("session-ended")["session"])

    def verdict(self, cause):
        """The trace comes to this verdict, and what is shown of it does when it is diagnosed again."""
        trace = self.trace()
        shown = self.server.run("session", "show", trace["id"], "--lang", "en").stdout
        again = json.loads(sallyport("diagnose", "-", "--json", "--lang", "en", input=shown).stdout)
        for field in ("verdict", "id", "line", "quote", "codes", "command", "confidence", "challenges"):
            self.assertEqual(trace["diagnosis"][field], again[field], f"{field} of:\n{shown}")
        self.assertEqual(trace["diagnosis"]["id"], cause, shown)
        return trace

    def said(self, trace, start):
        """A line of the client in a trace."""
        found = [line["text"] for line in trace["talk"] if line["from"] == "client" and line["text"].startswith(start)]
        self.assertNotEqual(found, [], trace["talk"])
        return found[0]

    def plain(self, response, code, *words):
        self.c.command("AUTH PLAIN " + b64(response), code, *words)

    def login(self, user, password, code, *words):
        self.c.command("AUTH LOGIN", 334, "VXNlcm5hbWU6")
        self.c.command(user, 334, "UGFzc3dvcmQ6")
        self.c.command(password, code, *words)

    def test_01_no_answer_to_334(self):
        self.c.command("AUTH LOGIN", 334)
        self.c.close()
        self.given_up(reason="client-left", mechanism="LOGIN", steps="334:user-name-prompt")
        self.verdict("challenge-unanswered")

    def test_02_the_user_name_in_clear(self):
        self.c.command("AUTH LOGIN", 334)
        self.c.command(USER, 501, "5.5.2", "[auth-bad-base64]")
        self.given_up(reason="not-base64", steps="334:user-name-prompt")
        self.assertIn("not base64", self.said(self.verdict("response-not-base64"), "<response:"))

    def test_03_base64_twice(self):
        self.login(b64(b64(USER)), b64(RIGHT), 535, "5.7.8")
        self.assertIn("encoded twice", self.failed(reason="unknown-user")["detail"])
        self.login(b64(USER), b64(b64(RIGHT)), 535, "5.7.8")
        self.assertIn("the password is base64 itself", self.failed(reason="bad-password")["detail"])
        self.plain(b64(f"\0{USER}\0{RIGHT}"), 501, "5.5.2")
        self.failed(reason="malformed", defect="double-base64")
        self.assertIn("base64 of base64", self.said(self.verdict("response-twice-encoded"), "<response:"))

    def test_04_a_line_end_inside(self):
        self.c.command("AUTH LOGIN", 334)
        self.c.command(b64(USER + "\n"), 535, "5.7.8")
        self.failed(reason="malformed", defect="trailing-newline", steps="334:user-name-prompt response:17")
        self.plain(f"\0{USER}\0{RIGHT}\r\n", 535, "5.7.8")
        self.failed(reason="malformed", defect="trailing-newline", steps="initial:36")
        self.assertIn("ends in a line end", self.said(self.verdict("response-with-line-end"), "<response:"))

    def test_05_base64_broken_into_lines(self):
        long = b64(f"\0{USER}\0" + "p" * 100)
        self.c.command("AUTH PLAIN", 334)
        self.c.command(long[:76], 535)
        self.assertIn("without line breaks", self.failed(reason="bad-password")["detail"])
        self.c.command(long[76:], 500)
        self.assertIn("a full line of wrapped base64", self.said(self.verdict("response-wrapped"), "<response:"))

    def test_06_plain_without_its_NULs(self):
        for response, defect in ((f"{USER}:{RIGHT}", "user-colon-password"), (f"{USER}\0{RIGHT}", "missing-leading-nul"),
                                 (USER + RIGHT, "missing-nul"), (f"\\0{USER}\\0{RIGHT}", "backslash-zero"),
                                 (f"\0{USER}\0{RIGHT}\0", "extra-nul")):
            with self.server.talk() as c:
                c.hello()
                c.command("AUTH PLAIN " + b64(response), 501, "5.5.2", "[auth-malformed]")
            line = self.failed(reason="malformed", defect=defect)
            self.assertEqual(self.server.trace(line["session"])["diagnosis"]["id"], "plain-malformed")
        for response, defect in ((f"\0{USER}\0", "empty-password"), (f"\0\0{RIGHT}", "empty-user")):
            with self.server.talk() as c:
                c.hello()
                c.command("AUTH PLAIN " + b64(response), 535, "5.7.8")
            line = self.failed(reason="malformed", defect=defect)
            self.assertEqual(self.server.trace(line["session"])["diagnosis"]["id"], "plain-malformed")

    def test_07_really_wrong(self):
        self.login(b64(USER), b64(WRONG), 535, "5.7.8", "[auth-failed]")
        self.failed(reason="bad-password", user=USER, steps="334:user-name-prompt response:16 334:password-prompt "
                    "response:17")
        self.login(b64("demo"), b64(RIGHT), 535, "5.7.8", "[auth-failed]")
        self.failed(reason="unknown-user", user="demo")
        sallyport("user", "disable", USER, "--data", str(self.server.data))
        self.login(b64(USER), b64(RIGHT), 535, "5.7.8", "[auth-failed]")
        self.failed(reason="disabled", user=USER)
        self.verdict("wrong-credentials")

    def test_08_login_with_an_initial_response(self):
        self.c.command("AUTH LOGIN " + b64(USER), 334, "UGFzc3dvcmQ6")
        self.c.command(b64(RIGHT), 235)
        self.server.expect_log("auth-ok", steps="initial:16 334:password-prompt response:16")
        self.verdict("healthy")

    def test_09_an_initial_response_that_CRAM_MD5_has_not(self):
        server = self.configure(CRAM_MD5, name="cram.conf", data="cram")
        server.run("user", "add", "--cram-md5", USER, input=RIGHT + "\n")
        with server.talk() as c:
            c.hello()
            c.command("AUTH CRAM-MD5 " + b64(USER), 501)
        self.assertEqual(server.trace(server.wait_log("session-ended")["session"])["diagnosis"]["id"],
                         "initial-response-refused")

    def test_09_an_initial_response_where_the_server_speaks_first(self):
        server = self.configure("""
            hostname = mail.example.org
            data = data
            default-route = hold
            listener smtp {
                address = "127.0.0.1:0"
                auth = required
                auth-in-clear = yes
                mechanisms = { CRAM-MD5, PLAIN }
            }
        """, data="cram")
        with server.talk() as c:
            c.hello()
            reply = c.command("AUTH CRAM-MD5 " + b64(f"{USER} " + "0" * 32), 501, "5.7.0", "[auth-initial-response]")
        server.wait_log("auth-failed", reason="malformed", defect="initial-response", mechanism="CRAM-MD5")
        log = f"S: 250 AUTH CRAM-MD5 PLAIN\nC: AUTH CRAM-MD5 {b64(USER)}\nS: {reply.code} {reply.text}\n"
        self.assertIn("initial-response-refused", sallyport("diagnose", "-", input=log).stdout)

    def test_10_a_mechanism_that_is_not_offered(self):
        self.c.command("AUTH NTLM", 504, "5.5.4", "[auth-unknown-mechanism]")
        self.server.expect_log("refused", reason="auth-unknown-mechanism")
        self.verdict("mechanism-not-offered")

    def test_what_was_offered(self):
        self.plain(f"\0{USER}\0{WRONG}", 535)
        line = self.failed(reason="bad-password")
        for field in ("offered-clear", "offered-tls"):
            self.assertIn("PLAIN", line[field].split())

    def test_scram_names_its_steps(self):
        self.c.command("AUTH SCRAM-SHA-256 " + b64(f"n,,n={USER},r=abcdefgh"), 334)
        self.c.command(b64("c=biws,r=abcdefgh,p=" + b64(bytes(32))), 501)
        line = self.failed(reason="malformed", defect="scram-nonce")
        self.assertRegex(line["steps"], r"^initial:\d+ 334:scram-server-first,i=4096 response:\d+$")

    def test_19_the_users_cannot_be_read(self):
        path = pathlib.Path(self.server.data) / "auth" / "users.db"
        for file in path.parent.glob("users.db*"):
            file.write_bytes(b"not a database" * 1000)
        self.plain(f"\0{USER}\0{RIGHT}", 454, "4.7.0", "[auth-unavailable]")
        self.failed(reason="users-db")
        self.server.expect_log("users-db-failed")
        self.verdict("auth-temporary-failure")

    def test_20_too_many_failures(self):
        for _ in range(3):
            self.plain(f"\0{USER}\0{WRONG}", 535)
        for _ in range(20):
            self.c.send("AUTH PLAIN " + b64(f"\0{USER}\0{WRONG}"))
            reply = self.c.reply()
            if reply.code == 421:
                self.assertIn("[too-many-auth-failures]", reply.text)
                self.c.expect_close()
                return self.verdict("wrong-credentials")
            self.assertEqual(reply.code, 535)
        self.fail("no 421")

    def test_21_a_line_too_long(self):
        self.c.command("AUTH PLAIN", 334)
        self.c.command("A" * 12288, 500, "5.5.6", "[auth-line-too-long]")
        self.given_up(reason="line-too-long")
        self.verdict("auth-line-too-long")

    def test_22_cancelled(self):
        self.c.command("AUTH LOGIN", 334)
        self.c.command("*", 501, "5.7.0", "[auth-cancelled]")
        self.given_up(reason="cancelled")
        also = self.verdict("healthy")["diagnosis"]["also"]  # whoever cancels wants this answer
        self.assertIn("auth-cancelled", [cause["id"] for cause in also])

    def test_23_logged_in_and_not_allowed(self):
        sallyport("user", "may-send", USER, USER, "--data", str(self.server.data))
        self.plain(f"\0{USER}\0{RIGHT}", 235)
        self.c.command("MAIL FROM:<other@example.org>", 553, "5.7.1", "[sender-not-yours]")
        self.server.expect_log("refused", reason="sender-not-yours", about="other@example.org")
        self.verdict("sender-not-allowed")
        with self.server.talk() as c:
            c.hello()
            c.login(USER, RIGHT)
            c.command(f"MAIL FROM:<{USER}>", 250)

    def test_a_command_where_the_answer_is_due(self):
        self.c.command("AUTH LOGIN", 334)
        self.c.command("MAIL FROM:<a@example.org>", 501, "[auth-bad-base64]")
        self.given_up(reason="not-base64")
        self.verdict("command-during-challenge")

    def test_mail_before_a_required_auth_is_530(self):
        with self.server.talk("submission") as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 530, "5.7.0")
            c.start_tls(self.server.client_tls())
            c.command("MAIL FROM:<a@example.org>", 530, "5.7.0")
            c.hello()
            c.command("MAIL FROM:<a@example.org>", 530, "5.7.0", "[auth-required]")

    def test_auth_of_MAIL_is_believed_of_who_has_logged_in(self):
        self.c.command("MAIL FROM:<a@example.org> AUTH=boss@example.org", 250)
        self.c.command("RSET", 250)
        self.c.command("MAIL FROM:<a@example.org> AUTH=not+zz", 501)
        self.submit("AUTH=e+3Dmc2@example.com", "a1@example.org")
        self.submit("AUTH=<>", "a2@example.org")
        self.plain(f"\0{USER}\0{RIGHT}", 235)
        self.submit("AUTH=e+3Dmc2@example.com", "a3@example.org")
        self.submit("AUTH=<>", "a4@example.org")
        said = [self.server.wait_log("mail-accepted", **{"from": f"a{n}@example.org"}).get("submitter") for n in range(1, 5)]
        self.assertEqual(said, [None, None, "e=mc2@example.com", None])

    def submit(self, parameter, sender):
        self.c.command(f"MAIL FROM:<{sender}> {parameter}", 250)
        self.c.command("RCPT TO:<b@example.org>", 250)
        self.c.command("DATA", 354)
        self.c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
        self.c.expect(250, "Queued as")

    def tearDown(self):
        self.c.close()
        fields = {"reason": "reason", "defect": "defect", "detail": "detail", "steps": "steps", "mechanism": "mechanism",
                  "user": "user", "offered-clear": "offered_clear", "offered-tls": "offered_tls"}
        for line in self.noted:
            self.server.wait_log("session-ended", session=line["session"])
            wanted = {name: line.get(field) for field, name in fields.items()}
            attempts = self.trace(line["session"])["attempts"]
            self.assertIn(wanted, [{name: a[name] for name in wanted} for a in attempts])
        text = "\n".join(str(line) for line in self.server.logs())
        text += self.server.run("session", "list").stdout
        for entry in json.loads(self.server.run("session", "list", "--json").stdout):
            text += self.server.run("session", "show", entry["id"]).stdout
        for secret in (RIGHT, WRONG, b64(RIGHT), b64(WRONG), b64(f"\0{USER}\0{RIGHT}")):
            self.assertNotIn(secret, text)
        super().tearDown()


if __name__ == "__main__":
    unittest.main()
