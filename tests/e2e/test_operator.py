"""Why is it still in the queue, and what an operator does about it: each rule, and each command, on a real server."""
import base64
import json
import os
import re
import signal
import socket

from fake_server import FakeServer
from harness import ROOT, ServerCase, free_port, wait_for
from test_queue import Queue

CONFIG = """
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
        port = {port}
        tls = off
        {route}
    }}
    domain "held.example" {{
        route = "hold"
    }}
    queue {{
        retry-first = 1h
        retry-most = 4h
        {queue}
    }}
"""


class Operator(Queue):
    def server(self, port, route="", queue="", data="data"):
        return self.configure(CONFIG.format(port=port, route=route, queue=queue), data=data)

    def mail(self, server, *recipients, sender="writer@example.org", words=""):
        with server.talk("l") as c:
            c.hello()
            return c.mail(sender=sender, recipients=recipients or ("a@far.example",), words=words)

    def why(self, server, queue_id):
        return json.loads(self.command(server, "why", queue_id, "--json").stdout)

    def rule(self, server, queue_id, rule, index=0):
        """The reason, once it is this one."""
        def reached():
            reasons = self.why(server, queue_id)
            return reasons[index] if len(reasons) > index and reasons[index]["rule"] == rule else None
        return wait_for(reached, f"the rule {rule} for {queue_id}; now {self.why(server, queue_id)}")

    def destinations(self, server):
        return json.loads(self.command(server, "destinations", "--json").stdout)


