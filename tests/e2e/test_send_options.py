"""`sallyport send`: each group of options, against our server, a server that does as it is told, and Postfix's smtp-sink."""
import email
import email.policy
import json
import pathlib
import re
import socket
import socketserver
import ssl
import struct
import threading
import unittest

from harness import ROOT, SALLYPORT, Sink, free_port, run
from name_server import NameServer, Zone
from test_send import DATAERR, NOPERM, NOUSER, OK, TEMPFAIL, UNAVAILABLE, USAGE, SendCase

PROTOCOL = 76
EVERYTHING = ["PIPELINING", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8", "DSN", "DELIVERBY", "FUTURERELEASE 1000",
              "MT-PRIORITY", "SIZE 1000000", "ENHANCEDSTATUSCODES"]


def content_of(server, out):
    return server.content(re.search(r"Queued as (\w{13})", out).group(1))


def parse(content):
    return email.message_from_bytes(content, policy=email.policy.default)


class Message(SendCase):
    def dump(self, *words, **options):
        return parse(run([SALLYPORT, "send", "--dump", *map(str, words)], **options).stdout.encode())

    def test_headers(self):
        mail = self.dump("--to", "a@example.org", "--cc", "c@example.org", "--bcc", "secret@example.org", "--header", "Subject: mine",
                         "--add-header", "Received: from nowhere", "--h-X-One", "1", "--h-X-Two=2: b", "--add-header", "From: x@example.org")
        self.assertEqual((mail["Subject"], mail["X-One"], mail["X-Two"], mail["Received"]), ("mine", "1", "2: b", "from nowhere"))
        self.assertEqual((mail["To"], mail["Cc"]), ("a@example.org", "c@example.org"))
        self.assertEqual(len(mail.get_all("From")), 2)
        self.assertEqual(len(mail.get_all("Subject")), 1)
        self.assertNotIn("secret", str(mail))

    def test_only_hidden_recipients(self):
        self.assertEqual(self.dump("--bcc", "b@example.org")["To"], "undisclosed-recipients:;")

    def test_attachments(self):
        picture = self.folder / "ảnh đẹp.png"
        picture.write_bytes(bytes(range(256)) * 10)
        note = self.folder / "note.txt"
        note.write_text("ghi chú\n")
        inner = self.folder / "inner.eml"
        inner.write_text("Subject: inner\n\nwithin\n")
        mail = self.dump("--to", "a@example.org", "--body", "one\\ntwo", "--attach", picture, "--attach-type", "text/x-note",
                         "--attach-name", "other.txt", "--attach", note, "--attach", inner)
        body, first, second, third = mail.iter_parts()
        self.assertEqual(body.get_content(), "one\r\ntwo")
        self.assertEqual((first.get_content_type(), first.get_filename()), ("image/png", "ảnh đẹp.png"))
        self.assertEqual(first.get_content(), bytes(range(256)) * 10)
        self.assertEqual((second.get_content_type(), second.get_filename()), ("text/x-note", "other.txt"))
        self.assertEqual(second.get_payload(decode=True), "ghi chú\n".encode())
        self.assertEqual(third.get_content()["Subject"], "inner")

    def test_body_type_and_body_of_a_file(self):
        path = self.folder / "page"
        path.write_text("<p>xin chào</p>\n")
        mail = self.dump("host", path, "--to", "a@example.org", "--body-type", "text/html")
        self.assertEqual((mail.get_content_type(), mail.get_content()), ("text/html", "<p>xin chào</p>\r\n"))

    def test_data_is_the_whole_message(self):
        server = self.fake()
        path = self.folder / "raw"
        path.write_bytes(b"no header here\n.\nlast")
        self.send("--server", server.address, "--to", "a@example.org", "--data", path)
        self.assertEqual(server.wait(1)[0].content, b"no header here\r\n.\r\nlast\r\n")

    def test_messages_have_ids_of_their_own(self):
        server = self.fake()
        self.send(server.address, "--to", "a@example.org", "--repeat", "5")
        self.assertEqual(len({parse(m.content)["Message-ID"] for m in server.wait(5)}), 5)

    def test_faults(self):
        for words, says in ((["--to=a", "--data=f", "--subject=x"], "whole message"), (["--to=a", "--attach-type=text/x"], "before"),
                            (["--to=a", "--attach-type=x", "--attach=f"], "TYPE/SUBTYPE"), (["--to=a", "--h-X"], "--h-NAME")):
            done = self.send("h", *words, code=USAGE)
            self.assertIn(says, done.stderr, words)
        self.send("h", "--to=a", "--attach", self.folder / "none", code=66)


