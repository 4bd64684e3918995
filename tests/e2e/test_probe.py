"""`sallyport probe`: against our server, and against servers that are broken, something else, or hostile."""
import ast
import contextlib
import http.server
import json
import os
import random
import re
import socketserver
import ssl
import threading
import time
import unittest
import warnings

from certificates import Authority
from harness import SALLYPORT, SLOW, ServerCase, free_port, run
from name_server import NameServer, Zone
from world import key_digest

FINE, WARNED, FAULTY, UNREACHABLE, USAGE = 0, 1, 2, 3, 64


class Scripted:
    """A listener that runs a function for each connection."""

    def __init__(self, script):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.settimeout(20)
                try:
                    script(self.request)
                except OSError:
                    pass  # the probe goes away when it has seen enough

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.port = self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.listener.shutdown()
        self.listener.server_close()


class Small:
    """A small SMTP server for Scripted that keeps to the rules but for what it is told: `says` maps the beginning of a command
    to its reply, or to a function of the connection."""

    KEYWORDS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES", "SIZE 20000000")

    def __init__(self, clear=KEYWORDS, secured=(*KEYWORDS, "AUTH PLAIN"), context=None, implicit=False, says=(), greeting="220 mx.example.org ESMTP",
                 obey_injected=False):
        self.clear, self.secured, self.context, self.implicit = list(clear), list(secured), context, implicit
        self.says, self.greeting, self.obey_injected = dict(says), greeting, obey_injected
        self.heard = []

    def __call__(self, connection):
        with contextlib.ExitStack() as stack:
            self.converse(connection, stack)

    def secure(self, connection, stack):
        return stack.enter_context(self.context.wrap_socket(connection, server_side=True))

    def converse(self, connection, stack):
        secure = False
        if self.implicit:
            connection, secure = self.secure(connection, stack), True
        connection.sendall(self.greeting.encode() + b"\r\n")
        kept, mail, hello, challenged = b"", False, False, False
        while True:
            while b"\n" not in kept:
                octets = connection.recv(4096)
                if not octets:
                    return
                kept += octets
            line, kept = kept.split(b"\n", 1)
            line = line.decode("latin-1").rstrip("\r")
            self.heard.append(line)
            verb = line.split(" ")[0].upper()
            told = next((reply for begin, reply in self.says.items() if line.upper().startswith(begin)), None)
            if told is not None:
                if callable(told):
                    told(connection)
                else:
                    connection.sendall(told.encode("latin-1") + b"\r\n")
                continue
            if verb in ("EHLO", "HELO"):
                hello, mail = True, False
                words = self.secured if secure else self.clear + (["STARTTLS"] if self.context else [])
                lines = ["mx.example.org", *(words if verb == "EHLO" else [])]
                reply = "\r\n".join(f"250-{w}" for w in lines[:-1]) + ("\r\n" if len(lines) > 1 else "") + f"250 {lines[-1]}"
            elif verb == "STARTTLS" and self.context and not secure:
                connection.sendall(b"220 go on\r\n")
                connection, secure = self.secure(connection, stack), True
                kept = kept if self.obey_injected else b""
                hello = False
                continue
            elif verb == "AUTH":
                challenged = True
                reply = "334 VXNlcm5hbWU6" if line.upper().endswith("LOGIN") else "334 "
            elif challenged and line == "*":
                challenged, reply = False, "501 5.7.0 cancelled"
            elif verb == "MAIL":
                mail, reply = hello, "250 2.1.0 Ok" if hello else "503 5.5.1 EHLO first"
            elif verb in ("RCPT", "DATA"):
                reply = "503 5.5.1 MAIL first" if not mail else "250 2.1.5 Ok"
            elif verb == "RSET":
                mail, reply = False, "501 5.5.4 no parameters" if " " in line else "250 2.0.0 Ok"
            elif verb in ("NOOP", "VRFY", "HELP"):
                reply = {"NOOP": "250 2.0.0 Ok", "VRFY": "252 2.5.0 send it and see", "HELP": "214 no help"}[verb]
            elif verb == "QUIT":
                connection.sendall(b"221 2.0.0 bye\r\n")
                return
            else:
                reply = "500 5.5.2 unknown"
            connection.sendall(reply.encode() + b"\r\n")


