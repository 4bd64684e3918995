"""An SMTP server that does what a test says: refuses whom it shall refuse, hangs up where it shall, keeps what it accepts."""
import re
import socket
import socketserver
import threading


class Mail:
    def __init__(self, sender, recipients, content, body):
        self.sender, self.recipients, self.content, self.body = sender, recipients, content, body


class FakeServer:
    """`rcpt(address)` and `data(mail)` give a reply line, "250 ..." to accept, or None to hang up. `auth`: the mechanisms
    of EHLO, each with what is said to it at once."""

    def __init__(self, rcpt=lambda address: "250 2.1.5 Ok", data=lambda mail: "250 2.0.0 Ok", port=0, keep=True, auth=()):
        self.rcpt, self.data, self.keep, self.auth = rcpt, data, keep, dict(auth)
        self.mails, self.changed = [], threading.Condition()
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    owner.serve(self.rfile, self.connection)
                except OSError:
                    pass  # the client went away, as some tests make it

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, request_queue_size = True, True, 256

        self.listener = Listener(("127.0.0.1", port), Handler)
        self.port = self.listener.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def serve(self, lines, connection):
        def say(*replies):
            connection.sendall("".join(r + "\r\n" for r in replies).encode())

        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        say("220 fake ESMTP")
        sender, recipients, body = "", [], None
        for line in lines:
            verb = line.strip().upper()
            if verb.startswith(b"EHLO"):
                say("250-fake", "250-8BITMIME", "250-ENHANCEDSTATUSCODES",
                    *(["250-AUTH " + " ".join(self.auth)] if self.auth else []), "250 PIPELINING")
            elif verb.startswith(b"AUTH "):
                say(self.auth[verb.split()[1].decode()])
            elif verb.startswith(b"MAIL FROM:"):
                sender, recipients = re.search(rb"<(.*?)>", line).group(1).decode(), []
                body = b"BODY=8BITMIME" in verb
                say("250 2.1.0 Ok")
            elif verb.startswith(b"RCPT TO:"):
                address = re.search(rb"<(.*)>", line).group(1).decode()
                reply = self.rcpt(address)
                if reply is None:
                    return
                if reply.startswith("2"):
                    recipients.append(address)
                say(reply)
            elif verb == b"DATA":
                if not recipients:
                    say("554 5.5.1 no valid recipients")
                    continue
                say("354 go on")
                mail = Mail(sender, recipients, self.content(lines), body)
                reply = self.data(mail)
                if reply is None:
                    return
                if reply.startswith("2"):
                    with self.changed:
                        self.mails.append(mail if self.keep else None)
                        self.changed.notify_all()
                say(reply)
            elif verb == b"QUIT":
                say("221 2.0.0 Bye")
                return
            else:
                say("250 2.0.0 Ok")

    @staticmethod
    def content(lines):
        content = []
        for line in lines:
            if line == b".\r\n":
                return b"".join(content)
            content.append(line[1:] if line.startswith(b".") else line)
        raise OSError("the client went away within its message")

    def wait(self, n, seconds=60):
        """The first n messages."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.mails) >= n, seconds):
                raise AssertionError(f"{len(self.mails)} of {n} messages came in {seconds} s")
            return self.mails[:n]

    def stop(self):
        self.listener.shutdown()
        self.listener.server_close()