class Envelope(SendCase):
    def test_everything_that_can_be_asked(self):
        server = self.fake(keywords=EVERYTHING, auth={"PLAIN": "235 in"})
        self.send(server.address, "--to", "hộp@thư.example,a@example.org", "--ret", "full", "--envid", "a+b", "--notify", "success,delay",
                  "--orcpt", "rfc822;x=y@example.org", "--deliver-by", "600;N", "--hold-for", "60", "--priority", "-4", "--mail-auth",
                  "<>", "--mail-param", "X-A=1", "--rcpt-param", "X-B=2", "--body", "hello")
        mail, = server.wait(1)
        words = mail.mail_words
        for word in ("SMTPUTF8", "RET=FULL", "ENVID=a+2Bb", "MT-PRIORITY=-4", "AUTH=<>", "X-A=1", "HOLDFOR=60"):
            self.assertIn(word, words)
        self.assertRegex(" ".join(words), r"SIZE=\d+ .*BY=(600|59\d);N")
        self.assertEqual(mail.rcpt_words, [["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;x+3Dy@example.org", "X-B=2"]] * 2)

    def test_nothing_is_said_that_is_not_offered(self):
        server = self.fake(keywords=["PIPELINING"])
        self.send(server.address, "--to", "a@example.org", "--ret", "full", "--notify", "never", "--priority", "3")
        mail, = server.wait(1)
        self.assertEqual((mail.mail_words, mail.rcpt_words), ([], [[]]))

    def test_what_may_not_be_lost(self):
        server = self.fake(keywords=["PIPELINING"])
        for words, code in ((["--requiretls"], "5.7.10"), (["--deliver-by", "60"], "5.3.3"), (["--hold-for", "9"], "5.3.3")):
            shown = self.json(server.address, "--to", "a@example.org", *words, code=DATAERR)
            self.assertEqual(shown["recipients"][0]["enhanced"], code)
        shown = self.json(server.address, "--to", "hộp@thư.example", code=DATAERR)
        self.assertEqual(shown["recipients"][0]["enhanced"], "5.6.7")

    def test_limits_are_kept(self):
        server = self.fake(keywords=["LIMITS RCPTMAX=2 MAILMAX=2"])
        shown = self.json(server.address, "--to", "a@example.org,b@example.org,c@example.org", code=TEMPFAIL)
        self.assertEqual([r["state"] for r in shown["recipients"]], ["deferred", "delivered", "delivered"])
        shown = self.json(server.address, "--to", "a@example.org", "--repeat", "5", "--reuse")
        self.assertEqual((shown["summary"]["messages"], shown["summary"]["connections"]), (5, 3))

    def test_faults(self):
        for words, says in ((["--notify=never,success"], "--notify"), (["--notify=x"], "--notify"), (["--orcpt=a@b"], "TYPE;ADDRESS"),
                            (["--ret=half"], "--ret"), (["--deliver-by=x"], "--deliver-by"), (["--priority=10"], "--priority"),
                            (["--hold-for=0"], "--hold-for"), (["--mail-param=é"], "--mail-param")):
            self.assertIn(says, self.send("h", "--to=a", *words, code=USAGE).stderr)


