/*
 * The grammar of SMTP arguments: domains, address literals, paths, parameters, xtext.
 * Parsers here take views, allocate nothing and say what is wrong and where.
 *
 * RFC 5321 4.1.2, 4.1.3, 4.5.3.1 and, for parameters, 4.1.1.11; xtext: RFC 3461 4.
 */
#ifndef SMTP_GRAMMAR_H
#define SMTP_GRAMMAR_H

#include "sallyport/smtp_server.h"

/* RFC 5321 4.5.3.1; the 63 is DNS's own (RFC 1035 2.3.4), the longest label in UTF-8 is of four octets each.
 */
enum {
    SMTP_LOCAL_MAX = 64,
    SMTP_DOMAIN_MAX = 255,
    SMTP_LABEL_MAX = 63,
    SMTP_LABEL_UTF8_MAX = 4 * SMTP_LABEL_MAX,
    SMTP_PATH_MAX = 256
};

/* What is wrong: a phrase that tells what would be right, and the octet it is about, from 0. */
struct smtp_fault {
    struct sp_view what; /* static */
    size_t at;
    bool not_ascii;
};

/*
 * Skip one element at in.p[*at]. true: *at is behind it. false: *at is where it failed.
 *
 *   domain   Domain, at most 255 octets
 *   literal  address-literal, brackets included
 *   local    Local-part: Dot-string or Quoted-string, at most 64 octets
 *
 * utf8: as RFC 6531 3.3 extends it. Whether a label in UTF-8 is a U-label is not judged here.
 */
enum smtp_domain_kind {
    SMTP_DOMAIN_STRICT,
    SMTP_DOMAIN_LENIENT, /* lets '_' into labels and a dot end it */
    SMTP_DOMAIN_UTF8
};
bool smtp_domain_skip(struct sp_view in, size_t *at, enum smtp_domain_kind kind);
bool smtp_literal_skip(struct sp_view in, size_t *at, struct smtp_fault *fault_out);
bool smtp_local_skip(struct sp_view in, size_t *at, bool utf8, struct smtp_fault *fault_out);

/* Whole views: an IPv4 address in four decimal numbers; an IPv6 address without its tag. */
bool smtp_ipv4_is(struct sp_view text);
bool smtp_ipv6_is(struct sp_view text);

/* A whole view as Domain or address-literal, as EHLO has it; lenient about '_' and a last dot. */
bool smtp_hello_is(struct sp_view text, struct smtp_fault *fault_out);

/* Where a path stands: only MAIL has the null path, only RCPT a postmaster without domain. */
enum smtp_path_kind { SMTP_PATH_SENDER, SMTP_PATH_RECIPIENT };

/*
 * A path with its <>, from in.p[*at] on. utf8: RFC 6531 3.3.
 *
 * SP_ERR_SYNTAX, SP_ERR_LONG: fault_out says what and where.
 */
SP_MUST_USE int smtp_path_parse(struct sp_view in, size_t *at, enum smtp_path_kind kind, bool utf8,
                                struct sp_path *path_out, struct smtp_fault *fault_out);

/* A whole view as Mailbox: local@domain or local@[literal]. */
SP_MUST_USE int smtp_mailbox_parse(struct sp_view in, bool utf8, struct sp_path *path_out,
                                   struct smtp_fault *fault_out);

/* Is all of it below 127? */
bool smtp_ascii_is(struct sp_view text);

/* Is all of it between 32 and 126? Graphic and white space, as RFC 3461 4.2 and 4.4 want it; fit for logs. */
bool smtp_printable_is(struct sp_view text);

/*
 * The next " keyword[=value]" from in.p[*at] on.
 *
 * SP_ERR_ABSENT  only spaces were left
 * SP_ERR_SYNTAX  fault_out
 */
struct smtp_parameter {
    struct sp_view keyword, value;
    bool has_value;
    size_t at;
};
SP_MUST_USE int smtp_parameter_next(struct sp_view in, size_t *at, struct smtp_parameter *parameter_out,
                                    struct smtp_fault *fault_out);

/* Decode xtext. out has room for in.len octets. SP_ERR_SYNTAX. RFC 3461 4. */
SP_MUST_USE int smtp_xtext_decode(struct sp_view in, uint8_t *out, size_t *len_out);

/*
 * Decode the address of an ORCPT of type utf-8: xtext in which \x{HEX} is a code point, or UTF-8 itself
 * (utf-8-addr-xtext and utf-8-addr-unitext, RFC 6533 3). The same room.
 */
SP_MUST_USE int smtp_utf8_xtext_decode(struct sp_view in, uint8_t *out, size_t *len_out);

/* A decimal number of 1 to `digits` digits. */
bool smtp_number_is(struct sp_view text, size_t digits);

/* A sasl-mech, 1 to 20 of A-Z 0-9 - _ in any case (RFC 4422 3.1). */
bool smtp_mechanism_is(struct sp_view text);

#endif
