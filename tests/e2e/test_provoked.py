"""Failures provoked with the programs that people use, against our server, Postfix and Exim: what each prints is piped into
`sallyport diagnose -`, which must name the cause.

Each failure is provoked at each server by one client in turn, so that all meet all over the failures; with --slow by every client that
can. The accuracy is printed.
"""
import json
import os
import pathlib
import sys
import unittest

from certificates import Authority
from harness import SLOW, ServerCase, free_port, nodemailer, program, run, sallyport
from mail_servers import PASSWORD, USER, Exim, Postfix, with_users

CLIENTS = ("swaks", "curl", "smtplib", "nodemailer", "msmtp")
LIMIT_S = 8  # for a client that waits for ever


class Trial:
    """What a client is to do. tls: none, starttls, implicit."""

    def __init__(self, port, tls="none", login=None, mechanism="PLAIN", sender="ann@example.net", to=("bob@example.org",), octets=0, verify=False,
                 subject="test", script=None, clients=CLIENTS):
        self.port, self.tls, self.login, self.mechanism = port, tls, login, mechanism
        self.sender, self.to, self.octets, self.verify = sender, list(to), octets, verify
        self.subject, self.script, self.clients = subject, script, ("smtplib",) if script else clients

    def message(self):
        return f"From: <{self.sender}>\r\nTo: <bob@example.org>\r\nSubject: {self.subject}\r\n\r\n" + "hello there, this is text\r\n" * max(1, self.octets // 27)


class Clients:
    """How each client is told; what it prints."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, command, env=None, input=None):
        # "timeout" ends clients that have none of their own; its notice is no part of the log.
        return run(["timeout", str(LIMIT_S), *map(str, command)], env=env, input=input, timeout=LIMIT_S * 4).output

    def swaks(self, t):
        words = ["--server", "127.0.0.1", "--port", t.port, "--timeout", "4", "--from", t.sender, "--to", ",".join(t.to), "--helo", "client.example"]
        words += {"none": [], "starttls": ["-tls"], "implicit": ["-tlsc"]}[t.tls] + (["--tls-verify"] if t.verify else [])
        if t.login:
            words += ["--auth", t.mechanism, "--auth-user", t.login[0], "--auth-password", t.login[1]]
        mail = self.folder / "mail.swaks"
        mail.write_text(t.message().replace("\r\n", "\n"))
        return self.run([program("swaks"), *words, "--data", f"@{mail}"])

    def curl(self, t):
        mail = self.folder / "mail.curl"
        mail.write_text(t.message(), newline="")
        words = ["-v", "--max-time", "5", "--url", f"smtp{'s' if t.tls == 'implicit' else ''}://127.0.0.1:{t.port}/client.example", "--mail-from", t.sender,
                 "--upload-file", mail]
        words += ["--ssl-reqd"] if t.tls == "starttls" else []
        words += [] if t.verify else ["--insecure"]
        for to in t.to:
            words += ["--mail-rcpt", to]
        if t.login:
            words += ["--user", ":".join(t.login), "--login-options", f"AUTH={t.mechanism}"]
        return self.run([program("curl"), "-sS", *words])

    def smtplib(self, t):
        script = ["import smtplib, ssl, sys", "c = ssl.create_default_context()"]
        if not t.verify:
            script += ["c.check_hostname, c.verify_mode = False, ssl.CERT_NONE"]
        kind = f"SMTP_SSL('127.0.0.1', {t.port}, 'client.example', timeout=4, context=c)" if t.tls == "implicit" else \
            f"SMTP('127.0.0.1', {t.port}, 'client.example', timeout=4)"
        # Debugging is on before the connection, as a subclass's attribute: the greeting is printed too.
        script += ["smtplib.SMTP.debuglevel = 1", f"s = smtplib.{kind}"]
        script += ["s.starttls(context=c)"] if t.tls == "starttls" else []
        if t.script:
            script += t.script
        else:
            if t.login:
                script += [f"s.user, s.password = {t.login!r}", "s.ehlo_or_helo_if_needed()",
                           f"s.auth({t.mechanism!r}, s.auth_{t.mechanism.lower().replace('-', '_')})" if t.mechanism != "PLAIN" else f"s.login(*{t.login!r})"]
            script += [f"s.sendmail({t.sender!r}, {t.to!r}, {t.message()!r})", "s.quit()"]
        program_ = self.folder / "client.py"
        program_.write_text("\n".join(script))
        return self.run([sys.executable, program_])

    def nodemailer(self, t):
        options = {"host": "127.0.0.1", "port": t.port, "secure": t.tls == "implicit", "name": "client.example", "logger": True, "debug": True,
                   "connectionTimeout": 4000, "greetingTimeout": 4000, "socketTimeout": 5000, "tls": {"rejectUnauthorized": t.verify}}
        options["ignoreTLS" if t.tls == "none" else "requireTLS"] = True
        if t.login:
            options |= {"auth": {"user": t.login[0], "pass": t.login[1]}, "authMethod": t.mechanism}
        mail = {"envelope": {"from": t.sender, "to": t.to}, "raw": t.message()}
        program_ = self.folder / "client.js"
        program_.write_text(f"require('nodemailer').createTransport({json.dumps(options)}).sendMail({json.dumps(mail)})"
                         ".then(i => console.log(i.response), e => { console.error(e); process.exit(1) })")
        return self.run([program("node"), program_], env=nodemailer())

    def msmtp(self, t):
        words = ["--debug", "--host=127.0.0.1", f"--port={t.port}", f"--from={t.sender}", "--timeout=4", "--domain=client.example", "--file=/dev/null"]
        words += ["--tls=on", f"--tls-starttls={'on' if t.tls == 'starttls' else 'off'}"] if t.tls != "none" else ["--tls=off"]
        words += ["--tls-certcheck=off", "--tls-trust-file="] if t.tls != "none" and not t.verify else []
        if t.login:
            words += [f"--auth={t.mechanism.lower()}", f"--user={t.login[0]}", f"--passwordeval=echo {t.login[1]}"]
        return self.run([program("msmtp"), *words, "--", *t.to], input=t.message().replace("\r\n", "\n"))


GOOD, BAD = (USER, PASSWORD), (USER, "wrong-horse")

# Failures that only a program written by hand commits: smtplib types them.
HAND = {
    "no-mail": ["s.ehlo()", "s.docmd('RCPT TO:<bob@example.org>')", "s.quit()"],
    "no-valid-recipients": ["s.ehlo()", "s.docmd('MAIL FROM:<ann@example.net>')", "s.docmd('DATA')", "s.quit()"],
    "nested-mail": ["s.ehlo()", "s.docmd('MAIL FROM:<ann@example.net>')", "s.docmd('MAIL FROM:<ann@example.net>')", "s.quit()"],
    "command-unknown": ["s.ehlo()", "s.docmd('MALI FROM:<ann@example.net>')", "s.quit()"],
    "syntax-error": ["s.ehlo()", "s.docmd('MAIL FROM:ann at example.net')", "s.quit()"],
    "no-ehlo": ["s.docmd('AUTH PLAIN')", "s.quit()"],
}


class Failures:
    """One server: `ports` by use, and which of the failures it can be made to commit. A failure: id -> Trial; ids that a log cannot tell apart
    from it, as some clients leave out the decisive line, are in ALSO."""

    def __init__(self, ports):
        self.ports = ports

    def trials(self):
        p = self.ports
        yield "connection-refused", Trial(free_port())
        yield "tls-to-plain-port", Trial(p["smtp"], tls="implicit")
        yield "plain-to-tls-port", Trial(p["smtps"])
        yield "certificate-invalid", Trial(p["submission"], tls="starttls", verify=True, login=GOOD)
        yield "wrong-credentials", Trial(p["submission"], tls="starttls", login=BAD)
        yield "wrong-credentials", Trial(p["submission"], tls="starttls", login=BAD, mechanism="LOGIN")
        yield "mechanism-not-offered", Trial(p["submission"], tls="starttls", login=GOOD, mechanism="CRAM-MD5")
        yield "relay-denied", Trial(p["smtp"], to=["eve@example.com"])
        yield "unknown-recipient", Trial(p["smtp"], to=["nobody@example.org"])
        yield "message-too-large", Trial(p["smtp"], octets=200000)
        for name in ("starttls-not-offered", "starttls-required", "auth-needs-tls", "greylisted", "mailbox-full", "mailbox-disabled", "ip-blocked", "sender-refused",
                     "auth-required", "mail-unauthenticated", "content-refused", "server-storage", "too-many-recipients", "refused-at-greeting"):
            if name in p:
                port = p[name]
                yield name, self.special(name, port)
        for name, script in HAND.items():
            yield name, Trial(p["smtp"], script=script)

    @staticmethod
    def special(name, port):
        if name == "starttls-not-offered":
            return Trial(port, tls="starttls")
        if name == "auth-required":
            return Trial(port, tls="starttls")
        if name == "auth-needs-tls":
            return Trial(port, login=GOOD, clients=("swaks", "smtplib", "msmtp"))  # the others go on without a login, in clear
        to = {"greylisted": ["grey@example.org"], "mailbox-full": ["full@example.org"], "mailbox-disabled": ["off@example.org"],
              "ip-blocked": ["black@example.org"], "mail-unauthenticated": ["dmarc@example.org"],
              "too-many-recipients": [f"bob+{n}@example.org" for n in range(4)]}.get(name, ["bob@example.org"])
        return Trial(port, to=to, sender="spammer@example.net" if name == "sender-refused" else "ann@example.net",
                     subject="forbidden words" if name == "content-refused" else "test")


# What a log may say as well: the client did not print what would tell them apart.
ALSO = {
    "plain-to-tls-port": {"timed-out", "connection-lost", "not-smtp"},
    "auth-needs-tls": {"auth-before-starttls", "auth-not-offered", "starttls-required", "mechanism-not-offered"},
    "mechanism-not-offered": {"auth-not-offered"},
    "no-ehlo": {"wrong-order", "auth-needs-tls", "auth-not-offered", "starttls-required", "command-unknown"},
    "syntax-error": {"bad-parameters"},
    "tls-to-plain-port": {"tls-handshake-failed"},
}

REPLIES = {"grey": "450 4.2.0 <grey@example.org>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.org.html",
           "full": "452 4.2.2 The email account that you tried to reach is over quota", "off": "550 5.2.1 This mailbox has been disabled",
           "black": "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org",
           "dmarc": "550 5.7.26 Unauthenticated email from example.net is not accepted due to domain's DMARC policy"}


class Provoked(ServerCase):
    right, wrong = 0, []

    def setUp(self):
        super().setUp()
        self.pair = Authority(self.folder / "ca").sign("mx", "mx.example.org", "DNS:mx.example.org", days=60, usage="serverAuth")
        self.clients = Clients(self.folder)

    @classmethod
    def tearDownClass(cls):
        total = cls.right + len(cls.wrong)
        if total:
            print(f"diagnose: {cls.right} of {total} provoked failures named ({cls.right / total:.1%})", file=sys.stderr)

    def choose(self, number, trial):
        able = [c for c in trial.clients if not (c == "msmtp" and trial.mechanism not in ("PLAIN", "LOGIN", "CRAM-MD5"))]
        return able if SLOW else [able[number % len(able)]]

    def provoke(self, name, ports, first=0):
        keep = os.environ.get("SALLYPORT_KEEP_LOGS")
        for number, (wanted, trial) in enumerate(Failures(ports).trials(), first):
            for client in self.choose(number, trial):
                log = getattr(self.clients, client)(trial)
                found = json.loads(sallyport("diagnose", "-", "--json", "--lang", "en", input=log).stdout)
                good = found["id"] in {wanted, *ALSO.get(wanted, ())}
                if keep:
                    (pathlib.Path(keep) / f"{name}-{client}-{wanted}-{number}{'' if good else '-WRONG-' + found['id']}.log").write_text(log)
                Provoked.right += good
                if not good:
                    Provoked.wrong.append((name, client, wanted, found["id"]))
                with self.subTest(server=name, client=client, failure=wanted):
                    self.assertTrue(good, f"{found['id']} (line {found['line']}: {found['quote']}) instead of {wanted}, in\n{log[-3000:]}")
                    self.assertNotIn(BAD[1], json.dumps(found))

    def configured(self, name, more):
        certificate, key = self.pair
        return self.configure(f"""hostname = mx.example.org
            tls-certificate = "{certificate}"
            tls-key = "{key}"
            default-route = none
            listener smtp {{
                address = "127.0.0.1:0"
            }}
            listener submission {{
                address = "127.0.0.1:0"
                auth = required
            }}
            listener submissions {{
                address = "127.0.0.1:0"
                tls = implicit
                auth = required
            }}
            listener plain {{
                address = "127.0.0.1:0"
                tls = off
            }}
            route keep {{
                kind = hold
            }}
            domain "example.org" {{
                route = keep
                mailboxes = {{ alice, bob }}
            }}
            {more}""", name=f"{name}.conf", data=name)

    def test_ours(self):
        self.folder.chmod(0o755)
        server = self.configured("ours", "limits {\nmessage-size = 64K\nrecipients = 100\nfree-space = 1M\nauth-slow-down = no\n}")
        server.run("user", "add", USER, input=PASSWORD + "\n")
        full = self.configured("full", "limits {\nfree-space = 1024G\n}")
        for event in ("auth-failed", "auth-given-up", "tls-failed", "mail-not-stored", "sessions-not-kept", "disk-low"):
            server.accept_log(event)
            full.accept_log(event)
        ports = {name: server.port(name) for name in ("smtp", "submission")}
        ports |= {"smtps": server.port("submissions"), "starttls-required": ports["submission"], "auth-needs-tls": ports["submission"],
                  "starttls-not-offered": server.port("plain"), "server-storage": full.port("smtp"), "auth-required": ports["submission"]}
        self.provoke("ours", ports)

    def test_postfix(self):
        access = ", ".join(f"{{{who}@example.org={text}}}" for who, text in REPLIES.items())
        server = Postfix.of(self, pair=self.pair, users=with_users(self, "plain login"), listeners={
            "smtp": [], "submission": ["smtpd_sasl_auth_enable=yes", "smtpd_tls_security_level=encrypt"],
            "smtps": ["smtpd_sasl_auth_enable=yes", "smtpd_tls_wrappermode=yes"],
            "starttls-not-offered": ["smtpd_tls_security_level=none"],
            "server-storage": ["queue_minfree=900000000000000"],
            "too-many-recipients": ["smtpd_recipient_limit=2"],
            "refused-at-greeting": ["smtpd_delay_reject=no", "smtpd_client_restrictions=reject"]},
            main="message_size_limit = 100000\nrecipient_delimiter = +\n"
                 f"smtpd_recipient_restrictions = check_recipient_access inline:{{{access}}}, permit\n"
                 "smtpd_sender_restrictions = check_sender_access inline:{{spammer@example.net=REJECT}}\n"
                 "header_checks = regexp:{{/forbidden/ REJECT content not wanted here}}\n")
        ports = dict(server.ports)
        for name in ("greylisted", "mailbox-full", "mailbox-disabled", "ip-blocked", "mail-unauthenticated", "sender-refused", "content-refused"):
            ports[name] = ports["smtp"]
        ports |= {"starttls-required": ports["submission"], "auth-needs-tls": ports["submission"]}
        self.provoke("postfix", ports, 1)

    def test_exim(self):
        rcpt = "".join(f"  {'defer' if text[0] == '4' else 'deny'} local_parts = {who}\n    message = {text.replace(':', '::')}\n" for who, text in REPLIES.items())
        server = Exim.of(self, pair=self.pair, listeners={"smtp": "", "smtps": "smtps"},
                         size="100K", main="recipients_max = 2\nrecipients_max_reject = true\nacl_smtp_mail = acl_mail\n"
                                           "acl_smtp_data = acl_data\n",
                         rcpt=rcpt + Exim.RCPT.replace("alice : bob", "alice : bob : ^bob"),
                         acls="acl_mail:\n  deny senders = spammer@example.net\n    message = sender rejected\n  accept\n"
                              "acl_data:\n  deny condition = ${if match{$h_subject:}{forbidden}}\n    message = This message contains content that is not wanted here\n  accept\n")
        plain = Exim.of(self)
        ports = {"smtp": server.ports["smtp"], "submission": server.ports["smtp"], "smtps": server.ports["smtps"], "starttls-not-offered": plain.ports["smtp"],
                 "auth-needs-tls": server.ports["smtp"]}
        for name in ("greylisted", "mailbox-full", "mailbox-disabled", "ip-blocked", "mail-unauthenticated", "sender-refused", "content-refused", "too-many-recipients"):
            ports[name] = ports["smtp"]
        self.provoke("exim", ports, 2)


if __name__ == "__main__":
    unittest.main()