class Content(SendCase):
    def test_chunks(self):
        server = self.fake(keywords=EVERYTHING)
        path = self.folder / "mail"
        path.write_bytes(b"Subject: x\n\n.\n" + b"y" * 1000)
        for pipeline in ([], ["--pipeline"]):
            shown = self.json(server.address, path, "--to", "a@example.org", "--bdat=300", *pipeline)
            self.assertEqual(shown["recipients"][0]["state"], "delivered")
        for mail in server.wait(2):
            self.assertEqual(mail.content, b"Subject: x\r\n\r\n.\r\n" + b"y" * 1000 + b"\r\n")
            self.assertEqual(mail.chunks, [300, 300, 300, 119])
        out = self.send(server.address, path, "--to", "a@example.org", "--bdat").stdout
        self.assertIn("C: BDAT 1019 LAST\n", out)

    def test_a_refused_chunk(self):
        server = self.fake(keywords=EVERYTHING, chunk=lambda size, last: "552 5.3.4 too large")
        shown = self.json(server.address, "--to", "a@example.org", "--bdat=100", "--pipeline", code=UNAVAILABLE)
        self.assertEqual((shown["recipients"][0]["state"], shown["recipients"][0]["code"]), ("failed", 552))

    def test_binary(self):
        server = self.fake(keywords=EVERYTHING)
        content = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256)) * 300 + b"\n.\n"
        path = self.folder / "mail"
        path.write_bytes(content)
        self.send(server.address, path, "--to", "a@example.org", "--binary")
        mail, = server.wait(1)
        self.assertIn("BODY=BINARYMIME", mail.mail_words)
        self.assertEqual(mail.content, content)

    def test_binary_to_a_server_that_takes_lines(self):
        server = self.fake(keywords=["8BITMIME"])
        path = self.folder / "blob"
        path.write_bytes(bytes(range(256)) * 300)
        out = self.send(server.address, "--to", "a@example.org", "--binary", "--attach", path).stdout
        mail = parse(server.wait(1)[0].content)
        text, blob = mail.iter_parts()
        self.assertEqual(blob.get_content(), bytes(range(256)) * 300)
        self.assertNotIn("BDAT", out)

    def test_lmtp(self):
        server = self.fake(lmtp=True, data=lambda mail: "452 4.2.2 full" if mail.recipients == ["b@example.org"] else "250 2.0.0 in")
        shown = self.json(server.address, "--to", "a@example.org,b@example.org,c@example.org", "--protocol", "lmtp", code=TEMPFAIL)
        self.assertEqual([r["state"] for r in shown["recipients"]], ["delivered", "deferred", "delivered"])
        self.assertTrue(any(e.get("line", "").startswith("LHLO ") for e in shown["conversation"]))

    def test_lmtp_to_postfix(self):
        sink = Sink("-L")
        self.addCleanup(sink.stop)
        shown = self.json(sink.address, "--to", "a@example.org,b@example.org", "--protocol", "lmtp", "--pipeline")
        self.assertEqual([r["state"] for r in shown["recipients"]], ["delivered", "delivered"])
        self.assertEqual(sink.recipients(), ["a@example.org", "b@example.org"])

    def test_helo(self):
        server = self.fake()
        out = self.send(server.address, "--to", "a@example.org", "--protocol", "smtp", "--helo", "me.example").stdout
        self.assertIn("C: HELO me.example\n", out)
        self.assertNotIn("C: EHLO", out)


class Proxied(socketserver.StreamRequestHandler):
    """Reads a PROXY header, keeps it, and then speaks just enough SMTP."""

    def handle(self):
        head = self.rfile.read(5)
        if head == b"PROXY":
            head += self.rfile.readline()
        else:
            head += self.rfile.read(11)
            head += self.rfile.read(struct.unpack(">H", head[14:16])[0])
        self.server.heads.append(head)
        self.wfile.write(b"220 proxied\r\n")
        for line in self.rfile:
            self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")


