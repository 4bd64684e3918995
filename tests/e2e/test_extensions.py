"""What MAIL and RCPT ask, from real clients to the queue and to the next server."""
import email.message
import email.policy
import json
import smtplib

from fake_server import FakeServer
from harness import SLOW, ServerCase, program, run, swaks, wait_for

HEAD = """
hostname = mail.example.org
data = data
default-route = hold
domain example.org {
    route = hold
    mailboxes = { alice }
}
domain xn--bcher-kva.example {
    route = hold
}
"""


def show(server, queue_id):
    return json.loads(server.run("queue", "show", "--json", queue_id).stdout)


class Kept(ServerCase):
    """smtplib and raw sessions into the sandbox; `queue show` tells what was kept."""

    def setUp(self):
        super().setUp()
        self.server = self.serve()

    def client(self, listener="smtp"):
        client = smtplib.SMTP(*self.server.addresses[listener])
        self.addCleanup(client.close)
        client.ehlo("client.example")
        return client

    def show(self):
        entry, = self.server.queue()
        return show(self.server, entry["id"])

    def test_smtputf8(self):
        client = self.client()
        self.assertTrue(client.has_extn("smtputf8"))
        message = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
        message["From"], message["To"], message["Subject"] = "jürgen@bücher.example", "ü@example.net", "Grüße"
        message.set_content("läuft\n", cte="8bit")
        self.assertEqual(client.send_message(message), {})
        entry = self.show()
        self.assertEqual((entry["sender"], entry["body"], entry["smtputf8"]), ("jürgen@bücher.example", "8BITMIME", True))
        self.assertEqual(entry["recipients"][0]["address"], "ü@example.net")
        self.assertIn("Subject: Grüße".encode(), self.server.content(entry["id"]))
        self.assertIn(b"with UTF8SMTP\r", self.server.content(entry["id"]))

    def test_a_domain_that_dns_cannot_have(self):
        with self.server.talk() as c:
            c.hello()
            c.raw("MAIL FROM:<a@\u2603.example> SMTPUTF8\r\n".encode())
            c.expect(553, "[bad-domain]")
            c.raw("MAIL FROM:<a@bücher.example> SMTPUTF8\r\n".encode())
            c.expect(250)

    def test_dsn(self):
        client = self.client()
        client.mail("a@example.org", ["RET=HDRS", "ENVID=QQ+20314", "MT-PRIORITY=-3", "BY=3600;NT"])
        self.assertEqual(client.rcpt("b@example.org", ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;B+2Bx@example.org"])[0], 250)
        self.assertEqual(client.data(b"Subject: x\r\n\r\nx\r\n")[0], 250)
        entry = self.show()
        self.assertEqual((entry["ret"], entry["envid"], entry["priority"]), ("HDRS", "QQ 314", -3))
        self.assertEqual((entry["by_mode"], entry["by_trace"]), ("notify", True))
        recipient = entry["recipients"][0]
        self.assertEqual((recipient["notify"], recipient["orcpt"]), (["SUCCESS", "DELAY"], "rfc822;B+x@example.org"))
        text = self.server.run("queue", "show", entry["id"]).stdout
        for words in ("ret        HDRS", "envid      QQ 314", "notify   SUCCESS,DELAY", "priority   -3"):
            self.assertIn(words, text)

    def test_who_is_not_known_does_not_overtake(self):
        client = self.client()
        client.mail("a@example.org", ["MT-PRIORITY=9"])
        client.rcpt("b@example.org")
        client.data(b"Subject: x\r\n\r\nx\r\n")
        self.assertEqual(self.show()["priority"], 0)

    def test_later(self):
        client = self.client("submission")
        client.starttls(context=self.server.client_tls())
        client.login(self.server.user, self.server.password)
        self.assertTrue(client.has_extn("futurerelease"))
        client.mail("a@example.org", ["HOLDFOR=86400"])
        client.rcpt("b@example.org")
        client.data(b"Subject: x\r\n\r\nx\r\n")
        self.assertIsNotNone(self.show()["hold_until"])

    def test_chunks(self):
        content = b"Subject: x\r\n\r\n" + bytes(range(256)) * 1000
        with self.server.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org> BODY=BINARYMIME", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            for at in range(0, len(content), 50000):
                piece = content[at:at + 50000]
                last = b" LAST" if at + 50000 >= len(content) else b""
                c.raw(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
                c.expect(250)
        entry = self.show()
        self.assertEqual(entry["body"], "BINARYMIME")
        self.assertTrue(self.server.content(entry["id"]).endswith(content))


class Manners(ServerCase):
    """RFC 6409 8: for who has logged in, and for nobody else."""

    ROUGH = b"Subject: x\r\nBcc: secret@example.org\r\n\r\nx\r\n"

    def test_who_has_logged_in(self):
        server = self.serve()
        client = smtplib.SMTP(*server.addresses["submission"])
        client.starttls(context=server.client_tls())
        client.login(server.user, server.password)
        client.sendmail("a@example.org", ["b@example.org"], self.ROUGH)
        client.quit()
        entry, = server.queue()
        content = server.content(entry["id"])
        self.assertNotIn(b"secret", content)
        for field in (b"\r\nDate: ", b"\r\nMessage-ID: <" + entry["id"].encode() + b"@", b"\r\nFrom: <a@example.org>\r\n"):
            self.assertIn(field, content)

    def test_a_relay_changes_nothing(self):
        server = self.serve()
        with server.talk() as c:
            c.hello()
            ident = c.mail(self.ROUGH)
        self.assertTrue(server.content(ident).endswith(b"\r\n" + self.ROUGH))


class Peers(ServerCase):
    def test_xclient_by_swaks(self):
        program("swaks")
        server = self.configure(HEAD + """
            listener mx {
                address = "127.0.0.1:0"
                tls = off
                xclient-from = { "127.0.0.0/8" }
            }
        """)
        done = swaks(server.addresses["mx"], "--to", "alice@example.org", "--from", "x@client.example",
                     "--xclient-addr", "192.0.2.7", "--xclient-name", "client.example", "--xclient-login", "demo")
        self.assertEqual(done.returncode, 0, done.output)
        entry, = server.queue()
        entry = show(server, entry["id"])
        self.assertEqual((entry["client"], entry["user"]), ("192.0.2.7", "demo"))
        self.assertIn(b"([192.0.2.7])", server.content(entry["id"]))
        server.wait_log("xclient", client="192.0.2.7", user="demo")

    def test_nobody_else(self):
        server = self.configure(HEAD + """
            listener mx {
                address = "127.0.0.1:0"
                tls = off
                xclient-from = { "192.0.2.0/24" }
            }
        """)
        with server.talk("mx") as c:
            c.hello()
            c.command("XCLIENT ADDR=192.0.2.7", 502, "[command-not-offered]")


class Asked(ServerCase):
    """ETRN: a site that is back asks for what waits."""

    def setUp(self):
        super().setUp()
        self.site = FakeServer(sayings={"": "421 4.3.2 the line is down"})
        self.addCleanup(self.site.stop)
        self.server = self.configure("""
            hostname = mail.example.org
            data = data
            default-route = hold
            queue {
                retry-first = 1h
                back-off-first = 1h
                back-off-most = 1h
            }
            route site {
                kind = relay
                host = "127.0.0.1"
                port = %d
                tls = off
            }
            domain example.org {
                route = site
            }
            listener mx {
                address = "127.0.0.1:0"
                auth = offered
                auth-in-clear = yes
                etrn = yes
            }
            listener inside {
                address = "127.0.0.1:0"
                tls = off
                relay-from = "127.0.0.1"
                etrn = yes
            }
            listener other {
                address = "127.0.0.1:0"
                tls = off
            }
        """ % self.site.port, "--user", "demo:pencil-and-paper")

    def send(self, subject):
        with self.server.talk("mx") as c:
            c.hello()
            c.command("MAIL FROM:<a@client.example>", 250)
            c.command("RCPT TO:<alice@Example.org>", 250)
            c.command("DATA", 354)
            c.raw(b"Subject: %s\r\n\r\nx\r\n.\r\n" % subject.encode())
            c.expect(250)

    def test_what_waits_is_sent(self):
        self.send("tried")
        wait_for(lambda: [m for m in self.server.queue() if m["recipients"][0]["attempts"]], "the attempt", 5)
        self.send("parked")
        self.site.sayings.clear()
        with self.server.talk("inside") as c:
            self.assertIn("ETRN", str(c.hello()))
            c.command("ETRN EXAMPLE.org", 250, "Delivery started")
        self.site.wait(2)
        wait_for(lambda: not self.server.queue(), "an empty queue")
        self.server.wait_log("domain-asked-for", domain="EXAMPLE.org", recipients="2")

    def test_with_all_below_and_by_who_has_logged_in(self):
        self.send("tried")
        wait_for(lambda: [m for m in self.server.queue() if m["recipients"][0]["attempts"]], "the attempt", 5)
        self.site.sayings.clear()
        with self.server.talk("mx") as c:
            c.hello()
            c.login("demo", "pencil-and-paper")
            c.command("ETRN @example.org", 250)
        self.site.wait(1)

    def test_who_may_not(self):
        with self.server.talk("mx") as c:
            c.hello()
            c.command("ETRN example.org", 459, "[etrn-denied]")
            c.login("demo", "pencil-and-paper")
            c.command("ETRN elsewhere.example", 459, "[etrn-denied]")
            c.command("ETRN #queue", 501, "[etrn-argument]")
        with self.server.talk("other") as c:
            self.assertNotIn("ETRN", str(c.hello()))
            c.command("ETRN example.org", 502, "[command-not-offered]")


class Lmtp(ServerCase):
    LISTENER = """
        listener last {
                address = "127.0.0.1:0"
                tls = off
                protocol = lmtp
                verify = yes
            }
    """

    def test_by_smtplib(self):
        server = self.configure(HEAD + self.LISTENER)
        client = smtplib.LMTP(*server.addresses["last"])
        self.addCleanup(client.close)
        client.ehlo("client.example")
        client.mail("a@client.example")
        self.assertEqual(client.rcpt("alice@example.org")[0], 250)
        self.assertEqual(client.rcpt("nobody@example.org")[0], 550)
        self.assertEqual(client.rcpt("x@xn--bcher-kva.example")[0], 250)
        client.putcmd("data")
        self.assertEqual(client.getreply()[0], 354)
        client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        first, second = client.getreply(), client.getreply()
        self.assertEqual((first[0], second[0]), (250, 250))
        self.assertEqual(first, second)
        entry, = server.queue()
        self.assertIn(b"with LMTP\r", server.content(entry["id"]))

    def test_by_swaks(self):
        program("swaks")
        server = self.configure(HEAD + self.LISTENER)
        done = swaks(server.addresses["last"], "--protocol", "LMTP", "--to", "alice@example.org,x@xn--bcher-kva.example",
                     "--from", "a@client.example")
        self.assertEqual(done.returncode, 0, done.output)
        self.assertEqual(len(server.queue()), 1)

    def test_by_curl(self):
        program("curl")
        server = self.configure(HEAD + self.LISTENER.replace("protocol = lmtp\n", ""))
        host, port = server.addresses["last"]
        done = run(["curl", "-s", "--url", f"smtp://{host}:{port}/client.example", "--mail-from", "a@client.example",
                    "--mail-rcpt", "alice@example.org", "--upload-file", "-"], input="Subject: x\r\n\r\nx\r\n")
        self.assertEqual(done.returncode, 0, done.output)
        self.assertEqual(len(server.queue()), 1)

    def test_verify(self):
        server = self.configure(HEAD + self.LISTENER)
        with server.talk("last") as c:
            c.command("VRFY alice@example.org", 250, "alice@example.org")
            c.command("VRFY <nobody@example.org>", 550, "5.1.1")
            c.command("VRFY x@elsewhere.example", 252)


class Through(ServerCase):
    """What was asked of the first server arrives at the second, which it relays to."""

    def setUp(self):
        super().setUp()
        self.second = self.serve(data="second")
        host, port = self.second.addresses["smtp"]
        self.first = self.serve("--relay", f"{host}:{port}", data="first")

    def arrived(self):
        entry, = wait_for(self.second.queue, "the message")
        return show(self.second, entry["id"])

    def test_parameters(self):
        with self.first.talk() as c:
            c.hello()
            c.raw("MAIL FROM:<jürgen@bücher.example> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=a+20b MT-PRIORITY=-2\r\n".encode())
            c.expect(250)
            c.raw("RCPT TO:<ü@example.net> NOTIFY=NEVER ORCPT=utf-8;ö@example.net\r\n".encode())
            c.expect(250)
            c.command("DATA", 354)
            c.raw("Subject: Grüße\r\n\r\nläuft\r\n.\r\n".encode())
            c.expect(250)
        entry = self.arrived()
        self.assertEqual((entry["sender"], entry["smtputf8"], entry["body"]), ("jürgen@bücher.example", True, "8BITMIME"))
        self.assertEqual((entry["ret"], entry["envid"], entry["priority"]), ("HDRS", "a b", -2))
        recipient, = entry["recipients"]
        self.assertEqual((recipient["address"], recipient["notify"], recipient["orcpt"]),
                         ("ü@example.net", ["NEVER"], "utf-8;ö@example.net"))

    def test_a_large_binary_message(self):
        content = b"Subject: x\r\n\r\n" + bytes(range(256)) * 4096 * (30 if SLOW else 2)
        with self.first.talk() as c:
            c.hello()
            c.command("MAIL FROM:<a@example.org> BODY=BINARYMIME", 250)
            c.command("RCPT TO:<b@example.org>", 250)
            c.raw(b"BDAT %d LAST\r\n" % len(content) + content)
            c.expect(250)
        entry = self.arrived()
        self.assertEqual(entry["body"], "BINARYMIME")
        self.assertTrue(self.second.content(entry["id"]).endswith(content))


class Leniency(ServerCase):
    """What a listener takes of whom: `fix-line-ends`, `undeclared-8bit`."""

    def talk(self, key):
        server = self.configure(HEAD + """
            listener inside {
                address = "127.0.0.1:0"
                auth = offered
                auth-in-clear = yes
                %s
            }
        """ % key, "--user", "demo:pencil-and-paper")
        c = server.talk("inside")
        self.addCleanup(c.close)
        c.hello()
        return server, c

    def send(self, c, octets, code, *words):
        c.command("MAIL FROM:<a@example.org>", 250)
        c.command("RCPT TO:<alice@example.org>", 250)
        c.command("DATA", 354)
        c.raw(octets)
        return c.expect(code, *words)

    def test_line_ends_of_who_has_logged_in(self):
        server, c = self.talk("fix-line-ends = yes")
        smuggled = b"Subject: x\n\nx\n.\nMAIL FROM:<mallory@example.org>\n.\r\n.\r\n"
        self.send(c, smuggled, 554, "[bare-lf-in-message]")
        c.login("demo", "pencil-and-paper")
        self.send(c, smuggled, 250)
        entry, = server.queue()
        self.assertTrue(server.content(entry["id"]).endswith(
            b"Subject: x\r\n\r\nx\r\n.\r\nMAIL FROM:<mallory@example.org>\r\n.\r\n"))

    def test_eight_bits_are_declared(self):
        server, c = self.talk("undeclared-8bit = refuse")
        self.send(c, "Subject: é\r\n\r\n.\r\n".encode(), 554, "[undeclared-8bit]")
        c.command("MAIL FROM:<a@example.org> BODY=8BITMIME", 250)
        c.command("RCPT TO:<alice@example.org>", 250)
        c.command("DATA", 354)
        c.raw("Subject: é\r\n\r\n.\r\n".encode())
        c.expect(250)
        self.assertEqual(len(server.queue()), 1)
