"""What becomes of a mail when something is broken on its way: the table of docs/delivery.md, each row tried by test_outcomes.py.

The way: a sender, our relay, our MX, Dovecot's mailboxes. A gate stands before the MX and breaks sessions; the zones, the certificates
and the policies are of the row too. Each row is a domain of its own.
"""
import dataclasses

from gate import DROP, HANG, LOSE

MX = "{d}. MX 10 {mx}.\n{mx}. A {address}\n"
DANE = MX + "_{port}._tcp.{mx}. TLSA 3 1 1 {good}\n"
STS = MX + '_mta-sts.{d}. TXT "v=STSv1; id=1;"\nmta-sts.{d}. A {web}\n'
NO_CHUNKS = ("CHUNKING", "BINARYMIME")


@dataclasses.dataclass
class Row:
    """
    id          the first label of its domain
    broken      what is broken, in the words of the page
    outcome     delivered, deferred, bounced
    says        what the operator reads: a part of the reply in `queue show` and in the log
    code        the enhanced code in `queue show`, and in the bounce
    tls         a part of the log's word for the TLS of the mail that was delivered
    rule        of `queue why`, while it is deferred
    note        of the log
    copies      that arrive when it is mended, and `queue retry` was said
    records     of the domain; {d} its name, {mx} its host, {address} the gate's, {dead} and {dead2} where nobody is
    mended      records of the mended domain, if they are others
    zone        "open", not signed; "signed"; else the damage of a signed zone of its own
    breaks, without, pair   of the gate
    policy      the servers that the domain's MTA-STS policy names, until it is mended; `web`: "expired": whose certificate has
    binary      the mail is binary, and goes in chunks
    local       the recipient's name: x has a mailbox
    down        "mailboxes": Dovecot does not run; "names": the name server says nothing
    slow        it takes minutes
    """

    id: str
    broken: str
    outcome: str
    says: str = ""
    code: str = ""
    tls: str = ""
    rule: str = ""
    copies: int = 1
    records: str = MX
    mended: str = ""
    zone: object = "open"
    breaks: dict = dataclasses.field(default_factory=dict)
    without: tuple = ()
    pair: str = "good"
    policy: str = ""
    web: str = "good"
    note: str = ""
    binary: bool = False
    local: str = "x"
    down: str = ""
    slow: bool = False

    @property
    def domain(self):
        return f"{self.id}.{self.zone}.example" if isinstance(self.zone, str) else f"{self.id}.example"

    @property
    def at_mx(self):
        """It breaks behind our MX: there it is seen."""
        return self.local != "x" or self.down == "mailboxes"

    @property
    def host(self):
        """Its mail server: one label below what a certificate's wildcard covers."""
        return f"mx-{self.id}.{self.zone}.example" if isinstance(self.zone, str) else f"mx.{self.id}.example"


def stage_rows():
    """Every stage of a session, and what can go wrong there."""
    stages = [("greeting", "the greeting", ()), ("EHLO", "EHLO and HELO", ()), ("MAIL", "MAIL", ()), ("RCPT", "RCPT", ()), ("DATA", "DATA", NO_CHUNKS),
              ("BDAT", "BDAT", ()), ("dot", "the end of the message", NO_CHUNKS)]
    for stage, words, without in stages:
        common = {"without": without, "binary": stage == "BDAT"}
        doubtful = "may be delivered twice" if stage in ("dot", "BDAT") else ""
        whole = stage in ("greeting", "EHLO")  # the session, and no mail, is refused
        yield Row(f"{stage}-4".lower(), f"{words}: 4yz", "deferred", f"451 4.3.0 Not now ({stage})", "4.3.0", rule="time",
                  breaks={stage: f"451 4.3.0 Not now ({stage})"}, **common)
        # 5.7.1 to MAIL would speak of this host, and not of the mail: mail-block.
        code, never = ("5.1.8", "550 5.1.8 No such sender") if stage == "MAIL" else ("5.7.1", f"554 5.7.1 Never ({stage})")
        yield Row(f"{stage}-5".lower(), f"{words}: 5yz", "deferred" if whole else "bounced", never, code, rule="time" if whole else "",
                  breaks={stage: never}, **common)
        yield Row(f"{stage}-drop".lower(), f"{words}: the server hangs up instead of a reply", "deferred", "connection closed by the server", "4.4.2",
                  rule="time", breaks={stage: DROP}, note=doubtful, **common)
        yield Row(f"{stage}-hang".lower(), f"{words}: the server never replies", "deferred", "within", "4.4.2", rule="time", breaks={stage: HANG},
                  note=doubtful, slow=True, **common)
    yield Row("mail-block", "MAIL: 5yz that refuses this host (a block list, a bad reputation), for less than `block-patience`", "deferred",
              "554 5.7.1 Your address is on a block list", "5.7.1", rule="time", breaks={"MAIL": "554 5.7.1 Your address is on a block list"})
    yield Row("dot-lost", "the end of the message: the server has it, and its reply is lost", "deferred", "connection closed by the server", "4.4.2",
              rule="time", copies=2, breaks={"dot": LOSE}, note="may be delivered twice")