class ProbeCase(ServerCase):
    def script(self, script):
        server = Scripted(script)
        self.addCleanup(server.stop)
        return server.port

    def probe(self, port, *words, code=None, host="127.0.0.1", env=None):
        """What was found of one port, with its findings as {id: level}; `code` is the exit status wanted."""
        done = run([SALLYPORT, "probe", f"{host}:{port}", "--json", "--lang", "en", "--timeout", "3", "--limit", "40", *map(str, words)], env=env)
        if code is not None:
            self.assertEqual(done.returncode, code, done.output)
        self.assertIn(done.returncode, (FINE, WARNED, FAULTY, UNREACHABLE), done.output)
        self.whole = json.loads(done.stdout)[0]
        self.assertEqual(self.whole["exit"], done.returncode)
        found = self.whole["hosts"][0]["ports"][0]
        self.texts = {f["id"]: f["text"] for f in found["findings"]}
        self.levels = {}
        for f in found["findings"]:
            self.levels.setdefault(f["id"], f["level"])
            self.assertEqual(bool(f["fix"]), f["level"] in ("warning", "fault") or bool(f["fix"]), f)
        return found

    def assert_found(self, **levels):
        for name, level in levels.items():
            self.assertEqual(self.levels.get(name.replace("_", "-")), level, f"{name}; found: {json.dumps(self.texts, indent=1)}")

    def assert_faults(self, *ids):
        """These and no others are faults."""
        self.assertEqual({i for i, level in self.levels.items() if level == "fault"}, set(ids), self.texts)

    @classmethod
    def context(cls, pair):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, pair))
        return context


