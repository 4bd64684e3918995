"""Mail that is forwarded: the sender that stands for the writer, and the way back of its bounces."""
import base64
import hashlib
import hmac
import json
import os
import signal
import sys
import time

from fake_server import FakeServer
from harness import ROOT, SALLYPORT, ServerCase, free_port, peer, run, sallyport, wait_for

SECRET, OTHER = "0123456789abcdef0123", "another secret that is as long"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

CONFIG = """
    hostname = "mx.example.org"
    default-route = "out"
    listener "l" {{
        address = "127.0.0.1:{listen}"
        tls = off
        auth = offered
        auth-in-clear = yes
        verify = yes
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
        aliases = "{folder}/aliases"
        mailboxes = {{ann, bob}}
    }}
    domain "back.example.org" {{
        route = "boxes"
        mailboxes = {{postmaster}}
    }}
    srs {{
        domain = "back.example.org"
        secret-file = "{folder}/secrets"
    }}
"""


def today():
    return int(time.time()) // 86400


def signed(sender, secret=SECRET, day=None, domain="back.example.org", length=4):
    """The scheme written a second time, from its description."""
    local, _, host = sender.rpartition("@")
    day = today() if day is None else day
    stamp = BASE32[day >> 5 & 31] + BASE32[day & 31]
    digest = hmac.new(secret.encode(), (stamp + host + local).lower().encode(), hashlib.sha1).digest()
    return f"SRS0={base64.b64encode(digest).decode()[:length]}={stamp}={host}={local}@{domain}"


def signed_again(sender, secret=SECRET, domain="back.example.org"):
    local, _, host = sender.rpartition("@")
    digest = hmac.new(secret.encode(), (host + local[4:]).lower().encode(), hashlib.sha1).digest()
    return f"SRS1={base64.b64encode(digest).decode()[:4]}={host}={local[4:]}@{domain}"


