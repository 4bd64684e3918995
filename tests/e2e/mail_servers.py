"""Postfix, Exim and OpenSMTPD of a test's own: unpacked (tools/debian-peers), not installed, on a free port of loopback.

Each takes mail for alice@example.org and bob@example.org, refuses other names there and all other domains to whom it does not know,
and throws away what it took. Options of all three:

    relay_to      ("localhost", port): hand everything on to this server, by STARTTLS whose certificate is verified; any
                  recipient is taken
    authority     the file of the authority that signed that server's certificate
    pair          (certificate, key): offer STARTTLS
    chunking      offer CHUNKING, where the program knows it
    users         a folder with an auth socket of Dovecot, for Postfix: offer AUTH in clear

They start as root only; Exim and OpenSMTPD have fixed paths and users, which they find in a mount namespace.
"""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import unittest

from harness import ROOT, free_port, peer, wait_for


class MailServer:
    """What the three share."""

    serves_tls = True

    def __init__(self, folder, relay_to=None, authority=None, pair=None, chunking=True, users=None):
        self.path, self.env = self.check()
        self.folder, self.port = pathlib.Path(folder), free_port()
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self.address = ("127.0.0.1", self.port)
        self.relay_to, self.authority, self.pair = relay_to, authority, pair
        self.chunking, self.users = chunking, users
        self.output = self.folder / "output"
        self.process = None
        self.process = self.start()
        try:
            wait_for(self.listens, f"{self.name} to listen")
        except BaseException:
            self.stop()
            raise

    @classmethod
    def check(cls):
        """Skip when it cannot be run here."""
        found = peer(cls.peer, cls.program)
        if os.getuid() != 0:
            raise unittest.SkipTest(f"{cls.name} can be started by root only")
        return found

    def popen(self, command):
        with open(self.output, "wb") as output:
            return subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                    start_new_session=True)

    def readable(self, user, group):
        """The pair, as files that this user alone may read."""
        names = self.folder / "pair.pem", self.folder / "pair.key"
        for source, name in zip(self.pair, names):
            shutil.copy(source, name)
            shutil.chown(name, user, group)
            name.chmod(0o600)
        return names

    def within(self, script, users=()):
        """Run a script in a mount namespace: the unpacked files lie over /usr, those of the folder etc over /etc, and these
        users exist."""
        if not shutil.which("unshare"):
            raise unittest.SkipTest("there is no unshare")
        root = ROOT / "build" / "peers" / self.peer / "root"
        passwd, group = pathlib.Path("/etc/passwd").read_text(), pathlib.Path("/etc/group").read_text()
        for number, user in enumerate(users, 61001):
            passwd += f"{user}:x:{number}:{number}::/nonexistent:/bin/false\n"
            group += f"{user}:x:{number}:\n"
        etc = self.folder / "etc"
        etc.mkdir(exist_ok=True)
        (etc / "passwd").write_text(passwd)
        (etc / "group").write_text(group)
        lay = f"""set -e
            mount -t overlay overlay -o lowerdir={root}/usr:/usr /usr
            mount -t overlay overlay -o lowerdir={etc}:/etc /etc
            {script}
        """
        # The libraries lie over /usr now, and the programs that drop privileges would not look elsewhere.
        self.env = {k: v for k, v in self.env.items() if k != "LD_LIBRARY_PATH"}
        return self.popen(["unshare", "-m", "sh", "-c", lay])

    def listens(self):
        if self.process.poll() is not None:
            said = self.log()
            if re.search(r"(?im)^unshare: |^mount: .*(permission denied|not permitted|unknown filesystem)", said):
                raise unittest.SkipTest(f"{self.name}: {said.strip()}")
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{said}")
        with socket.socket() as s:
            return s.connect_ex(self.address) == 0

    def logs(self):
        return [self.output, self.folder / "log"]  # Postfix's

    def log(self):
        """What it said so far."""
        return "".join(path.read_text(errors="replace") for path in self.logs() if path.exists())

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        wait_for(self.is_gone, f"the processes of {self.name} to end")

    def is_gone(self):
        """Nothing is left of its processes, which would go on to write into its folder."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return True
        return False


class Postfix(MailServer):
    name, peer, program = "Postfix", "postfix", "usr/lib/postfix/sbin/master"

    MAIN = """
        compatibility_level = 3.7
        queue_directory = {folder}/queue
        data_directory = {folder}/data
        daemon_directory = {root}/usr/lib/postfix/sbin
        command_directory = {root}/usr/sbin
        meta_directory = {root}/etc/postfix
        shlib_directory = {root}/usr/lib/postfix
        mail_owner = nobody
        setgid_group = mail
        default_privs = daemon
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        myhostname = postfix.localhost
        mydestination =
        alias_maps =
        import_environment = LD_LIBRARY_PATH PATH MAIL_CONFIG
        export_environment = LD_LIBRARY_PATH PATH MAIL_CONFIG
        maillog_file = {folder}/log
        maillog_file_prefixes = {folder}
        smtpd_peername_lookup = no
        smtpd_client_connection_count_limit = 0
        smtpd_error_sleep_time = 0
        smtpd_hard_error_limit = 1000
        smtpd_junk_command_limit = 1000
        message_size_limit = 52428800
        {more}
    """

    ALL = """
        mynetworks = 127.0.0.0/8
        relayhost = {relay}
        smtp_host_lookup = native
    """

    OURS = """
        mynetworks = 192.0.2.1/32
        virtual_mailbox_domains = example.org
        virtual_mailbox_maps = inline:{alice@example.org=alice, bob@example.org=bob}
        virtual_transport = discard
        smtpd_reject_unlisted_sender = no
        smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
    """

    MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
discard unix - - n - - discard
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

    def start(self):
        self.make_folders()
        more = self.OURS
        if self.relay_to:
            more = self.ALL.format(relay=f"[{self.relay_to[0]}]:{self.relay_to[1]}")
            if self.authority:
                more += f"""
        smtp_tls_security_level = verify
        smtp_tls_CAfile = {self.authority}
        smtp_tls_verify_cert_match = hostname
        smtp_tls_loglevel = 1
        """
        if self.pair:
            more += f"""
        smtpd_tls_security_level = may
        smtpd_tls_cert_file = {self.pair[0]}
        smtpd_tls_key_file = {self.pair[1]}
        smtpd_tls_received_header = yes
        """
        if self.users:
            more += f"""
        smtpd_sasl_auth_enable = yes
        smtpd_sasl_type = dovecot
        smtpd_sasl_path = {self.users}
        """
        if not self.chunking:
            more += """
        smtpd_discard_ehlo_keywords = chunking
        """
        return self.master(more)

    def master(self, more):
        root = pathlib.Path(self.path).parents[4]
        config = self.folder / "config"
        config.mkdir()
        text = self.MAIN.format(folder=self.folder, root=root, more=more)
        (config / "main.cf").write_text("".join(line.strip() + "\n" for line in text.splitlines()))
        (config / "master.cf").write_text(self.MASTER.format(port=self.port))
        self.env = self.env | {"MAIL_CONFIG": str(config)}
        return self.popen([self.path, "-c", str(config), "-d"])

    def make_folders(self):
        nobody = pwd.getpwnam("nobody").pw_uid
        mail = pwd.getpwnam("mail").pw_gid
        queue = self.folder / "queue"
        queue.mkdir()
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
                     "trace"):
            (queue / name).mkdir(mode=0o700)
            os.chown(queue / name, nobody, -1)
        for name, mode in (("maildrop", 0o1730), ("public", 0o710)):
            (queue / name).mkdir()
            os.chown(queue / name, nobody, mail)
            (queue / name).chmod(mode)
        (queue / "pid").mkdir()
        (self.folder / "data").mkdir()
        os.chown(self.folder / "data", nobody, -1)


class KeepingPostfix(Postfix):
    """The benchmark's: it keeps what it takes."""

    def master(self, more):
        return super().master("mynetworks = 127.0.0.0/8\n        defer_transports = smtp\n")