class Ours(ProbeCase):
    def test_submission(self):
        server = self.serve()
        secret = self.folder / "password"
        secret.write_text(server.password + "\n")
        trusted = ["--ca-file", server.certificate, "--sni", "localhost"]
        for listener in ("submission", "submissions"):
            with self.subTest(listener=listener):
                found = self.probe(server.port(listener), "--as", listener, *trusted, "--auth", server.user, "--password-file", secret,
                                   "--strict", code=FINE)
                self.assertEqual(found["tls"]["how"], "starttls" if listener == "submission" else "implicit")
                self.assertTrue(found["tls"]["trusted"])
                self.assertTrue(found["login"].startswith("SCRAM-SHA-256"), found["login"])
                self.assertEqual({m["code"] for m in found["mechanisms"]}, {334})
                self.assertEqual([m["decoded"] for m in found["mechanisms"] if m["name"] == "LOGIN"], ["Username:"])
                self.assertNotIn(server.password, json.dumps(self.whole))
                self.assertEqual(len(self.whole["settings"]), 6)
                self.assertIn(str(server.port(listener)), self.whole["settings"]["Python smtplib"])
        self.assert_found(injection=None)
        self.probe(server.port("submission"), "--as", "submission", *trusted, "--strict", code=FINE)
        self.assert_found(injection="ok", pipelining_order="ok", auth_behind_tls="ok", starttls_inside="ok", cancel="ok", certificate_trusted="ok")

    def test_login_refused(self):
        server = self.serve()
        server.accept_log("auth-failed")
        env = dict(os.environ, SALLYPORT_PASSWORD="wrong horse")
        self.probe(server.port("submission"), "--as", "submission", "--ca-file", server.certificate, "--sni", "localhost", "--auth",
                   server.user, "--no-order", code=FAULTY, env=env)
        self.assert_faults("login-refused")
        self.assertIn("535 5.7.8", self.texts["login-refused"])
        self.assertNotIn("wrong horse", json.dumps(self.whole))

    def test_the_settings_quote_a_name_as_their_language_does(self):
        server = self.serve()
        server.accept_log("auth-failed")
        name = 'an"na\\o\'neil'
        self.probe(server.port("submission"), "--as", "submission", "--ca-file", server.certificate, "--sni", "localhost", "--auth", name,
                   "--no-order", code=FAULTY, env=dict(os.environ, SALLYPORT_PASSWORD="wrong horse"))
        settings = self.whole["settings"]
        said = re.search(r"s\.login\((\".*\"), os", settings["Python smtplib"]).group(1)
        self.assertEqual(ast.literal_eval(said), name)
        said = re.search(r"user: (\".*\"), pass", settings["Node.js nodemailer"]).group(1)
        self.assertEqual(json.loads(said.replace("\\'", "'")), name)
        self.assertIn("'an\"na\\\\o\\'neil'", settings["PHP PHPMailer"])
        self.assertIn(f"\nuser {name}\n", settings["msmtp (~/.msmtprc)"])

    def test_auth_in_clear_and_an_untrusted_certificate(self):
        server = self.serve()
        self.probe(server.port("smtp"), "--as", "submission", code=FAULTY)
        self.assert_faults("auth-in-clear", "certificate-self-signed")
        self.probe(server.port("smtp"), "--as", "smtp", code=FAULTY)
        self.assert_found(auth_in_clear="fault", certificate_self_signed="warning", auth_on_mx="note", ehlo_resets="ok")

    def test_tls_where_it_should_not_be(self):
        server = self.serve()
        self.probe(server.port("submissions"), "--as", "submission", "--ca-file", server.certificate, "--sni", "localhost", code=FAULTY)
        self.assert_faults("tls-first-octet")
        self.assertIn("TLS from the first octet on a STARTTLS port", self.texts["tls-first-octet"])
        self.probe(server.port("submissions"), "--ca-file", server.certificate, "--sni", "localhost", code=FINE)
        self.assert_found(tls_first_found="note")
        self.probe(server.port("submission"), "--as", "submissions", "--ca-file", server.certificate, "--sni", "localhost", code=FAULTY)
        self.assert_faults("plain-on-tls-port")

    def test_no_mail_comes_of_it(self):
        server = self.serve()
        for listener, role in (("smtp", "smtp"), ("submission", "submission")):
            self.probe(server.port(listener), "--as", role)
        self.assertEqual(server.queue(), [])

    def test_texts(self):
        server = self.serve()
        words = ["probe", f"127.0.0.1:{server.port('smtp')}", "--as", "submission"]
        english, vietnamese = (run([SALLYPORT, *words, "--lang", lang]).stdout for lang in ("en", "vi"))
        self.assertIn("AUTH is offered before TLS", english)
        self.assertIn("AUTH được mời trước TLS", vietnamese)
        self.assertIn("Verdict:", english)
        brief = run([SALLYPORT, *words, "--brief", "--lang", "en"])
        self.assertRegex(brief.stdout, r"^SMTP CRITICAL: 127\.0\.0\.1: 2 faults")
        self.assertEqual((brief.returncode, brief.stdout.count("\n")), (FAULTY, 1))


class Reaching(ProbeCase):
    def test_nothing_listens(self):
        self.probe(free_port(), code=UNREACHABLE)
        self.assert_faults("nothing-listens")

    def test_usage(self):
        for words in ([], ["a b"], ["host:0"], ["host", "--as", "imap"], ["host", "--auth", ""], ["host", "--mechanism", "PLAIN"],
                      ["host", "--json", "--brief"], ["host", "--name-server", "x"]):
            with self.subTest(words=words):
                self.assertEqual(run([SALLYPORT, "probe", *words]).returncode, USAGE)

    def test_unknown_host(self):
        done = run([SALLYPORT, "probe", "nothing.invalid:25", "--name-server", f"127.0.0.1:{free_port()}", "--json", "--timeout", "2"])
        self.assertEqual(done.returncode, UNREACHABLE, done.output)
        self.assertEqual(json.loads(done.stdout)[0]["hosts"][0]["findings"][0]["id"], "host-unknown")

    def test_other_services(self):
        for name, first in (("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n"), ("POP3", b"+OK ready\r\n"), ("IMAP", b"* OK [CAPABILITY IMAP4rev1] ready\r\n")):
            with self.subTest(name=name):
                self.probe(self.script(lambda c, first=first: (c.sendall(first), c.recv(100))), code=FAULTY)
                self.assert_faults("not-smtp")
                self.assertIn(name + " answers", self.texts["not-smtp"])

    def test_http_and_ftp(self):
        def http(c):
            if c.recv(1000):
                c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        self.probe(self.script(http), code=FAULTY)
        self.assert_faults("not-smtp")
        self.assertIn("HTTP answers", self.texts["not-smtp"])
        self.probe(self.script(Small(greeting="220 ftp.example.org FTP server", says={"EHLO": "500 not understood", "HELO": "500 FTP only"})), code=FAULTY)
        self.assertIn("FTP answers", self.texts["not-smtp"])

    def test_greetings(self):
        for greeting, wanted in (("421 4.3.2 too busy", "greeting-4xx"), ("554 5.7.1 go away", "greeting-5xx"), ("250 hello", "greeting-other")):
            with self.subTest(greeting=greeting):
                self.probe(self.script(Small(greeting=greeting)), code=FAULTY)
                self.assert_faults(wanted)

    def test_silence(self):
        self.probe(self.script(lambda c: time.sleep(30)), code=FAULTY)
        self.assert_faults("greeting-none")

    def test_a_late_greeting_is_awaited(self):
        def late(c):
            time.sleep(2)
            Small()(c)

        self.probe(self.script(late), "--no-order", "--as", "smtp")
        self.assert_found(greeting="ok", greeting_slow=None)


