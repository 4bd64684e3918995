"""Ours beside another server: run sessions, look each difference up in differences.toml, and make docs/interop.md of it."""
import collections
import pathlib
import re
import tomllib

import sessions
from certificates import Authority
from mail_servers import with_users

SERVERS = ("Postfix", "Exim", "OpenSMTPD")
FOLDER = pathlib.Path(__file__).resolve().parent

OURS = """
hostname = sallyport.localhost
data = data
default-route = none
listener with-auth {
    address = "127.0.0.1:0"
    tls = starttls
    auth = offered
    auth-in-clear = yes
    mechanisms = { PLAIN, LOGIN }
}
listener without-auth {
    address = "127.0.0.1:0"
    tls = starttls
}
domain example.org {
    route = discard
    mailboxes = { alice, bob }
}
limits {
    errors = 1000
    auth-failures = 100
    auth-slow-down = no
    idle-commands = 1000
}
"""


class Row:
    """A difference that is known: see differences.toml."""

    def __init__(self, entry):
        self.id, self.servers, self.situation = entry["id"], entry["servers"], entry["situation"]
        self.phases, self.hellos = entry.get("phase"), entry.get("hello")
        self.groups = entry.get("groups", False)
        self.command = re.compile(entry["command"], re.I | re.S)
        self.ours, self.theirs = entry["ours"], entry["theirs"]
        self.rfc, self.verdict = entry["rfc"], entry["verdict"]

    def explains(self, server, difference):
        return (server in self.servers and (not self.phases or difference.phase in self.phases) and
                (difference.in_group or not self.groups) and
                (not self.hellos or (difference.hello or "") in self.hellos) and
                difference.ours in self.ours and difference.theirs in self.theirs and
                self.command.fullmatch(difference.command) is not None)


def rows():
    return [Row(entry) for entry in tomllib.loads((FOLDER / "differences.toml").read_text())["difference"]]


class Outcome:
    """What a run against one server gave."""

    def __init__(self):
        self.sessions = self.commands = self.same = 0
        self.explained = collections.Counter()
        self.unexplained = []


def run(ours, theirs, seeds, known):
    """`ours`: a Server with the configuration OURS; `theirs`: a MailServer."""
    outcome = Outcome()
    has_auth = theirs.name != "OpenSMTPD"  # under TLS alone
    address = ours.addresses["with-auth" if has_auth else "without-auth"]
    modern = theirs.name != "OpenSMTPD"  # CHUNKING and PIPELINING
    for seed in seeds:
        steps = sessions.make(address, seed, has_auth, modern, modern)
        commands, differences = sessions.compare(theirs.address, steps, seed)
        outcome.sessions += 1
        outcome.commands += commands
        outcome.same += commands - len(differences)
        for difference in differences:
            row = next((row for row in known if row.explains(theirs.name, difference)), None)
            if row:
                outcome.explained[row.id] += 1
            else:
                outcome.unexplained.append(difference)
    return outcome


# Neither counts mistakes: sessions are full of them.
PATIENT = {
    "Postfix": {"main": "smtpd_hard_error_limit = 1000\nsmtpd_junk_command_limit = 1000",
                "listeners": {"smtp": ["smtpd_sasl_auth_enable=yes", "smtpd_tls_auth_only=no"]}},
    "Exim": {"main": "smtp_max_synprot_errors = 1000\nsmtp_max_unknown_commands = 1000\nsmtp_accept_max_nonmail = 1000\n"
                     "smtp_accept_max_per_connection = 1000\nrecipient_unqualified_hosts =",
             "auth_in_clear": True},
    "OpenSMTPD": {},
}


def beside(case, kind):
    """Ours and a server of this kind, both as the sessions expect them, until the test is over."""
    kind.check()
    options = dict(PATIENT[kind.name])
    options["pair"] = Authority(case.folder / "authority").sign("theirs", "localhost", "DNS:localhost", usage="serverAuth", kind=("rsa:2048",))
    if kind.name == "Postfix":
        options["users"] = with_users(case, "plain login")
    theirs = kind.of(case, **options)
    return case.configure(OURS, "--user", "alice:secret"), theirs


# --- the page -----------------------------------------------------------------------------------------

HEAD = """# Ours beside Postfix, Exim and OpenSMTPD

<!-- Written by ./dev interop from tests/interop/differences.toml and a run: change that. -->

The same random sessions are typed into ours and into the servers of Debian 12, each on loopback: `tests/interop/sessions.py` draws
them, with every command in every place, good and bad arguments, groups, messages, BDAT and AUTH. Every reply code that differs
is explained by a row below, or is a fault: `./dev test interop` runs some of the sessions, and fails on a difference that no row
explains. Where one accepts what the other does not, the rest of that session is not compared.

BDAT -1 is not tried: Exim takes it for a count of 4,294,967,295, and waits. A session ends at the 220 of STARTTLS.

## What was tried

| server | sessions | commands compared | same code | explained | unexplained |
|---|---|---|---|---|---|
"""


def rows_text(known, counts):
    """The table of differences; `counts`: server -> how often each was seen."""
    text = ("\n## Where the replies differ\n\nIn the columns of the servers: how often the difference was seen.\n\n"
            "| situation | ours | theirs | " + " | ".join(SERVERS) + " | RFC | ours is so because |\n|---|---|---|" + "---|" * (len(SERVERS) + 2) + "\n")
    for row in known:
        seen = [str(counts[name].get(row.id, 0)) if name in row.servers else "" for name in SERVERS]
        text += (f"| {row.situation} | {', '.join(row.ours)} | {', '.join(row.theirs)} | {' | '.join(seen)} | "
                 f"{row.rfc} | {row.verdict} |\n")
    return text


def page(outcomes, known):
    text = HEAD
    for name, o in outcomes.items():
        text += (f"| {name} | {o.sessions:,} | {o.commands:,} | {o.same:,} | {sum(o.explained.values()):,} | "
                 f"{len(o.unexplained):,} |\n")
    return text + rows_text(known, {name: o.explained for name, o in outcomes.items()})
