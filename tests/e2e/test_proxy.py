"""The PROXY protocol: who the client is, said by a proxy that is trusted; nobody else may say it."""
import socket
import struct
import unittest

from harness import ServerCase, swaks, wait_for

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source, port=40000):
    return f"PROXY TCP4 {source} 198.51.100.2 {port} 25\r\n".encode()


def v2(source, port=40000, command=0x21):
    block = socket.inet_aton(source) + socket.inet_aton("198.51.100.2") + struct.pack("!HH", port, 25)
    return SIGNATURE + bytes([command, 0x11]) + struct.pack("!H", len(block)) + block


class Proxy(ServerCase):
    TEXT = """
hostname = mail.example.org
default-route = hold
smtpd-processes = 1
listener mx {
    address = "127.0.0.1:0"
    relay-from = { "192.0.2.0/24", "2001:db8::/32", "127.0.0.1" }
    proxy-from = { "127.0.0.0/8" }
}
listener tls {
    address = "127.0.0.1:0"
    tls = implicit
    relay-from = { "192.0.2.0/24" }
    proxy-from = { "127.0.0.0/8" }
}
listener bare {
    address = "127.0.0.1:0"
    relay-from = { "127.0.0.1" }
}
limits {
    connections-per-address = 2
    proxy-timeout = 1s
}
"""

    def connect(self, server, octets, listener="mx", **options):
        c = server.talk(listener, greeting=None, **options)
        self.addCleanup(c.close)
        c.raw(octets)
        return c

    def received(self, server):
        newest = server.queue()[-1]
        return server.content(newest["id"]).split(b"\r\nDate:")[0].decode()

    def test_swaks(self):
        server = self.configure(self.TEXT)
        for version, family, source in ((1, "TCP4", "192.0.2.7"), (1, "TCP6", "2001:db8::7"),
                                        (2, "AF_INET", "192.0.2.8"), (2, "AF_INET6", "2001:db8::8")):
            done = swaks(server.addresses["mx"], "--from", "a@example.org", "--to", "b@example.net",
                         "--proxy-version", str(version), "--proxy-family", family, "--proxy-source", source,
                         "--proxy-source-port", "40000", "--proxy-dest", "::1" if ":" in source else "198.51.100.2",
                         "--proxy-dest-port", "25")
            self.assertEqual(done.returncode, 0, done.output)
            address = f"[IPv6:{source}]" if ":" in source else f"[{source}]"
            self.assertIn(address, self.received(server))
            server.wait_log("mail-accepted", client=source)
            server.wait_log("session-ended", client=source, proxy="127.0.0.1")

    def test_limits_and_networks_are_for_the_client(self):
        server = self.configure(self.TEXT)
        for header in (v1, v2):
            with self.connect(server, header("203.0.113.9")) as stranger:
                stranger.expect(220)
                stranger.hello()
                stranger.command("MAIL FROM:<a@example.org>", 250)
                stranger.command("RCPT TO:<b@example.net>", 550, "[relay-denied]")
        two = [self.connect(server, v1("192.0.2.7")) for _ in range(2)]
        for c in two:
            c.expect(220)
        self.connect(server, v2("192.0.2.7")).expect(421, "[too-many-connections-from-address]")
        self.connect(server, v2("192.0.2.8")).expect(220)
        two[0].quit()

        def is_let_in():
            with self.connect(server, v1("192.0.2.7")) as c:
                return c.reply().code == 220
        wait_for(is_let_in, "the place to be free")

    def test_a_header_in_pieces_and_with_all_that_follows(self):
        server = self.configure(self.TEXT)
        for header in (v1("192.0.2.7"), v2("192.0.2.7")):
            c = self.connect(server, b"")
            c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(header)):
                c.raw(header[at:at + 1])
            c.expect(220)
            c.close()
            c = self.connect(server, header + b"EHLO client.example\r\nMAIL FROM:<a@example.org>\r\n")
            c.expect(220)
            c.expect(250)
            c.expect(250)
            c.close()

    def test_tls_from_the_first_octet_behind_the_header(self):
        server = self.configure(self.TEXT)
        for header in (v1("192.0.2.7"), v2("192.0.2.7")):
            c = self.connect(server, header, "tls")
            c.socket = server.client_tls().wrap_socket(c.socket, server_hostname="localhost")
            c.expect(220)
            c.hello()
            c.mail(recipients=("b@example.net",))
            self.assertIn("[192.0.2.7]", self.received(server))
            c.quit()

    def test_the_proxy_itself(self):
        server = self.configure(self.TEXT)
        for header in (b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0", v2("192.0.2.7", command=0x20)):
            c = self.connect(server, header)
            c.expect(220)
            c.hello()
            c.quit()
        for _ in range(3):
            server.wait_log("session-ended", client="127.0.0.1")
        self.assertEqual([line for line in server.logs("session-ended") if "proxy" in line], [])
        self.connect(server, b"").close()  # a check that only connects leaves no trace

    def test_malformed_and_late_headers(self):
        server = self.configure(self.TEXT)
        server.accept_log("proxy-refused", client="127.0.0.1", listener="mx")
        for octets, word in ((b"EHLO client.example\r\n", "neither"), (b"PROXY TCP4 1.2.3.4\r\n", "address"),
                             (v2("192.0.2.7", command=0x2f), "command"), (b"PROXY " + b"x" * 200, "107"),
                             (b"PROXY TCP4 ", "in time"), (b"", "in time")):
            n = len(server.logs("proxy-refused"))
            c = self.connect(server, octets)
            c.expect_close()
            lines = wait_for(lambda: server.logs("proxy-refused")[n:], "the log to say why")
            self.assertIn(word, lines[0]["why"])
        self.assertEqual(server.logs("session-ended"), [])

    def test_who_is_not_trusted(self):
        server = self.configure(self.TEXT)
        for header in (v1("192.0.2.7"), v2("192.0.2.7")):
            c = self.connect(server, header, "bare")
            c.expect(220)
            c.expect(421, "4.7.0", "[proxy-header]")
            c.expect_close()
            server.wait_log("session-ended", client="127.0.0.1", why="proxy-header")

    def test_the_end_does_not_wait_for_a_header(self):
        server = self.configure(self.TEXT.replace("proxy-timeout = 1s", "proxy-timeout = 1m"))
        c = self.connect(server, b"PROXY ")
        self.assertEqual(server.stop(seconds=5), 0)
        c.expect_close()


if __name__ == "__main__":
    unittest.main()
