/* A policy of MTA-STS as text (RFC 8461 3). Nothing allocates. */
#ifndef ROLES_DELIVERY_STS_POLICY_H
#define ROLES_DELIVERY_STS_POLICY_H

#include "sallyport/base.h"

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

enum { STS_MX_MAX = 40, STS_NAME_MAX = 255, STS_ID_MAX = 32, STS_AGE_MOST_S = 31557600, STS_TEXT_MAX = 65536 };

struct sts_policy {
    enum sts_mode mode;
    uint32_t max_age_s;
    size_t mx_n;
    char mx[STS_MX_MAX][STS_NAME_MAX + 1]; /* "mx.example.org", "*.example.org", in lower case */
};

/* SP_ERR_SYNTAX: it is none; why_out says what is wrong with it. */
SP_MUST_USE int sts_policy_parse(struct sp_view text, struct sts_policy *policy_out, const char **why_out);

/* RFC 8461 4.1: `*` stands for the left-most label alone. */
bool sts_policy_allows(const struct sts_policy *policy, const char *host);

/* The id of a TXT record "v=STSv1; id=20160831085700Z;". SP_ERR_SYNTAX: it is no such record. */
SP_MUST_USE int sts_record_id(struct sp_view text, char id_out[STS_ID_MAX + 1]);

const char *sts_mode_word(enum sts_mode mode);

#endif
