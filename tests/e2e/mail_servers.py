"""Postfix, Exim and OpenSMTPD of a test's own, on free ports of loopback.

Each takes mail for alice@example.org and bob@example.org, refuses other names there, and other domains to whoever has not said
that he is `alice` with the password `secret`; what it took it throws away, or keeps. Options of all three:

    listeners     name -> what the server's own configuration says of that listener; `ports` has the port of each
    pair          (certificate, key): offer STARTTLS
    relay_to      ("localhost", port): hand everything on to this server; any recipient is taken
    authority     the file of the authority that signed that server's certificate: STARTTLS there, and it is verified
    login         (user, password) for AUTH there
    main          further lines of its configuration
"""
import os
import shutil
import socket
import subprocess

from dovecot import AUTH, Dovecot
from harness import free_port, program
from unpacked import Unpacked

USER, PASSWORD = "alice", "secret"


def with_users(case, mechanisms):
    """The socket of a Dovecot who knows the user, for Postfix; one for each test."""
    if not hasattr(case, "with_users"):
        dovecot = Dovecot(case, f"{USER}:{{PLAIN}}{PASSWORD}\n", f"{AUTH}auth_mechanisms = {mechanisms}\n")
        dovecot.wait((dovecot.folder / "client").exists)
        case.with_users = dovecot.folder / "client"
    return case.with_users


class MailServer(Unpacked):
    """What the three share."""

    LISTENERS = {}

    def __init__(self, folder, listeners=None, pair=None, relay_to=None, authority=None, login=None, main=""):
        super().__init__(folder)
        self.listeners = self.LISTENERS if listeners is None else listeners
        self.ports = {name: free_port() for name in self.listeners}
        self.port = next(iter(self.ports.values()))
        self.address = ("127.0.0.1", self.port)
        self.pair, self.relay_to, self.authority, self.login, self.main = pair, relay_to, authority, login, main
        self.start(self.prepare())
        self.wait(self.listens)

    @classmethod
    def of(cls, case, **options):
        """One that ends with the test."""
        case.folder.chmod(0o755)
        server = cls(case.folder / f"{cls.package}-{free_port()}", **options)
        case.addCleanup(server.stop)
        return server

    def readable(self, user=None):
        """The pair, as files that this user alone may read."""
        names = self.folder / "pair.pem", self.folder / "pair.key"
        for source, name in zip(self.pair, names):
            shutil.copy(source, name)
            name.chmod(0o600)
            if user:
                self.own(user, name)
        return names

    def listens(self):
        for port in self.ports.values():
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True


class Postfix(MailServer):
    """A listener is a list of "key=value" for its smtpd. `users`: the auth socket of a Dovecot."""

    name, package, needs = "Postfix", "postfix", "usr/lib/postfix/sbin/smtpd"
    users, groups = ("postfix",), ("postdrop",)
    LISTENERS = {"smtp": ()}

    MAIN = """
        compatibility_level = 3.7
        queue_directory = {folder}/queue
        data_directory = {folder}/data
        daemon_directory = /usr/lib/postfix/sbin
        command_directory = /usr/sbin
        shlib_directory = /usr/lib/postfix
        meta_directory = {folder}
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        myhostname = postfix.example.org
        alias_maps =
        maillog_file = {folder}/log
        maillog_file_prefixes = {folder}
        smtpd_peername_lookup = no
        smtpd_client_connection_count_limit = 0
        smtpd_error_sleep_time = 0
        message_size_limit = 52428800
        local_transport = discard
        default_transport = {transport}
        smtpd_sasl_type = dovecot
        {more}
        {main}
    """

    OURS = """
        mydestination = example.org
        mynetworks =
        local_recipient_maps = inline:{alice=x, bob=x}
        smtpd_reject_unlisted_sender = no
        smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
    """

    ALL = """
        mydestination =
        mynetworks = 127.0.0.0/8
        relayhost = {relay}
        smtp_host_lookup = native
    """

    VERIFIED = """
        smtp_tls_security_level = verify
        smtp_tls_CAfile = {authority}
        smtp_tls_verify_cert_match = hostname
        smtp_tls_loglevel = 1
    """

    LOGIN = """
        smtp_sasl_auth_enable = yes
        smtp_sasl_password_maps = inline:{{ {{{relay} = {user}:{password}}} }}
        smtp_sasl_security_options = noanonymous
    """

    SECURE = """
        smtpd_tls_security_level = may
        smtpd_tls_chain_files = {pair[1]}, {pair[0]}
        smtpd_tls_received_header = yes
        smtpd_tls_auth_only = yes
    """

    MASTER = """
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
scache unix - - n - 1 scache
discard unix - - n - - discard
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

    def __init__(self, folder, users=None, **options):
        self.auth_socket = users
        super().__init__(folder, **options)

    def prepare(self):
        self.make_folders()
        more = self.OURS
        if self.relay_to:
            relay = f"[{self.relay_to[0]}]:{self.relay_to[1]}"
            more = self.ALL.format(relay=relay)
            if self.authority:
                more += self.VERIFIED.format(authority=self.authority)
            if self.login:
                more += self.LOGIN.format(relay=relay, user=self.login[0], password=self.login[1])
        if self.pair:
            more += self.SECURE.format(pair=self.pair)
        if self.auth_socket:
            more += f"        smtpd_sasl_path = {self.auth_socket}\n"
        text = self.MAIN.format(folder=self.folder, more=more, main=self.main, transport="smtp" if self.relay_to else "discard")
        (self.folder / "main.cf").write_text("".join(line.strip() + "\n" for line in text.splitlines()))
        services = "".join(f"127.0.0.1:{self.ports[name]} inet n - n - - smtpd" + "".join(f"\n  -o {o}" for o in options) + "\n"
                           for name, options in self.listeners.items())
        (self.folder / "master.cf").write_text(services + self.MASTER)
        return f"/usr/lib/postfix/sbin/master -c {self.folder} -d"

    def make_folders(self):
        queue, data, postdrop = self.folder / "queue", self.folder / "data", self.uid("postdrop")
        queue.mkdir()
        for name in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
            (queue / name).mkdir(mode=0o700)
            os.chown(queue / name, self.uid("postfix"), -1)
        for name, mode in (("maildrop", 0o1730), ("public", 0o710)):
            (queue / name).mkdir()
            os.chown(queue / name, self.uid("postfix"), postdrop)
            (queue / name).chmod(mode)
        (queue / "pid").mkdir()
        data.mkdir()
        os.chown(data, self.uid("postfix"), -1)

    def logs(self):
        return [self.output, self.folder / "log"]


class KeepingPostfix(Postfix):
    """The benchmark's: it keeps what it takes."""

    def __init__(self, folder):
        super().__init__(folder, relay_to=("localhost", 1), main="defer_transports = smtp")