class Why(Operator):
    def test_time(self):
        out = self.fake(rcpt=lambda address: "450 4.2.0 greylisted, come back")
        server = self.server(out.port)
        queue_id = self.mail(server)
        reason = self.rule(server, queue_id, "time")
        self.assertIn("greylisted", reason["last_reply"])
        self.assertIsNotNone(reason["until"])
        self.assertEqual(reason["attempts"], 1)
        self.assertEqual(reason["destination"]["name"], "out")
        text = self.command(server, "why", queue_id).stdout
        for part in ("<a@far.example>: the last attempt failed", "(time), until 20", "what changes it: that time, or queue",
                     "450 4.2.0 greylisted", "destination  out"):
            self.assertIn(part, text)
        text = self.command(server, "why", queue_id, "--lang", "vi").stdout
        for part in ("lần gửi trước không thành, đang nghỉ trước lần sau (time), tới 20", "điều gì thay đổi: tới lúc đó, hoặc queue retry",
                     "    nơi nhận     out: 0 đang gửi, "):
            self.assertIn(part, text)
        self.assertEqual(json.loads(self.command(server, "why", queue_id, "--json", "--lang", "vi").stdout)[0]["change"],
                         "tới lúc đó, hoặc queue retry")
        self.assertIn("--lang is for why", self.command(server, "list", "--lang", "vi", code=os.EX_USAGE).stderr)

    def test_the_last_conversation(self):
        out = self.fake(rcpt=lambda address: "450 4.2.0 greylisted, come back")
        server = self.server(out.port)
        queue_id = self.mail(server)
        talk = self.rule(server, queue_id, "time")["conversation"]
        self.assertEqual(talk["of"], "this message")
        said = "\n".join(talk["lines"])
        for part in (f"-- connected to [127.0.0.1]:{out.port}", "S: 220 ", "C: EHLO mx.example.org", "C: MAIL FROM:<writer@example.org>",
                     "C: RCPT TO:<a@far.example>", "S: 450 4.2.0 greylisted, come back"):
            self.assertIn(part, said)
        self.assertLess(said.index("C: EHLO"), said.index("C: MAIL"))
        self.assertNotIn("Subject", said)  # no content
        text = self.command(server, "why", queue_id).stdout
        self.assertIn("the last conversation, with this message, ended 20", text)
        self.assertIn("      S: 450 4.2.0 greylisted, come back\n", text)

    def test_a_conversation_that_would_steer_the_terminal(self):
        many = "".join(f"450-4.2.0 line {i}\r\n" for i in range(200))
        out = self.fake(rcpt=lambda address: f"450-4.2.0 \x1b[31mred\0\r\n{many}450-4.2.0 grün\r\n450 4.2.0 " + "x" * 500)
        server = self.server(out.port)
        queue_id = self.mail(server)
        lines = self.rule(server, queue_id, "time")["conversation"]["lines"]
        self.assertIn("S: 450-4.2.0 ?[31mred?", lines)
        self.assertIn("S: 450-4.2.0 grün", lines)
        self.assertTrue(any("lines are left out here" in line for line in lines))
        self.assertTrue(any(line.startswith("S: 450 4.2.0 xxx") and line.endswith("x...") for line in lines), lines[-5:])
        self.assertLess(len("\n".join(lines)), 8192)
        self.assertNotIn("\x1b", self.command(server, "why", queue_id).stdout)

    def test_a_login_that_is_mended(self):
        """What was said tells no password; a reload with the right one lets all go at once."""
        out = self.fake(auth={"PLAIN": "535 5.7.8 bad credentials"})
        (self.folder / "password").write_text("mistyped-secret\n")
        (self.folder / "password").chmod(0o600)
        server = self.server(out.port, route=f'user = "us"\n password-file = "{self.folder}/password"',
                             queue="back-off-first = 1h\n back-off-most = 1h")
        queue_id = self.mail(server)
        reason = self.rule(server, queue_id, "time")
        said = "\n".join(reason["conversation"]["lines"])
        self.assertIn("C: AUTH PLAIN <", said)
        self.assertIn("S: 535 5.7.8 bad credentials", said)
        for secret in ("mistyped-secret", base64.b64encode(b"\0us\0mistyped-secret").decode()):
            self.assertNotIn(secret, self.command(server, "why", queue_id, "--json").stdout)
        waiting = self.mail(server)
        self.rule(server, waiting, "back-off")
        out.auth["PLAIN"] = "235 2.7.0 welcome"
        (self.folder / "password").write_text("right\n")
        server.process.send_signal(signal.SIGHUP)
        out.wait(2)
        wait_for(lambda: server.queue() == [], "the queue to be empty")

    def test_the_last_conversation_of_others(self):
        port = free_port()  # nobody is there
        server = self.server(port, queue="back-off-first = 1h\n back-off-most = 1h")
        self.rule(server, self.mail(server), "time")
        waiting = self.mail(server, "a@far.example", "b@far.example")
        reason = self.rule(server, waiting, "back-off")
        self.assertEqual(reason["conversation"]["of"], "another message")
        self.assertIn("refused", "\n".join(reason["conversation"]["lines"]))
        text = self.command(server, "why", waiting).stdout
        self.assertEqual(text.count(f"-- dialling [127.0.0.1]:{port}"), 1)
        self.assertEqual(text.count(": as above\n"), 1)

    def test_back_off_and_one_message_that_finds_out(self):
        port = free_port()  # nobody is there
        server = self.server(port, queue="back-off-first = 1h\n back-off-most = 1h")
        first = self.mail(server)
        self.rule(server, first, "time")
        others = [self.mail(server) for _ in range(5)]
        for queue_id in others:
            reason = self.rule(server, queue_id, "back-off")
            self.assertIsNotNone(reason["until"])
            self.assertEqual(reason["destination"]["troubles"], 1)
            self.assertEqual(reason["attempts"], 0)
        place, = self.destinations(server)["destinations"]
        self.assertEqual((place["name"], place["waiting"], place["troubles"]), ("out", 5, 1))
        self.assertIsNotNone(place["paused_until"])
        self.assertIn("paused", self.command(server, "destinations").stdout)
        # A restart forgets the trouble, and finds what is parked.
        self.assertEqual(server.stop(), 0)
        out = self.fake(port=port)
        server = self.server(port, queue="back-off-first = 1h\n back-off-most = 1h")
        out.wait(5)
        self.command(server, "retry", "all")
        out.wait(6)
        wait_for(lambda: server.queue() == [], "the queue to be empty")

    def test_retry_ends_a_back_off(self):
        port = free_port()
        server = self.server(port, queue="back-off-first = 1h\n back-off-most = 1h")
        self.rule(server, self.mail(server), "time")
        waiting = self.mail(server)
        self.rule(server, waiting, "back-off")
        out = self.fake(port=port)
        self.assertIn("1 recipient will be tried now", self.command(server, "retry", waiting).stdout)
        out.wait(1)

    def test_attempt_and_concurrency_and_share(self):
        hole = socket.create_server(("127.0.0.1", 0))  # takes connections, says nothing
        self.addCleanup(hole.close)
        server = self.server(hole.getsockname()[1], route="connections = 1")
        ids = [self.mail(server) for _ in range(70)]
        self.rule(server, ids[0], "attempt")
        self.rule(server, ids[-1], "concurrency")
        place, = self.destinations(server)["destinations"]
        self.assertGreater(place["active"], 0)
        self.assertEqual(place["active"] + place["waiting"], 70)

    def test_total(self):
        hole = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(hole.close)
        server = self.server(hole.getsockname()[1], queue="attempts = 1")
        self.rule(server, self.mail(server), "attempt")
        self.rule(server, self.mail(server), "total")

    def test_rate(self):
        out = self.fake()
        server = self.server(out.port, route="rate = 1")
        first = self.mail(server)
        out.wait(1)
        wait_for(lambda: server.queue() == [], f"{first} to be delivered")
        reason = self.rule(server, self.mail(server), "rate")
        self.assertIsNotNone(reason["until"])

    def test_held_and_released(self):
        out = self.fake(rcpt=lambda address: "450 4.2.0 later")
        server = self.server(out.port)
        queue_id = self.mail(server, "a@far.example", "b@held.example")
        self.rule(server, queue_id, "time")
        self.assertEqual(self.why(server, queue_id)[1]["rule"], "held")
        self.assertIn("1 recipient held", self.command(server, "hold", queue_id).stdout)
        self.assertEqual([r["rule"] for r in self.why(server, queue_id)], ["held", "held"])
        out.rcpt = lambda address: "250 2.1.5 Ok"
        self.assertIn("2 recipients released", self.command(server, "release", queue_id).stdout)
        self.assertEqual(out.wait(1)[0].recipients, ["a@far.example"])
        self.rule(server, queue_id, "held", index=1)  # its route holds
        self.assertIn("now holds its mail", self.why(server, queue_id)[1]["last_reply"])

    def test_one_that_is_done_while_others_are_not(self):
        out = self.fake(rcpt=lambda address: "450 4.2.0 later" if address[0] == "b" else "250 2.1.5 Ok")
        server = self.server(out.port)
        queue_id = self.mail(server, "a@far.example", "b@far.example")
        self.rule(server, queue_id, "time", index=1)
        self.rule(server, queue_id, "done")

    def test_a_suspension_holds_what_waits_for_a_time_too(self):
        """The server's own words are not this host's DNS; and no time and no retry sends what is suspended."""
        out = self.fake(rcpt=lambda address: "450 4.1.2 Recipient address rejected: Domain not found")
        server = self.server(out.port)
        queue_id = self.mail(server, "a@far.example")
        self.rule(server, queue_id, "time")
        self.command(server, "suspend", "far.example")
        self.rule(server, queue_id, "suspended")

    def test_a_domain_in_unicode_is_suspended_by_either_name(self):
        server = self.server(self.fake(keywords=("8BITMIME", "SMTPUTF8")).port)
        for name in ("MÜNCHEN.example", "xn--mnchen-3ya.example"):
            self.command(server, "suspend", name)
            for domain in ("münchen.example", "xn--mnchen-3ya.example"):
                queue_id = self.mail(server, f"a@{domain}", words=" SMTPUTF8")
                self.rule(server, queue_id, "suspended")
            self.command(server, "resume", name)
            wait_for(lambda: server.queue() == [], "the queue to be empty")

    def test_suspended_and_resumed(self):
        out = self.fake()
        server = self.server(out.port)
        self.assertIn("suspended;", self.command(server, "suspend", "Far.Example").stdout)
        self.assertIn("already", self.command(server, "suspend", "far.example").stdout)
        waiting = self.mail(server)
        self.rule(server, waiting, "suspended")
        self.mail(server, "a@near.example")
        self.assertEqual(out.wait(1)[0].recipients, ["a@near.example"])  # the others of the route go on
        place, = [d for d in self.destinations(server)["destinations"] if d["suspended"]]
        self.assertEqual((place["name"], place["waiting"], place["health"]), ("out/far.example", 1, "suspended"))
        def names(*words):
            found = json.loads(self.command(server, "destinations", *words, "--json").stdout)["destinations"]
            return [d["name"] for d in found]

        self.assertEqual(names("--health", "suspended"), ["out/far.example"])
        self.assertEqual(names("--health", "paused"), [])
        for pattern in ("FAR.example", "out/*", "*.EXAMPLE"):
            self.assertEqual(names(pattern), ["out/far.example"])
        self.assertEqual(names("near*"), [])
        self.assertIn("no destination fits", self.command(server, "destinations", "near*").stdout)
        self.assertIn("is none of good", self.command(server, "destinations", "--health", "bad", code=os.EX_USAGE).stderr)
        self.assertEqual(server.stop(), 0)
        self.assertIn("suspended since", self.command(server, "destinations").stdout)
        server = self.server(out.port)
        self.rule(server, waiting, "suspended")  # also after a restart
        self.assertEqual([s["name"] for s in self.destinations(server)["suspensions"]], ["far.example"])
        self.assertIn("resumed", self.command(server, "resume", "far.example").stdout)
        self.assertEqual(out.wait(2)[1].recipients, ["a@far.example"])
        self.assertIn("is not suspended", self.command(server, "resume", "far.example", code=os.EX_UNAVAILABLE).stderr)

    def test_route_gone_and_stopped(self):
        out = self.fake(rcpt=lambda address: "450 4.2.0 later")
        server = self.server(out.port)
        queue_id = self.mail(server)
        self.rule(server, queue_id, "time")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.why(server, queue_id)[0]["rule"], "stopped")
        server = self.configure("""
            hostname = "mx.example.org"
            default-route = "hold"
            listener "l" {
                address = "127.0.0.1:0"
                tls = off
            }
            """)
        self.rule(server, queue_id, "route")

    def test_unknown(self):
        server = self.server(free_port())
        self.assertIn("no message", self.command(server, "why", "0000000000001", code=os.EX_NOINPUT).stderr)
        self.assertIn("not a queue id", self.command(server, "why", "x", code=os.EX_USAGE).stderr)


