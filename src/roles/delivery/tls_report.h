/*
 * What is known of TLS on the way to a domain, told to queue for the reports of RFC 8460: one message for each
 * session that came about or did not, and for each policy that could not be had. Nothing without the section
 * tls-reports.
 *
 * A session counts for the domain whose mail it was dialled for, once, however many mails of whatever domains it
 * carries. Those for mail with "TLS-Required: No" do not count: reports are such mail, and must not lead to
 * reports (RFC 8460 5.3).
 */
#ifndef ROLES_DELIVERY_TLS_REPORT_H
#define ROLES_DELIVERY_TLS_REPORT_H

#include "dns/dns.h"
#include "ipc/ipc.h"

struct delivery;
struct delivery_attempt;
struct delivery_dial_host;
struct delivery_racer;
struct delivery_search;
struct os_edge;
struct sts_policy;

/* What a domain demands, as an attempt and the link that is dialled for it carry it along. Counted. */
struct delivery_aim;

/* Of a search whose answers are there; NULL: nothing is reported. */
struct delivery_aim *delivery_aim_new(const struct delivery_search *s);
struct delivery_aim *delivery_aim_ref(struct delivery_aim *aim); /* NULL is fine */
void delivery_aim_unref(struct delivery_aim *aim);               /* the same */

/* A connection stands, or came to nothing: how did TLS go? Before its client is freed. */
void delivery_tls_tell_session(const struct delivery_racer *r);

/* The TLSA records of a host did not come. */
void delivery_tls_tell_no_tlsa(const struct delivery_dial_host *h, enum dns_verdict verdict, const char *why);

/* The signature under its MX records is wrong. */
void delivery_tls_tell_no_mx(const struct delivery_search *s, const char *why);

/* Its MTA-STS policy names none of its hosts, of which this is the first. */
void delivery_tls_tell_no_host(struct delivery *d, const struct delivery_aim *aim, const char *host);

/* The policy of a domain could not be had. policy: that of before, which counts; NULL: there is none. */
void delivery_tls_tell_no_policy(struct delivery *d, const char *domain, const struct sts_policy *policy,
                                 enum ipc_tls_result result, struct sp_view why);

/* A TLSA record, a line of what is told of a policy: "3 1 1 0123..". */
struct dns_tlsa;
void delivery_tls_add_record(struct sp_buf *text, const struct dns_tlsa *t);

/* --- tls_errand.c: for queue, who sends the reports ------------------------------------------------ */

void delivery_take_place_wanted(struct delivery *d, struct os_edge *queue, const struct ipc_tls_place_wanted *m);
void delivery_take_post(struct delivery *d, struct os_edge *queue, const struct ipc_tls_post *m);
/* false: this document is another's. */
bool delivery_take_posted(struct delivery *d, const struct ipc_document_here *m);
void delivery_lose_posts(struct delivery *d);
/* A queue is gone: nobody waits for what it wanted. */
void delivery_forget_errands(struct delivery *d, const struct os_edge *queue);

#endif