class RelayingPostfix(Postfix):
    """The benchmark's: it hands on over as many connections as it has processes for, and does not hold back who brings mail."""

    MANY = """in_flow_delay = 0
        default_destination_concurrency_limit = 50
        initial_destination_concurrency = 50
        smtp_connection_cache_on_demand = yes
    """

    def __init__(self, folder, relay_to):
        super().__init__(folder, relay_to=relay_to, main=self.MANY)

    def queued(self):
        return any(path.is_file() for name in ("incoming", "active", "deferred") for path in (self.folder / "queue" / name).rglob("*"))


class Exim(MailServer):
    """A listener is nothing; "smtps": TLS from the first octet; or the one mechanism that is offered there, where nothing means PLAIN and
    LOGIN. `rcpt`: the ACL of RCPT; `acls`: others; `auth_in_clear`: is AUTH offered without TLS? `size`: the largest message."""

    name, package, needs, users = "Exim", "exim", "usr/sbin/exim4", ("Debian-exim",)
    LISTENERS = {"smtp": ""}

    RCPT = """  accept authenticated = *
  deny message = relay not permitted
       !domains = example.org
  deny message = Unknown user
       !local_parts = alice : bob
  accept
"""

    CONFIG = """
primary_hostname = exim.example.org
qualify_domain = exim.example.org
spool_directory = {folder}/spool
log_file_path = {folder}/logs/%slog
pid_file_path = {folder}/pid
daemon_smtp_ports = {ports}
local_interfaces = <; 127.0.0.1
acl_smtp_rcpt = acl_rcpt
acl_smtp_vrfy = accept
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
message_size_limit = {size}
never_users =
keep_environment =
queue_only = {queue_only}
tls_advertise_hosts = {tls_hosts}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
accept_8bitmime = true
{tls}
{main}
begin acl
acl_rcpt:
{rcpt}
{acls}
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
    server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
    server_set_id = $auth2
    server_advertise_condition = {plain}
    {client_plain}
login:
    driver = plaintext
    public_name = LOGIN
    server_prompts = <| Username: | Password:
    server_condition = ${{if and{{{{eq{{$auth1}}{{{user}}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
    server_set_id = $auth1
    server_advertise_condition = {login}
cram:
    driver = cram_md5
    public_name = CRAM-MD5
    server_secret = ${{if eq{{$auth1}}{{{user}}}{{{password}}}fail}}
    server_set_id = $auth1
    server_advertise_condition = {cram}
    {client_cram}
"""

    def __init__(self, folder, rcpt=RCPT, acls="", auth_in_clear=False, size="50M", **options):
        self.rcpt, self.acls, self.auth_in_clear, self.size = rcpt, acls, auth_in_clear, size
        super().__init__(folder, **options)

    def prepare(self):
        tls, verify, client, client_cram = "", "", "", ""
        if self.pair:
            certificate, key = self.readable("Debian-exim")
            implicit = " : ".join(str(self.ports[name]) for name, word in self.listeners.items() if word == "smtps")
            tls = f"tls_certificate = {certificate}\ntls_privatekey = {key}\ntls_on_connect_ports = {implicit}\n"
        if self.authority:
            verify = f"""hosts_require_tls = *
    tls_verify_certificates = {self.authority}
    tls_verify_hosts = *
    tls_verify_cert_hostnames = *"""
        if self.login:
            verify += "\n    hosts_require_auth = *"
            client = f"client_send = ^{self.login[0]}^{self.login[1]}"
            client_cram = f"client_name = {self.login[0]}\n    client_secret = {self.login[1]}"
        config = self.etc / "exim4" / "exim4.conf"
        config.parent.mkdir()
        config.write_text(self.CONFIG.format(
            folder=self.folder, ports=" : ".join(map(str, self.ports.values())), tls=tls, verify=verify,
            tls_hosts="*" if self.pair else "", queue_only="false" if self.relay_to else "true",
            main=self.main, size=self.size,
            rcpt="  accept" if self.relay_to else self.rcpt, acls=self.acls, user=USER, password=PASSWORD, client_plain=client,
            plain=self.offer("PLAIN", ""), login=self.offer("LOGIN", ""), cram=self.offer("CRAM-MD5"), client_cram=client_cram,
            router="manualroute" if self.relay_to else "accept",
            route=f"route_list = * {self.relay_to[0]}::{self.relay_to[1]} byname\n    transport = smtp\n    self = send"
            if self.relay_to else "transport = away"))
        config.chmod(0o644)
        for name in ("spool", "logs"):
            (self.folder / name).mkdir()
            self.own("Debian-exim", self.folder / name)
        return "/usr/sbin/exim4 -bdf -q1m"

    def offer(self, *words):
        """The condition of a mechanism: TLS, and a listener of one of these words, where smtps is as good as none."""
        ports = [self.ports[name] for name, word in self.listeners.items() if (word if word != "smtps" else "") in words]
        tls = "" if self.auth_in_clear else "{!eq{$tls_in_cipher}{}}"
        return f"${{if and{{{tls}{{inlist{{$received_port}}{{{' : '.join(map(str, ports))}}}}}}}{{true}}{{false}}}}"

    def logs(self):
        return [self.output, *sorted((self.folder / "logs").glob("*"))]


