"""Clients that mean no good: nobody else notices."""
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


if __name__ == "__main__":
    unittest.main()
