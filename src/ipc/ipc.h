/*
 * Messages between roles as values: pack them into octets, unpack octets into
 * views, and say who may send what. All of it is generated from messages.def.
 *
 * On the wire: u32 payload length, u16 type, u16 flags (1: a descriptor comes along),
 * then the fields in order. Pure: descriptors are numbers here; os/edge.h carries them.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "base/buf.h"
#include "sallyport/envelope.h"

/* The roles. NAME, name in logs and process titles. */
#define IPC_ROLES(X)                                                                                         \
    X(SUPERVISOR, "supervisor")                                                                              \
    X(SMTPD, "smtpd")                                                                                        \
    X(AUTH, "auth")                                                                                          \
    X(QUEUE, "queue")                                                                                        \
    X(DELIVERY, "delivery")                                                                                  \
    X(FETCH, "fetch")                                                                                        \
    X(PICKUP, "pickup")                                                                                      \
    X(CONSOLE, "console")                                                                                    \
    X(TOOL, "tool")

#define X(n, ...) IPC_##n,
enum ipc_role {
    IPC_ROLES(X) IPC_ROLE_N,
    IPC_ANY = IPC_ROLE_N, /* in messages.def: whoever has an edge           */
    IPC_BRINGER           /* in messages.def: smtpd and pickup, which bring mail */
};
#undef X

/*
 * The allowed edges: the trust diagram of the program. Each process of the first
 * role has a socket to each process of the second. The supervisor has one to all.
 */
#define IPC_EDGES(X)                                                                                         \
    X(SUPERVISOR, SMTPD)                                                                                     \
    X(SUPERVISOR, AUTH)                                                                                      \
    X(SUPERVISOR, QUEUE)                                                                                     \
    X(SUPERVISOR, DELIVERY)                                                                                  \
    X(SUPERVISOR, FETCH)                                                                                     \
    X(SUPERVISOR, PICKUP)                                                                                    \
    X(SUPERVISOR, CONSOLE)                                                                                   \
    X(SMTPD, AUTH)                                                                                           \
    X(SMTPD, QUEUE)                                                                                          \
    X(SMTPD, CONSOLE)                                                                                        \
    X(PICKUP, QUEUE)                                                                                         \
    X(AUTH, CONSOLE)                                                                                         \
    X(QUEUE, DELIVERY)                                                                                       \
    X(FETCH, AUTH)                                                                                           \
    X(FETCH, DELIVERY)

/*
 * Edges that are not made by the supervisor: a command-line tool (not a process of the server) opens
 * one through the control socket of the role that answers (os/control.h).
 */
#define IPC_CONTROLS(X)                                                                                      \
    X(TOOL, AUTH)                                                                                            \
    X(TOOL, QUEUE)                                                                                           \
    X(TOOL, CONSOLE)

struct ipc_edge_rule {
    enum ipc_role a, b;
};
extern const struct ipc_edge_rule ipc_edges[];
extern const size_t ipc_edge_n;
extern const struct ipc_edge_rule ipc_controls[];
extern const size_t ipc_control_n;

/* What auth tells smtpd of a failure; the reason stays with auth's log. NAME, meaning. */
#define IPC_AUTH_VERDICTS(X)                                                                                 \
    X(BAD_CREDENTIALS, "unknown user, wrong password or disabled user: the same for all three")              \
    X(MALFORMED, "the response does not follow the mechanism's grammar")                                     \
    X(NO_INITIAL, "the mechanism begins with a challenge; an initial response came")                         \
    X(UNKNOWN_MECHANISM, "not a mechanism of ours")                                                          \
    X(UNAVAILABLE, "the user database cannot be read, or too many attempts wait")

#define X(n, ...) IPC_AUTH_##n,
enum ipc_auth_verdict { IPC_AUTH_VERDICTS(X) IPC_AUTH_VERDICT_N };
#undef X

/* How new the keys of a token issuer are. NAME, meaning. */
#define IPC_KEYS_ANSWERS(X)                                                                                  \
    X(KEPT, "from before; no answer to a question")                                                          \
    X(NEWEST, "the issuer has been asked just now, or not long ago")                                         \
    X(AWAY, "the issuer cannot be asked; the keys, if any, are from before")