SERVERS = [*stage_rows()]

TLS = [
    Row("whole", "nothing", "delivered", tls="opportunistic, TLSv1.3, not verified"),
    Row("any", "an expired certificate; the domain demands nothing", "delivered", tls="opportunistic, TLSv1.3, not verified", pair="expired"),
    Row("stripped", "STARTTLS is stripped; the domain demands nothing", "delivered", tls="opportunistic, in clear", without=("STARTTLS",)),
    Row("handshake", "the TLS handshake fails; the domain demands nothing", "delivered", tls="opportunistic, in clear", breaks={"handshake": DROP}),
    Row("dane", "nothing; TLSA records that fit", "delivered", tls="dane, TLSv1.3, verified", zone="signed", records=DANE),
    Row("dane-wrong", "TLSA records of another key", "deferred", "fits none of its TLSA records", "4.7.5", rule="tls", zone="signed",
        records=MX + "_{port}._tcp.{mx}. TLSA 3 1 1 {other}\n", mended=DANE),
    Row("dane-rolled", "the key was rolled; the TLSA records are still of the old one", "deferred", "fits none of its TLSA records", "4.7.5",
        rule="tls", zone="signed", records=DANE, pair="rolled"),
    Row("dane-both", "the key was rolled; the TLSA records are of both", "delivered", tls="dane, TLSv1.3, verified", zone="signed",
        records=DANE + "_{port}._tcp.{mx}. TLSA 3 1 1 {rolled}\n", pair="rolled"),
    Row("dane-expired", "an expired certificate; TLSA records of its key (usage 3)", "delivered", tls="dane, TLSv1.3, verified", zone="signed",
        records=MX + "_{port}._tcp.{mx}. TLSA 3 1 1 {expired}\n", pair="expired"),
    Row("dane-stripped", "STARTTLS is stripped; there are TLSA records", "deferred", "does not offer STARTTLS", "4.7.4", rule="tls", zone="signed", records=DANE,
        without=("STARTTLS",)),
    Row("dane-4", "STARTTLS: 454; there are TLSA records", "deferred", "454 4.7.0 TLS not available", "4.7.4", rule="tls", zone="signed", records=DANE,
        breaks={"STARTTLS": "454 4.7.0 TLS not available"}),
    Row("dane-handshake", "the TLS handshake fails; there are TLSA records", "deferred", "hung up in the handshake", "4.7.5", rule="tls", zone="signed",
        records=DANE, breaks={"handshake": DROP}),
    Row("sts", "nothing; MTA-STS in mode enforce", "delivered", tls="mta-sts, TLSv1.3, verified", records=STS, policy="{mx}"),
    Row("sts-expired", "an expired certificate; MTA-STS", "deferred", "certificate has expired", "4.7.5", rule="tls", records=STS, policy="{mx}", pair="expired"),
    Row("sts-name", "a certificate for another name; MTA-STS", "deferred", "but for elsewhere.example", "4.7.5", rule="tls", records=STS, policy="{mx}",
        pair="other"),
    Row("sts-unknown", "a certificate of an unknown authority; MTA-STS", "deferred", "cannot be verified", "4.7.5", rule="tls", records=STS, policy="{mx}",
        pair="strange"),
    Row("sts-stripped", "STARTTLS is stripped; MTA-STS", "deferred", "does not offer STARTTLS", "4.7.4", rule="tls", records=STS, policy="{mx}",
        without=("STARTTLS",)),
    Row("sts-other", "the MTA-STS policy names other servers", "deferred", "its MTA-STS policy names none of its mail servers", "4.7.5", rule="tls",
        records=STS, policy="mail.elsewhere.example", mended=STS.replace("id=1", "id=2")),
    Row("sts-web", "the certificate of the policy's web server has expired, and no policy is known", "delivered",
        tls="opportunistic, TLSv1.3, not verified", records=STS, policy="mail.elsewhere.example", web="expired"),
]