class Ways(SendCase):
    def test_proxy_headers(self):
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxied) as server:
            server.heads, server.daemon_threads = [], True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            where = f"127.0.0.1:{server.server_address[1]}"
            for words in (["v1", "--proxy-from", "192.0.2.1:4711", "--proxy-to", "192.0.2.9:25"], ["v1"],
                          ["v2", "--proxy-from", "[2001:db8::1]:4711", "--proxy-to", "[2001:db8::2]:25"],
                          ["v2", "--proxy-from", "192.0.2.1:4711"], ["v2"]):
                self.send(where, "--quit-after", "ehlo", "--proxy", *words)
            server.shutdown()
        signature = b"\r\n\r\n\0\r\nQUIT\n"
        ports = struct.pack(">HH", 4711, 25)
        six = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(socket.AF_INET6, "2001:db8::2")
        four = socket.inet_aton("192.0.2.1") + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 4711, int(where.split(":")[1]))
        self.assertEqual(server.heads, [
            b"PROXY TCP4 192.0.2.1 192.0.2.9 4711 25\r\n", b"PROXY UNKNOWN\r\n", signature + b"\x21\x21\0\x24" + six + ports,
            signature + b"\x21\x11\0\x0c" + four, signature + b"\x20\0\0\0"])

    def test_xclient(self):
        server = self.fake(keywords=["XCLIENT NAME ADDR"], sayings={"XCLIENT": "220 anew"})
        out = self.send(server.address, "--to", "a@example.org", "--xclient", "ADDR=192.0.2.1 NAME=x.example").stdout
        self.assertEqual(out.count("C: EHLO "), 2)
        self.assertIn("C: XCLIENT ADDR=192.0.2.1 NAME=x.example\n", out)

    def test_names_of_protocols(self):
        server = self.fake(keywords=["STARTTLS"], sayings={"STARTTLS": "454 4.7.0 not now"}, auth={"PLAIN": "235 in"})
        self.send(server.address, "--to", "a@example.org", "--protocol", "ESMTPA", "--auth", "u:p")
        self.send(server.address, "--to", "a@example.org", "--protocol", "esmtps", code=TEMPFAIL)
        self.send(server.address, "--to", "a@example.org", "--protocol", "ssmtp", "--timeout", "2", code=None)
        for words in (["--protocol", "esmtpx"], ["--protocol", "esmtpa"], ["--protocol", "smtps"], ["--protocol", "lmtps", "--tls=off"]):
            self.send(server.address, "--to", "a@example.org", *words, code=USAGE)

    def test_families(self):
        server = self.fake()
        where = f"localhost:{server.port}"
        self.send(where, "--to", "a@example.org", "-4")
        self.send("127.0.0.1:25", "--to", "a@example.org", "-6", code=68)
        self.send(where, "--to", "a@example.org", "-4", "-6", code=USAGE)

    def test_the_mail_server_of_a_domain(self):
        server = self.fake()
        zone = Zone("world.example", "@ IN MX 20 other\n@ IN MX 10 mx\nmx IN A 127.0.0.1\nnull IN MX 0 .\nalone IN A 127.0.0.1\n")
        names = NameServer(self.folder / "dns", [zone])
        self.addCleanup(names.stop)
        words = ["--mx", "--name-server", names.address, "--port", server.port]
        out = self.send(*words, "--to", "me@world.example").stdout
        self.assertIn("-- MX world.example: mx.world.example\n", out)
        self.assertEqual(self.json(*words, "--to", "me@alone.world.example")["host"], "alone.world.example")
        self.send(*words, "--to", "me@[127.0.0.1]")
        self.assertEqual(len(server.wait(3)), 3)
        self.assertIn("takes no mail", self.send(*words, "--to", "me@null.world.example", code=68).stderr)
        self.send(*words, "--to", "me@none.world.example", code=68)
        self.send(*words, "--to", "me", code=USAGE)
        self.send("--mx", "--server", "h", "--to", "me@world.example", code=USAGE)

    def test_a_unix_socket(self):
        path = self.folder / "lmtp"

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 here\r\n")
                for line in self.rfile:
                    self.wfile.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")

        with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            out = self.send("--socket", path, "--to", "a@example.org", "--quit-after", "rcpt", "--protocol", "lmtp").stdout
            server.shutdown()
        self.assertIn(f"connecting to {path}", out)
        self.assertIn("C: LHLO ", out)
        self.send("--socket", self.folder / "none", "--to", "a@example.org", code=TEMPFAIL)
        self.send("--socket", "x" * 200, "--to", "a@example.org", code=USAGE)

    def test_from_an_address_of_ours(self):
        server = self.serve()
        self.send(f"127.0.0.1:{server.port()}", "--to", "a@example.org", "--local-interface", "127.0.0.9")
        mail, = server.queue()
        self.assertIn(b"127.0.0.9", server.content(mail["id"]))  # in Received
        self.send("h", "--to=a", "--local-interface=x", code=USAGE)