#define X(n, ...) IPC_KEYS_##n,
enum ipc_keys_answer { IPC_KEYS_ANSWERS(X) IPC_KEYS_ANSWER_N };
#undef X

/* What a client has shown of itself in TLS. */
enum ipc_certificate { IPC_CERTIFICATE_NONE, IPC_CERTIFICATE_UNVERIFIED, IPC_CERTIFICATE_VERIFIED };

/* What became of a tool's wish about a user. NAME, meaning. */
#define IPC_USER_RESULTS(X)                                                                                  \
    X(OK, "done")                                                                                            \
    X(EXISTS, "a user of that name, or an application password of that label, exists already")               \
    X(ABSENT, "no user of that name, or no application password of that label")                              \
    X(INVALID, "the name, the password or another value cannot be used")                                     \
    X(UNAVAILABLE, "the user database cannot be read or written")

#define X(n, ...) IPC_USER_##n,
enum ipc_user_result { IPC_USER_RESULTS(X) IPC_USER_RESULT_N };
#undef X

/* Why queue refuses a message. NAME, meaning. */
#define IPC_SUBMIT_NOS(X)                                                                                    \
    X(DISK_FULL, "less free space than the floor")                                                           \
    X(BROKEN, "the store failed; see queue's log")                                                           \
    X(EXISTS, "the id is taken")

#define X(n, ...) IPC_SUBMIT_##n,
enum ipc_submit_why { IPC_SUBMIT_NOS(X) IPC_SUBMIT_NO_N };
#undef X

/* How a request of `sallyport queue` ended. NAME, meaning. */
#define IPC_QUEUE_ANSWERS(X)                                                                                 \
    X(DONE, "done")                                                                                          \
    X(UNKNOWN_ID, "no message of that id is in the queue")                                                   \
    X(BROKEN, "the store failed; see queue's log")                                                           \
    X(DISK_FULL, "the disk is full")                                                                         \
    X(NO_ROUTE, "no route leads to that address")                                                            \
    X(SEVERAL, "that address stands for several")                                                            \
    X(UNSERVED, "only a running server can do that")

/* What `sallyport queue` changes of a message's recipients. NAME, the command's word. */
#define IPC_QUEUE_CHANGES(X) X(HOLD, "hold") X(RELEASE, "release") X(BOUNCE, "bounce") X(REDIRECT, "redirect")

/* The one rule that a recipient waits for now. NAME, word; sentences are in cli/queue/rules.h. */
#define IPC_QUEUE_RULES(X)                                                                                   \
    X(DONE, "done")                                                                                          \
    X(ATTEMPT, "attempt")                                                                                    \
    X(NEXT, "next")                                                                                          \
    X(HELD, "held")                                                                                          \
    X(UNRETURNED, "unreturned")                                                                              \
    X(SENDER, "sender")                                                                                      \
    X(TIME, "time")                                                                                          \
    X(DNS, "dns")                                                                                            \
    X(TLS, "tls")                                                                                            \
    X(SUSPENDED, "suspended")                                                                                \
    X(BACK_OFF, "back-off")                                                                                  \
    X(CONCURRENCY, "concurrency")                                                                            \
    X(RATE, "rate")                                                                                          \
    X(SHARE, "share")                                                                                        \
    X(TOTAL, "total")                                                                                        \
    X(PROCESS, "process")                                                                                    \
    X(ROUTE, "route")                                                                                        \
    X(STOPPED, "stopped")

#define X(n, ...) IPC_QUEUE_CHANGE_##n,
enum ipc_queue_change_kind { IPC_QUEUE_CHANGES(X) IPC_QUEUE_CHANGE_N };
#undef X
#define X(n, ...) IPC_QUEUE_RULE_##n,
enum ipc_queue_rule { IPC_QUEUE_RULES(X) IPC_QUEUE_RULE_N };
#undef X

#define X(n, ...) IPC_QUEUE_##n,
enum ipc_queue_answer { IPC_QUEUE_ANSWERS(X) IPC_QUEUE_ANSWER_N };
#undef X

/* How a request of `sallyport session` ended. NAME, meaning. */
#define IPC_SESSION_ANSWERS(X)                                                                               \
    X(DONE, "done")                                                                                          \
    X(UNKNOWN_ID, "no session of that id is kept")                                                           \
    X(BROKEN, "the store of sessions failed; see console's log")

