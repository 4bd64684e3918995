"""Real servers of a test's own: Postfix, Exim and OpenSMTPD, unpacked (tools/debian-peers), their folders laid over /usr in a mount
namespace, with users that this machine may not have; so by root. What cannot be had is skipped.

All know the user `ann` with the password `secret`, and take mail for example.org.
"""
import base64
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading

from harness import ROOT, free_port, wait_for

USER, PASSWORD = "ann", "secret"
USERS = {"postfix": 7001, "Debian-exim": 7002, "opensmtpd": 7003, "opensmtpq": 7004}
GROUPS = {**USERS, "postdrop": 7005}


class Peer:
    """A server on 127.0.0.1. `ports`: name -> port."""

    name, needs = "", ""

    def __init__(self, case):
        self.root = ROOT / "build" / "peers" / self.name / "root"
        if not (self.root / self.needs).exists():
            case.skipTest(f"{self.name} was not unpacked (./dev deps)")
        if os.geteuid() != 0 or not shutil.which("unshare"):
            case.skipTest(f"only root may lay the folders of {self.name} over /usr")
        self.case = case
        case.folder.chmod(0o755)
        self.folder = case.folder / f"{self.name}-{free_port()}"
        self.folder.mkdir()
        self.ports = {}

    def start(self, command):
        """Lay the folders, and run the command in them until the test is over."""
        for name, table in (("passwd", USERS), ("group", GROUPS)):
            own = "".join(f"{user}:x:{n}:{f'{n}::/:/usr/sbin/nologin' if name == 'passwd' else ''}\n" for user, n in table.items())
            (self.folder / name).write_text(pathlib.Path(f"/etc/{name}").read_text() + own)
        lay = (f"mount -t overlay overlay -o lowerdir={self.root}/usr:/usr /usr && mount --bind {self.folder}/passwd /etc/passwd && "
               f"mount --bind {self.folder}/group /etc/group && mount -t tmpfs tmpfs /var/spool && mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs /run && "
               f""
               f"mkdir -p /var/lib/opensmtpd/empty && {command}; exit $?")
        self.output = open(self.folder / "output", "wb")
        # In a namespace of processes of its own: whatever it has become, all of it ends with the shell.
        self.process = subprocess.Popen(["unshare", "-m", "-p", "--fork", "--kill-child", "sh", "-c", lay], stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT)
        self.case.addCleanup(self.stop)
        wait_for(lambda: all(map(self.listens, self.ports.values())) or self.process.poll() is not None, self.name)
        if self.process.poll() is not None:
            if re.search("(?i)^unshare: |^mount: |not permitted|unknown filesystem", self.log()):
                self.case.skipTest(self.log())
            self.case.fail(self.log())

    @staticmethod
    def listens(port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def log(self):
        return "".join(p.read_text(errors="replace") for p in sorted(self.folder.glob("**/*")) if p.is_file() and
                       (p.name == "output" or "log" in p.name))

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.output.close()


class AuthSocket:
    """Dovecot's authentication protocol, as much as Postfix asks for: PLAIN and LOGIN."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        os.chmod(path, 0o666)
        self.socket.listen(16)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rwb") as file:
            file.write(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n")
            file.flush()
            asked = {}
            for line in file:
                words = line.decode().rstrip("\n").split("\t")
                if words[0] not in ("AUTH", "CONT"):
                    continue
                number, response = words[1], None
                if words[0] == "AUTH":
                    asked[number] = [words[2]]
                    response = next((w[5:] for w in words if w.startswith("resp=")), None)
                else:
                    response = words[2] if len(words) > 2 else ""
                file.write(self.answer(number, asked[number], response).encode())
                file.flush()

    @staticmethod
    def answer(number, steps, response):
        if response is not None:
            try:
                steps.append(base64.b64decode(response, validate=True))
            except ValueError:
                return f"FAIL\t{number}\treason=Invalid base64 data\n"
        if steps[0] == "PLAIN":
            if len(steps) == 1:
                return f"CONT\t{number}\t\n"
            given = steps[1].split(b"\0")[-2:]
        else:
            if len(steps) < 3:
                return f"CONT\t{number}\t{base64.b64encode(b'Username:' if len(steps) == 1 else b'Password:').decode()}\n"
            given = steps[1:3]
        good = given == [USER.encode(), PASSWORD.encode()]
        return f"OK\t{number}\tuser={USER}\n" if good else f"FAIL\t{number}\tuser=x\n"

    def stop(self):
        self.socket.close()


class Postfix(Peer):
    """`services`: name -> lines "-o key=value" of its smtpd; `main`: further lines of main.cf. CERTIFICATE and KEY stand for `pair`."""

    name, needs = "postfix", "usr/lib/postfix/sbin/smtpd"

    def __init__(self, case, pair, services, main=""):
        super().__init__(case)
        queue = self.folder / "queue"
        for name in ("", "pid", "private", "public", "maildrop", *"active bounce corrupt defer deferred flush hold incoming saved trace".split()):
            (queue / name).mkdir()
            if name and name != "pid":
                os.chown(queue / name, USERS["postfix"], GROUPS["postdrop"] if name in ("public", "maildrop") else -1)
        data = self.folder / "data"
        data.mkdir()
        os.chown(data, USERS["postfix"], -1)
        self.auth = AuthSocket(queue / "private" / "auth")
        case.addCleanup(self.auth.stop)
        (self.folder / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
meta_directory = {self.folder}
maillog_file = {self.folder}/log
maillog_file_prefixes = {self.folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.example.org
mydestination = example.org
mynetworks =
local_recipient_maps = inline:{{ann=x, bob=x}}
alias_maps =
smtpd_tls_security_level = may
smtpd_tls_chain_files = {pair[1]}, {pair[0]}
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_error_sleep_time = 0
default_transport = discard
local_transport = discard
{main}
""")
        lines = []
        for service, options in services.items():
            self.ports[service] = free_port()
            lines.append(f"127.0.0.1:{self.ports[service]} inet n - n - - smtpd" + "".join(f"\n  -o {o}" for o in options))
        (self.folder / "master.cf").write_text("\n".join(lines) + """
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
anvil unix - - n - 1 anvil
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
""")
        self.start(f"/usr/lib/postfix/sbin/master -c {self.folder} -d")


