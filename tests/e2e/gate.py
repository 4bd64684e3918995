"""A gate before a mail server: passes sessions on, command by command and under TLS, and breaks them where it is told to.

    gate = Gate("127.0.99.4", 2525, behind=("127.0.98.1", 2525), pair=(certificate, key))
    gate.breaks = {"RCPT": "450 4.2.0 Greylisted"}      # this reply, and nothing reaches the server
    gate.breaks = {"DATA": DROP}                        # hang up instead; HANG: say nothing, LOSE: hang up, but the server has it
    gate.breaks = {}                                    # mended

Stages: greeting, EHLO (HELO too), STARTTLS, handshake, MAIL, RCPT, DATA, BDAT, dot (the end of the message, by DATA or BDAT).
`without`: keywords that EHLO does not show.
"""
import socket
import socketserver
import ssl
import threading

DROP, HANG, LOSE = object(), object(), object()


class Dropped(Exception):
    """This session ends here."""


class Side:
    """One of both connections, by lines."""

    def __init__(self, connection):
        self.connection = connection
        connection.settimeout(None)
        self.open()

    def open(self):
        self.lines = self.connection.makefile("rb")

    def secure(self, context, **options):
        self.connection = context.wrap_socket(self.connection, **options)
        self.open()

    def line(self):
        line = self.lines.readline()
        if not line.endswith(b"\n"):
            raise Dropped
        return line

    def reply(self):
        """A whole reply."""
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return lines

    def say(self, octets):
        self.connection.sendall(octets)

    def close(self):
        for close in (lambda: self.connection.shutdown(socket.SHUT_RDWR), self.connection.close):
            try:
                close()
            except OSError:
                pass


class Gate:
    def __init__(self, host, port, behind, pair=None, breaks=(), without=()):
        self.behind, self.breaks, self.without = behind, dict(breaks), tuple(without)
        self.set_pair(pair)
        self.ended, self.sessions = threading.Event(), 0
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                owner.sessions += 1
                try:
                    owner.serve(self.request)
                except (OSError, Dropped):
                    pass  # one of both went away

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, request_queue_size = True, True, 64

        self.listener = Listener((host, port), Handler)
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def set_pair(self, pair):
        """Show this certificate from now on; None: one that fits nothing will do."""
        self.secure = None
        if pair:
            self.secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.secure.load_cert_chain(*map(str, pair))

    def mend(self):
        self.breaks, self.without = {}, ()

    def serve(self, connection):
        client, server = Side(connection), Side(socket.create_connection(self.behind))
        try:
            self.pass_on(client, server)
        finally:
            client.close()
            server.close()

    def broken(self, stage, client):
        """Is it broken here? Then that is done."""
        act = self.breaks.get(stage)
        if act is None or act is LOSE:
            return False
        if act is HANG:
            self.ended.wait()
        if act in (DROP, HANG):
            raise Dropped
        client.say(act.encode() + b"\r\n")
        return True

    def pass_on(self, client, server):
        greeting = server.reply()
        if not self.broken("greeting", client):
            client.say(b"".join(greeting))
        while True:
            line = client.line()
            verb = line.split()[0].decode(errors="replace").upper() if line.split() else ""
            stage = "EHLO" if verb == "HELO" else verb
            if verb == "BDAT":
                self.chunk(line, client, server)
                continue
            if self.broken(stage, client):
                if str(self.breaks[stage]).startswith("421"):
                    raise Dropped
                continue
            server.say(line)
            reply = server.reply()
            if verb == "EHLO":
                reply = self.fewer(reply)
            client.say(b"".join(reply))
            if verb == "STARTTLS" and reply[0].startswith(b"220"):
                self.start_tls(client, server)
            elif verb == "DATA" and reply[0].startswith(b"354"):
                self.content(client, server)
            elif verb == "QUIT":
                raise Dropped

    def fewer(self, reply):
        kept = [line for line in reply if line[4:].split()[0].decode() not in self.without]
        return [line[:3] + (b"-" if n + 1 < len(kept) else b" ") + line[4:] for n, line in enumerate(kept)]

    def start_tls(self, client, server):
        self.broken("handshake", client)
        client.secure(self.secure, server_side=True)
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        server.secure(anybody, server_hostname="localhost")

    def end(self, octets, client, server):
        """The end of a message: given to the server, unless this is where it breaks."""
        if self.broken("dot", client):
            raise Dropped  # what the server has of it is no message
        server.say(octets)
        reply = server.reply()
        if self.breaks.get("dot") is LOSE:
            raise Dropped
        client.say(b"".join(reply))

    def content(self, client, server):
        lines = [client.line()]
        while lines[-1] != b".\r\n":
            lines.append(client.line())
        self.end(b"".join(lines), client, server)

    def chunk(self, line, client, server):
        octets = client.lines.read(int(line.split()[1]))
        if self.broken("BDAT", client):
            raise Dropped
        if line.upper().split()[-1] == b"LAST":
            self.end(line + octets, client, server)
        else:
            server.say(line + octets)
            client.say(b"".join(server.reply()))

    def stop(self):
        self.ended.set()
        self.listener.shutdown()
        self.listener.server_close()
