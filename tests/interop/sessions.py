"""Random sessions, the same for ours and for another server, and how their replies differ.

A session is made against ours: what comes next is drawn by its seed and by where ours is, so that sessions get deep. It is then
typed into the other server, and compared command by command. Where one accepts what the other does not, the states part and the
comparison of that session ends; where both refuse it goes on.
"""
import base64
import random
import re
import socket

WAIT_S = 60
CLOSED = "closed"

PLAIN = base64.b64encode(b"\0alice\0secret").decode()
WRONG = base64.b64encode(b"\0alice\0wrong").decode()

HELLOS = ["EHLO client.example", "EHLO client.example", "ehlo client.example", "HELO client.example", "Helo client.example",
          "EHLO [127.0.0.1]", "EHLO [IPv6:::1]", "EHLO", "HELO", "EHLO two words", "EHLO _x.example", "EHLO client.example ", "EHLO !"]

SENDERS = ["MAIL FROM:<a@client.example>", "MAIL FROM:<a@client.example>", "MAIL FROM:<>", "mail from:<a@client.example>",
           "MAIL FROM:<a@client.example> SIZE=1000", "MAIL FROM:<a@client.example> BODY=8BITMIME"]
BAD_SENDERS = ["MAIL", "MAIL a@client.example", "MAIL FROM", "MAIL FROM:", "MAIL TO:<a@client.example>", "MAIL FROM: <a@client.example>",
               "MAIL  FROM:<a@client.example>", "MAIL FROM:a@client.example", "MAIL FROM:<a@client.example", "MAIL FROM:a@client.example>",
               "MAIL FROM:<a b@client.example>", "MAIL FROM:<a@>", "MAIL FROM:<@client.example>", "MAIL FROM:<a>",
               "MAIL FROM:<postmaster>", "MAIL FROM:<a@-client.example>", "MAIL FROM:<a@client..example>", "MAIL FROM:<a..b@client.example>",
               'MAIL FROM:<"a b"@client.example>', "MAIL FROM:<@hop.example:a@client.example>", "MAIL FROM:<a@[127.0.0.1]>",
               "MAIL FROM:<a@[300.0.0.1]>", "MAIL FROM:<a@client.example> SIZE=99999999999", "MAIL FROM:<a@client.example> SIZE=abc",
               "MAIL FROM:<a@client.example> SIZE=", "MAIL FROM:<a@client.example> SIZE", "MAIL FROM:<a@client.example> BODY=NONE",
               "MAIL FROM:<a@client.example> BODY", "MAIL FROM:<a@client.example> BODY=7BIT BODY=7BIT",
               "MAIL FROM:<a@client.example> XYZ=1", "MAIL FROM:<a@client.example> XYZ", "MAIL FROM:<a@client.example> RET=HDRS ENVID=x",
               "MAIL FROM:<a@client.example> RET=NONE", "MAIL FROM:<a@client.example> ENVID=a=b", "MAIL FROM:<a@client.example> SMTPUTF8",
               "MAIL FROM:<a@client.example> SMTPUTF8=1", "MAIL FROM:<a@client.example> AUTH=<>", "MAIL FROM:<a@client.example>  SIZE=10",
               "MAIL FROM:<a@client.example>SIZE=10", "MAIL FROM:<" + "a" * 70 + "@client.example>"]

RECIPIENTS = ["RCPT TO:<alice@example.org>", "RCPT TO:<alice@example.org>", "RCPT TO:<bob@example.org>", "rcpt to:<bob@example.org>",
              "RCPT TO:<nobody@example.org>", "RCPT TO:<x@elsewhere.example>"]
BAD_RECIPIENTS = ["RCPT", "RCPT alice@example.org", "RCPT TO", "RCPT TO:", "RCPT FROM:<alice@example.org>", "RCPT TO:<>",
                  "RCPT TO: <alice@example.org>", "RCPT TO:alice@example.org", "RCPT TO:<alice@example.org", "RCPT TO:alice@example.org>",
                  "RCPT TO:<alice>", "RCPT TO:<alice@>", "RCPT TO:<@example.org>", "RCPT TO:<al ice@example.org>",
                  'RCPT TO:<"alice"@example.org>', "RCPT TO:<@hop.example:alice@example.org>", "RCPT TO:<alice@EXAMPLE.org>",
                  "RCPT TO:<alice@example.org> NOTIFY=NEVER", "RCPT TO:<alice@example.org> NOTIFY=WHAT",
                  "RCPT TO:<alice@example.org> NOTIFY=NEVER,DELAY", "RCPT TO:<alice@example.org> ORCPT=rfc822;alice@example.org",
                  "RCPT TO:<alice@example.org> ORCPT=alice", "RCPT TO:<alice@example.org> XYZ=1", "RCPT TO:<alice@example.org> SIZE=1",
                  "RCPT TO:<alice@example.org>NOTIFY=NEVER"]