class Exim(Peer):
    """`main`: lines of the main part; `rcpt`: the ACL of RCPT. `secured`: "smtps" speaks TLS from the first octet."""

    name, needs = "exim", "usr/sbin/exim4"
    MAIN = "auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}"
    RCPT = "  accept authenticated = *\n  deny message = relay not permitted\n       !domains = example.org\n  deny message = Unknown user\n" \
           "       !local_parts = ann : bob\n  accept\n"

    def __init__(self, case, pair, main=MAIN, rcpt=RCPT, tls=True, more=""):
        super().__init__(case)
        self.ports = {"smtp": free_port(), "smtps": free_port()} if tls else {"smtp": free_port()}
        for name in ("spool", "logs"):
            (self.folder / name).mkdir()
            os.chown(self.folder / name, USERS["Debian-exim"], USERS["Debian-exim"])
        secret = self.folder / "key"
        shutil.copy(pair[1], secret)
        os.chown(secret, USERS["Debian-exim"], -1)
        secure = f"tls_advertise_hosts = *\ntls_certificate = {pair[0]}\ntls_privatekey = {secret}\n" \
                 f"tls_on_connect_ports = {self.ports['smtps']}\n" if tls else "tls_advertise_hosts =\n"
        config = self.folder / "exim.conf"
        config.write_text(f"""primary_hostname = exim.example.org
spool_directory = {self.folder}/spool
log_file_path = {self.folder}/logs/%slog
pid_file_path = {self.folder}/exim.pid
daemon_smtp_ports = {" : ".join(map(str, self.ports.values()))}
local_interfaces = <; 127.0.0.1
host_lookup =
rfc1413_hosts =
queue_only = true
acl_smtp_rcpt = acl_rcpt
{secure}{main}
begin acl
acl_rcpt:
{rcpt}
{more}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{USER}}}}}{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth1
begin routers
all:
  driver = accept
  transport = none
begin transports
none:
  driver = appendfile
  file = /dev/null
""")
        config.chmod(0o644)
        self.start(f"/usr/sbin/exim4 -C {config} -bdf")


class OpenSmtpd(Peer):
    """`listeners`: name -> what follows "listen on 127.0.0.1 port N"."""

    name, needs = "opensmtpd", "usr/sbin/smtpd"

    def __init__(self, case, pair, listeners, more=""):
        super().__init__(case)
        certificate, key = (self.folder / name for name in ("cert.pem", "key.pem"))
        shutil.copy(pair[0], certificate)
        shutil.copy(pair[1], key)
        key.chmod(0o600)
        hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout.strip()
        users = self.folder / "users"
        users.write_text(f"{USER} {hashed}\n")
        users.chmod(0o644)
        lines = [f'pki example cert "{certificate}"', f'pki example key "{key}"', f"table users file:{users}", more]
        for name, words in listeners.items():
            self.ports[name] = free_port()
            lines.append(f"listen on 127.0.0.1 port {self.ports[name]} hostname opensmtpd.example.org {words}")
        lines += ['action "keep" maildir "/var/spool/mail" user root', 'match from any for domain "example.org" action "keep"',
                  'match auth from any for any action "keep"']
        config = self.folder / "smtpd.conf"
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o644)
        self.start(f"/usr/sbin/smtpd -d -f {config}")

    def skip_without_tls(self, name):
        """Where OpenSMTPD's process for keys does not get along with OpenSSL, nobody's handshake succeeds."""
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.ports[name]}", *(["-starttls", "smtp"] if name != "smtps" else [])],
                              input=b"QUIT\r\n", capture_output=True, timeout=30)
        if b"alert internal error" in done.stderr:
            self.case.skipTest("this OpenSMTPD fails in every TLS handshake, with openssl s_client too: " + self.log().strip().split("\n")[-1])
