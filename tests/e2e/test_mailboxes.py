"""Mailboxes of a real Dovecot: by LMTP over its Unix socket and over TCP, with TLS and without, and a Maildir that it reads."""
import unittest

from certificates import Authority
from dovecot import Dovecot
from harness import ServerCase, free_port, wait_for

CONFIG = """
hostname = mx.example
data = data
listener mx {{
    address = "127.0.0.1:0"
    tls = off
}}
domain socket.example {{ route = socket }}
domain tcp.example {{ route = tcp }}
domain secure.example {{ route = secure }}
domain maildir.example {{ route = maildir }}
route socket {{ kind = lmtp
    socket = "{folder}/lmtp" }}
route tcp {{ kind = lmtp
    host = "127.0.0.1"
    port = {port}
    tls = off }}
route secure {{ kind = lmtp
    host = localhost
    port = {port}
    tls = verified
    ca-file = "{authority}" }}
route maildir {{ kind = maildir
    path = "{folder}/home/%l@%d/Maildir" }}
queue {{ retry-first = 1s
    retry-most = 2s }}
"""

DOVECOT = """
    protocols = lmtp
    ssl = yes
    ssl_cert = <CERT
    ssl_key = <KEY
    mail_location = maildir:~/Maildir
    userdb {
      driver = passwd-file
      args = FOLDER/users
    }
    service lmtp {
      unix_listener FOLDER/lmtp {
        mode = 0666
      }
      inet_listener lmtp {
        address = 127.0.0.1
        port = PORT
        ssl = no
      }
    }
"""

DOMAINS = ("socket.example", "tcp.example", "secure.example", "maildir.example")


class Mailboxes(ServerCase):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)
        self.authority, self.port = Authority(self.folder / "authority"), free_port()
        pair = self.authority.sign("dovecot", "localhost", "DNS:localhost", usage="serverAuth")
        text = DOVECOT.replace("CERT", str(pair[0])).replace("KEY", str(pair[1])).replace("PORT", str(self.port))
        users = "".join(f"x@{d}:{{PLAIN}}secret:65534:65534::{self.folder}/dovecot/home/x@{d}::\n" for d in DOMAINS)
        self.dovecot = Dovecot(self, users, text, needs="usr/lib/dovecot/lmtp")
        home = self.dovecot.folder / "home"
        home.mkdir()
        home.chmod(0o777)
        self.dovecot.wait((self.dovecot.folder / "lmtp").exists)
        self.server = self.configure(CONFIG.format(folder=self.dovecot.folder, port=self.port, authority=self.authority.certificate))

    def give(self, *recipients):
        with self.server.talk("mx") as c:
            c.hello()
            return c.mail(sender="a@far.example", recipients=recipients)

    def box(self, address):
        return list((self.dovecot.folder / "home" / address / "Maildir" / "new").glob("*"))

    def test_each_way(self):
        for domain, tls in zip(DOMAINS, ("off, on this machine", "off, in clear", "verified, TLSv1.3, verified", None)):
            with self.subTest(domain=domain):
                ident = self.give(f"x@{domain}")
                line = self.server.wait_log("mail-delivered", id=ident)
                self.assertEqual(line.get("tls"), tls)
                mail, = wait_for(lambda: self.box(f"x@{domain}"), "the message")
                self.assertIn("Return-Path: <a@far.example>", mail.read_text())
        self.assertEqual(self.server.queue(), [])

    def test_one_mailbox_of_two(self):
        """Each recipient has a reply of its own behind the message."""
        ident = self.give("x@socket.example", "nobody@socket.example")
        self.server.wait_log("mail-delivered", id=ident, recipient="x@socket.example")
        self.assertIn("550 5.1.1", self.server.wait_log("mail-failed", id=ident, recipient="nobody@socket.example")["reply"])
        self.assertEqual(len(self.box("x@socket.example")), 1)

    def test_it_comes_back(self):
        self.dovecot.stop()
        (self.dovecot.folder / "lmtp").unlink()
        idents = [self.give("x@socket.example"), self.give("x@tcp.example")]
        for ident in idents:
            self.server.wait_log("mail-deferred", id=ident)
        self.dovecot.begin()
        for ident in idents:
            self.server.wait_log("mail-delivered", id=ident)
        self.assertEqual([len(self.box(f"x@{d}.example")) for d in ("socket", "tcp")], [1, 1])


if __name__ == "__main__":
    unittest.main()
