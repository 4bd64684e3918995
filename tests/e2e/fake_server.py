"""An SMTP server that does what a test says: refuses whom it shall refuse, hangs up where it shall, keeps what it accepts."""
import re
import socket
import socketserver
import threading


class Mail:
    """`body`: was BODY=8BITMIME said? `mail_words`, `rcpt_words`: the parameters of MAIL, and of each RCPT, as they were said;
    `chunks`: the sizes of its chunks, when it came in chunks."""

    def __init__(self, sender, recipients, content, body, mail_words=(), rcpt_words=(), chunks=()):
        self.sender, self.recipients, self.content, self.body = sender, recipients, content, body
        self.mail_words, self.rcpt_words, self.chunks = list(mail_words), [list(w) for w in rcpt_words], list(chunks)


class FakeServer:
    """`rcpt(address)` and `data(mail)` give a reply line, "250 ..." to accept, or None to hang up. `auth`: the mechanisms
    of EHLO, each with what is said to it at once. `keywords`: the others of EHLO. `chunk(size, last)` answers BDAT. With `lmtp`
    each recipient has its own reply behind the message, `data(mail)` being called with that recipient alone. `sayings`: replies
    to other verbs, None to hang up; "" is the greeting."""

    def __init__(self, rcpt=lambda address: "250 2.1.5 Ok", data=lambda mail: "250 2.0.0 Ok", port=0, keep=True, auth=(),
                 keywords=("8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING"), chunk=lambda size, last: "250 2.0.0 Ok", lmtp=False,
                 sayings=None, host="127.0.0.1"):
        self.rcpt, self.data, self.keep, self.auth = rcpt, data, keep, dict(auth)
        self.keywords, self.chunk, self.lmtp, self.sayings = list(keywords), chunk, lmtp, dict(sayings or {})
        self.mails, self.changed, self.lines = [], threading.Condition(), []
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    owner.serve(self.rfile, self.connection)
                except OSError:
                    pass  # the client went away, as some tests make it

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, request_queue_size = True, True, 256

            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self.listener = Listener((host, port), Handler)
        self.port = self.listener.server_address[1]
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def serve(self, lines, connection):
        def say(*replies):
            connection.sendall("".join(r + "\r\n" for r in replies).encode())

        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        say(self.sayings.get("", "220 fake ESMTP"))
        mail, chunked = None, b""
        for line in lines:
            self.lines.append(line)
            verb = line.strip().upper()
            if verb.startswith((b"EHLO", b"LHLO")):
                words = [*(["AUTH " + " ".join(self.auth)] if self.auth else []), *self.keywords]
                say(*("250-" + w for w in ["fake", *words][:-1]), "250 " + ["fake", *words][-1])
            elif verb.startswith(b"AUTH "):
                say(self.auth[verb.split()[1].decode()])
            elif verb.startswith(b"MAIL FROM:"):
                sender, words = re.search(rb"<(.*?)>\s*(.*)", line).groups()
                mail = Mail(sender.decode(), [], None, b"BODY=8BITMIME" in verb, words.decode().split())
                chunked = b""
                reply = self.sayings.get("MAIL", "250 2.1.0 Ok")
                if reply is None:
                    return
                say(reply)
            elif verb.startswith(b"RCPT TO:"):
                address, words = (t.decode() for t in re.search(rb"<(.*)>\s*(.*)", line).groups())
                reply = self.rcpt(address)
                if reply is None:
                    return
                if reply.startswith("2"):
                    mail.recipients.append(address)
                    mail.rcpt_words.append(words.split())
                say(reply)
            elif verb == b"DATA":
                if not mail or not mail.recipients:
                    say("554 5.5.1 no valid recipients")
                    continue
                say("354 go on")
                mail.content = self.content(lines)
                if not self.judge(mail, say):
                    return
            elif verb.startswith(b"BDAT "):
                size, last = int(verb.split()[1]), verb.endswith(b"LAST")
                chunked += lines.read(size)
                mail.chunks.append(size)
                reply = self.chunk(size, last)
                if reply is None:
                    return
                if not last or not reply.startswith("2"):
                    say(reply)
                    continue
                mail.content = chunked
                if not self.judge(mail, say):
                    return
            elif verb == b"QUIT":
                say("221 2.0.0 Bye")
                return
            else:
                say(self.sayings.get(verb.split()[0].decode(errors="replace") if verb else "", "250 2.0.0 Ok"))

    def judge(self, mail, say):
        """Reply to a message; false: hang up instead."""
        words = list(zip(mail.recipients, mail.rcpt_words))
        parts = [Mail(mail.sender, [r], mail.content, mail.body, mail.mail_words, [w], mail.chunks) for r, w in words]
        for part in parts if self.lmtp else [mail]:
            reply = self.data(part)
            if reply is None:
                return False
            if reply.startswith("2"):
                with self.changed:
                    self.mails.append(part if self.keep else None)
                    self.changed.notify_all()
            say(reply)
        return True

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
