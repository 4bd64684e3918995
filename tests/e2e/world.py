"""A world of its own on loopback: a name server with signed and unsigned zones, mail servers on addresses of 127.0.0.0/8,
and our relay that finds its way among them by MX."""
import hashlib
import http.server
import json
import socket
import ssl
import subprocess
import threading

from certificates import Authority
from fake_server import FakeServer
from harness import ServerCase, free_port
from name_server import NameServer, Zone

STS_RECORD = '_mta-sts.one TXT "v=STSv1; id=1;"\nmta-sts.one A 127.0.99.8\n'
STS_POLICY = "version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"


def free_world_port(addresses):
    """A port that is free on each of these addresses: all mail servers of a world have the same."""
    while True:
        port = free_port()
        held = []
        try:
            for address in addresses:
                held.append(socket.socket())
                held[-1].bind((address, port))
            return port
        except OSError:
            continue
        finally:
            for s in held:
                s.close()


ADDRESSES = [f"127.0.99.{n}" for n in range(1, 12)]

# Mail servers have 127.0.99.N; nobody has 127.0.99.9.
SIGNED = """
mx1 A 127.0.99.1
mx2 A 127.0.99.2
mx3 A 127.0.99.3
dead A 127.0.99.9
relay A 127.0.99.11
us A 127.0.99.10
one MX 10 mx1
two MX 10 mx1
both MX 10 mx1
both MX 20 mx2
fallback MX 10 dead
fallback MX 20 mx2
deaf MX 10 dead
null MX 0 .
lost MX 10 nowhere
loop MX 10 us
loop MX 20 mx1
behind MX 10 mx2
behind MX 20 us
behind MX 30 mx1
implicit A 127.0.99.3
nothing TXT "no mail, no address"
bad MX 10 mx1
alias CNAME one
xn--grn-ioa MX 10 mx3
equal MX 10 mx1
equal MX 10 mx2
equal MX 10 mx3
"""

CONFIG = """
hostname = us.example
data = "data"
delivery-processes = 1
listener smtp {{
    address = "127.0.99.10:{port}"
    {listener}
    relay-from = {{ "127.0.0.0/8" }}
}}
dns {{
    servers = {{ "{dns}" }}
    trust-anchor = "{anchor}"
    hosts = no
}}
route mx {{
    kind = mx
    port = {port}
    {route}
}}
domain us.example {{
    route = hold
}}
queue {{ retry-first = 1s
    retry-most = 2s
    back-off-first = 1s
    back-off-most = 2s }}
{more}
"""


class World(ServerCase):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)  # the roles, which are somebody else, read the anchor
        self.port = free_world_port(ADDRESSES)
        self.names = NameServer(self.folder / "dns", [
            Zone("example", SIGNED, signed=True, spoil=[("bad.example.\t60\tIN\tMX\t10", "bad.example.\t60\tIN\tMX\t11")])])
        self.addCleanup(self.names.stop)

    def relay(self, route="tls = opportunistic", more="", listener="tls = off"):
        text = CONFIG.format(port=self.port, dns=self.names.address, anchor=self.names.anchor, route=route, more=more,
                             listener=listener)
        return self.configure(text)

    def host(self, number, **options):
        """A mail server on 127.0.99.NUMBER."""
        server = FakeServer(host=f"127.0.99.{number}", port=self.port, **options)
        self.addCleanup(server.stop)
        return server

    def send(self, server, *recipients, sender="a@us.example"):
        with server.talk() as c:
            c.hello()
            return c.mail(recipients=recipients, sender=sender)

    def bounced(self, server, ident):
        """The report about a message whose sender is one of us.example, who keep theirs in the queue."""
        bounce = server.wait_log("mail-bounced", id=ident)["bounce"]
        return server.content(bounce).decode()

    def deferred(self, server, ident):
        """What is known of the recipient of a message that waits."""
        server.wait_log("mail-deferred", id=ident)
        return json.loads(server.run("queue", "show", "--json", ident).stdout)["recipients"][0]


MX_CONFIG = """
hostname = {name}
data = "{name}"
smtpd-processes = 1
delivery-processes = 1
auth-processes = 1
tls-certificate = "{certificate}"
tls-key = "{key}"
default-route = none
listener mx {{
    address = "127.0.99.{number}:{port}"
}}
domain "{domain}" {{
    route = boxes
}}
route boxes {{
    {boxes}
}}
"""


def anybody():
    """A client that looks at no certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def key_digest(certificate):
    """SHA-256 of the public key: selector 1, matching type 1."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, capture_output=True, check=True).stdout
    return hashlib.sha256(der).hexdigest()


class Secured(World):
    """Our relay, and mail servers that are ours too, with certificates."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder / "authority")
        self.boxes = self.folder / "boxes"
        self.boxes.mkdir()
        self.boxes.chmod(0o777)

    def publish(self, text, signed=True, more=()):
        self.names.set([Zone("example", SIGNED + text, signed=signed), *more])

    def certificate(self, host, **options):
        return self.authority.sign(host, host, f"DNS:{host}", usage="serverAuth", **options)

    def mx(self, number, host, pair, domain="one.example", boxes=None):
        """A server of ours on 127.0.99.NUMBER that stores what comes."""
        text = MX_CONFIG.format(number=number, name=host, certificate=pair[0], key=pair[1], port=self.port, domain=domain,
                                boxes=boxes or f'kind = maildir\n path = "{self.boxes}/%d/%l"')
        return self.configure(text, name=f"{host}.conf", data=host)

    def stored(self, address):
        local, domain = address.split("@")
        return list((self.boxes / domain / local / "new").glob("*"))


class PolicyServer:
    """https://mta-sts.DOMAIN/.well-known/mta-sts.txt; `text` None is a 404. A dict: the text by host."""

    def __init__(self, pair, text, address="127.0.99.8", port=0):
        self.text, self.asked = text, []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.asked.append(self.path)
                host = (self.headers["Host"] or "").split(":")[0]
                text = owner.text.get(host) if isinstance(owner.text, dict) else owner.text
                body = (text or "").encode()
                self.send_response(200 if text else 404)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # a client that does not like the certificate

        self.server = Listener((address, port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
