#include "roles/auth/record.h"

#include "base/view.h"

#include <stdio.h>

static void add(struct auth_record *r, const char *what, const char *detail)
{
    int n = snprintf(r->text + r->len, sizeof r->text - r->len, "%s%s%s", r->len ? " " : "", what, detail);
    if (n > 0 && (size_t)n < sizeof r->text - r->len)
        r->len += (size_t)n;
    else
        r->text[r->len] = '\0'; /* more steps than any mechanism has: the first tell enough */
}

static void add_response(struct auth_record *r, const char *what, struct sp_view response)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%zu", response.len); /* fits */
    r->last_response = response.len;
    add(r, what, number);
}

void auth_record_initial(struct auth_record *r, struct sp_view response)
{
    add_response(r, "initial:", response);
}

void auth_record_response(struct auth_record *r, struct sp_view response)
{
    add_response(r, "response:", response);
}

/* "r=...,s=...,i=4096": the digits, or nothing. */
static void name_iterations(struct sp_view challenge, char *out, size_t max)
{
    struct sp_view part;
    while (sp_view_word(&challenge, ',', &part))
        if (sp_view_starts(part, SP_LIT("i=")) && part.len < max - 8)
            (void)snprintf(out, max, ",%.*s", (int)part.len, (const char *)part.p); /* fits */
}

static const char *name_of(struct sp_view challenge)
{
    static const struct {
        struct sp_view start;
        const char *name;
    } names[] = {{SP_LIT_INIT("Username:"), "user-name-prompt"},
                 {SP_LIT_INIT("Password:"), "password-prompt"},
                 {SP_LIT_INIT("r="), "scram-server-first"},
                 {SP_LIT_INIT("v="), "scram-server-final"},
                 {SP_LIT_INIT("e="), "scram-error"},
                 {SP_LIT_INIT("{"), "oauth-error"},
                 {SP_LIT_INIT("realm="), "digest-challenge"},
                 {SP_LIT_INIT("nonce="), "digest-challenge"},
                 {SP_LIT_INIT("rspauth="), "digest-final"},
                 {SP_LIT_INIT("<"), "cram-challenge"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sp_view_starts(challenge, names[i].start))
            return names[i].name;
    return challenge.len ? "challenge" : "go-ahead";
}

void auth_record_challenge(struct auth_record *r, struct sp_view challenge)
{
    char detail[64] = "";
    if (sp_view_starts(challenge, SP_LIT("r=")))
        name_iterations(challenge, detail, sizeof detail);
    add(r, "334:", name_of(challenge));
    if (detail[0] && r->len + sizeof detail < sizeof r->text)
        r->len += (size_t)snprintf(r->text + r->len, sizeof r->text - r->len, "%s", detail);
}

const char *auth_record_wrapped(const struct auth_record *r)
{
    size_t n = r->last_response;
    return n == 57 || n == 48 || n == 45
               ? "the response is just as long as one line of wrapped base64; encode without line breaks"
               : NULL;
}