class Exim(MailServer):
    name, peer, program = "Exim", "exim", "usr/sbin/exim4"

    CONFIG = """
exim_user = nobody
exim_group = nogroup
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s
pid_file_path = {folder}/pid
primary_hostname = exim.localhost
qualify_domain = exim.localhost
daemon_smtp_ports = {port}
local_interfaces = <; 127.0.0.1
acl_smtp_mail = accept
acl_smtp_rcpt = recipients
acl_smtp_data = accept
acl_smtp_vrfy = accept
acl_smtp_auth = accept
host_lookup =
rfc1413_query_timeout = 0s
recipient_unqualified_hosts =
smtp_max_synprot_errors = 1000
smtp_max_unknown_commands = 1000
smtp_accept_max_nonmail = 1000
smtp_accept_max_per_connection = 1000
smtp_accept_max = 100
message_size_limit = 50M
never_users =
keep_environment =
queue_only = {queue_only}
tls_advertise_hosts = {tls_hosts}
chunking_advertise_hosts = {chunking}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
pipelining_advertise_hosts = *
accept_8bitmime = true
{tls}
begin acl
recipients:
    {accept}
    deny message = 5.7.1 relay not permitted
begin routers
out:
    driver = {router}
    {route}
begin transports
away:
    driver = appendfile
    file = /dev/null
    user = nobody
smtp:
    driver = smtp
    allow_localhost
    {verify}
begin authenticators
plain:
    driver = plaintext
    public_name = PLAIN
    server_prompts = :
    server_condition = ${{if and{{{{eq{{$auth2}}{{alice}}}}{{eq{{$auth3}}{{secret}}}}}}}}
    server_set_id = $auth2
    server_advertise_condition = true
login:
    driver = plaintext
    public_name = LOGIN
    server_prompts = <| Username: | Password:
    server_condition = ${{if and{{{{eq{{$auth1}}{{alice}}}}{{eq{{$auth2}}{{secret}}}}}}}}
    server_set_id = $auth1
    server_advertise_condition = true
"""

    def start(self):
        tls, verify = "", ""
        if self.pair:
            certificate, key = self.readable("nobody", "nogroup")
            tls = f"tls_certificate = {certificate}\ntls_privatekey = {key}\n"
        if self.authority:
            verify = f"""hosts_require_tls = *
    tls_verify_certificates = {self.authority}
    tls_verify_hosts = *
    tls_verify_cert_hostnames = *"""
        config = self.folder / "etc" / "exim4" / "exim4.conf"
        config.parent.mkdir(parents=True)
        config.write_text(self.CONFIG.format(
            folder=self.folder, port=self.port, tls=tls, verify=verify, chunking="*" if self.chunking else "",
            tls_hosts="*" if self.pair else "", queue_only="false" if self.relay_to else "true",
            accept="accept" if self.relay_to else
            "deny domains = example.org\n         !local_parts = alice : bob\n         message = 5.1.1 no such user\n"
            "    accept domains = example.org",
            router="manualroute" if self.relay_to else "accept",
            route=f"route_list = * {self.relay_to[0]}::{self.relay_to[1]} byname\n    transport = smtp\n    self = send"
            if self.relay_to else "transport = away"))
        config.chmod(0o644)
        for name in ("spool", "log"):
            (self.folder / name).mkdir()
            shutil.chown(self.folder / name, "nobody", "nogroup")
        return self.within("exec /usr/sbin/exim4 -bdf -q1m", ["Debian-exim"])

    def logs(self):
        return [self.output, *sorted((self.folder / "log").glob("*"))]