ANYTIME = ["RSET", "rset", "RSET now", "NOOP", "noop", "NOOP some text", "VRFY alice@example.org", "VRFY", "VRFY <alice@example.org>",
           "EXPN staff", "EXPN", "HELP", "HELP MAIL", "QUIT", "quit", "QUIT now", "STARTTLS", "starttls", "STARTTLS now", "FEED ME", "",
           " NOOP", "NOOP ", "TURN", "SEND FROM:<a@client.example>", "SAML FROM:<a@client.example>", "ETRN example.org", "ETRN",
           "XYZZY", "NOOP" + "x" * 600, "NO\x01OP", "DATA", "data", "DATA now", "MAILFROM:<a@client.example>", "MAIL\tFROM:<a@client.example>"]

AUTHS = ["AUTH PLAIN " + PLAIN, "AUTH PLAIN " + WRONG, "auth plain " + PLAIN, "AUTH PLAIN", "AUTH LOGIN", "AUTH", "AUTH XYZ", "AUTH PLAIN !!!",
         "AUTH PLAIN =", "AUTH PLAIN " + PLAIN + " more", "AUTH PLAIN  " + PLAIN]
ANSWERS = [PLAIN, WRONG, "*", "!!!", "", "=", "YWxpY2U=", "c2VjcmV0", "YWxpY2U"]

CHUNKS = [("BDAT 12", "Subject: x\r\n"), ("bdat 12", "Subject: x\r\n"), ("BDAT 12 LAST", "Subject: x\r\n"), ("BDAT 0 LAST", ""),
          ("BDAT 12 last", "Subject: x\r\n"), ("BDAT 0", "")]
BAD_CHUNKS = [("BDAT", ""), ("BDAT x", ""), ("BDAT 0 FIRST", ""), ("BDAT 0 LAST LAST", "")]

MESSAGES = {
    "(a message)": b"Subject: x\r\n\r\nx\r\n.\r\n",
    "(an empty message)": b".\r\n",
    "(no header)": b"\r\nx\r\n.\r\n",
    "(dots)": b"Subject: x\r\n\r\n..\r\n..x\r\n.x\r\n.\r\n",
    "(8 bits)": b"Subject: x\r\n\r\ngr\xfcn\r\n.\r\n",
    "(a line of 2,000 octets)": b"Subject: x\r\n\r\n" + b"x" * 1998 + b"\r\n.\r\n",
    "(NUL)": b"Subject: x\r\n\r\na\0b\r\n.\r\n",
    "(LF alone)": b"Subject: x\r\n\r\na\nb\r\n.\r\n",
    "(CR alone)": b"Subject: x\r\n\r\na\rb\r\n.\r\n",
    "(LF . CRLF)": b"Subject: x\r\n\r\na\n.\r\nb\r\n.\r\n",
}


