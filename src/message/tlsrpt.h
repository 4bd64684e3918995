/*
 * Reports about TLS (RFC 8460): the record in which a domain says where it wants them, and the mail that
 * carries one.
 */
#ifndef MESSAGE_TLSRPT_H
#define MESSAGE_TLSRPT_H

#include "base/buf.h"

enum {
    MESSAGE_TLSRPT_RECORD_MAX = 4096, /* octets of a record; attack: a name server that never stops    */
    MESSAGE_TLSRPT_PLACES_MAX = 10,   /* endpoints of a record that are used; attack: one that names a crowd */
    MESSAGE_TLSRPT_ADDRESS_MAX = 254  /* octets of a mail address (RFC 5321 4.5.3.1.3)                  */
};

/* Does a TXT record claim to be one? RFC 8460 3: those that do not are no concern of ours. */
bool message_tlsrpt_is_record(struct sp_view text);

/*
 * Read a record: "v=TLSRPTv1; rua=mailto:a@example.org,https://example.org/v1".
 *
 *   rua_out  from the list behind the first rua= on, for message_tlsrpt_next; borrowed from the text
 *
 * SP_ERR_SYNTAX: it does not follow the grammar of RFC 8460 3, which wants one rua or more.
 */
SP_MUST_USE int message_tlsrpt_read(struct sp_view text, struct sp_view *rua_out);

enum message_tlsrpt_kind {
    MESSAGE_TLSRPT_MAILTO,
    MESSAGE_TLSRPT_HTTPS,
    MESSAGE_TLSRPT_UNUSABLE /* another scheme, or an address that no mail can be sent to */
};

struct message_tlsrpt_place {
    enum message_tlsrpt_kind kind;
    struct sp_view uri; /* as in the record                                     */
    size_t address_len; /* MAILTO: of address, where %XX stands for its octet   */
    uint8_t address[MESSAGE_TLSRPT_ADDRESS_MAX];
};

/* The next endpoint, of whichever rua. false: there is none. */
bool message_tlsrpt_next(struct sp_view *rua, struct message_tlsrpt_place *place_out);

struct message_tlsrpt_mail {
    const char *hostname;
    const char *id;           /* of the message, for Message-ID and the boundary            */
    struct sp_view from;      /* address                                                    */
    struct sp_view submitter; /* its domain                                                 */
    struct sp_view domain;    /* that the report is about                                   */
    struct sp_view to;        /* addresses, each in <>, separated by ", "                   */
    struct sp_view report_id; /* "ID@SUBMITTER"                                             */
    struct sp_view file_name; /* of message_tlsrpt_file_name                                */
    int64_t begin_ms, end_ms; /* of what it covers                                          */
    int64_t now_ms;
    uint64_t good_n, bad_n; /* sessions                                                   */
    struct sp_view report;  /* JSON in gzip                                               */
};

/* SUBMITTER!DOMAIN!BEGIN!END!UNIQUE.json.gz (RFC 8460 5.1). unique: letters and digits. */
int message_tlsrpt_file_name(struct sp_buf *out, struct sp_view submitter, struct sp_view domain,
                             int64_t begin_ms, int64_t end_ms, const char *unique);

/* Append the mail (RFC 8460 5.3), with "TLS-Required: No" (RFC 8689 5): it goes though TLS should fail. */
int message_add_tlsrpt(struct sp_buf *out, const struct message_tlsrpt_mail *m);

#endif