class OpenSmtpd(MailServer):
    """Debian 12's cannot be a TLS server: under OpenSSL 3 every operation with its private key fails. As a client it can."""

    name, peer, program, serves_tls = "OpenSMTPD", "opensmtpd", "usr/sbin/smtpd", False

    def start(self):
        pki, secure, to = "", "", ""
        if self.pair:
            certificate, key = self.readable("root", "root")
            pki = f'pki it cert "{certificate}"\npki it key "{key}"\n'  # enough to offer STARTTLS
            secure = " tls pki it"
        host = "smtp://127.0.0.1:1"
        if self.relay_to:
            host = f"smtp{'+tls' if self.authority else ''}://{self.relay_to[0]}:{self.relay_to[1]}"
        else:
            to = ' rcpt-to { "alice@example.org", "bob@example.org" }'
        (self.folder / "smtpd.conf").write_text(
            f'{pki}smtp max-message-size "50M"\n'
            f"listen on 127.0.0.1 port {self.port} hostname opensmtpd.localhost{secure}\n"
            f'action "out" relay host {host}{" tls" if self.authority else ""}\n'
            f'match from any{" for any" if not to else " for domain example.org"}{to} action "out"\n')
        trust = f"mount --bind {self.authority} /etc/ssl/certs/ca-certificates.crt" if self.authority else ""
        return self.within(f"""mount -t tmpfs tmpfs /var/lib
            mkdir -p /var/lib/opensmtpd/empty
            mount -t tmpfs tmpfs /var/spool
            mkdir -m 711 /var/spool/smtpd
            mount -t tmpfs tmpfs /run
            {trust}
            exec /usr/sbin/smtpd -d -f {self.folder}/smtpd.conf
        """, ["opensmtpd", "opensmtpq"])


ALL = (Postfix, Exim, OpenSmtpd)
