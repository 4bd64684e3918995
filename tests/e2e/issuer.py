"""An issuer of bearer tokens: keys made by openssl, their JWK set, tokens, and a web server that publishes the set."""
import base64
import http.server
import json
import ssl
import subprocess
import threading
import time

ISSUER, AUDIENCE = "https://issuer.example", "sallyport"


def url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def openssl(*words, input=None):
    return subprocess.run(["openssl", *map(str, words)], input=input, capture_output=True, check=True).stdout


class Issuer:
    """An RSA key, its JWK set as the file jwks.json, and tokens signed with it."""

    def __init__(self, folder, kid="one"):
        self.kid, self.key = kid, folder / f"issuer-{kid}.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key)
        modulus = openssl("rsa", "-in", self.key, "-modulus", "-noout").decode().strip().split("=")[1]
        self.jwk = {"kty": "RSA", "kid": kid, "use": "sig", "n": url(bytes.fromhex(modulus)), "e": "AQAB"}
        self.jwks = folder / "jwks.json"
        self.jwks.write_text(json.dumps({"keys": [self.jwk]}))

    def token(self, header=None, **claims):
        claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 600, "scope": "smtp",
                  "email": "me@example.org", **claims}
        header = {"alg": "RS256", "kid": self.kid, **(header or {})}
        text = ".".join(url(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{url(openssl('dgst', '-sha256', '-sign', self.key, input=text.encode()))}"


class Publisher:
    """
    A web server on a loopback address. What it answers next is in `answer`: (status, headers, body); `asked` counts.
    """

    def __init__(self, folder, tls=True):
        self.answer, self.asked, self.tls = (404, {}, b""), 0, tls
        self.certificate, key = folder / "web.pem", folder / "web.key"
        if tls:
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=issuer", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                    "-out", self.certificate)
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(self.certificate, key)
        self.port = 0
        self.start()

    def start(self):
        publisher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.asked += 1
                status, headers, body = publisher.answer
                try:
                    self.send_response(status)
                    for name, value in {"Content-Length": len(body), **headers}.items():
                        if value is not None:
                            self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:  # who has heard enough hangs up
                    self.close_connection = True

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):  # a handshake that failed is the client's to tell
                pass

        self.server = Listener(("127.0.0.1", self.port), Handler)
        if self.tls:
            self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def url(self, path="/jwks"):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    def publish(self, *issuers, **headers):
        body = json.dumps({"keys": [i.jwk for i in issuers]}).encode()
        self.answer = (200, {name.replace("_", "-"): value for name, value in headers.items()}, body)
