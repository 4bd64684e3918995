/* A search from inside: shared by the files search*.c. */
#ifndef ROLES_DELIVERY_SEARCH_H
#define ROLES_DELIVERY_SEARCH_H

#include "roles/delivery/delivery.h"
#include "roles/delivery/sts.h"

enum { DELIVERY_DOMAIN_MAX = 1000, DELIVERY_SEARCH_TEXT_MAX = 1600 };

/* A host of the domain, and whether it has addresses. */
struct delivery_candidate {
    struct delivery_search *search;
    struct delivery_host host;
    struct dns_query *query;
    enum dns_verdict verdict;
    bool own;
};

struct delivery_search {
    struct delivery_search *next;
    struct delivery_route *route;
    char domain[DELIVERY_DOMAIN_MAX]; /* in lower case, as it stands in addresses */
    char name[DNS_NAME_MAX + 1];      /* as the DNS has it                        */
    struct delivery_attempt *waiting, **waiting_end;
    struct dns_lookup *mx;
    bool implicit; /* it has no MX, and stands for itself */
    bool secure;
    struct delivery_candidate candidates[DELIVERY_HOSTS_MAX];
    size_t candidate_n, open_n; /* open: whose addresses are not known yet */
    bool asked_hosts;           /* all of them are known by name           */
    struct sts_question *sts;   /* under way                               */
    struct sts_policy *policy;  /* of MTA-STS; NULL: none                  */
    struct os_later later;
};

/* search.c */
void delivery_search_free(struct delivery_search *s);
struct delivery_attempt *delivery_search_take_attempts(struct delivery_search *s);
/* All mail of the domain has the same outcome; s is gone. */
void delivery_search_fail(struct delivery_search *s, enum ipc_outcome_kind kind, int code,
                          const char *enhanced, const char *text);

/* search_ask.c: put all questions about the domain. s may be gone. */
void delivery_search_ask(struct delivery_search *s);

/* search_judge.c: all of them are answered. s is gone. */
void delivery_search_judge(struct delivery_search *s);

#endif
