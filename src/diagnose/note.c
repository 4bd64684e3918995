#include "diagnose/note.h"

#include <string.h>

#include "base/view.h"
#include "diagnose/text.h"

enum { LOW_SIZE = 3000 };

/* What programs say in their own words. The first that fits. */
static const struct {
    const char *words;
    enum diagnose_cause_id cause;
    double confidence;
} sayings[] = {
    {"ssl_accept*wrong version|ssl_accept*http request|ssl_accept*unknown protocol|ssl_accept*packet "
     "length|on connection from*unexpected tls packet|on connection from*http request|accept:wrong "
     "version|tlsv1 alert decode error*accept",
     DIAGNOSE_PLAIN_TO_TLS_PORT, 0.85},
    {"missing credentials for|no password specified?", DIAGNOSE_CREDENTIALS_MISSING, 0.93},
    {"concurrency limit exceeded: |rate limit exceeded: ", DIAGNOSE_SERVER_LIMITS, 0.85},
    {"no sasl authentication mechanisms|sasl: connect to*failed|cannot connect to "
     "saslauthd|sasl*private/auth*failed",
     DIAGNOSE_AUTH_TEMPORARY_FAILURE, 0.85},
    {"speaks plain text, not tls|wrong version number|wrong_version_number|packet length too long|unknown "
     "protocol:|unknown_protocol|ssl23_get_server_hello|"
     "record layer failure|record overflow|first record does not look like a tls handshake|unsupported or "
     "unrecognized ssl message|plaintext connection|"
     "unrecognized ssl message|not a tls|unexpected packet format|an unexpected tls packet|tls packet with "
     "unexpected length|ssl3_get_record:wrong|http request|frame size*corrupted|non-ssl|a tls packet with "
     "unexpected",
     DIAGNOSE_TLS_TO_PLAIN_PORT, 0.93},
    {"certificate verify failed|certificate_verify_failed|self signed certificate|self-signed "
     "certificate|self_signed_cert|unable to get local issuer|unable to verify the first certificate|pkix "
     "path|"
     "x509: certificate|certificate has expired|cert_has_expired|certificate is not trusted|hostname "
     "mismatch|altname_invalid|hostname/ip does not match|remotecertificate|certificate verification "
     "failed|certificate*not match|"
     "unable_to_verify|unable_to_get_issuer|the certificate*not trusted|no alternative certificate "
     "subject|peer certificate cannot|certificate subject|did not match expected|host name does not "
     "match|doesn't match*certificate|sslhandshakeexception*cert|certificate problem|untrusted "
     "certificate|server certificate not",
     DIAGNOSE_CERTIFICATE_INVALID, 0.93},
    {"no shared cipher|handshake failure|handshake_failure|unsupported protocol|protocol version|sslv3 "
     "alert|tlsv1 alert|no protocols available|"
     "ssl routines|tls handshake failed|handshake failed|could not convert socket to tls|failed enabling "
     "crypto|enable crypto|stream_socket_enable_crypto|ssl_connect error|sslhandshakeexception|ssl exception|"
     "no appropriate protocol|dh key too small|dh_key_too_small|tls negotiation "
     "failed|sslerror|ssl_error|tls startup failed|tls library problem",
     DIAGNOSE_TLS_HANDSHAKE_FAILED, 0.8},
    {"server offers auth *, not |no suitable authentication method|no supported auth|no authentication "
     "mechanism|unknown "
     "auth*method|authentication mechanism*not supported by|no mechanism available|no compatible auth|sasl "
     "mechanism*not available|no worthy mechs|no suitable*mechanism|no auth types|requested type not "
     "available|cannot use a secure "
     "authentication method|no authentication type succeeded|unsupported auth type|no known "
     "auth*supported|did not advertise*auth types|requested authentication type not|none of the*mechanisms",
     DIAGNOSE_MECHANISM_NOT_OFFERED, 0.85},
    {"auth command used when not advertised|auth extension not supported|does not support "
     "authentication|doesn't support auth|server doesn't "
     "support auth|did not advertise authentication|does not support auth|auth not supported|host did not "
     "advertise auth|authentication not supported|offers no auth|smtp auth not available|does not advertise "
     "auth|authentication is not supported",
     DIAGNOSE_AUTH_NOT_OFFERED, 0.85},
    {"does not offer starttls|starttls extension not supported|did not advertise starttls|doesn't support "
     "starttls|does not support "
     "starttls|does not support the starttls|starttls not supported|does not support tls via|starttls is "
     "required but|starttls is not supported|no starttls|starttls was required but|tls is required, but was "
     "not offered|starttls not available|starttls not advertised|not support the starttls "
     "extension|starttls, but host does not|not advertise the starttls",
     DIAGNOSE_STARTTLS_NOT_OFFERED, 0.85},
    {"unencrypted connection", DIAGNOSE_AUTH_BEFORE_STARTTLS, 0.75},
    {"connection refused|econnrefused|actively refused", DIAGNOSE_CONNECTION_REFUSED, 0.9},
    {"there is no such name|name or service not known|getaddrinfo|enotfound|edns|could not "
     "resolve|unknownhostexception|no such "
     "host|nodename nor servname|name resolution|no address associated|cannot resolve host|unknown host|host "
     "not found|name has no usable address|host or domain name not found",
     DIAGNOSE_HOST_NOT_FOUND, 0.88},
    {"authentication failed|authentication failure|login denied|could not authenticate|invalid "
     "login|authenticationfailedexception|invalid credentials|bad credentials|auth-failed|authenticator "
     "failed|authenticationexception|password incorrect",
     DIAGNOSE_WRONG_CREDENTIALS, 0.65},
    {"the address cannot stand in a command", DIAGNOSE_SYNTAX_ERROR, 0.85},
    {"response: -1|greeting never received|no greeting", DIAGNOSE_PLAIN_TO_TLS_PORT, 0.75},
};

