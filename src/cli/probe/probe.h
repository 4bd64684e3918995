/*
 * `sallyport probe`: what was asked for (probe.c), one connection (wire.c), one port (port.c:
 * reaching it; ehlo.c: what is offered; tls.c: TLS and the certificate; sasl.c,
 * login.c; order.c: the sequence), a domain (domain.c, dane.c, sts.c), and what
 * was found as a page and as JSON (show.c, settings.c, json.c).
 *
 * It never sends mail: no RCPT behind a MAIL that was taken, and never a dot.
 */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

#include "cli/host_port.h"
#include "cli/options.h"
#include "cli/probe/wire.h"
#include "dns/dns.h"
#include "reference/reference.h"
#include "sasl/client.h"

/* --- what can be found ---------------------------------------------------------------------- */

#define X(name, id) PROBE_##name,
enum probe_finding_id {
#include "cli/probe/findings.def"
    PROBE_FINDING_N
};
#undef X

/* NAME, word, English, Vietnamese. */
#define PROBE_LEVELS(X)                                                                                      \
    X(OK, "ok", "ok", "tốt")                                                                                 \
    X(NOTE, "note", "note", "ghi chú")                                                                       \
    X(WARNING, "warning", "warning", "cảnh báo")                                                             \
    X(FAULT, "fault", "fault", "lỗi")

#define X(n, word, en, vi) PROBE_LEVEL_##n,
enum probe_level { PROBE_LEVELS(X) PROBE_LEVEL_N };
#undef X

/* Const data from reference/probe.toml. */
struct probe_kind {
    const char *id;
    enum probe_level level;
    struct reference_text text, good,
        fix;                /* good, fix: NULLs where there is none; {1} stands for an argument */
    const char *const *rfc; /* NULL ends */
};

const struct probe_kind *probe_kind(enum probe_finding_id id);

enum { PROBE_ARGUMENTS = 3, PROBE_ARGUMENT_MAX = 600, PROBE_FINDINGS_MAX = 200 };

struct probe_finding {
    enum probe_finding_id id;
    enum probe_level level;
    char *arguments[PROBE_ARGUMENTS]; /* printable; owned; NULL: none */
};

struct probe_findings {
    struct probe_finding list[PROBE_FINDINGS_MAX];
    size_t n;
};

/*
 * Note a finding. Arguments may come from a server: what is no printable ASCII is escaped, what is long is
 * cut. A finding of the same kind with the same first argument is noted once.
 */
void probe_tell(struct probe_findings *f, enum probe_finding_id id, const char *one, const char *two,
                const char *three);
void probe_tell_as(struct probe_findings *f, enum probe_finding_id id, enum probe_level level,
                   const char *one, const char *two, const char *three);
bool probe_has(const struct probe_findings *f, enum probe_finding_id id, enum probe_level at_least);
void probe_findings_fini(struct probe_findings *f);

/* --- what was asked for --------------------------------------------------------------------- */

/* What a port is for; by its number, or as --as says. NAME, word, its port. */
#define PROBE_ROLES(X)                                                                                       \
    X(ANY, "any", 0)                                                                                         \
    X(MX, "smtp", 25)                                                                                        \
    X(SUBMISSION, "submission", 587)                                                                         \
    X(SUBMISSIONS, "submissions", 465)

#define X(n, word, port) PROBE_AS_##n,
enum probe_role { PROBE_ROLES(X) PROBE_ROLE_N };
#undef X

const char *probe_role_word(enum probe_role role);

enum { PROBE_PORTS_MAX = 32, PROBE_HOST_MAX = CLI_HOST_SIZE };

struct probe_target {
    char host[PROBE_HOST_MAX];
    uint16_t ports[PROBE_PORTS_MAX];
    size_t port_n; /* 0: the usual ones */
    bool domain;   /* its mail servers by MX */
};

struct probe_plan {
    enum probe_role role; /* of all ports; ANY: by number */
    const char *hello, *server_name, *ca_file, *mechanism;
    char own_name[PROBE_HOST_MAX];
    uint32_t timeout_ms, limit_ms;
    unsigned warn_days;
    bool insecure, order, strict, json, brief, settings;
    bool login, token;
    struct sp_buf user, password;
    struct os_address name_server;
    bool has_name_server;
    const char *anchor_file;
    enum reference_lang lang;
};

/* --- one port ------------------------------------------------------------------------------- */

enum probe_tls { PROBE_TLS_NONE, PROBE_TLS_STARTTLS, PROBE_TLS_IMPLICIT };

enum { PROBE_KEYWORDS_MAX = 64, PROBE_KEYWORD_MAX = 400, PROBE_MECHANISMS_MAX = 24, PROBE_CHAIN_MAX = 8 };

/* The lines of an EHLO reply behind the first, printable. */
struct probe_keywords {
    char lines[PROBE_KEYWORDS_MAX][PROBE_KEYWORD_MAX];
    size_t n;
};

/* The words behind a keyword; NULL: it is not there. */
const char *probe_keyword(const struct probe_keywords *k, const char *name);

struct probe_mechanism {
    char name[48];
    char challenge[200], decoded[200]; /* of its first 334, printable */
    int code;                          /* of the first reply; 0: not tried */
};