class Forwarding(ServerCase):
    def setUp(self):
        super().setUp()
        self.out = FakeServer()
        self.addCleanup(self.out.stop)
        self.folder.chmod(0o755)
        (self.folder / "mail").mkdir()
        (self.folder / "mail").chmod(0o777)
        (self.folder / "aliases").write_text("team: ann, far@elsewhere.example\naway: far@elsewhere.example\n")
        self.secrets(SECRET)

    def secrets(self, *lines, mode=0o600):
        path = self.folder / "secrets"
        path.write_text("\n".join(lines) + "\n")
        path.chmod(mode)

    def start(self, *arguments, change=lambda text: text):
        text = CONFIG.format(folder=self.folder, port=self.out.port, listen=0)
        return self.configure(change(text), *arguments)

    def boxes(self):
        return sorted((self.folder / "mail").rglob("new/*"))

    def send(self, server, *recipients, sender="writer@far.example", login=False, words=""):
        with server.talk("l") as c:
            c.hello()
            if login:
                c.login("demo", "pencil-and-paper")
            c.command(f"MAIL FROM:<{sender}>{words}", 250)
            for r in recipients:
                c.command(f"RCPT TO:<{r}>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)

    def refuse(self, server, address, reason, sender=""):
        with server.talk("l") as c:
            c.hello()
            c.command(f"MAIL FROM:<{sender}>", 250)
            c.command(f"RCPT TO:<{address}>", 550, "5.1.1", f"[{reason}]")


class There(Forwarding):
    def test_only_what_is_forwarded_has_another_sender(self):
        server = self.start("--user", "demo:pencil-and-paper")
        self.send(server, "team@example.org", "plain@third.example", login=True)
        by_recipient = {m.recipients[0]: m.sender for m in self.out.wait(2)}
        self.assertEqual(by_recipient, {"far@elsewhere.example": signed("writer@far.example"),
                                        "plain@third.example": "writer@far.example"})
        wait_for(lambda: len(self.boxes()) == 1, "ann's copy")
        self.assertTrue(self.boxes()[0].read_bytes().startswith(b"Return-Path: <writer@far.example>"))

    def test_senders_of_ours_and_none_stay(self):
        server = self.start()
        for i, sender in enumerate(("bob@example.org", "bob@EXAMPLE.org", "postmaster@back.example.org", ""), 1):
            self.send(server, "away@example.org", sender=sender)
            self.assertEqual(self.out.wait(i)[-1].sender, sender)

    def test_one_that_others_have_forwarded(self):
        server = self.start()
        for i, (sender, wanted) in enumerate((
                ("SRS0=abcd=TT=far.example=w@one.example", None),
                (signed_again("SRS0=abcd=TT=far.example=w@one.example", OTHER, "two.example"),
                 signed_again("SRS0=abcd=TT=far.example=w@one.example"))), 1):
            self.send(server, "away@example.org", sender=sender)
            self.assertEqual(self.out.wait(i)[-1].sender, wanted or signed_again(sender))

    def test_one_that_is_too_long_stays(self):
        server = self.start()
        fits = "a" * 39 + "@far.example"  # 5 + 5 + 3 + 12 and 39 are 64
        for i, sender in enumerate((fits, "a" + fits), 1):
            self.send(server, "away@example.org", sender=sender)
            self.assertEqual(self.out.wait(i)[-1].sender, signed(sender) if i == 1 else sender)

    def test_names_in_unicode(self):
        self.out.keywords.append("SMTPUTF8")
        server = self.start()
        self.send(server, "away@example.org", sender="dương@bücher.example", words=" SMTPUTF8")
        made = self.out.wait(1)[0].sender
        self.assertTrue(made.endswith("=xn--bcher-kva.example=dương@back.example.org"), made)
        with server.talk("l") as c:
            c.hello()
            c.command("MAIL FROM:<> SMTPUTF8", 250)
            c.command(f"RCPT TO:<{made}>", 250)
            c.command("RSET", 250)

    def test_what_waits_shows_it_and_its_attempts_are_alike(self):
        self.out.rcpt = lambda address: "451 4.2.0 later"
        server = self.start()
        self.send(server, "away@example.org")

        def mail():
            return server.queue()[0] if server.queue() else {"recipients": [{"attempts": 0}]}
        wait_for(lambda: mail()["recipients"][0]["attempts"] == 1, "an attempt")
        shown = json.loads(server.run("queue", "show", "--json", mail()["id"]).stdout)
        self.assertEqual(shown["sender"], "writer@far.example")
        self.assertEqual(shown["recipients"][0]["sender"], signed("writer@far.example"))
        self.assertIn(f"sender <{signed('writer@far.example')}>", server.run("queue", "show", mail()["id"]).stdout)
        self.out.rcpt = lambda address: "250 2.1.5 Ok"
        server.run("queue", "retry", mail()["id"])
        self.assertEqual(self.out.wait(1)[0].sender, signed("writer@far.example"))

    def test_a_redirected_one(self):
        server = self.start(change=lambda text: text.replace('route = "boxes"', 'route = "hold"'))
        self.send(server, "bob@example.org")
        server.run("queue", "redirect", server.queue()[0]["id"], "far@elsewhere.example")
        self.assertEqual(self.out.wait(1)[0].sender, signed("writer@far.example"))

    def test_without_the_section_nothing_changes(self):
        server = self.start(change=lambda text: text[:text.index("    srs {")])
        self.send(server, "away@example.org")
        self.assertEqual(self.out.wait(1)[0].sender, "writer@far.example")
        self.refuse(server, signed("writer@far.example"), "unknown-recipient")

    def test_one_of_three(self):
        """Two recipients of one server: the attempts are two, for they name two senders."""
        server = self.start("--user", "demo:pencil-and-paper")
        self.send(server, "away@example.org", "x@elsewhere.example", "ann@example.org", login=True)
        self.assertEqual(sorted((m.sender, m.recipients) for m in self.out.wait(2)), [
            (signed("writer@far.example"), ["far@elsewhere.example"]), ("writer@far.example", ["x@elsewhere.example"])])
        wait_for(lambda: len(self.boxes()) == 1, "ann's copy")
        wait_for(lambda: server.queue() == [], "the end")
        self.assertEqual(len(self.out.mails), 2)

    def test_mail_of_a_local_program(self):
        server = self.start()
        program = self.folder / "sendmail"
        program.symlink_to(SALLYPORT)
        data = dict(os.environ, SALLYPORT_DATA=str(self.folder / "data"))

        def send(sender, recipient):
            run([str(program), "-i", "-f", sender, recipient], input="Subject: x\n\nx\n", env=data, check=True)
        for i, (sender, wanted) in enumerate((("writer@far.example", signed("writer@far.example")),
                                              ("bob@example.org",) * 2, ("<>", "")), 1):
            send(sender, "away@example.org")
            mail = self.out.wait(i)[-1]
            self.assertEqual((mail.sender, mail.recipients), (wanted, ["far@elsewhere.example"]))
        # ... and one that answers a return path, or a damaged one.
        send("bob@example.org", signed("writer@far.example"))
        mail = self.out.wait(4)[-1]
        self.assertEqual((mail.sender, mail.recipients), ("bob@example.org", ["writer@far.example"]))
        send("w@far.example", signed("writer@far.example", OTHER))
        report = self.out.wait(5)[-1]
        self.assertEqual((report.sender, report.recipients), ("", ["w@far.example"]))
        self.assertIn(b"[srs-forged]", report.content)

    def ask_for_reports(self, server):
        with server.talk("l") as c:
            c.hello()
            c.command("MAIL FROM:<writer@far.example> RET=HDRS ENVID=e2", 250)
            c.command("RCPT TO:<away@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Away@example.org", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            c.expect(250)

    def test_the_next_server_is_asked_for_reports(self):
        self.out.keywords.append("DSN")
        server = self.start()
        self.ask_for_reports(server)
        mail = self.out.wait(1)[0]
        self.assertEqual((mail.sender, mail.mail_words, mail.rcpt_words),
                         (signed("writer@far.example"), ["RET=HDRS", "ENVID=e2"],
                          [["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Away@example.org"]]))
        self.send(server, mail.sender, sender="")
        self.assertEqual(self.out.wait(2)[-1].recipients, ["writer@far.example"])

    def test_ours_says_where_reports_end(self):
        server = self.start()
        self.ask_for_reports(server)
        report = self.out.wait(2)[-1]
        self.assertEqual((report.sender, report.recipients), ("", ["writer@far.example"]))
        for line in (b"Action: relayed", b"Original-Recipient: rfc822; Away@example.org", b"Original-Envelope-Id: e2"):
            self.assertIn(line, report.content)

    def test_our_own_report_goes_to_the_writer(self):
        self.out.rcpt = lambda address: "550 5.1.1 nobody" if "elsewhere" in address else "250 2.1.5 Ok"
        server = self.start()
        self.send(server, "away@example.org", words=" ENVID=e1 RET=HDRS")
        report = self.out.wait(1)[0]
        self.assertEqual((report.sender, report.recipients), ("", ["writer@far.example"]))
        self.assertIn(b"Original-Recipient: rfc822; away@example.org", report.content)
        self.assertIn(b"Original-Envelope-Id: e1", report.content)


    def test_senders_of_all_kinds(self):
        """There and back: tagged ones, quoted ones, those that look like ours, address literals."""
        server = self.start()
        for i, (sender, wanted) in enumerate((
                ("prvs=1234abcd=ann@far.example", None), ("ann+tag@far.example", None), ("bounce-1=bob=x.example@list.example", None),
                ("'*+-/=?^_`{|}~@far.example", None), ('"a b"@far.example', None), ('"a@b"@far.example', None),
                ('"plain"@far.example', "plain@far.example"), ("ann@[192.0.2.1]", None), ("ann@FAR.EXAMPLE", None),
                ('"SRS0=a=b=c=d"@one.example', "SRS0=a=b=c=d@one.example"), ("SRS1=a=no host=b@one.example".replace(" ", "_"), None)), 1):
            with self.subTest(sender=sender):
                self.send(server, "away@example.org", sender=sender)
                made = self.out.wait(2 * i - 1)[-1].sender
                self.assertRegex(made, r'^"?SRS[01]=....=.*@back.example.org$')
                self.send(server, made, sender="")
                self.assertEqual(self.out.wait(2 * i)[-1].recipients, [wanted or sender])

    def test_one_that_waits_while_the_secret_changes(self):
        """It is signed by the first secret of now, and leaves under its own sender when there is no section any more."""
        self.out.rcpt = lambda address: "451 4.2.0 later"
        server = self.start()
        self.send(server, "away@example.org")
        wait_for(lambda: server.queue() and server.queue()[0]["recipients"][0]["attempts"] == 1, "an attempt")
        mail = server.queue()[0]["id"]

        def shown():
            return json.loads(server.run("queue", "show", "--json", mail).stdout)["recipients"][0]["sender"]

        def reload():
            before = len(server.logs("reloaded"))
            server.process.send_signal(signal.SIGHUP)
            wait_for(lambda: len(server.logs("reloaded")) > before, "the reload")
        self.secrets(OTHER, SECRET)
        reload()
        wait_for(lambda: shown() == signed("writer@far.example", OTHER), "the other secret")
        path = self.folder / "sallyport.conf"
        whole = path.read_text()
        path.write_text(whole[:whole.index("    srs {")])
        reload()
        wait_for(lambda: shown() is None, "no secret")
        self.refuse(server, signed("writer@far.example"), "unknown-recipient")
        path.write_text(whole)
        (self.folder / "secrets").unlink()
        server.process.send_signal(signal.SIGHUP)
        server.expect_log("reload-refused")
        self.secrets(SECRET)
        reload()
        self.assertEqual(shown(), signed("writer@far.example"))
        self.out.rcpt = lambda address: "250 2.1.5 Ok"
        server.run("queue", "retry", mail)
        self.assertEqual(self.out.wait(1)[0].sender, signed("writer@far.example"))

    def test_without_a_server_nobody_knows_the_sender(self):
        server = self.start(change=lambda text: text.replace('route = "boxes"', 'route = "hold"').replace(
            'default-route = "out"', "default-route = hold"))
        self.send(server, "away@example.org", "ann@example.org")
        mail = wait_for(server.queue, "the message")[0]["id"]
        words = "forwarded, perhaps under another sender (a running server tells it)"
        self.assertNotIn(words, server.run("queue", "show", mail).stdout)
        self.end(server)
        shown = sallyport("queue", "show", mail, "--data", str(self.folder / "data")).stdout.splitlines()
        self.assertEqual([words in line for line in shown if line.startswith("recipient")], [True, False], shown)

    def test_an_operator_returns_one(self):
        self.out.rcpt = lambda address: "451 4.2.0 later" if "elsewhere" in address else "250 2.1.5 Ok"
        server = self.start()
        self.send(server, "away@example.org")
        wait_for(lambda: server.queue() and server.queue()[0]["recipients"][0]["attempts"] == 1, "an attempt")
        self.assertIn("far@elsewhere.example", server.run("queue", "why", server.queue()[0]["id"]).stdout)
        server.run("queue", "bounce", server.queue()[0]["id"])
        report = self.out.wait(1)[0]
        self.assertEqual((report.sender, report.recipients), ("", ["writer@far.example"]))
        self.assertIn(b"Original-Recipient: rfc822; away@example.org", report.content)


class Back(Forwarding):
    def test_a_bounce_comes_back_to_the_writer(self):
        server = self.start()
        for i, address in enumerate((signed("writer@far.example"), signed("writer@far.example").lower(),
                                     signed("writer@far.example").upper(), signed("writer@far.example").replace("SRS0=", "SRS0+"),
                                     signed("writer@far.example", length=12), signed("writer@far.example", day=today() - 21),
                                     signed("writer@far.example", day=today() + 1)), 1):
            self.send(server, address, sender="")
            mail = self.out.wait(i)[-1]
            self.assertEqual((mail.sender, [r.lower() for r in mail.recipients]), ("", ["writer@far.example"]), address)
        again = "SRS0=abcd=TT=far.example=w@one.example"
        self.send(server, signed_again(again), sender="")
        self.assertEqual(self.out.wait(i + 1)[-1].recipients, [again])

    def test_who_answers_is_forwarded_too(self):
        """A program that answers a return path under its own name: no open relay, for it is that address alone."""
        server = self.start()
        self.send(server, signed("writer@far.example"), sender="robot@third.example")
        mail = self.out.wait(1)[0]
        self.assertEqual((mail.sender, mail.recipients), (signed("robot@third.example"), ["writer@far.example"]))

    def test_what_was_not_signed_is_refused(self):
        server = self.start()
        right = signed("writer@far.example")
        local = right.partition("@")[0]
        forged = [local[:i] + ("B" if c in "aA" else "A") + local[i + 1:] for i, c in enumerate(local)
                  if i >= 5 and c not in "="]  # each character but those of the tag
        forged += [local.replace(local[5:9], local[5:5 + n]) for n in range(4)]
        forged += [signed("writer@far.example", OTHER).partition("@")[0], local.replace("far.example", "third.example"),
                   "SRS0=", "SRS0=a=b", "SRS0====", signed_again("SRS0=a=b=c=d@one.example", OTHER).partition("@")[0],
                   local.replace("SRS0", "SRS1")]
        for name in forged:
            self.refuse(server, f"{name}@back.example.org", "srs-forged")
        self.refuse(server, f"{local}@example.org", "unknown-recipient")  # of a domain that has none such
        self.refuse(server, signed("writer@far.example", day=today() - 22), "srs-expired")
        self.refuse(server, signed("writer@far.example", day=today() + 3), "srs-expired")
        self.refuse(server, "nobody@back.example.org", "unknown-recipient")
        self.send(server, "postmaster@back.example.org", sender="")
        self.assertEqual(self.out.mails, [])

    def test_a_signature_cut_elsewhere(self):
        """There are no marks between the parts that are signed: "a@b.c"@d could be read as @d"a, with any domain behind it."""
        server = self.start()
        made = signed("a@third.example x@far.example")
        self.send(server, "away@example.org", sender='"a@third.example x"@far.example')
        self.assertEqual(self.out.wait(1)[0].sender, f'"{made.replace("@back", chr(34) + "@back")}')
        tag = made[:len("SRS0=HHHH=TT=")]
        for parts in ("far.examplea@third.example= x", "far.examplea@third.example =x", "far.examplea@third.exa=mple x"):
            self.refuse(server, f'"{tag}{parts}"@back.example.org', "srs-forged")
        made = signed("..x@far.example").replace("far.example=..x@", 'far.example..=x"@')  # a domain that DNS cannot have
        self.refuse(server, f'"{made}', "srs-forged")

    def test_a_session_has_few_guesses(self):
        """Whatever the command: a signature of four characters is found by who may try a million."""
        server = self.start("--user", "demo:pencil-and-paper")
        forged = signed("writer@far.example", OTHER)
        for command in (f"RCPT TO:<{forged}>", f"VRFY <{forged}>", f"EXPN <{forged}>"):
            with self.subTest(command=command), server.talk("l") as c:
                c.hello()
                c.login("demo", "pencil-and-paper")
                c.command("MAIL FROM:<>", 250)
                for _ in range(20):
                    c.command(command, 550, "5.1.1", "[srs-forged]")
                c.command(command, 421)
                c.expect_close()
        old = signed("writer@far.example", day=today() - 30)
        with server.talk("l") as c:
            c.hello()
            c.command(f"VRFY {old}", 550, "[srs-expired]")
            c.command(f"VRFY {signed('writer@far.example')}", 250)

    def test_secrets_follow_one_another(self):
        server = self.start()

        def reload(*lines):
            self.secrets(*lines)
            before = len(server.logs("reloaded"))
            server.process.send_signal(signal.SIGHUP)
            wait_for(lambda: len(server.logs("reloaded")) > before, "the reload")
        reload("# made by openssl, anno 2026", OTHER, "", SECRET)  # what everybody can guess signs nothing
        self.send(server, signed("writer@far.example"), sender="")
        self.send(server, "away@example.org")
        self.assertEqual({m.sender for m in self.out.wait(2)}, {"", signed("writer@far.example", OTHER)})
        reload(OTHER)
        self.refuse(server, signed("writer@far.example"), "srs-forged")
        self.secrets("short")
        server.process.send_signal(signal.SIGHUP)
        server.expect_log("reload-refused")
        self.send(server, "away@example.org")
        self.assertEqual(self.out.wait(3)[-1].sender, signed("writer@far.example", OTHER))


class Configured(Forwarding):
    def check(self, text):
        path = self.folder / "c.conf"
        path.write_text(text)
        return sallyport("check", "-c", str(path), check=False)

    def test_check_says_what_is_wrong(self):
        text = CONFIG.format(folder=self.folder, port=25, listen=0)
        done = self.check(text)
        self.assertEqual(done.returncode, 0)
        self.assertIn("  senders of forwarded mail: SRS0=...@back.example.org, bounces taken for 21 days, signatures of 4 characters\n",
                      done.stdout)
        self.assertIn("  senders of forwarded mail: as they are (no section srs)\n", self.check(text[:text.index("    srs {")]).stdout)
        for change, words in (
                (("domain = \"back.", "domain = \"other."), "srs/domain: 'other.example.org' is no domain of this server"),
                (("secrets\"", "secrets\"\n        max-age = 4d"), "srs/max-age: is not more than queue/expire"),
                (("secrets\"", "secrets\"\n        max-age = 500h"), "whole days"),
                (("secrets\"", "nothing\""), "nothing: secret-file cannot be read")):
            done = self.check(text.replace(*change))
            self.assertNotEqual(done.returncode, 0, change)
            self.assertIn(words, done.stderr)
        for lines, mode, words in ((("short",), 0o600, "secrets:1: the secret has fewer than 16 characters"),
                                   (("", "# " + SECRET), 0o600, "secrets: holds no secret"), ((SECRET,) * 17, 0o600, "more than 16 secrets"),
                                   ((SECRET, "x" * 256), 0o600, "secrets:2: the secret is longer"),
                                   ((SECRET,), 0o644, "secrets: every user of this machine may read")):
            self.secrets(*lines, mode=mode)
            self.assertIn(words, self.check(text).stderr)
        done = sallyport("serve", "-c", str(self.folder / "c.conf"), "--data", str(self.folder / "d"), check=False)
        self.assertEqual(done.returncode, os.EX_CONFIG, done.output)
        self.assertIn("every user of this machine may read", done.stderr)


class World(Forwarding):
    """Real servers on the whole way: writer -> ours -> the next, which fails later -> its bounce -> ours -> the writer's."""

    def chain(self, next_srs):
        """Ours forwards to the second, whose alias leads on to the third, which refuses."""
        self.third = FakeServer(rcpt=lambda address: "550 5.1.1 nobody")
        self.addCleanup(self.third.stop)
        first_port = free_port()
        second_folder = self.folder / "second"
        second_folder.mkdir()
        second_folder.chmod(0o755)
        (second_folder / "aliases").write_text("far: gone@third.example\n")
        (second_folder / "secrets").write_text(OTHER + "\n")
        (second_folder / "secrets").chmod(0o600)
        text = CONFIG.format(folder=second_folder, port=self.third.port, listen=0).replace("example.org", "elsewhere.example")
        text += f"""
    route "first" {{
        kind = relay
        host = "127.0.0.1"
        port = {first_port}
        tls = off
    }}
    rule "bounces" {{
        to = {{"example.org", "back.example.org"}}
        route = "first"
    }}
"""
        if not next_srs:
            text = text[:text.index("    srs {")] + text[text.index("    route \"first\""):]
        second = self.configure(text, name="second.conf", data="second-data")
        first = CONFIG.format(folder=self.folder, port=self.out.port, listen=first_port) + f"""
    route "second" {{
        kind = relay
        host = "127.0.0.1"
        port = {second.port("l")}
        tls = off
    }}
    rule "elsewhere" {{
        to = {{"elsewhere.example", "back.elsewhere.example"}}
        route = "second"
    }}
"""
        return self.configure(first, name="first.conf", data="first-data"), second

    def test_a_circle_of_forwarders_ends_with_one_report(self):
        first, second = self.chain(True)
        (self.folder / "second" / "aliases").write_text("far: away@example.org\n")
        second.process.send_signal(signal.SIGHUP)
        second.wait_log("reloaded")
        self.send(first, "away@example.org")
        report = self.out.wait(1)[0]
        self.assertEqual((report.sender, report.recipients), ("", ["writer@far.example"]))
        self.assertIn(b"[mail-loop]", report.content)
        second.expect_log("mail-not-stored", reason="mail-loop")
        for server in (first, second):
            wait_for(lambda: server.queue() == [], "nothing that goes round")
        self.assertEqual(len(self.out.mails), 1)

    def test_the_bounce_of_the_next_server(self):
        for next_srs in (False, True):
            with self.subTest(next_srs=next_srs):
                first, second = self.chain(next_srs)
                before = len(self.out.mails)
                self.send(first, "away@example.org")
                bounce = self.out.wait(before + 1)[-1]
                self.assertEqual((bounce.sender, bounce.recipients), ("", ["writer@far.example"]))
                self.assertIn(b"gone@third.example", bounce.content)
                senders = [line for line in self.third.lines if line.upper().startswith(b"MAIL")]
                wanted = signed("writer@far.example")
                if next_srs:
                    wanted = signed_again(wanted, OTHER, "back.elsewhere.example")
                self.assertIn(f"MAIL FROM:<{wanted}>".encode(), senders[0])
                self.assertEqual(first.queue(), [])
                self.end(first)
                self.end(second)
                for path in (self.folder / "second").iterdir():
                    path.unlink() if path.is_file() else None
                (self.folder / "second").rmdir()


class Peers(Forwarding):
    """Ours and those of others must make the same address, and read each other's."""

    SENDERS = ("ann@far.example", "Ann.B@Far.Example", "a+b=c@far.example", "x-y_z@sub.far.example", "o'neil@far.example",
               "SRS0=abcd=TT=far.example=ann@one.example", "SRS0+abcd=TT=far.example=ann@one.example",
               "SRS0-abcd=TT=far.example=a=b@one.example", "SRS1=abcd=one.example==abcd=TT=far.example=ann@two.example",
               "SRS1+abcd=one.example=-abcd=TT=far.example=ann@two.example")

    def pysrs(self):
        peer("pysrs", "usr/lib/python3/dist-packages/SRS/Guarded.py")
        script = """if True:
            import sys
            from SRS.Guarded import Guarded
            srs = Guarded(secret=sys.argv[1], separator="=")
            for line in sys.stdin.read().split():
                made = srs.forward(line, "x@back.example.org")
                print(made, srs.reverse(made))
        """
        folder = ROOT / "build/peers/pysrs/root/usr/lib/python3/dist-packages"
        return [sys.executable, "-c", script, SECRET], dict(os.environ, PYTHONPATH=str(folder))

    def mail_srs(self):
        peer("mail-srs", "usr/share/perl5/Mail/SRS.pm")
        script = """
            my $srs = Mail::SRS->new(Secret => [$ARGV[0]], Separator => "=", HashLength => 4);
            while (my $line = <STDIN>) {
                chomp $line;
                my $made = $srs->forward($line, "back.example.org");
                print "$made ", $srs->reverse($made), "\\n";
            }
        """
        folder = ROOT / "build/peers/mail-srs/root/usr/share/perl5"
        return ["perl", "-I", str(folder), "-MMail::SRS", "-e", script, SECRET], None

    def compare(self, command, env):
        done = run(command, input="\n".join(self.SENDERS) + "\n", check=True, env=env)
        theirs = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual(len(theirs), len(self.SENDERS), done.output)
        server = self.start("--user", "demo:pencil-and-paper")
        with server.talk("l") as c:
            c.hello()
            c.login("demo", "pencil-and-paper")
            for made, back in theirs:
                reply = c.command(f"EXPN <{made}>", 250)
                self.assertEqual(reply.lines, [f"2.1.5 <{back}>"])
        for i, (sender, (made, _)) in enumerate(zip(self.SENDERS, theirs), 1):
            self.send(server, "away@example.org", sender=sender)
            self.assertEqual(self.out.wait(i)[-1].sender, made)

    def test_pysrs(self):
        self.compare(*self.pysrs())

    def test_mail_srs(self):
        """The authors' own, of Perl."""
        self.compare(*self.mail_srs())