#define X(n, ...) IPC_SESSION_##n,
enum ipc_session_answer { IPC_SESSION_ANSWERS(X) IPC_SESSION_ANSWER_N };
#undef X

/* What became of a delivery attempt. NAME, phrase for operators. */
#define IPC_OUTCOMES(X)                                                                                      \
    X(DELIVERED, "delivered")                                                                                \
    X(DEFERRED, "will be tried again")                                                                       \
    X(FAILED, "refused for good")                                                                            \
    X(UNKNOWN, "connection lost after the final dot: may be delivered twice")

#define X(n, ...) IPC_OUTCOME_##n,
enum ipc_outcome_kind { IPC_OUTCOMES(X) IPC_OUTCOME_N };
#undef X

/* What a delivery was. NAME, phrase. Who is to report success, when the sender wants to know? */
#define IPC_ENDS(X)                                                                                          \
    X(FINAL, "put into a mailbox: this server")                                                              \
    X(RELAYED, "handed on to a server that does not know DSN: this server, that it was handed on")           \
    X(PASSED, "handed on with what the sender asked: the next one")

#define X(n, ...) IPC_END_##n,
enum ipc_end { IPC_ENDS(X) IPC_END_N };
#undef X

/* What an attempt tells of its destination. NAME, phrase for operators. */
#define IPC_HEALTHS(X)                                                                                       \
    X(UNTOLD, "nothing was learnt")                                                                          \
    X(GOOD, "takes mail")                                                                                    \
    X(BUSY, "asks for less: a 4yz greeting, too many connections, too much mail")                            \
    X(DOWN, "cannot be reached, or refuses all at its greeting")                                             \
    X(UNFOUND, "its servers are not told, or its own policy names none of them: of this destination alone")

#define X(n, ...) IPC_HEALTH_##n,
enum ipc_health { IPC_HEALTHS(X) IPC_HEALTH_N };
#undef X

/* What a TLS session had to be, for reports (RFC 8460 4.4). NAME, word of the RFC. */
#define IPC_TLS_POLICIES(X) X(NONE, "no-policy-found") X(STS, "sts") X(TLSA, "tlsa")

#define X(n, ...) IPC_TLS_POLICY_##n,
enum ipc_tls_policy { IPC_TLS_POLICIES(X) IPC_TLS_POLICY_N };
#undef X

/* How it went (RFC 8460 4.3). NAME, word of the RFC. */
#define IPC_TLS_RESULTS(X)                                                                                   \
    X(SUCCESS, "success")                                                                                    \
    X(STARTTLS_NOT_SUPPORTED, "starttls-not-supported")                                                      \
    X(CERTIFICATE_HOST_MISMATCH, "certificate-host-mismatch")                                                \
    X(CERTIFICATE_EXPIRED, "certificate-expired")                                                            \
    X(CERTIFICATE_NOT_TRUSTED, "certificate-not-trusted")                                                    \
    X(VALIDATION_FAILURE, "validation-failure")                                                              \
    X(TLSA_INVALID, "tlsa-invalid")                                                                          \
    X(DNSSEC_INVALID, "dnssec-invalid")                                                                      \
    X(DANE_REQUIRED, "dane-required")                                                                        \
    X(STS_POLICY_FETCH_ERROR, "sts-policy-fetch-error")                                                      \
    X(STS_POLICY_INVALID, "sts-policy-invalid")                                                              \
    X(STS_WEBPKI_INVALID, "sts-webpki-invalid")

#define X(n, ...) IPC_TLS_RESULT_##n,
enum ipc_tls_result { IPC_TLS_RESULTS(X) IPC_TLS_RESULT_N };
#undef X

/* The word; NULL: there is no such policy, resp. result. */
const char *ipc_tls_policy_word(unsigned policy);
const char *ipc_tls_result_word(unsigned result);

/* What the DNS says of where reports go. NAME, meaning. */
#define IPC_TLS_PLACES(X)                                                                                    \
    X(FOUND, "one record")                                                                                   \
    X(NONE, "the domain wants none: it has no record, or several, or one that is not well formed")           \
    X(AWAY, "there was no answer")

#define X(n, ...) IPC_TLS_PLACE_##n,
enum ipc_tls_place { IPC_TLS_PLACES(X) IPC_TLS_PLACE_N };
#undef X