class Talk:
    """A connection; replies as codes, or CLOSED."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=WAIT_S)
        self.received = self.last = b""

    def send(self, octets):
        self.last = octets
        try:
            self.socket.sendall(octets)
        except OSError:
            pass  # the next reply is CLOSED

    def reply(self):
        while True:
            found = re.match(rb"(?:[0-9]{3}-[^\n]*\n)*([0-9]{3})(?: [^\n]*|\r?)\n", self.received)
            if found:
                self.received = self.received[found.end():]
                return found.group(1).decode()
            try:
                octets = self.socket.recv(65536)
            except ConnectionResetError:
                octets = b""
            except TimeoutError:
                raise AssertionError(f"no reply in {WAIT_S} s; so far {self.received!r}; last {self.last!r}") from None
            if not octets:
                return CLOSED
            self.received += octets

    def close(self):
        self.socket.close()


class Step:
    """A group of lines that go out at once (mostly one), what follows DATA when it is asked for, and the octets of a chunk.
    `phase`: where ours was, and `hello` what it was greeted with. `replies`: to each line, and to the message."""

    def __init__(self, lines, phase, message=None, chunk=""):
        self.lines, self.phase, self.message, self.chunk = lines, phase, message, chunk
        self.replies, self.hello = [], None

    def run(self, talk):
        """The replies to it."""
        talk.send(b"".join(line.encode("latin-1") + b"\r\n" for line in self.lines) + self.chunk.encode())
        replies = []
        for _ in self.lines:
            replies.append(talk.reply())
            if replies[-1] == CLOSED:
                return replies
        if replies[-1] == "354":
            talk.send(MESSAGES[self.message])
            replies.append(talk.reply())
        return replies

    def labels(self):
        return [*self.lines, self.message]


class Phase:
    """Where ours is, by its replies."""

    def __init__(self):
        self.name, self.hello, self.user = "start", None, False

    def home(self):
        return "ready" if self.hello else "start"

    def take(self, step):
        for line, reply in zip(step.lines, step.replies):
            verb = line.split(" ")[0].upper()
            ok = reply[0] == "2"
            if verb in ("EHLO", "HELO") and ok:
                self.hello, self.name = verb, "ready"
            elif verb == "RSET" and ok:
                self.name = self.home()
            elif verb == "MAIL" and ok:
                self.name = "mail"
            elif verb == "RCPT" and ok:
                self.name = "rcpt"
            elif verb == "BDAT":
                last = line.upper().endswith(" LAST")
                if ok:
                    self.name = "ready" if last else "chunk"
                elif self.name in ("rcpt", "chunk") and self.hello == "EHLO":
                    self.name = "failed"
            elif reply == "334":
                self.name = "sasl"
            elif self.name == "sasl":
                self.name = "ready"
        if len(step.replies) > len(step.lines):
            self.name = "ready"


def draw(rng, phase, auth, chunking, pipelining):
    """The next step of a session."""
    where = phase.name
    if where == "sasl":
        return Step([rng.choice(ANSWERS)], where)
    if chunking and phase.hello == "EHLO" and where in ("rcpt", "chunk", "failed") and rng.random() < (0.4 if where == "rcpt" else 0.7):
        line, octets = rng.choice(CHUNKS if rng.random() < 0.85 else BAD_CHUNKS)
        return Step([line], where, chunk=octets)
    if auth and where != "start" and not chunking_phase(where) and rng.random() < 0.08:
        return Step([rng.choice(AUTHS)], where)
    message = rng.choice(list(MESSAGES))
    natural = {"start": HELLOS, "ready": SENDERS, "mail": RECIPIENTS, "rcpt": ["DATA", "DATA", *RECIPIENTS]}.get(where, ANYTIME)
    if pipelining and phase.hello == "EHLO" and where in ("ready", "mail", "rcpt") and rng.random() < 0.2:
        group = [rng.choice(rng.choice([SENDERS, RECIPIENTS, RECIPIENTS, BAD_SENDERS, BAD_RECIPIENTS, ["RSET"]]))
                 for _ in range(rng.randint(1, 4))]
        return Step([*group, rng.choice(["DATA", "NOOP", "VRFY alice@example.org", "RSET", "RCPT TO:<alice@example.org>"])],
                    where, message)
    kind = rng.random()
    if kind < 0.55:
        pool = natural
    elif kind < 0.8:
        pool = {"start": HELLOS, "ready": BAD_SENDERS, "mail": BAD_RECIPIENTS, "rcpt": BAD_RECIPIENTS}.get(where, ANYTIME)
    else:
        pool = rng.choice([ANYTIME, ANYTIME, HELLOS, SENDERS, RECIPIENTS, BAD_SENDERS, BAD_RECIPIENTS])
    return Step([rng.choice(pool)], where, message)


def chunking_phase(where):
    return where in ("chunk", "failed")


def make(address, seed, auth, chunking, pipelining, steps=14):
    """Draw a session and type it into ours; its steps, with ours' replies."""
    rng, phase, done = random.Random(seed), Phase(), []
    talk = Talk(address)
    try:
        talk.reply()
        for _ in range(steps):
            step = draw(rng, phase, auth, chunking, pipelining)
            step.hello = phase.hello
            step.replies = step.run(talk)
            done.append(step)
            phase.take(step)
            if any(r in ("221", "421", "220", CLOSED) for r in step.replies) or (step.lines[0], "") in BAD_CHUNKS:
                break  # nobody can know where the octets of a chunk end whose count cannot be read
        return done
    finally:
        talk.close()


class Difference:
    def __init__(self, phase, command, in_group, replies, seed):
        self.phase, self.hello, self.command, self.in_group, self.seed = phase.name, phase.hello, command, in_group, seed
        self.ours, self.theirs = replies

    def __str__(self):
        command = self.command if len(self.command) < 90 else self.command[:80] + f"... ({len(self.command)})"
        return f"{self.phase:6} {self.hello or '-'} {command!r}: ours {self.ours}, theirs {self.theirs} (seed {self.seed})"


def refuses(reply):
    return reply[0] in "45"


def compare(address, steps, seed):
    """Type a session into another server; (commands compared, differences)."""
    talk, compared, found = Talk(address), 0, []
    try:
        talk.reply()
        for step in steps:
            theirs = step.run(talk)
            phase = Phase()
            phase.name, phase.hello = step.phase, step.hello
            for i, label in enumerate(step.labels()):
                ours_i, theirs_i = (replies[i] if i < len(replies) else None for replies in (step.replies, theirs))
                if ours_i is None or theirs_i is None:
                    break
                compared += 1
                if ours_i != theirs_i:
                    found.append(Difference(phase, label, len(step.lines) > 1, (ours_i, theirs_i), seed))
                    if CLOSED in (ours_i, theirs_i) or (ours_i[0] != theirs_i[0] and not (refuses(ours_i) and refuses(theirs_i))):
                        return compared, found
                one = Step([label], phase.name)
                one.replies = [ours_i]
                phase.take(one)
            if "421" in theirs and "421" not in step.replies:
                return compared, found
        return compared, found
    finally:
        talk.close()