struct probe_port {
    uint16_t number;
    enum probe_role role;
    bool asked_for; /* by number, not by custom          */
    bool reached;   /* something listens                 */
    bool talked;    /* EHLO or HELO was answered         */
    bool safe;      /* TLS with a certificate that holds */
    enum probe_tls tls;
    char remote[OS_ADDRESS_TEXT];
    char version[32], cipher[80];
    struct probe_keywords clear, secured;
    struct os_tls_certificate chain[PROBE_CHAIN_MAX];
    size_t chain_n;
    struct probe_mechanism mechanisms[PROBE_MECHANISMS_MAX];
    size_t mechanism_n;
    char login[48]; /* the mechanism that logged in; "" */
    struct probe_findings findings;
};

/* What is offered where mail would be sent. */
const struct probe_keywords *probe_offer(const struct probe_port *p);

struct probe_host {
    char name[PROBE_HOST_MAX];
    struct dns_addresses addresses;
    struct probe_port *ports;
    size_t port_n;
    struct probe_findings findings;
};

struct probe_result {
    const struct probe_target *target;
    struct probe_host *hosts;
    size_t host_n;
    bool is_domain;
    bool sts_enforced;              /* MTA-STS wants TLS with a certificate that holds */
    struct probe_findings findings; /* of the domain */
};

/* What all steps share. */
struct probe {
    const struct probe_plan *plan;
    struct event_base *base;
    struct dns *dns;
    struct os_tls_context *tls, *old_tls; /* any certificate; TLS 1.0 too */
};

/* A look at a port, from one step to the next. */
struct probe_look {
    struct probe *probe;
    const struct probe_host *host;
    struct probe_port *port;
    struct probe_wire wire;
    struct os_address address;
    struct os_tls_expected expected;
};

/* Its name for SNI and the certificate. */
const char *probe_name(const struct probe *p, const struct probe_host *host);

void probe_port_look(struct probe *p, const struct probe_host *host, struct probe_port *port);

/* A step that failed, as a finding; `what` was said. Returns false, for callers that give up. */
bool probe_step_failed(struct probe_look *l, enum probe_step step, const char *what);

/* Connected and greeted, as far as the port allows; and secured, and said EHLO to. Silent: nothing is told.
 */
bool probe_connect_again(struct probe_look *l);
bool probe_ready_again(struct probe_look *l);

/* EHLO; its keywords. false: told. */
bool probe_ehlo(struct probe_look *l, struct probe_keywords *keywords_out);
void probe_judge_clear(struct probe_look *l);
void probe_judge_offer(struct probe_look *l);

/* Handshakes; false: told. */
bool probe_secure(struct probe_look *l);
bool probe_speaks_old_tls(struct probe_look *l); /* true: told */
void probe_judge_certificate(struct probe_look *l);

void probe_sasl(struct probe_look *l);
void probe_login(struct probe_look *l);
void probe_order(struct probe_look *l);

/* --- a domain -------------------------------------------------------------------------------- */

/* Fill in the hosts that take its mail. false: it is no domain with MX, look at it as at a host. */
bool probe_domain(struct probe *p, struct probe_result *r);
void probe_dane(struct probe *p, const struct probe_host *host, struct probe_findings *f, bool secure);
void probe_sts(struct probe *p, struct probe_result *r);

/* A question, answered before the call returns. `take` is called once. */
void probe_ask_dns(struct probe *p, const char *name, enum dns_type type,
                   void (*take)(void *ctx, const struct dns_answer *found), void *ctx);
void probe_addresses(struct probe *p, const char *name, struct dns_addresses *addresses_out);

/* --- what was found --------------------------------------------------------------------------- */

enum probe_exit { PROBE_FINE = 0, PROBE_WARNED = 1, PROBE_FAULTY = 2, PROBE_UNREACHABLE = 3 };

struct probe_count {
    unsigned n[PROBE_LEVEL_N];
    bool reached;
};

struct probe_count probe_count(const struct probe_result *r);
enum probe_exit probe_exit_of(const struct probe_plan *plan, const struct probe_count *count);

/* The finding in words; owned by the caller. */
char *probe_text(const struct probe_finding *f, enum reference_lang lang);
char *probe_fix(const struct probe_finding *f, enum reference_lang lang); /* NULL: none */

void probe_show(const struct probe_plan *plan, const struct probe_result *results, size_t n);
void probe_show_json(const struct probe_plan *plan, const struct probe_result *results, size_t n);
void probe_show_brief(const struct probe_plan *plan, const struct probe_result *results, size_t n);

/* NAME, title, for the ready settings. */
#define PROBE_CLIENTS(X)                                                                                     \
    X(MAILER, "Thunderbird, Outlook, Apple Mail")                                                            \
    X(MSMTP, "msmtp (~/.msmtprc)")                                                                           \
    X(SMTPLIB, "Python smtplib")                                                                             \
    X(NODEMAILER, "Node.js nodemailer")                                                                      \
    X(PHP, "PHP PHPMailer")                                                                                  \
    X(POSTFIX, "Postfix (main.cf)")

#define X(n, title) PROBE_CLIENT_##n,
enum probe_client { PROBE_CLIENTS(X) PROBE_CLIENT_N };
#undef X

const char *probe_client_title(enum probe_client client);

/* The port through which clients should send; NULL: none is fit. And how, for one of them; owned by the
 * caller. */
const struct probe_port *probe_best_port(const struct probe_result *r, const struct probe_host **host_out);
char *probe_settings(const struct probe_plan *plan, const struct probe_host *host,
                     const struct probe_port *port, enum probe_client client);

#endif
