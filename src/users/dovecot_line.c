#include "users/dovecot_line.h"

#include "base/view.h"

/* The value of "name=value" among fields with tabs between; an empty view when it is not there. */
static struct sp_view value_of(struct sp_view fields, struct sp_view name)
{
    struct sp_view field;
    while (sp_view_word(&fields, '\t', &field))
        if (field.len > name.len && sp_view_starts(field, name) && field.p[name.len] == '=')
            return sp_view_from(field, name.len + 1);
    return (struct sp_view){0};
}

static bool has_word(struct sp_view fields, struct sp_view word)
{
    struct sp_view field;
    while (sp_view_word(&fields, '\t', &field))
        if (sp_view_eq(field, word))
            return true;
    return false;
}

/* A name with an octet that had to be escaped is none that mail can use. */
static struct sp_view user_of(struct sp_view fields)
{
    struct sp_view user = value_of(fields, SP_LIT("user"));
    return sp_view_find(user, 1, 0) < user.len ? (struct sp_view){0} : user;
}

static enum users_answer failure_of(struct sp_view fields)
{
    if (has_word(fields, SP_LIT("temp")))
        return USERS_AWAY;
    if (has_word(fields, SP_LIT("user_disabled")) ||
        sp_view_eq(value_of(fields, SP_LIT("code")), SP_LIT("user_disabled")))
        return USERS_DISABLED;
    if (sp_view_eq(value_of(fields, SP_LIT("code")), SP_LIT("temp_fail")))
        return USERS_AWAY;
    return USERS_WRONG;
}

/* RFC 4422 3.1: 1 to 20 capital letters, digits, hyphens and underscores. */
static bool is_mechanism_name(struct sp_view name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!(name.p[i] >= 'A' && name.p[i] <= 'Z') && !sp_ascii_digit(name.p[i]) && name.p[i] != '-' &&
            name.p[i] != '_')
            return false;
    return name.len >= 1 && name.len <= 20;
}

/*
 * Not for clients: what Dovecot keeps for its own programs, and what lets anybody in. Not to be passed on:
 * what is bound to the TLS connection, or takes the client's certificate, since both are here and not there.
 */
static bool is_usable(struct sp_view name, struct sp_view flags)
{
    return is_mechanism_name(name) && !has_word(flags, SP_LIT("private")) &&
           !has_word(flags, SP_LIT("anonymous")) && !sp_view_ends(name, SP_LIT("-PLUS")) &&
           !sp_view_eq(name, SP_LIT("EXTERNAL")) && !sp_view_eq(name, SP_LIT("ANONYMOUS"));
}

static struct users_dovecot_line take_answer(struct sp_view word, struct sp_view fields)
{
    struct users_dovecot_line bad = {.word = USERS_DOVECOT_BAD}, l = {0};
    struct sp_view id = {0};
    uint64_t number = 0;
    if (!sp_view_word(&fields, '\t', &id) || sp_view_u64(id, UINT32_MAX, &number) != SP_OK)
        return bad;
    l.number = (uint32_t)number;
    if (sp_view_eq(word, SP_LIT("CONT"))) {
        l.word = USERS_DOVECOT_CONT;
        (void)sp_view_word(&fields, '\t', &l.value); /* without it: an empty challenge */
    } else {
        bool ok = sp_view_eq(word, SP_LIT("OK"));
        l.word = ok ? USERS_DOVECOT_OK : USERS_DOVECOT_FAIL;
        l.answer = ok ? USERS_RIGHT : failure_of(fields);
        l.value = user_of(fields);
    }
    return l;
}

struct users_dovecot_line users_dovecot_parse(struct sp_view line)
{
    struct users_dovecot_line l = {0};
    struct sp_view rest = line, word = {0}, major = {0};
    uint64_t number = 0;
    (void)sp_view_word(&rest, '\t', &word); /* an empty line is no word that is known */
    if (sp_view_eq(word, SP_LIT("VERSION"))) {
        bool known = sp_view_word(&rest, '\t', &major) && sp_view_u64(major, 1000, &number) == SP_OK;
        l.word = known ? USERS_DOVECOT_VERSION : USERS_DOVECOT_BAD;
        l.number = (uint32_t)number;
    } else if (sp_view_eq(word, SP_LIT("MECH"))) {
        l.word = USERS_DOVECOT_MECH;
        (void)sp_view_word(&rest, '\t', &l.value); /* without a name it is not usable */
        l.usable = is_usable(l.value, rest);
    } else if (sp_view_eq(word, SP_LIT("DONE"))) {
        l.word = USERS_DOVECOT_DONE;
    } else if (sp_view_eq(word, SP_LIT("OK")) || sp_view_eq(word, SP_LIT("FAIL")) ||
               sp_view_eq(word, SP_LIT("CONT"))) {
        return take_answer(word, rest);
    }
    return l;
}