/* Servers that log a client which did not wait, mostly without the reply they gave it. */
static bool tells_haste(const struct diagnose_heard *h)
{
    return diagnose_hears(h, "protocol synchronization error|sent without waiting for greeting|pregreet |"
                             "improper command pipelining|next input sent too soon");
}

/* No connection, and not why: a further line may tell. */
static bool tells_no_connection(const struct diagnose_heard *h)
{
    return diagnose_hears(h, "couldn't connect to|could not connect to server");
}

static bool tells_timeout(const struct diagnose_heard *h)
{
    return diagnose_hears(
        h, "timed out|etimedout|timeout exceeded|connection timeout|read timeout|sockettimeout|timeout "
           "waiting|timeout error|timeouterror|i/o timeout|timeout after|lost connection*timeout|operation "
           "timeout|socket timeout|time-out|"
           "response timeout|timeout reading|timeout: no response|(timeout)|timeout (|timeout*waiting");
}

static bool tells_closed(const struct diagnose_heard *h)
{
    return diagnose_hears(
        h, "closed by foreign host|been closed|lost input channel|connection unexpectedly closed|connection "
           "closed|closed connection|closed the connection|lost connection|connection reset|econnreset|"
           "unexpected eof|serverdisconnected|server disconnected|remote host closed|server closed|broken "
           "pipe|epipe|eof error|eoferror|"
           "sent an empty reply|unexpected socket close|read:errno=0|peer closed|smtp server "
           "disconnected|socket closed|unexpectedly "
           "disconnected|exception "
           "reading response|unexpectedly closed|connection lost|disconnected unexpectedly|econnection|recv "
           "failure|end of file|connection aborted|connection was closed|connection dropped|: "
           "eof|=eof|=\"eof\"|premature*close|serviceprotocolexception*disconnected|the smtp server has "
           "unexpectedly");
}

static bool tells_tls(const struct diagnose_heard *h)
{
    return diagnose_hears(
        h, "tls started|ssl connection using|tls connection using|cipher is|cipher    :|tls "
           "established|tls handshake completed|ssl handshake has read|tls connection established|tls "
           "negotiated|starttls: success|tlsv1.2|tlsv1.3|tls1.2|tls1.3|tls 1.3|tls 1.2|secure connection "
           "established|ssl connection established|connection is encrypted|tls session|verify return|using "
           "tls|tls protocol|upgraded to tls|tls on|tls: tls");
}

static bool tells_connecting(const struct diagnose_heard *h)
{
    return diagnose_hears(
        h, "trying|connect|telnet|s_client|smtp://|smtps://|opening|open|port|--server|host=|connected");
}

/* A mail port in the line: "host:587", "port 587", "('host', 465)". */
static unsigned find_port(const struct diagnose_heard *h)
{
    static const struct {
        const char *digits;
        unsigned port;
    } ports[] = {{"2465", 2465}, {"2587", 2587}, {"2525", 2525}, {"465", 465}, {"587", 587}, {"25", 25}};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        size_t n = strlen(ports[i].digits);
        for (const char *p = h->text;
             diagnose_hears(h, ports[i].digits) && (p = strstr(p, ports[i].digits)) != NULL; p += n) {
            char before = p == h->text ? ' ' : p[-1], after = p[n];
            if ((before >= '0' && before <= '9') || (after >= '0' && after <= '9') ||
                (after == '.' && p[n + 1] >= '0' && p[n + 1] <= '9') || before == '.' || before == '-' ||
                after == '-' || before == '+')
                continue;
            if (before == ':' || before == ' ' || before == '=' || before == '(' || before == '"' ||
                before == '[' || before == '\'')
                return ports[i].port;
        }
    }
    return 0;
}

static bool tells_delivery(const struct diagnose_heard *h)
{
    return diagnose_hears(
        h, "status=sent|stat=sent|sent mail for|result=\"ok\"|result=ok|smtpstatus=250|exitcode=ex_ok|"
           "event=accepted|event=delivered|=> * r=* t=|-> * r=* t=|relayed=1|stat=\"250 ");
}

static void say(struct note *n, enum note_kind kind) { n->kind = kind; }