class Tls(SendCase):
    def test_versions_and_ciphers(self):
        server = self.serve()
        where = f"127.0.0.1:{server.port()}"
        out = self.send(where, "--quit-after", "tls", "--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384").stdout
        self.assertIn("-- TLSv1.2, ECDHE-ECDSA-AES256-GCM-SHA384", out)
        out = self.send(where, "--quit-after", "tls", "--tls-min", "1.3").stdout
        self.assertIn("-- TLSv1.3", out)
        self.send(where, "--to=a@example.org", "--tls=starttls", "--tls-max", "1.1", code=None)
        for name in server.logs():
            if name.get("level") != "info":
                server.accept_log(name["event"])
        self.send(where, "--to=a@example.org", "--tls-max", "1.9", code=66)
        self.send(where, "--to=a@example.org", "--ciphers", "nonsense", code=66)

    def test_verified_by_name(self):
        server = self.serve()
        words = [f"127.0.0.1:{server.port()}", "--to", "a@example.org", "--tls", "starttls", "--verify", "--ca-file", server.certificate]
        self.assertIn("certificate verified", self.send(*words, "--sni", "localhost").stdout)
        self.send(*words, "--sni", "other.example", code=NOPERM)
        certificate, = self.json(*words, "--sni", "localhost")["tls"]["certificates"]
        self.assertEqual((certificate["subject"], certificate["issuer"]), ("CN=localhost", "CN=localhost"))
        self.assertEqual(certificate["sha256"], server.fingerprint)
        self.assertIn("127.0.0.1", certificate["names"].split())
        self.assertLess(certificate["not_before"], certificate["not_after"])

    def test_a_certificate_of_ours(self):
        server = self.serve()
        key = pathlib.Path(server.certificate).parent / "key.pem"
        where = f"127.0.0.1:{server.port()}"
        self.send(where, "--to=a@example.org", "--tls=starttls", "--cert", server.certificate, "--key", key)
        self.send(where, "--to=a@example.org", "--cert", key, code=DATAERR)
        self.send(where, "--to=a@example.org", "--key", key, code=USAGE)