class AuthorityCase(ProbeCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder / "ca")
        self.trusted = ["--ca-file", str(self.authority.certificate), "--sni", "mx.example.org"]
        self.good = self.authority.sign("good", "mx.example.org", "DNS:mx.example.org", days=60, usage="serverAuth")

    def small(self, **options):
        options.setdefault("context", self.context(self.good))
        return self.script(Small(**options))


class Broken(AuthorityCase):
    def test_good(self):
        self.probe(self.small(), "--as", "submission", "--strict", *self.trusted, code=FINE)
        self.assert_found(rcpt_before_mail="ok", data_before_mail="ok", unknown_verb="ok", parameters="ok", vrfy="ok", help="ok", noop="ok",
                          ehlo_resets="ok", pipelining_order="ok", injection="ok", rset_before_ehlo="ok", quit="ok", certificate_trusted="ok")

    def test_certificates(self):
        sign = self.authority.sign
        cases = {"certificate-expired": sign("old", "mx.example.org", "DNS:mx.example.org", days=-1, usage="serverAuth"),
                 "certificate-name": sign("other", "other.example.org", "DNS:other.example.org,DNS:*.example.net", days=60, usage="serverAuth"),
                 "certificate-ends": sign("soon", "mx.example.org", "DNS:*.example.org", days=5, usage="serverAuth")}
        for wanted, pair in cases.items():
            with self.subTest(wanted=wanted):
                self.probe(self.small(context=self.context(pair)), "--as", "submission", "--no-order", *self.trusted)
                self.assert_faults(*([] if wanted == "certificate-ends" else [wanted]))
                self.assert_found(**{wanted: "warning" if wanted == "certificate-ends" else "fault"})
        self.assertIn("in 4 days" if "in 4 days" in self.texts["certificate-ends"] else "in 5 days", self.texts["certificate-ends"])
        self.probe(self.small(), "--as", "submission", "--no-order", "--sni", "mx.example.org", code=FAULTY)
        self.assert_faults("certificate-chain")
        self.probe(self.small(context=self.context(cases["certificate-name"])), "--as", "submission", "--no-order", "--sni", "mx.example.org")
        self.assert_faults("certificate-name", "certificate-chain")

    def test_old_tls(self):
        old = self.context(self.good)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        for options, role in (({}, "submission"), ({"implicit": True}, "submissions")):
            self.probe(self.small(context=old, **options), "--as", role, "--no-order", *self.trusted, code=FAULTY)
            self.assert_faults("tls-old")

    def test_an_address_is_no_name(self):
        self.probe(self.small(), "--as", "submission", "--no-order", "--ca-file", str(self.authority.certificate), code=FINE)
        self.assert_found(certificate_by_address="note", certificate_trusted="ok")

    def test_offers(self):
        few = ("AUTH PLAIN LOGIN", "SIZE 1000", "AUTH=PLAIN")
        self.probe(self.small(clear=few, secured=("STARTTLS", "AUTH PLAIN LOGIN CRAM-MD5"), says={"AUTH CRAM": "334 PGFAYj4="}), "--as",
                   "submission", *self.trusted, code=FAULTY)
        self.assert_faults("auth-in-clear")
        self.assert_found(starttls_inside="warning", pipelining="note", eightbitmime="warning", size="note", keywords_lost="note", mechanism_old="note")
        self.probe(self.small(context=None), "--as", "submission", code=FAULTY)
        self.assert_faults("starttls", "auth-missing")
        self.probe(self.small(context=None), "--as", "smtp", code=FINE)
        self.assert_found(starttls="warning")
        self.probe(self.small(context=None), "--as", "smtp", "--strict", code=WARNED)
        self.probe(self.small(clear=("AUTH SCRAM-SHA-256", "SIZE 900"), context=None), "--as", "smtp")
        self.assert_found(auth_in_clear_hashed="warning", size_small="warning")

    def test_starttls(self):
        self.probe(self.small(says={"STARTTLS": "454 4.7.0 no certificate"}), "--as", "submission", code=FAULTY)
        self.assert_faults("starttls-refused")
        self.probe(self.small(says={"STARTTLS": "220 go on\r\nnonsense"}), "--as", "submission", code=FAULTY)
        self.assert_faults("tls-failed")
        self.probe(self.small(obey_injected=True), "--as", "submission", *self.trusted, code=FAULTY)
        self.assert_faults("injection")

    def test_ehlo(self):
        self.probe(self.small(says={"EHLO": "500 unknown"}), "--as", "smtp", code=FINE)
        self.assert_found(no_esmtp="warning")
        self.probe(self.small(says={"EHLO": "550 no", "HELO": "550 no"}), code=FAULTY)
        self.assert_faults("ehlo-refused")

    def test_mechanisms(self):
        cases = {"mechanism-not-base64": ("AUTH LOGIN", "334 Username:"), "mechanism-strange": ("AUTH PLAIN", "334 aGVsbG8="),
                 "mechanism-refused": ("AUTH PLAIN", "504 5.5.4 no such thing"), "mechanism-open": ("AUTH PLAIN", "235 2.7.0 welcome")}
        for wanted, (command, reply) in cases.items():
            with self.subTest(wanted=wanted):
                self.probe(self.small(secured=("AUTH LOGIN PLAIN",), says={command: reply}), "--as", "submission", "--no-order", *self.trusted)
                self.assert_found(**{wanted: "warning" if wanted == "mechanism-strange" else "fault"})
        self.probe(self.small(secured=("AUTH PLAIN",), says={"*": "334 ", "AUTH": "334 "}), "--as", "submission", "--no-order", *self.trusted)
        self.assert_faults("challenge-endless")
        self.probe(self.small(secured=("AUTH PLAIN",), says={"*": "535 5.7.8 no", "AUTH": "334 "}), "--as", "submission", "--no-order", *self.trusted)
        self.assert_found(cancel="warning")

    def test_sequence(self):
        cases = {"rcpt-before-mail": ({"RCPT": "250 Ok"}, "warning"), "data-open": ({"DATA": "354 go on"}, "fault"),
                 "unknown-verb": ({"XPROBE": "250 Ok"}, "warning"), "parameters": ({"RSET NOW": "250 Ok"}, "note"),
                 "noop": ({"NOOP": "502 no"}, "warning"), "vrfy": ({"VRFY": "500 what"}, "warning"), "vrfy-tells": ({"VRFY": "250 <a@example.org>"}, "note"),
                 "help": ({"HELP": "503 no"}, "note"), "quit": ({"QUIT": "250 bye"}, "note"), "ehlo-resets": ({"RCPT": "250 Ok"}, "fault"),
                 "rset-before-ehlo": ({"RSET": "503 EHLO first"}, "note"), "pipelining-order": ({"NOOP": "220 what"}, "fault")}
        for wanted, (says, level) in cases.items():
            with self.subTest(wanted=wanted):
                self.probe(self.small(context=None, says=says), "--as", "smtp")
                self.assert_found(**{wanted: level})

    def test_it_never_sends_mail_even_where_all_is_let_in(self):
        small = Small(says={"RCPT": "250 Ok", "MAIL": "250 Ok", "DATA": "354 go on", "AUTH": "334 "})
        self.probe(self.script(small), "--as", "smtp")
        self.assertNotIn(".", small.heard)
        self.assertFalse([line for line in small.heard if line.startswith("AUTH ") and len(line.split()) > 2])


