"""Reports about TLS (RFC 8460): what our relay saw of a domain's TLS, in the hands of who is to read it."""
import email
import email.policy
import gzip
import http.server
import json
import os
import re
import signal
import ssl
import threading
import time
import unittest

from certificates import Authority
from harness import wait_for
from name_server import Zone
from world import SIGNED, STS_POLICY, STS_RECORD, PolicyServer, Secured, World, key_digest

SECTION = """
tls-reports {{
    organization = "Us, of Example"
    contact = "postmaster@us.example"
    from = "tls-reports@us.example"
    private-addresses = {private}
}}
{more}
"""

BY_MAIL = '_smtp._tls.one TXT "v=TLSRPTv1; rua=mailto:reports@implicit.example"\n'

POLICIES = {"tlsa", "sts", "no-policy-found"}
RESULTS = {"starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
           "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error",
           "sts-policy-invalid", "sts-webpki-invalid"}


class Receiver:
    """A web server that takes reports: what was posted is in `posts`, as (path, type, body)."""

    def __init__(self, pair, status=201, answer=b""):
        self.status, self.posts, self.calls = status, [], 0
        owner = self

        class Server(http.server.ThreadingHTTPServer):
            def verify_request(self, *_):
                owner.calls += 1
                return True

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.posts.append((self.path, self.headers["Content-Type"], body))
                self.send_response(owner.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                try:
                    self.wfile.write(answer)
                except OSError:
                    pass  # who posts need not listen to the end

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.99.8", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Reports(Secured):
    def relay(self, route="", more="", private="yes", **options):
        return super().relay(f"connections = 1\n {route}", SECTION.format(more=more, private=private), **options)

    def days(self, server, domain="one.example"):
        listed = json.loads(server.run("queue", "tls-reports", "--json").stdout)
        return [row for row in listed if row["domain"] == domain]

    def counted(self, server, sessions, domain="one.example"):
        """Wait until so many sessions are counted."""
        def row():
            rows = self.days(server, domain)
            return rows and rows[0]["successful"] + rows[0]["failed"] >= sessions and rows[0]
        return wait_for(row, f"{sessions} sessions")

    def ask(self, server, domain="one.example"):
        said = server.run("queue", "tls-send", "today", domain).stdout
        self.assertIn("1 report of ", said)

    def mailed(self, server, hop, n=1):
        """Have the report sent, and read it from the mail."""
        self.ask(server)
        return self.read_mail(hop.wait(n)[n - 1])

    def read_mail(self, mail):
        self.assertEqual(mail.sender, "")
        message = email.message_from_bytes(mail.content, policy=email.policy.default)
        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual(message.get_param("report-type"), "tlsrpt")
        self.assertEqual(message["TLS-Report-Domain"], "one.example")
        self.assertEqual(message["TLS-Report-Submitter"], "us.example")
        self.assertEqual(message["TLS-Required"], "No")
        self.assertEqual(message["From"], "tls-reports@us.example")
        self.assertEqual(message.defects, [])
        text, report = message.iter_parts()
        self.assertEqual(text.get_content_type(), "text/plain")
        self.assertEqual(report.get_content_type(), "application/tlsrpt+gzip")
        whole = self.read_json(report.get_content())
        self.assertRegex(message["Subject"], r"^Report Domain: one\.example\s+Submitter: us\.example\s+Report-ID: <"
                                             + re.escape(whole["report-id"]) + ">$")
        begin, end = (int(time.mktime(time.strptime(whole["date-range"][f"{word}-datetime"], "%Y-%m-%dT%H:%M:%SZ"))) - time.timezone
                      for word in ("start", "end"))
        unique = whole["report-id"].split("@")[0]
        self.assertEqual(report.get_filename(), f"us.example!one.example!{begin}!{end}!{unique}.json.gz")
        return whole

    def read_json(self, octets):
        """The report; what RFC 8460 4.4 says of its form holds."""
        whole = json.loads(gzip.decompress(octets))
        self.assertEqual(list(whole), ["organization-name", "date-range", "contact-info", "report-id", "policies"])
        self.assertEqual(whole["organization-name"], "Us, of Example")
        self.assertEqual(whole["contact-info"], "postmaster@us.example")
        self.assertRegex(whole["report-id"], r"^[0-9a-z]+@us\.example$")
        for policy in whole["policies"]:
            self.assertLessEqual(set(policy), {"policy", "summary", "failure-details"})
            what = policy["policy"]
            self.assertLessEqual(set(what), {"policy-type", "policy-string", "policy-domain", "mx-host"})
            self.assertIn(what["policy-type"], POLICIES)
            self.assertEqual(what["policy-domain"], "mx1.example" if what["policy-type"] == "tlsa" else "one.example")
            self.assertEqual(set(policy["summary"]), {"total-successful-session-count", "total-failure-session-count"})
            failures = policy.get("failure-details", [])
            for failure in failures:
                self.assertIn(failure["result-type"], RESULTS)
                self.assertLessEqual(set(failure), {"result-type", "sending-mta-ip", "receiving-mx-hostname", "receiving-mx-helo",
                                                    "receiving-ip", "failed-session-count", "additional-information",
                                                    "failure-reason-code"})
            self.assertEqual(sum(f["failed-session-count"] for f in failures), policy["summary"]["total-failure-session-count"])
        return whole

    def one_failure(self, whole, kind, result, **fields):
        """The only failure that it tells of, under that policy; the policies."""
        by_type = {p["policy"]["policy-type"]: p for p in whole["policies"]}
        failure, = by_type[kind]["failure-details"]
        self.assertEqual(failure["result-type"], result)
        for name, value in fields.items():
            self.assertEqual(failure[name.replace("_", "-")], value)
        return by_type


class Sent(Reports):
    """From the sessions to the mailbox."""

    def test_sessions_count_once_and_the_report_comes_by_mail(self):
        pair = self.certificate("mx1.example")
        record = f"3 1 1 {key_digest(pair[0])}"
        self.publish(BY_MAIL + f"_{self.port}._tcp.mx1 TLSA {record}\n")
        self.mx(1, "mx1.example", pair)
        hop = self.host(3)
        server = self.relay()
        for i in range(3):
            self.send(server, f"x{i}@one.example")
        wait_for(lambda: len(server.logs("mail-delivered")) == 3, "all mail")
        sessions = len(server.logs("remote-connected"))
        row = self.counted(server, sessions)
        self.assertEqual((row["successful"], row["failed"], row["state"]), (sessions, 0, "counting"))
        whole = self.mailed(server, hop)
        policy, = whole["policies"]
        self.assertEqual(policy, {"policy": {"policy-type": "tlsa", "policy-string": [record], "policy-domain": "mx1.example"},
                                  "summary": {"total-successful-session-count": sessions, "total-failure-session-count": 0}})
        line = server.wait_log("tls-report-sent", domain="one.example")
        self.assertEqual(line["to"], "mailto:reports@implicit.example")
        row, = self.days(server)
        self.assertEqual(row["sent_to"], "mailto:reports@implicit.example")
        # The mail with the report is no session to be reported.
        self.assertEqual(self.days(server, "implicit.example"), [])
        text = server.run("queue", "tls-reports").stdout
        self.assertIn("one.example", text)
        self.assertIn("to mailto:reports@implicit.example", text)

    def web(self, pair, status=201, more="", answer=b""):
        web = Receiver(pair, status, answer)
        self.addCleanup(web.stop)
        self.publish(f'_smtp._tls.one TXT "v=TLSRPTv1; rua=https://web.example:{web.port}/v1/tlsrpt'
                     + more.format(port=web.port) + '"\nweb A 127.0.99.8\n')
        return web

    def test_the_report_is_posted(self):
        web = self.web(self.certificate("web.example"))
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        server = self.relay(f'ca-file = "{self.authority.certificate}"')
        self.send(server, "x@one.example")
        self.counted(server, 1)
        self.ask(server)
        (path, kind, body), = wait_for(lambda: web.posts, "the report")
        self.assertEqual((path, kind), ("/v1/tlsrpt", "application/tlsrpt+gzip"))
        policy, = self.read_json(body)["policies"]
        self.assertEqual(policy["policy"], {"policy-type": "no-policy-found", "policy-domain": "one.example"})
        self.assertEqual(policy["summary"]["total-successful-session-count"], 1)
        server.wait_log("tls-report-sent", to=f"https://web.example:{web.port}/v1/tlsrpt")
        self.assertEqual(server.logs("tls-report-unverified"), [])

    def test_a_receiver_that_says_much_has_it_all_the_same(self):
        web = self.web(self.certificate("web.example"), 200, answer=b"thanks " * 100000)
        self.host(1)
        server = self.relay(f'ca-file = "{self.authority.certificate}"')
        self.send(server, "x@one.example")
        self.counted(server, 1)
        self.ask(server)
        server.wait_log("tls-report-sent")
        self.assertEqual(len(web.posts), 1)

    def test_a_receiver_whose_certificate_is_not_good_gets_it_all_the_same(self):
        web = self.web(self.certificate("elsewhere.example"))
        self.host(1)
        server = self.relay(f'ca-file = "{self.authority.certificate}"')
        self.send(server, "x@one.example")
        self.counted(server, 1)
        self.ask(server)
        server.wait_log("tls-report-unverified", domain="one.example")
        server.wait_log("tls-report-sent")
        self.assertEqual(len(web.posts), 1)

    def test_when_no_web_server_takes_it_it_goes_by_mail(self):
        web = self.web(self.certificate("web.example"), 500, ",mailto:reports@implicit.example")
        self.host(1)
        hop = self.host(3)
        server = self.relay(f'ca-file = "{self.authority.certificate}"')
        self.send(server, "x@one.example")
        self.counted(server, 1)
        self.one_failure(self.mailed(server, hop), "no-policy-found", "starttls-not-supported")
        self.assertEqual(len(web.posts), 1)

    def test_a_stranger_has_no_server_of_ours_asked(self):
        pair = self.certificate("web.example")
        web = self.web(pair, 200, ",https://127.0.99.8:{port}/,https://[::ffff:127.0.99.8]:{port}/,mailto:reports@implicit.example")
        self.host(1)
        hop = self.host(3)
        server = self.relay(f'ca-file = "{self.authority.certificate}"', private="no")
        self.send(server, "x@one.example")
        self.counted(server, 1)
        self.one_failure(self.mailed(server, hop), "no-policy-found", "starttls-not-supported")
        self.assertEqual(web.posts, [])
        self.assertEqual(web.calls, 0)
        row = wait_for(lambda: [r for r in self.days(server) if r["sent_to"]], "what became of it")[0]
        self.assertEqual(row["sent_to"], "mailto:reports@implicit.example")
        self.assertIn("its address is of this machine or of a private network", row["said"])

    def test_when_nobody_takes_it_the_reason_is_shown(self):
        web = self.web(self.certificate("web.example"), 500)
        self.host(1)
        server = self.relay(f'ca-file = "{self.authority.certificate}"')
        self.send(server, "x@one.example")
        self.counted(server, 1)
        self.ask(server)
        self.assertIn("HTTP 500", server.wait_log("tls-report-failed", domain="one.example")["why"])
        row = wait_for(lambda: [r for r in self.days(server) if r["said"]], "the reason")[0]
        self.assertEqual(row["said"], f"https://web.example:{web.port}/v1/tlsrpt: HTTP 500")
        self.assertEqual(row["sent"], None)

    def test_a_domain_that_wants_none_and_one_with_two_records(self):
        self.publish(BY_MAIL + BY_MAIL.replace("mailto:", "mailto:other-"))
        self.host(1)
        server = self.relay()
        for domain in ("one.example", "both.example"):
            self.send(server, f"x@{domain}")
            self.counted(server, 1, domain)
            self.ask(server, domain)
            server.wait_log("tls-report-unwanted", domain=domain)

    def test_counts_survive_the_death_of_the_queue(self):
        self.publish(BY_MAIL)
        self.host(1)
        hop = self.host(3)
        server = self.relay()
        self.send(server, "x@one.example")
        server.wait_log("mail-delivered")
        for pid in server.role_pids("queue"):
            os.kill(pid, signal.SIGKILL)
        server.expect_log("role-died", signal="KILL")
        self.counted(server, 1)
        self.one_failure(self.mailed(server, hop), "no-policy-found", "starttls-not-supported", failed_session_count=1)

    def test_without_the_section_nothing_is_counted_and_a_reload_changes_that(self):
        self.publish(BY_MAIL)
        self.host(1)
        server = World.relay(self)
        self.send(server, "x@one.example")
        server.wait_log("mail-delivered")
        self.assertEqual(self.days(server), [])
        self.assertIn("nothing was counted", server.run("queue", "tls-reports").stdout)
        self.assertIn("nothing was counted", server.run("queue", "tls-send", "today", check=False).stderr)
        path = self.folder / "sallyport.conf"
        path.write_text(path.read_text() + SECTION.format(more="", private="no"))
        server.process.send_signal(signal.SIGHUP)
        server.wait_log("reloaded")
        self.send(server, "x@one.example")
        self.counted(server, 1)

    def test_what_the_command_refuses(self):
        server = self.relay()
        for words, why in [(("tls-send",), "needs a day"), (("tls-send", "tomorrow"), "is no day"),
                           (("tls-send", "2026-13-01"), "is no day"), (("tls-reports", "x"), "is not expected here")]:
            with self.subTest(words=words):
                ended = server.run("queue", *words, check=False)
                self.assertEqual(ended.returncode, 64)
                self.assertIn(why, ended.stderr)


class FailureCase(Reports):
    """Each type of failure, brought about."""

    def failed(self, server, kind, result, sessions=1, **fields):
        self.send(server, "x@one.example")
        self.counted(server, sessions)
        return self.one_failure(self.mailed(server, self.hop), kind, result, **fields)

    def setUp(self):
        super().setUp()
        self.hop = self.host(3)


class Failures(FailureCase):
    """Without a policy, and with DANE."""

    def test_no_starttls(self):
        self.publish(BY_MAIL)
        self.host(1)
        self.failed(self.relay(), "no-policy-found", "starttls-not-supported", sending_mta_ip="127.0.0.1",
                    receiving_mx_hostname="mx1.example", receiving_mx_helo="fake", receiving_ip="127.0.99.1",
                    failed_session_count=1, failure_reason_code="STARTTLS is not offered")

    def test_a_handshake_that_breaks_and_goes_on_in_clear(self):
        self.publish(BY_MAIL)
        hop = self.host(1, keywords=("STARTTLS",), sayings={"STARTTLS": "220 go on"})
        policies = self.failed(self.relay(), "no-policy-found", "validation-failure", receiving_ip="127.0.99.1")
        hop.wait(1)
        self.assertEqual(policies["no-policy-found"]["summary"]["total-successful-session-count"], 0)

    def test_a_certificate_that_fits_no_tlsa_record(self):
        record = f"3 1 1 {'00' * 32}"
        self.publish(BY_MAIL + f"_{self.port}._tcp.mx1 TLSA {record}\n")
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        policies = self.failed(self.relay(), "tlsa", "tlsa-invalid", receiving_mx_hostname="mx1.example")
        self.assertEqual(policies["tlsa"]["policy"]["policy-string"], [record])

    def test_tlsa_records_that_nobody_can_use(self):
        self.publish(BY_MAIL + f"_{self.port}._tcp.mx1 TLSA 0 1 1 {'00' * 32}\n")
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        policies = self.failed(self.relay(), "tlsa", "tlsa-invalid")
        self.assertEqual(policies["tlsa"]["policy"]["policy-string"], [f"0 1 1 {'00' * 32}"])

    def test_tlsa_records_whose_signature_is_wrong(self):
        record = f"_{self.port}._tcp.mx1 TLSA 3 1 1 {'00' * 32}\n"
        self.names.set([Zone("example", SIGNED + BY_MAIL + record, signed=True, spoil=[("00" * 32, "11" * 32)])])
        self.host(1)
        self.failed(self.relay(), "tlsa", "dnssec-invalid", receiving_mx_hostname="mx1.example")

    def test_an_authority_in_the_dns_and_another_name(self):
        pair = self.certificate("elsewhere.example")
        chain = self.folder / "chain.pem"
        chain.write_text(pair[0].read_text() + self.authority.certificate.read_text())
        self.publish(BY_MAIL + f"_{self.port}._tcp.mx1 TLSA 2 1 1 {key_digest(self.authority.certificate)}\n")
        self.mx(1, "mx1.example", (chain, pair[1]))
        self.failed(self.relay(), "tlsa", "certificate-host-mismatch")


class Policies(FailureCase):
    """With MTA-STS."""

    def policy(self, pair=None, text=None, mode="enforce", mx="mx1.example", tell=True):
        self.web = PolicyServer(pair or self.certificate("mta-sts.one.example"),
                                           text or STS_POLICY.format(mode=mode, mx=mx) if tell else None)
        self.addCleanup(self.web.stop)
        self.publish(STS_RECORD + BY_MAIL, signed=False)
        return self.relay(f'ca-file = "{self.authority.certificate}"\n mta-sts-port = {self.web.port}')

    def check_policy(self, policies, mode, mx="mx1.example"):
        self.assertEqual(policies["sts"]["policy"]["policy-string"],
                         ["version: STSv1", f"mode: {mode}", f"mx: {mx}", "max_age: 86400"])
        self.assertEqual(policies["sts"]["policy"]["mx-host"], [mx])

    def test_an_expired_certificate(self):
        self.mx(1, "mx1.example", self.certificate("mx1.example", days=0))
        policies = self.failed(self.policy(), "sts", "certificate-expired", receiving_mx_hostname="mx1.example",
                               receiving_mx_helo="mx1.example", receiving_ip="127.0.99.1")
        self.check_policy(policies, "enforce")

    def test_a_certificate_for_another(self):
        self.mx(1, "mx1.example", self.certificate("elsewhere.example"))
        self.failed(self.policy(), "sts", "certificate-host-mismatch")

    def test_a_certificate_of_an_unknown_authority(self):
        other = Authority(self.folder / "other", "Another CA")
        self.mx(1, "mx1.example", other.sign("mx1.example", "mx1.example", "DNS:mx1.example", usage="serverAuth"))
        self.failed(self.policy(), "sts", "certificate-not-trusted")

    def test_no_tls_at_all(self):
        self.host(1)
        self.failed(self.policy(), "sts", "starttls-not-supported")

    def test_a_policy_that_names_none_of_the_hosts(self):
        self.host(1)
        policies = self.failed(self.policy(mx="*.mx.example"), "sts", "validation-failure", receiving_mx_hostname="mx1.example")
        self.check_policy(policies, "enforce", "*.mx.example")

    def test_testing_delivers_and_tells(self):
        mx = self.mx(1, "mx1.example", self.certificate("mx1.example", days=0))
        policies = self.failed(self.policy(mode="testing"), "sts", "certificate-expired", failed_session_count=1)
        self.check_policy(policies, "testing")
        wait_for(lambda: self.stored("x@one.example"), "the message")
        self.assertEqual(mx.queue(), [])

    def test_testing_names_another_host(self):
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        self.failed(self.policy(mode="testing", mx="other.example"), "sts", "validation-failure", failed_session_count=1)
        wait_for(lambda: self.stored("x@one.example"), "the message")

    def test_testing_that_would_have_held(self):
        self.mx(1, "mx1.example", self.certificate("mx1.example"))
        server = self.policy(mode="testing")
        self.send(server, "x@one.example")
        self.assertEqual(self.counted(server, 1)["successful"], 1)
        policy, = self.mailed(server, self.hop)["policies"]
        self.assertEqual(policy["policy"]["policy-type"], "sts")
        self.assertNotIn("failure-details", policy)

    def test_a_policy_that_is_not_there_is_none_and_one_of_an_untrusted_server(self):
        for result, options in [("sts-policy-fetch-error", {"tell": False}), ("sts-policy-invalid", {"text": "version: STSv2\n"}),
                                ("sts-webpki-invalid", {"pair": self.certificate("elsewhere.example")})]:
            with self.subTest(result=result):
                first = self.host(1)
                server = self.policy(**options)
                self.send(server, "x@one.example")
                first.wait(1)
                self.counted(server, 2)  # the policy, and the session that had none
                policies = self.one_failure(self.mailed(server, self.hop, len(self.hop.mails) + 1), "sts", result)
                self.assertEqual(policies["no-policy-found"]["failure-details"][0]["result-type"], "starttls-not-supported")
                server.stop()
                (self.folder / "data").rename(self.folder / f"data-{result}")
                first.stop()


if __name__ == "__main__":
    unittest.main()