class Change(Operator):
    def refusing(self):
        out = self.fake(rcpt=lambda address: "450 4.2.0 later" if "far" in address else "250 2.1.5 Ok")
        server = self.server(out.port)
        return out, server

    def test_bounce(self):
        out, server = self.refusing()
        queue_id = self.mail(server, "a@far.example", "b@far.example")
        self.rule(server, queue_id, "time", index=1)
        self.assertIn("2 recipients returned to the sender", self.command(server, "bounce", queue_id).stdout)
        report = out.wait(1)[0]
        self.assertEqual((report.sender, report.recipients), ("", ["writer@example.org"]))
        for part in (b"returned to its sender by the operator", b"Final-Recipient: rfc822; b@far.example",
                     b"Status: 5.3.0"):
            self.assertIn(part, report.content)
        wait_for(lambda: server.queue() == [], "the queue to be empty")

    def test_redirect(self):
        out, server = self.refusing()
        queue_id = self.mail(server, "a@far.example", "b@far.example")
        self.rule(server, queue_id, "time", index=1)
        for address in ("nobody", "a b@near.example", "a@near.example\r\nDATA", "a@", "@near.example", "a@b@near.example", "a@near example"):
            self.assertIn("is not an address", self.command(server, "redirect", queue_id, address, code=os.EX_USAGE).stderr)
        self.assertIn("2 recipients redirected",
                      self.command(server, "redirect", queue_id, "other@near.example").stdout)
        self.assertEqual(out.wait(1)[0].recipients, ["other@near.example"])
        wait_for(lambda: server.queue() == [], "the queue to be empty")
        self.assertEqual(len(out.mails), 1)  # once, however many recipients it had

    def test_redirect_beyond_ascii(self):
        out = self.fake(rcpt=lambda address: "450 4.2.0 later" if "far" in address else "250 2.1.5 Ok",
                        keywords=("8BITMIME", "SMTPUTF8"))
        server = self.server(out.port)
        queue_id = self.mail(server, "a@far.example")
        self.rule(server, queue_id, "time")
        self.command(server, "redirect", queue_id, "bü@near.example")
        self.assertEqual(out.wait(1)[0].recipients, ["bü@near.example"])
        self.assertIn("SMTPUTF8", out.mails[0].mail_words)

    def test_without_a_server(self):
        out, server = self.refusing()
        queue_id = self.mail(server, "a@far.example")
        self.rule(server, queue_id, "time")
        self.assertEqual(server.stop(), 0)
        self.assertIn("1 recipient held", self.command(server, "hold", queue_id).stdout)
        self.assertIn("running server", self.command(server, "bounce", queue_id, code=os.EX_UNAVAILABLE).stderr)
        self.assertIn("nothing was changed", self.command(server, "hold", queue_id, code=os.EX_UNAVAILABLE).stderr)
        out.rcpt = lambda address: "250 2.1.5 Ok"
        server = self.server(out.port)
        self.assertEqual(self.why(server, queue_id)[0]["rule"], "held")
        self.command(server, "release", queue_id)
        out.wait(1)

    def test_a_held_message_is_not_given_out_of_memory(self):
        port = free_port()
        server = self.server(port, queue="back-off-first = 1h\n back-off-most = 1h")
        self.rule(server, self.mail(server), "time")
        ids = [self.mail(server) for _ in range(3)]
        self.rule(server, ids[2], "back-off")
        self.command(server, "hold", ids[1])
        out = self.fake(port=port)
        self.command(server, "retry", "all")
        out.wait(3)
        wait_for(lambda: [m["id"] for m in server.queue()] == [ids[1]], "all but the held one to be delivered")

    def test_list_filters(self):
        out, server = self.refusing()
        one = self.mail(server, "a@far.example", sender="one@example.org")
        two = self.mail(server, "b@far.example", "c@held.example", sender="")
        self.rule(server, one, "time")
        self.rule(server, two, "time")

        def ids(*options):
            return [m["id"] for m in json.loads(self.command(server, "list", "--json", *options).stdout)]

        self.assertEqual(ids(), [one, two])
        self.assertEqual(ids("--sender", "ONE@*"), [one])
        self.assertEqual(ids("--sender", "<>"), [two])
        self.assertEqual(ids("--recipient", "*@far.example"), [one, two])
        self.assertEqual(ids("--domain", "held.example"), [two])
        self.assertEqual(ids("--state", "held"), [two])
        self.assertEqual(ids("--state", "deferred", "--recipient", "a@*"), [one])
        self.assertEqual(ids("--older", "1h"), [])
        self.assertEqual(ids("--younger", "1h"), [one, two])
        self.assertIn("no message of the queue fits", self.command(server, "list", "--older", "1d").stdout)
        self.assertIn("is no time", self.command(server, "list", "--older", "soon", code=os.EX_USAGE).stderr)
        self.assertIn("is none of", self.command(server, "list", "--state", "lost", code=os.EX_USAGE).stderr)
        self.assertIn("--state is for list", self.command(server, "why", one, "--state", "held", code=os.EX_USAGE).stderr)


class Documented(ServerCase):
    def test_every_rule_is_in_the_documentation(self):
        header = (ROOT / "src" / "ipc" / "ipc.h").read_text()
        words = re.findall(r'X\([A-Z_]+, "([a-z-]+)"\)', header.split("#define IPC_QUEUE_RULES(X)")[1].split("#define")[0])
        self.assertGreater(len(words), 10)
        documented = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "queue.md").read_text(), re.M)
        self.assertEqual(sorted(words), sorted(documented))