/* One struct per record and message: struct ipc_recipient, struct ipc_submit, ... */
#define U8(f)           uint8_t f;
#define U32(f)          uint32_t f;
#define U64(f)          uint64_t f;
#define VIEW(f)         struct sp_view f;
#define SECRET(f)       struct sp_view f;
#define LIST(record, f) struct sp_view f;
#define MAIL(f)         struct sp_mail_parameters f;
#define RCPT(f)         struct sp_rcpt_parameters f;
#define FD(f)           int f;
#define RECORD(name)    struct ipc_##name {
#define END_RECORD(name)                                                                                     \
    }                                                                                                        \
    ;
#define MESSAGE(name, from, to) struct ipc_##name {
#define END(name)                                                                                            \
    }                                                                                                        \
    ;
#include "ipc/messages.def"
#undef RECORD
#undef END_RECORD
#undef MESSAGE
#undef END

/* IPC_TYPE_submit, ... */
#undef U8
#undef U32
#undef U64
#undef VIEW
#undef SECRET
#undef LIST
#undef MAIL
#undef RCPT
#undef FD
#define U8(f)
#define U32(f)
#define U64(f)
#define VIEW(f)
#define SECRET(f)
#define LIST(record, f)
#define MAIL(f)
#define RCPT(f)
#define FD(f)
#define RECORD(name)
#define END_RECORD(name)
#define END(name)
#define MESSAGE(name, from, to) IPC_TYPE_##name,
enum ipc_type {
#include "ipc/messages.def"
    IPC_TYPE_N
};
#undef MESSAGE

/* A message of any type: `as.submit` is valid when type is IPC_TYPE_submit. */
struct ipc_message {
    enum ipc_type type;
    union {
#define MESSAGE(name, from, to) struct ipc_##name name;
#include "ipc/messages.def"
#undef MESSAGE
    } as;
};

/* Builders and readers of lists: ipc_add_recipient(list, &entry); ipc_next_recipient(&rest, &entry). */
#undef RECORD
#define RECORD(name)                                                                                         \
    int ipc_add_##name(struct sp_buf *list, const struct ipc_##name *entry);                                 \
    bool ipc_next_##name(struct sp_view *rest, struct ipc_##name *entry_out);
#define MESSAGE(name, from, to)
#include "ipc/messages.def"
#undef RECORD
#undef END_RECORD
#undef MESSAGE
#undef END
#undef U8
#undef U32
#undef U64
#undef VIEW
#undef SECRET
#undef LIST
#undef MAIL
#undef RCPT
#undef FD

enum {
    IPC_HEADER_LEN = 8,
    IPC_PAYLOAD_MAX = 4 << 20 /* octets: a submit of 64 KiB with 10,000 recipients fits; more is a fault */
};

/*
 * Append header and payload to out.
 *   fd_out  the descriptor to send along, or -1
 * SP_ERR_NOMEM, SP_ERR_LONG (payload over IPC_PAYLOAD_MAX): out is as before.
 */
SP_MUST_USE int ipc_pack(const struct ipc_message *m, struct sp_buf *out, int *fd_out);

/*
 * Look at a header. SP_ERR_ABSENT: fewer than IPC_HEADER_LEN octets. SP_ERR_SYNTAX: unknown type,
 * flags or a payload over the limit; the edge is to be closed.
 */
SP_MUST_USE int ipc_header(struct sp_view in, enum ipc_type *type_out, size_t *payload_len_out, bool *fd_out);

/*
 * Unpack a payload. Views borrow from it; lists are checked to their last entry.
 *   fd  the descriptor that came along, or -1
 * SP_ERR_SYNTAX: lengths disagree, octets are left, or a descriptor is missing or surplus.
 */
SP_MUST_USE int ipc_unpack(enum ipc_type type, struct sp_view payload, int fd,
                           struct ipc_message *message_out);

/* May `from` send this type to `to`? */
bool ipc_allowed(enum ipc_type type, enum ipc_role from, enum ipc_role to);

/* Does the type carry a secret: are buffers that held it to be wiped? */
bool ipc_secret(enum ipc_type type);

const char *ipc_type_name(enum ipc_type type);
const char *ipc_role_name(enum ipc_role role);

/* The role of that name, or IPC_ROLE_N. */
enum ipc_role ipc_role_find(const char *name);

#endif