class OfHttps(http.server.BaseHTTPRequestHandler):
    policy = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.policy)))
        self.end_headers()
        self.wfile.write(self.policy)

    def log_message(self, *_):
        pass


class Domains(AuthorityCase):
    def publish(self, port, digest, more="", signed=True):
        names = NameServer(self.folder / f"dns-{free_port()}", [Zone("example", f"""
            good MX 10 mx1.good
            mx1.good A 127.0.0.1
            _{port}._tcp.mx1.good TLSA 3 1 1 {digest}
            null MX 0 .
            alone A 127.0.0.1
            lost MX 10 gone
            mixed MX 0 .
            mixed MX 10 mx1.good
            number MX 10 127.0.0.1.
            {more}
            """.replace("\n            ", "\n"), signed=signed)])
        self.addCleanup(names.stop)
        return names

    def domain(self, names, name, port, *words):
        done = run([SALLYPORT, "probe", "--mx", f"{name}.example:{port}", "--json", "--lang", "en", "--timeout", "3", "--no-order", "--name-server", names.address,
                    "--trust-anchor", str(names.anchor), "--ca-file", str(self.authority.certificate), *words], timeout=120)
        self.assertEqual(done.stderr, "")
        whole = json.loads(done.stdout)[0]
        self.assertTrue(whole["domain"])
        self.texts = {f["id"]: f["text"] for f in whole["findings"]}
        self.levels = {f["id"]: f["level"] for f in whole["findings"]}
        return done.returncode

    def test_records(self):
        pair = self.authority.sign("mx1", "mx1.good.example", "DNS:mx1.good.example", days=60, usage="serverAuth")
        port = self.small(context=self.context(pair))
        names = self.publish(port, key_digest(pair[0]), "_mta-sts.good TXT \"v=STSv1; id=a b;\"")
        self.assertEqual(self.domain(names, "good", port), FAULTY)
        self.assert_found(mx="ok", mx_one="note", dnssec="ok", dane="ok", sts_record="fault")
        self.assertEqual(self.domain(names, "null", port), FINE)
        self.assert_found(mx_null="note")
        self.assertEqual(self.domain(names, "alone", port), FINE)
        self.assert_found(mx_none="warning", sts_absent="note", dane_absent="note")
        self.assertEqual(self.domain(names, "lost", port), UNREACHABLE)
        self.assert_found(mx_address="fault")
        self.assertEqual(self.domain(names, "number", port), UNREACHABLE)
        self.assert_found(mx_numeric="fault")
        self.assertEqual(self.domain(names, "mixed", port), FAULTY)
        self.assert_found(mx_null_mixed="fault")
        self.domain(names, "nowhere", port)
        self.assert_found(mx_unknown="fault")

    def test_dane(self):
        pair = self.authority.sign("mx1", "mx1.good.example", "DNS:mx1.good.example", days=60, usage="serverAuth")
        port = self.small(context=self.context(pair))
        self.assertEqual(self.domain(self.publish(port, "00" * 32), "good", port), FAULTY)
        self.assert_found(dane_wrong="fault")
        self.domain(self.publish(port, key_digest(pair[0]), signed=False), "good", port)
        self.assert_found(dane_insecure="warning", dnssec="note")

    def test_sts(self):
        pair = self.authority.sign("web", "mta-sts.good.example", "DNS:mta-sts.good.example,DNS:mx1.good.example", days=60, usage="serverAuth")
        port = self.small(context=self.context(pair))
        names = self.publish(port, key_digest(pair[0]), "_mta-sts.good TXT \"v=STSv1; id=1;\"\nmta-sts.good A 127.0.98.7")
        try:
            web = http.server.ThreadingHTTPServer(("127.0.98.7", 443), OfHttps)
        except PermissionError:
            self.skipTest("only root may listen on 443")
        web.socket = self.context(pair).wrap_socket(web.socket, server_side=True)
        self.addCleanup(web.server_close)
        threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(web.shutdown)
        for policy, wanted, code in ((b"version: STSv1\nmode: enforce\nmx: mx1.good.example\nmax_age: 86400\n", {"sts": "ok"}, FINE),
                                     (b"version: STSv1\nmode: enforce\nmx: other.example\nmax_age: 86400\n", {"sts_mx": "fault"}, FAULTY),
                                     (b"version: STSv1\nmode: testing\nmx: other.example\nmax_age: 86400\n", {"sts_mx": "warning"}, FINE),
                                     (b"hello", {"sts_policy": "fault"}, FAULTY)):
            with self.subTest(policy=policy):
                OfHttps.policy = policy
                self.assertEqual(self.domain(names, "good", port), code, self.texts)
                self.assert_found(**wanted)


