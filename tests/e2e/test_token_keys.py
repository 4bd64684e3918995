"""The keys of a token issuer by URL: fetched, kept on disk, refreshed, asked for anew; and an issuer that is away or odd."""
import base64
import json
import os
import signal
import unittest

from harness import ServerCase, program, sallyport, wait_for
from issuer import AUDIENCE, ISSUER, Issuer, Publisher


class TokenKeys(ServerCase):
    def setUp(self):
        super().setUp()
        program("openssl")
        self.one = Issuer(self.folder, "one")
        self.web = Publisher(self.folder)
        self.addCleanup(lambda: self.web.stop())

    def text(self, *lines, url=None, trust=True):
        more = "\n".join([*lines, f'jwks-ca-file = "{self.web.certificate}"' if trust else ""])
        return f"""
            hostname = mail.example.org
            data = data
            auth-processes = 2
            default-route = hold
            limits {{
                auth-slow-down = no
            }}
            tokens {{
                jwks-url = "{url or self.web.url()}"
                issuer = "{ISSUER}"
                audience = "{AUDIENCE}"
                {more}
            }}
            listener submission {{
                address = "127.0.0.1:0"
                auth = required
            }}
        """

    def ask(self, server, token, code, *words):
        """A session that says who it is with this token, and the reply to it."""
        with server.talk("submission") as c:
            c.hello()
            c.start_tls(server.client_tls())
            c.hello()
            blob = base64.b64encode(f"n,,\1auth=Bearer {token}\1\1".encode()).decode()
            if code != 535:
                return c.command("AUTH OAUTHBEARER " + blob, code, *words)
            challenge = c.command("AUTH OAUTHBEARER " + blob, 334)
            self.assertEqual(json.loads(base64.b64decode(challenge.lines[0].split()[-1]))["status"], "invalid_token")
            return c.command("AQ==", 535, *words)

    def test_fetched_and_used(self):
        self.web.publish(self.one)
        server = self.configure(self.text())
        server.wait_log("token-keys", url=self.web.url(), **{"fresh-s": "3600"})
        for _ in range(4):  # whichever process of auth answers
            self.ask(server, self.one.token(), 235)
        self.assertEqual(self.web.asked, 1)
        self.assertEqual(len(server.role_pids("fetch")), 1)

    def test_no_url_no_process(self):
        server = self.configure("hostname = h.example\ndata = data\ndefault-route = hold\n"
                                'listener smtp {\n address = "127.0.0.1:0"\n}\n')
        self.assertEqual(server.role_pids("fetch"), [])
        self.web.publish(self.one)
        (self.folder / "sallyport.conf").write_text(self.text())
        server.process.send_signal(signal.SIGHUP)
        server.wait_log("reloaded")
        server.wait_log("token-keys")
        self.assertEqual(len(server.role_pids("fetch")), 1)

    def test_cache_control_within_bounds(self):
        for said, seconds in (("max-age=600", 600), ("public, max-age=5, must-revalidate", 300), ("no-store", 300),
                              ("max-age=99999999", 86400), ("max-age=x", 3600)):
            with self.subTest(said=said):
                self.web.publish(self.one, Cache_Control=said)
                server = self.configure(self.text(), data=f"data-{seconds}-{len(said)}")
                server.wait_log("token-keys", **{"fresh-s": str(seconds)})
                server.stop()

    def test_refreshed_when_no_longer_fresh(self):
        self.web.publish(self.one, Cache_Control="max-age=1")
        server = self.configure(self.text("jwks-fresh-least = 1s"))
        wait_for(lambda: self.web.asked >= 3, "two refreshes")
        self.assertEqual(len(server.logs("token-keys")), 1)  # the same keys are no news

    def test_a_new_key_works_at_once(self):
        self.web.publish(self.one)
        server = self.configure(self.text("jwks-ask-again = 1s"))
        self.ask(server, self.one.token(), 235)
        two = Issuer(self.folder, "two")
        self.web.publish(self.one, two)
        wait_for(lambda: self.can(server, two), "the issuer to be asked again")
        self.ask(server, self.one.token(), 235)
        self.web.publish(two)
        three = Issuer(self.folder, "three")
        wait_for(lambda: self.ask(server, three.token(), 535) and self.web.asked >= 3, "the issuer to be asked again")
        self.ask(server, self.one.token(), 535)  # taken back
        self.ask(server, two.token(), 235)

    def can(self, server, issuer):
        with server.talk("submission") as c:
            c.hello()
            c.start_tls(server.client_tls())
            c.hello()
            c.send("AUTH XOAUTH2 " + base64.b64encode(f"user=me@example.org\1auth=Bearer {issuer.token()}\1\1".encode())
                   .decode())
            return c.reply().code == 235

    def test_made_up_keys_do_not_flood_the_issuer(self):
        self.web.publish(self.one)
        server = self.configure(self.text())
        server.wait_log("token-keys")
        for i in range(8):
            self.ask(server, self.one.token({"kid": f"made-up-{i}"}), 535)
        self.assertEqual(self.web.asked, 1)
        wait_for(lambda: len(server.logs("auth-failed", reason="token-key")) == 8, "eight lines of the log")

    def test_a_restart_while_the_issuer_is_away(self):
        self.web.publish(self.one)
        server = self.configure(self.text())
        server.wait_log("token-keys")
        server.stop()
        self.web.stop()
        server = self.configure(self.text())
        self.ask(server, self.one.token(), 235)
        self.ask(server, self.one.token({"kid": "unknown"}), 454, "4.7.0")
        server.expect_log("token-keys-away", effect="the keys from before stay in use")
        server.wait_log("auth-failed", reason="token-keys-away")
        self.web.start()  # for the clean-up

    def test_kept_keys_are_given_up_in_the_end(self):
        self.web.publish(self.one)
        server = self.configure(self.text("jwks-keep = 1s", "jwks-fresh-least = 1s", "jwks-fresh-most = 1s"))
        wait_for(lambda: self.can(server, self.one), "fresh keys")
        self.web.stop()
        server.expect_log("token-keys-away")
        wait_for(lambda: not self.can(server, self.one), "the keys to be too old")
        self.ask(server, self.one.token(), 454, "4.7.0")
        self.web.start()
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.can(server, self.one), "keys again")

    def test_keys_of_another_url_are_not_used(self):
        self.web.publish(self.one)
        server = self.configure(self.text())
        server.wait_log("token-keys")
        self.web.answer = (503, {}, b"")
        (self.folder / "sallyport.conf").write_text(self.text(url=self.web.url("/other")))
        server.process.send_signal(signal.SIGHUP)
        server.expect_log("token-keys-away", why="HTTP 503")
        self.ask(server, self.one.token(), 454)
        server.stop()
        server = self.configure(self.text(url=self.web.url("/other")))
        server.expect_log("token-keys-away", why="HTTP 503")
        self.ask(server, self.one.token(), 454)

    def test_what_is_no_answer_lets_nobody_in(self):
        good = json.dumps({"keys": [self.one.jwk]}).encode()
        forged = self.one.token
        cases = [((200, {}, b"garbage"), "expected near"), ((200, {}, b'{"keys": []}'), "no key in it is usable"),
                 ((200, {}, b'{"keys": {}}'), "not a JWK set"), ((200, {}, b""), ""),
                 ((200, {}, good + b" " * (1 << 20)), "longer than 256 KiB"),
                 ((200, {"Content-Length": None}, b" " * (1 << 20) + good), "longer than 256 KiB"),
                 ((302, {"Location": self.web.url("/elsewhere")}, good), "redirects are not followed"),
                 ((500, {}, good), "HTTP 500"), ((200, {"Content-Length": len(good) + 9}, good), "")]
        for at, (answer, why) in enumerate(cases):
            with self.subTest(answer=answer[0], why=why):
                self.web.answer = answer
                server = self.configure(self.text(), data=f"data-{at}")
                log = server.expect_log("token-keys-away", effect="no token can be checked: 454")
                self.assertIn(why, log["why"])
                self.ask(server, forged(), 454, "4.7.0")
                self.ask(server, forged(), 454, "4.7.0")
                self.assertEqual(len(server.logs("token-keys-away")), 1)
                self.assertFalse((self.folder / f"data-{at}" / "fetch" / "token-keys").exists())
                server.stop()

    def test_a_server_that_cannot_prove_who_it_is(self):
        self.web.publish(self.one)
        server = self.configure(self.text(trust=False))
        self.assertIn("certificate", server.expect_log("token-keys-away")["why"])
        self.ask(server, self.one.token(), 454)
        self.assertEqual(self.web.asked, 0)

    def test_a_kept_file_that_was_tampered_with(self):
        self.web.publish(self.one)
        server = self.configure(self.text())
        server.wait_log("token-keys")
        server.stop()
        kept = self.folder / "data" / "fetch" / "token-keys"
        self.assertEqual(kept.stat().st_mode & 0o777, 0o600)
        kept.write_bytes(kept.read_bytes()[:-20])
        server = self.configure(self.text())
        server.expect_log("token-keys-not-kept", effect="they are fetched anew")
        server.wait_log("token-keys")
        self.ask(server, self.one.token(), 235)

    def test_fetch_dies_and_comes_back(self):
        self.web.publish(self.one)
        server = self.configure(self.text())
        server.wait_log("token-keys")
        pid = server.role_pids("fetch")[0]
        os.kill(pid, signal.SIGKILL)
        server.expect_log("role-died", name="fetch/0")
        wait_for(lambda: server.role_pids("fetch") not in ([], [pid]), "a new process")
        self.ask(server, self.one.token(), 235)

    def test_in_clear_on_loopback_by_its_key(self):
        web = Publisher(self.folder, tls=False)
        self.addCleanup(web.stop)
        web.publish(self.one)
        server = self.configure(self.text("jwks-in-clear = yes", url=web.url(), trust=False))
        server.wait_log("token-keys")
        self.ask(server, self.one.token(), 235)

    def test_what_check_refuses(self):
        for url, lines, says in ((self.web.url().replace("https", "http"), [], "allowed: https://HOST/PATH"),
                                 ("http://192.0.2.1/jwks", ["jwks-in-clear = yes"], "a loopback address"),
                                 ("https://user@issuer.example/", [], "without user"),
                                 ("https:///jwks", [], "allowed: https://HOST/PATH"),
                                 ("ftp://issuer.example/", [], "allowed: https://HOST/PATH"),
                                 ("https://issuer.example/", ['jwks-file = "jwks.json"'], "one of the two"),
                                 ("https://issuer.example/", ["jwks-fresh-most = 1m"], "less than jwks-fresh-least"),
                                 ("https://issuer.example/", ["jwks-keep = 1h"], "less than jwks-fresh-most")):
            with self.subTest(url=url):
                (self.folder / "bad.conf").write_text(self.text(*lines, url=url))
                done = sallyport("check", "-c", self.folder / "bad.conf", check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(says, done.output)


if __name__ == "__main__":
    unittest.main()