class OpenSmtpd(MailServer):
    """A listener is what follows "listen on 127.0.0.1 port N"; {auth} there: with the user above."""

    name, package, needs, users = "OpenSMTPD", "opensmtpd", "usr/sbin/smtpd", ("opensmtpd", "opensmtpq")
    LISTENERS = {"smtp": ""}

    def prepare(self):
        lines, before, secret = ['smtp max-message-size "50M"', self.main], "", ""
        hashed = subprocess.run([program("openssl"), "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout.strip()
        self.table("users", f"{USER} {hashed}\n")
        lines.append(f"table users file:{self.folder}/users")
        if self.pair:
            certificate, key = self.readable()
            lines += [f'pki it cert "{certificate}"', f'pki it key "{key}"']
            before = f"LD_PRELOAD={self.mend_keys()}"
        for name, words in self.listeners.items():
            words = words or ("tls pki it" if self.pair else "")
            lines.append(f"listen on 127.0.0.1 port {self.ports[name]} hostname opensmtpd.example.org {words}")
        if self.relay_to:
            scheme, more = ("smtp+tls" if self.authority else "smtp"), (" tls" if self.authority else "")
            if self.login:
                self.table("secrets", f"there {self.login[0]}:{self.login[1]}\n")
                lines.append(f"table secrets file:{self.folder}/secrets")
                secret, more = "there@", more + " auth <secrets>"
            lines += [f'action "out" relay host {scheme}://{secret}{self.relay_to[0]}:{self.relay_to[1]}{more}',
                      'match from any for any action "out"']
        else:
            lines += ['action "away" relay host smtp://127.0.0.1:1',
                      f'match from any for domain "example.org" rcpt-to {{ "{USER}@example.org", "bob@example.org" }} action "away"',
                      'match auth from any for any action "away"']
        (self.folder / "smtpd.conf").write_text("\n".join(lines) + "\n")
        trust = f"mount --bind {self.authority} /etc/ssl/certs/ca-certificates.crt" if self.authority else ""
        return f"""mkdir -p /var/lib/opensmtpd/empty
            mkdir -m 711 /var/spool/smtpd
            {trust}
            {before} /usr/sbin/smtpd -d -f {self.folder}/smtpd.conf"""

    def table(self, name, text):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o644)

    def mend_keys(self):
        """See opensmtpd_keys.c."""
        library = self.folder / "keys.so"
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "opensmtpd_keys.c")
        subprocess.run([program("cc"), "-shared", "-fPIC", "-o", library, source], check=True)
        library.chmod(0o755)
        return library


ALL = (Postfix, Exim, OpenSmtpd)