class Hostile(ProbeCase):
    def assert_ends(self, script, *words):
        began = time.monotonic()
        done = run([SALLYPORT, "probe", f"127.0.0.1:{self.script(script)}", "--timeout", "2", "--limit", "10", *words], timeout=60)
        self.assertIn(done.returncode, (FINE, FAULTY, UNREACHABLE), done.output)
        self.assertLess(time.monotonic() - began, 50, "the bound of the test's own, well above --limit")
        self.assertEqual([c for c in done.stdout_octets if (c < 32 and c != 10) or c == 127], [], done.stdout)
        self.assertNotIn("AddressSanitizer", done.stderr)
        self.assertNotIn("runtime error", done.stderr)
        return done.stdout

    @staticmethod
    def for_ever(octets, pause=0):
        def script(c):
            until = time.monotonic() + 30
            while time.monotonic() < until:
                c.sendall(octets)
                time.sleep(pause)
        return script

    def test_endless(self):
        self.assertIn("does not end", self.assert_ends(self.for_ever(b"220-hello\r\n")))
        self.assertIn("does not end", self.assert_ends(self.for_ever(b"x" * 4096)))
        self.assertIn("No whole reply", self.assert_ends(self.for_ever(b"220-drip\r\n", 0.3)))
        self.assert_ends(self.for_ever(b"\0\x1b[31m\x07\r\n"))

    def test_control_characters(self):
        said = self.assert_ends(Small(greeting="220 mx.example.org \x1b]0;owned\x07\x9b31m", clear=("X\x1b[2J", "AUTH \x1bX PLAIN"),
                                      says={"AUTH": "334 \x1b[5m"}))
        self.assertIn("\\x1b]0;owned", said)

    def test_endless_challenges(self):
        self.assertIn("again and again", self.assert_ends(Small(clear=("AUTH PLAIN LOGIN",), says={"*": "334 ", "AUTH": "334 "})))

    def test_closing_everywhere(self):
        for at in ("EHLO", "AUTH", "*", "RCPT", "MAIL"):
            with self.subTest(at=at):
                self.assert_ends(Small(clear=("AUTH PLAIN LOGIN", "PIPELINING"), says={at: lambda c: c.shutdown(2)}))

    def test_random(self):
        seed = int(os.environ.get("SALLYPORT_SEED", "20"))
        pieces = [b"220 mx.example.org ESMTP\r\n", b"250-PIPELINING\r\n", b"250 AUTH PLAIN LOGIN X\r\n", b"334 \r\n", b"334 !!\r\n", b"354 \r\n", b"250 ok\r\n",
                  b"235 yes\r\n", b"503 no\r\n", b"421 bye\r\n", b"999 x\r\n", b"\r\n", b"2", b"250-STARTTLS\r\n250 SIZE 99999999999999999999\r\n",
                  b"\x16\x03\x01\x00\x05hello", b"\xff" * 300, b"250-" + b"A" * 13000 + b"\r\n"]
        for n in range(40 if SLOW else 8):
            random_ = random.Random(seed * 1000 + n)

            def script(c, random_=random_):
                if random_.random() < 0.8:
                    c.sendall(pieces[0])
                while random_.random() < 0.97:
                    c.sendall(b"".join(random_.choice(pieces) for _ in range(random_.randrange(1, 4))))
                    if not c.recv(4096):
                        return

            with self.subTest(seed=seed, n=n):
                self.assert_ends(script, *random_.choice([[], ["--as", "submission"], ["--json"]]))


if __name__ == "__main__":
    unittest.main()
