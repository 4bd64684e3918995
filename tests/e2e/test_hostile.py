"""Clients that mean no good: nobody else notices."""
import socket
import unittest

from harness import ServerCase


class Floods(ServerCase):
    TEXT = ('hostname = mail.example.org\ndefault-route = hold\nsmtpd-processes = 1\n'
            'listener a {\n address = "127.0.0.1:0"\n}\nlimits {\n idle-commands = 100000\n}\n')

    def test_commands_that_say_much_more_than_they_cost(self):
        server = self.configure(self.TEXT)
        with server.talk("a") as witness:
            witness.hello()
            for command in (b"HELP\r\n", b"EHLO x\r\n", b"VRFY x\r\n"):
                with server.talk("a") as c:
                    c.hello()
                    n = 40000 // len(command)
                    c.raw(command * n * 4)
                    for _ in range(n):
                        self.assertIn(c.reply().code, (214, 250, 252))
            witness.command("NOOP", 250)


class HalfClosed(ServerCase):
    """Who has said all that it had to say may still be reading."""

    def test_replies_that_wait_for_a_slow_reader(self):
        server = self.configure(Floods.TEXT)
        n, heard = 50000, b""
        with server.talk("a") as c:
            c.hello()
            c.raw(b"HELP\r\n" * n)
            c.socket.shutdown(socket.SHUT_WR)
            while octets := c.socket.recv(1 << 20):
                heard += octets
        self.assertEqual(heard.count(b"\r\n"), n)

    def test_quit_behind_the_final_dot(self):
        server = self.serve()
        for listener in ("smtp", "submissions"):
            for size in (1, 2000):
                with server.talk(listener) as c:
                    c.hello()
                    if listener != "smtp":
                        c.login(server.user, server.password)
                    c.command("MAIL FROM:<a@example.org>", 250)
                    c.command("RCPT TO:<b@example.org>", 250)
                    c.command("DATA", 354)
                    c.raw(b"0123456789abcdef0123456789abcdef\r\n" * size + b".\r\nQUIT\r\n")
                    socket.socket.shutdown(c.socket, socket.SHUT_WR)
                    c.expect(250)
                    c.expect(221)


if __name__ == "__main__":
    unittest.main()