static void say_cause(struct note *n, enum diagnose_cause_id cause, double confidence)
{
    say(n, NOTE_CAUSE);
    n->cause = cause;
    n->confidence = confidence;
}

bool diagnose_note_is_elsewhere(const struct note *n, struct sp_view line)
{
    char low[LOW_SIZE];
    bool any = n->kind == NOTE_CLOSED || n->kind == NOTE_TIMED_OUT ||
               (n->kind == NOTE_CAUSE &&
                (n->cause == DIAGNOSE_CONNECTION_REFUSED || n->cause == DIAGNOSE_HOST_NOT_FOUND ||
                 n->cause == DIAGNOSE_WRONG_CREDENTIALS));
    if (!any)
        return false;
    diagnose_lower(line, low, sizeof low);
    return diagnose_has(low, " http|https:|sshd|ssh2|imap|pop3|mysql|postgres|redis|ldap") &&
           !diagnose_has(low, "smtp|mail");
}

bool diagnose_note_is_foreign(struct sp_view rest)
{
    static const char *const answers[] = {"OK", "NO", "BAD", "BYE", "PREAUTH", "CAPABILITY"};
    enum { TAG_MAX = 8 };
    struct sp_view v = rest, tag, word;
    if (sp_view_starts(v, SP_LIT("S: ")))
        v = sp_view_from(v, 3);
    if (sp_view_starts(v, SP_LIT("-ERR ")) || !sp_view_word(&v, ' ', &tag) || !sp_view_word(&v, ' ', &word))
        return sp_view_starts(v, SP_LIT("-ERR "));
    size_t digits = 0, letters = 0;
    for (size_t i = 0; i < tag.len; i++) {
        digits += sp_ascii_digit(tag.p[i]);
        letters += sp_ascii_alpha(tag.p[i]);
    }
    bool tagged = digits > 0 && letters > 0 && digits + letters == tag.len && tag.len <= TAG_MAX;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (sp_view_eq(word, sp_view_of(answers[i])))
            return tagged || sp_view_eq(tag, SP_LIT("*"));
    return false;
}

static bool is_interesting(const struct diagnose_heard *h)
{
    /* one letter of each saying must be there: a cheap look before the dear ones */
    return diagnose_hears(
        h,
        "errno|ssl|tls|cert|auth|refus|closed|timeout|timed|time-out|reset|eof|lost|host|disconnect|cipher|"
        "connect|limit|resol|name|port|trying|open|status=|stat=|sent|ok|complet|smtp|pipe|mech|response|"
        "greeting|"
        "handshake|protocol|pregreet|error|fail|x509|socket|end of file|edns|version|packet|verify");
}

bool diagnose_note_saying(const char *low, enum diagnose_cause_id *cause_out, double *confidence_out)
{
    struct diagnose_heard heard, *h = &heard;
    diagnose_hear(low, strlen(low), h);
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++)
        if (diagnose_hears(h, sayings[i].words)) {
            *cause_out = sayings[i].cause;
            *confidence_out = sayings[i].confidence;
            return true;
        }
    if (!tells_closed(h) || tells_timeout(h))
        return false;
    *cause_out = DIAGNOSE_CONNECTION_LOST;
    *confidence_out = 0.85;
    return true;
}

void diagnose_note_read(struct sp_view line, struct note *note_out)
{
    char low[LOW_SIZE];
    struct note *n = note_out;
    *n = (struct note){.kind = NOTE_NOTHING};
    struct diagnose_heard heard, *h = &heard;
    diagnose_hear(low, diagnose_lower(line, low, sizeof low), h);
    bool hasty = tells_haste(h);
    if (diagnose_note_find_reply(line, h, n) ||
        (!hasty && !tells_delivery(h) && diagnose_note_find_refusal(line, h, n))) {
        n->port = find_port(h);
        return;
    }
    if (!is_interesting(h))
        return;
    if (tells_delivery(h)) {
        say(n, NOTE_DELIVERED);
        return;
    }
    if (hasty) {
        say_cause(n, DIAGNOSE_TALKED_TOO_EARLY, 0.85);
        return;
    }
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++)
        if (diagnose_hears(h, sayings[i].words)) {
            say_cause(n, sayings[i].cause, sayings[i].confidence);
            n->port = find_port(h);
            return;
        }
    if (tells_timeout(h))
        say(n, NOTE_TIMED_OUT);
    else if (tells_no_connection(h))
        say_cause(n, DIAGNOSE_CONNECTION_REFUSED, NOTE_WEAK);
    else if (tells_closed(h))
        say(n, NOTE_CLOSED);
    else if (tells_tls(h))
        say(n, NOTE_TLS);
    if (n->kind == NOTE_NOTHING && tells_connecting(h)) {
        say(n, NOTE_CONNECT);
        n->begins = diagnose_hears(
            h,
            "trying|connecting|connected|connect to|connection to|opening|s_client|telnet|smtp://|smtps://");
    }
    n->port = find_port(h);
}
