/*
 * The flight recorder: what client and server said in a session, with times, for the console. Its memory is
 * bounded: the first lines and the last are kept, and how many are missing between them. Secrets never get into
 * it: of a SASL response only its shape (sasl/shape.h), of a message only its length, and of what is no
 * command behind an AUTH nothing, since it may be a password. The form is explained in docs/sessions.md.
 */
#ifndef SMTPD_RECORDER_H
#define SMTPD_RECORDER_H

#include "base/buf.h"
#include "sallyport/smtp_server.h"

enum {
    RECORDER_LINE_MAX = 512,        /* octets of a line that are kept: a whole line of SMTP (RFC 5321 4.5.3.1.4) */
    RECORDER_HEAD_LINES = 120,      /* up to AUTH and the first messages                                        */
    RECORDER_TAIL_LINES = 60,       /* and what came before the end                                             */
    RECORDER_HEAD_OCTETS = 16384,   /* with all of these a session takes 24 KiB at most, and 2 KiB as a rule    */
    RECORDER_TAIL_OCTETS = 8192
};

struct recorder;

/* What a session came to, by its replies. */
struct recorder_sum {
    uint32_t refusals;      /* replies of 400 and more                                    */
    struct sp_view refusal; /* the first of them; borrowed until the recorder is freed    */
    bool challenged;        /* a challenge waits for its answer                           */
};

/* begun_ms: monotonic, as all times here. */
struct recorder *recorder_new(uint64_t begun_ms);
void recorder_free(struct recorder *r);

/* Octets of the client that the engine has consumed, and what it took them for. */
void recorder_client(struct recorder *r, struct sp_view octets, enum sp_server_reads reads, uint64_t now_ms);

/* Whole replies of ours. */
void recorder_server(struct recorder *r, struct sp_view replies, uint64_t now_ms);

/* "TLS: ...", "closed: ...": anything else that happened. */
void recorder_event(struct recorder *r, const char *what, const char *detail, uint64_t now_ms);

struct recorder_sum recorder_sum(const struct recorder *r);

/* Append all lines; each ends in LF. */
void recorder_lines(const struct recorder *r, struct sp_buf *out);

#endif