class Stages(SendCase):
    def commands(self, server):
        return [line.split()[0].decode() for line in server.lines]

    def test_quit_after(self):
        for stage, said in (("connect", []), ("banner", ["QUIT"]), ("ehlo", ["EHLO", "QUIT"]), ("helo", ["EHLO", "QUIT"]),
                            ("auth", ["EHLO", "AUTH", "QUIT"]), ("mail", ["EHLO", "AUTH", "MAIL", "QUIT"]),
                            ("rcpt", ["EHLO", "AUTH", "MAIL", "RCPT", "QUIT"]),
                            ("dot", ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"])):
            server = self.fake(auth={"PLAIN": "235 2.7.0 in"})
            self.send(server.address, "--to", "a@example.org", "--auth", "u:p", "--quit-after", stage)
            self.assertEqual(self.commands(server), said, stage)

    def test_drop_after(self):
        for stage, said in (("banner", []), ("ehlo", ["EHLO"]), ("rcpt", ["EHLO", "MAIL", "RCPT"]), ("data", ["EHLO", "MAIL", "RCPT", "DATA"]),
                            ("dot", ["EHLO", "MAIL", "RCPT", "DATA"])):
            server = self.fake()
            self.send(server.address, "--to", "a@example.org", "--drop-after", stage)
            self.assertEqual(self.commands(server), said, stage)
            self.assertEqual(len(server.mails), stage == "dot")

    def test_recipients_are_judged_without_a_message(self):
        server = self.fake(rcpt=lambda a: "550 5.1.1 who" if a.startswith("no") else "250 ok")
        shown = self.json(server.address, "--to", "no@example.org,yes@example.org", "--quit-after", "rcpt", code=NOUSER)
        self.assertEqual([r["state"] for r in shown["recipients"]], ["failed", "stopped"])
        self.assertEqual(server.mails, [])

    def test_faults(self):
        self.send("h", "--to=a", "--quit-after=lunch", code=USAGE)
        self.send("h", "--to=a", "--quit-after=rcpt", "--drop-after=mail", code=USAGE)
        self.send("h", "--to=a", "--quit-after=rcpt", "--repeat=2", code=USAGE)


class Many(SendCase):
    def test_many_over_some_connections(self):
        sink = Sink()
        self.addCleanup(sink.stop)
        shown = self.json(sink.address, "--to", "a@example.org", "--repeat", "200", "--parallel", "10", "--reuse", "--pipeline")
        summary = shown["summary"]
        self.assertEqual((summary["messages"], summary["delivered"], summary["connections"]), (200, 200, 10))
        self.assertEqual(len(sink.recipients()), 200)
        out = self.send(sink.address, "--to", "a@example.org", "--repeat", "3").stdout
        self.assertRegex(out, r"^=> 3 messages, 3 connections: 3 accepted\n=> [0-9.]+ s, [0-9.]+ messages a second; each took ")

    def test_not_one_more_when_connections_are_begun_together(self):
        sink = Sink()
        self.addCleanup(sink.stop)
        for _ in range(5):
            shown = self.json(sink.address, "--to", "a@example.org", "--repeat", "21", "--parallel", "7")["summary"]
            self.assertEqual((shown["messages"], shown["delivered"], shown["connections"]), (21, 21, 21))

    def test_failures_are_counted(self):
        calls = []
        server = self.fake(data=lambda mail: calls.append(1) or ("250 ok" if len(calls) % 2 else "554 5.6.0 no"))
        shown = self.json(server.address, "--to", "a@example.org", "--repeat", "10", code=UNAVAILABLE)
        self.assertEqual((shown["summary"]["delivered"], shown["summary"]["failed"]), (5, 5))
        shown = self.json(f"127.0.0.1:{free_port()}", "--to", "a@example.org", "--repeat", "3", code=TEMPFAIL)
        self.assertEqual((shown["summary"]["without_session"], shown["summary"]["messages"]), (3, 0))


class Output(SendCase):
    def test_quiet(self):
        server = self.fake()
        self.assertEqual(self.send(server.address, "--to", "a@example.org", "--quiet").stdout, "=> a@example.org: accepted: 250 2.0.0 Ok\n")

    def test_json_has_the_times(self):
        server = self.fake()
        times = [e["ms"] for e in self.json(server.address, "--to", "a@example.org")["conversation"]]
        self.assertEqual(times, sorted(times))

    def test_every_option_is_documented(self):
        text = (ROOT / "docs" / "send.md").read_text()
        usage = run([SALLYPORT, "help", "send"]).stdout.replace("--help ", "")
        for option in re.findall(r"(?m)^  --([a-z-]+)", usage):
            self.assertIn(f"--{option}", text)


class Mistakes(SendCase):
    def test_our_server_answers_each_as_the_rfc_says(self):
        server = self.serve()
        shown = self.json(f"127.0.0.1:{server.port()}", "--misbehave", "all", "--from", "me@example.org")
        names = [m["name"] for m in shown["misbehaviour"]]
        self.assertGreater(len(names), 30)
        for mistake in shown["misbehaviour"]:
            self.assertIn(mistake["verdict"], ("right", "allowed"), mistake)
        # Of all of them one message may be there: the long line is no reason to refuse it.
        subjects = [parse(server.content(m["id"]))["Subject"] for m in server.queue()]
        self.assertNotIn("half a message", subjects)
        listed = json.loads(run([SALLYPORT, "send", "--misbehave", "list", "--json"]).stdout)
        self.assertEqual([m["name"] for m in listed], names)
        text = (ROOT / "docs" / "send.md").read_text()
        for name in names:
            self.assertIn(f"| `{name}` |", text)

    def test_a_server_that_is_wrong(self):
        server = self.fake()
        shown = self.json(server.address, "--misbehave", "unknown-verb", code=PROTOCOL)
        self.assertEqual((shown["misbehaviour"][0]["verdict"], shown["misbehaviour"][0]["replies"]), ("wrong", ["250 2.0.0 Ok"]))
        out = self.send(server.address, "--misbehave", "unknown-verb", "--lang", "vi", code=PROTOCOL).stdout
        self.assertIn("=> unknown-verb: không đúng RFC", out)

    def test_a_server_that_takes_lf_for_a_line_end(self):
        class Lenient(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 lenient\r\n")
                content = False
                for line in self.rfile:
                    line = line.strip()
                    if content:
                        content = line != b"."
                        reply = b"" if content else b"250 ok\r\n"
                    else:
                        content = line == b"DATA"
                        reply = b"354 go\r\n" if content else b"500 what\r\n" if line == b"XYZZY" else b"250 ok\r\n"
                    self.wfile.write(reply)

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Lenient) as server:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            shown = self.json(f"127.0.0.1:{server.server_address[1]}", "--misbehave", "bare-lf-dot", code=PROTOCOL)
            server.shutdown()
        self.assertEqual(shown["misbehaviour"][0]["verdict"], "wrong")

    def test_what_cannot_be_tried(self):
        server = self.fake(rcpt=lambda a: "550 5.1.1 who")
        shown = self.json(server.address, "--misbehave", "bare-lf-dot", code=UNAVAILABLE)
        self.assertEqual(shown["misbehaviour"][0]["verdict"], "untried")
        self.json(f"127.0.0.1:{free_port()}", "--misbehave", "nul", code=UNAVAILABLE)
        self.send("h", "--misbehave", "nothing", code=USAGE)


if __name__ == "__main__":
    unittest.main()
