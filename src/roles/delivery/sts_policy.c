#include "roles/delivery/sts_policy.h"

#include "base/view.h"

static const char *const mode_words[] = {"none", "testing", "enforce"};

const char *sts_mode_word(enum sts_mode mode) { return mode_words[mode]; }

/* --- the document ----------------------------------------------------------------------------- */

/* The next line, ended by LF or CRLF. false: there is none. */
static bool next_line(struct sp_view *rest, struct sp_view *line_out)
{
    if (rest->len == 0)
        return false;
    size_t end = sp_view_find(*rest, '\n', 0);
    struct sp_view line = sp_view_sub(*rest, 0, end);
    *rest = sp_view_from(*rest, end + 1);
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    *line_out = line;
    return true;
}

static bool take_mode(struct sp_view value, enum sts_mode *mode_out)
{
    for (unsigned i = 0; i < sizeof mode_words / sizeof *mode_words; i++)
        if (sp_view_eq(value, sp_view_of(mode_words[i]))) {
            *mode_out = (enum sts_mode)i;
            return true;
        }
    return false;
}

static bool take_mx(struct sp_view value, char name[STS_NAME_MAX + 1])
{
    struct sp_view host = sp_view_starts(value, SP_LIT("*.")) ? sp_view_from(value, 2) : value;
    if (host.len == 0 || value.len > STS_NAME_MAX || host.p[0] == '.')
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!sp_ascii_alpha(host.p[i]) && !sp_ascii_digit(host.p[i]) && host.p[i] != '-' &&
            host.p[i] != '.' && host.p[i] != '_')
            return false;
    for (size_t i = 0; i < value.len; i++)
        name[i] = (char)sp_ascii_lower(value.p[i]);
    name[value.len] = '\0';
    return true;
}

struct seen {
    bool version, mode, age;
};

/* One "key: value". Of a key that is repeated the first counts, but for mx; unknown ones are passed over. */
static const char *take_field(struct sts_policy *p, struct seen *seen, struct sp_view key,
                              struct sp_view value)
{
    uint64_t age;
    if (sp_view_eq(key, SP_LIT("version")) && !seen->version) {
        seen->version = true;
        return sp_view_eq(value, SP_LIT("STSv1")) ? NULL : "its version is not STSv1";
    }
    if (sp_view_eq(key, SP_LIT("mode")) && !seen->mode) {
        seen->mode = true;
        return take_mode(value, &p->mode) ? NULL : "its mode is none of enforce, testing, none";
    }
    if (sp_view_eq(key, SP_LIT("max_age")) && !seen->age) {
        seen->age = true;
        if (sp_view_u64(value, UINT32_MAX, &age))
            return "its max_age is no number of seconds";
        p->max_age_s = (uint32_t)(age > STS_AGE_MOST_S ? STS_AGE_MOST_S : age);
    }
    if (sp_view_eq(key, SP_LIT("mx"))) {
        if (p->mx_n == STS_MX_MAX)
            return "it names more than 40 mail servers";
        if (!take_mx(value, p->mx[p->mx_n]))
            return "a mail server in it is no host name";
        p->mx_n++;
    }
    return NULL;
}

static const char *take_all(struct sp_view text, struct sts_policy *p)
{
    struct seen seen = {0};
    struct sp_view line;
    const char *why = NULL;
    while (!why && next_line(&text, &line)) {
        size_t colon = sp_view_find(line, ':', 0);
        if (sp_view_trim(line).len == 0)
            continue;
        if (colon == line.len)
            why = "a line in it is not \"key: value\"";
        else
            why = take_field(p, &seen, sp_view_trim(sp_view_sub(line, 0, colon)),
                             sp_view_trim(sp_view_from(line, colon + 1)));
    }
    if (!why && !(seen.version && seen.mode && seen.age))
        why = "it lacks version, mode or max_age";
    if (!why && p->mode != STS_NONE && p->mx_n == 0)
        why = "it names no mail server";
    return why;
}

int sts_policy_parse(struct sp_view text, struct sts_policy *policy_out, const char **why_out)
{
    *policy_out = (struct sts_policy){0};
    *why_out = text.len > STS_TEXT_MAX ? "it is longer than 64 KiB" : take_all(text, policy_out);
    return *why_out ? SP_ERR_SYNTAX : SP_OK;
}

bool sts_policy_allows(const struct sts_policy *policy, const char *host)
{
    struct sp_view name = sp_view_of(host);
    for (size_t i = 0; i < policy->mx_n; i++) {
        struct sp_view pattern = sp_view_of(policy->mx[i]);
        bool wild = sp_view_starts(pattern, SP_LIT("*."));
        struct sp_view rest = wild ? sp_view_from(name, sp_view_find(name, '.', 0)) : name;
        if (sp_view_eq_nocase(rest, wild ? sp_view_from(pattern, 1) : pattern))
            return true;
    }
    return false;
}

/* --- the record ---------------------------------------------------------------------------------- */

int sts_record_id(struct sp_view text, char id_out[STS_ID_MAX + 1])
{
    struct sp_view field, id = {0};
    bool first = true;
    while (sp_view_word(&text, ';', &field)) {
        field = sp_view_trim(field);
        if (first && !sp_view_eq(field, SP_LIT("v=STSv1")))
            return SP_ERR_SYNTAX;
        first = false;
        if (id.len == 0 && sp_view_starts(field, SP_LIT("id=")))
            id = sp_view_trim(sp_view_from(field, 3));
    }
    if (id.len == 0 || id.len > STS_ID_MAX)
        return SP_ERR_SYNTAX;
    for (size_t i = 0; i < id.len; i++)
        if (!sp_ascii_alpha(id.p[i]) && !sp_ascii_digit(id.p[i]))
            return SP_ERR_SYNTAX;
    memcpy(id_out, id.p, id.len);
    id_out[id.len] = '\0';
    return SP_OK;
}