BOGUS = "the signature is wrong (DNSSEC)"
DNS = [
    Row("dns-expired", "DNSSEC: signatures have expired", "deferred", BOGUS, "4.4.3", rule="dns", zone={"expired": True}),
    Row("dns-key", "DNSSEC: signed with another key", "deferred", BOGUS, "4.4.3", rule="dns", zone={"stranger": True}),
    Row("dns-bare", "DNSSEC: the signature of the MX records is missing", "deferred", BOGUS, "4.4.3", rule="dns",
        zone={"drop": r"\sRRSIG\s+MX\s"}),
    Row("dns-changed", "DNSSEC: the MX records were changed behind the signature", "deferred", BOGUS, "4.4.3", rule="dns",
        zone={"spoil": [("MX\t10", "MX\t11")]}),
    Row("dns-nsec", "DNSSEC: no MX records, and no proof of that", "deferred", BOGUS, "4.4.3", rule="dns",
        records="{d}. A {address}\n", zone={"drop": r"\sNSEC\s"}),
    Row("dns-tlsa", "DNSSEC: the signature of the TLSA records is missing", "deferred", BOGUS, "4.4.3", rule="dns", records=DANE,
        zone={"drop": r"\sRRSIG\s+TLSA\s"}),
    Row("dns-fails", "the name servers answer SERVFAIL", "deferred", "the name servers gave no answer", "4.4.3", rule="dns", zone={"fails": True}),
    Row("dns-silent", "the name servers say nothing", "deferred", "the name servers gave no answer", "4.4.3", rule="dns", down="names", slow=True),
    Row("dns-none", "there is no such domain", "bounced", "there is no such domain", "5.1.2", records=""),
    Row("dns-text", "neither MX records nor an address", "bounced", "neither MX records nor an address", "5.1.2", records='{d}. TXT "x"\n'),
    Row("null", "null MX", "bounced", "takes no mail", "5.1.10", records="{d}. MX 0 .\n"),
    Row("lost", "the MX host does not exist", "bounced", "there is no such name", "5.4.4", records="{d}. MX 10 {mx}.\n"),
    Row("loop", "the best MX is this server", "bounced", "the DNS names this server", "5.4.6",
        records="{d}. MX 10 us.example.\n{d}. MX 20 {mx}.\n{mx}. A {address}\n"),
    Row("alias", "the MX host is an alias (CNAME)", "delivered", records="{d}. MX 10 alias-{mx}.\nalias-{mx}. CNAME {mx}.\n{mx}. A {address}\n"),
    Row("implicit", "no MX records, but an address", "delivered", records="{d}. A {address}\n"),
    Row("dead", "nobody listens at the only MX", "deferred", "Connection refused", "4.4.1", rule="time", records="{d}. MX 10 {mx}.\n{mx}. A {dead}\n", mended=MX),
    Row("dead-all", "nobody listens at any of three MX hosts with two addresses each", "deferred", "Connection refused", "4.4.1", rule="time", mended=MX,
        records="".join(f"{{d}}. MX {n} m{n}-{{mx}}.\nm{n}-{{mx}}. A {{dead}}\nm{n}-{{mx}}. A {{dead2}}\n" for n in (10, 20, 30))),
    Row("dead-best", "nobody listens at the best MX; the second takes it", "delivered",
        records="{d}. MX 10 dead-{mx}.\ndead-{mx}. A {dead}\n{d}. MX 20 {mx}.\n{mx}. A {address}\n"),
    Row("lost-best", "the best MX host does not exist; the second takes it", "delivered",
        records="{d}. MX 10 lost-{mx}.\n{d}. MX 20 {mx}.\n{mx}. A {address}\n"),
    Row("fifty", "50 MX records, of which the best answers", "delivered",
        records=MX + "".join(f"{{d}}. MX {n} m{n}-{{mx}}.\nm{n}-{{mx}}. A {{dead}}\n" for n in range(11, 60))),
    Row("fifty-dead", "50 MX records, and nobody listens at any", "deferred", "Connection refused", "4.4.1", rule="time", mended=MX,
        records="".join(f"{{d}}. MX {n} m{n}-{{mx}}.\nm{n}-{{mx}}. A {{dead}}\n" for n in range(10, 60))),
]

MAILBOXES = [
    Row("lmtp-unknown", "LMTP: there is no such mailbox", "bounced", "550 5.1.1", "5.1.1", local="stranger"),
    Row("lmtp-full", "LMTP: the mailbox is over its quota", "bounced", "552 5.2.2", "5.2.2", local="full"),
    Row("lmtp-down", "LMTP: the server of mailboxes is down", "deferred", "No such file or directory", "4.4.1", rule="time", down="mailboxes"),
]

PARTS = {"The DNS, and where the hosts are": DNS, "TLS": TLS, "The other server": SERVERS, "The server of mailboxes, behind a route of kind `lmtp`": MAILBOXES}
ROWS = [row for rows in PARTS.values() for row in rows]

BEGIN, END = "<!-- outcomes: written by ./dev docs from tests/e2e/outcomes.py, whose rows the tests try -->\n", "<!-- end of outcomes -->\n"


def says(row):
    if row.outcome == "delivered":
        return f"TLS: {row.tls}" if row.tls else ""
    words = f"`{row.says}`" if row.says[:1] in "45" else "..." + row.says + "..."
    return f"{words}; *{row.note}*" if row.note else words


def later(row):
    if row.outcome != "deferred":
        return ""
    return "arrives" if row.copies == 1 else f"arrives, {row.copies} copies in all"


def table():
    """As it stands on the page."""
    text = BEGIN
    for title, rows in PARTS.items():
        text += f"\n### {title}\n\n| what is broken | outcome | code | rule of `queue why` | what the log and `queue show` say | when it is mended |\n|---|---|---|---|---|---|\n"
        for row in rows:
            text += f"| {row.broken} | {row.outcome} | {row.code} | {f'`{row.rule}`' if row.rule else ''} | {says(row)} | {later(row)} |\n"
    return text + "\n" + END


def write(page):
    """The page with the table in its place."""
    before, rest = page.split(BEGIN)
    return before + table() + rest.split(END)[1]
