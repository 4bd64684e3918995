#include "users/passwords.h"

#include "base/table.h"
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "users/inside.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    struct users_name name;
    char hash[USERS_CRYPT_MAX];
};

struct users_passwords {
    struct sp_table by_key;
    struct entry *entries;
};

/* "{SHA512-CRYPT}$6$..." is Dovecot's way to write the same. */
static struct sp_view without_scheme(struct sp_view hash)
{
    static const char *const schemes[] = {"{CRYPT}", "{SHA512-CRYPT}", "{SHA256-CRYPT}", "{BLF-CRYPT}",
                                          "{MD5-CRYPT}"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (sp_view_starts_nocase(hash, sp_view_of(schemes[i])))
            return sp_view_from(hash, strlen(schemes[i]));
    return hash;
}

const char *users_password_line(struct sp_view line, struct sp_view *name_out, char *hash_out)
{
    size_t colon = sp_view_find(line, ':', 0);
    if (colon == 0 || colon == line.len) {
        *name_out = SP_LIT("(no name)");
        return "the line is not NAME:HASH";
    }
    *name_out = sp_view_sub(line, 0, colon);
    struct sp_view rest = sp_view_from(line, colon + 1);
    struct sp_view field = without_scheme(sp_view_sub(rest, 0, sp_view_find(rest, ':', 0)));
    enum sasl_fault fault = sasl_user_fault(*name_out, SASL_PREP_STORED);
    if (fault)
        return sasl_fault_text(fault);
    if (field.len >= USERS_CRYPT_MAX || sp_view_find(field, 0, 0) < field.len)
        return "the hash is too long, or holds a NUL";
    memcpy(hash_out, field.p, field.len);
    hash_out[field.len] = '\0';
    return users_crypt_fault(hash_out);
}

static const char *take_line(struct users_passwords *p, struct sp_view line, struct sp_view *name_out)
{
    struct users_key key;
    struct entry *e = os_new(sizeof *e);
    const char *fault = users_password_line(line, name_out, e->hash);
    if (!fault && users_fold(*name_out, SASL_PREP_STORED, &key) != SP_OK)
        fault = "the name cannot be used";
    if (!fault && sp_table_get(&p->by_key, sp_view_make(key.octets, key.len)))
        fault = "the name stands twice";
    if (fault) {
        free(e);
        return fault;
    }
    memcpy(e->name.octets, name_out->p, name_out->len);
    e->name.len = name_out->len;
    e->next = p->entries;
    p->entries = e;
    if (sp_table_put(&p->by_key, sp_view_make(key.octets, key.len), e) != SP_OK)
        os_panic("passwords", "out of memory");
    return NULL;
}

static int say(struct sp_buf *error, size_t number, struct sp_view name, const char *fault)
{
    sp_buf_add_str(error, "line ");
    sp_buf_add_dec(error, number);
    sp_buf_add_str(error, ": ");
    sp_buf_add(error, name);
    sp_buf_add_str(error, ": ");
    sp_buf_add_str(error, fault);
    return SP_ERR_SYNTAX;
}

int users_passwords_parse(struct sp_view text, struct sp_buf *error, struct users_passwords **passwords_out)
{
    struct users_passwords *p = os_new(sizeof *p);
    uint64_t seed;
    int status = SP_OK;
    os_random(&seed, sizeof seed);
    sp_table_init(&p->by_key, &os_heap, seed);
    for (size_t number = 1; text.len > 0 && !status; number++) {
        size_t end = sp_view_find(text, '\n', 0);
        struct sp_view name = {0}, line = sp_view_sub(text, 0, end);
        if (line.len && line.p[line.len - 1] == '\r') /* written on another system */
            line.len--;
        line = sp_view_trim(line);
        const char *fault = line.len == 0 || line.p[0] == '#' ? NULL : take_line(p, line, &name);
        text = sp_view_from(text, end < text.len ? end + 1 : end);
        if (fault)
            status = say(error, number, name, fault);
    }
    if (status)
        users_passwords_free(p);
    else
        *passwords_out = p;
    return status;
}

void users_passwords_free(struct users_passwords *p)
{
    if (!p)
        return;
    for (struct entry *e; (e = p->entries);) {
        p->entries = e->next;
        explicit_bzero(e, sizeof *e);
        free(e);
    }
    sp_table_fini(&p->by_key);
    free(p);
}

void users_passwords_find(const struct users_passwords *p, struct sp_view name, struct users_login *login_out)
{
    struct users_key key;
    struct users_login login = {.verifier = {.salt_len = SASL_SALT_LEN, .iterations = SASL_ITERATIONS}};
    const struct entry *e = NULL;
    if (users_fold(name, SASL_PREP_QUERY, &key) == SP_OK)
        e = sp_table_get(&p->by_key, sp_view_make(key.octets, key.len));
    login.known = login.imported = e != NULL;
    if (e)
        login.name = e->name;
    else
        e = p->entries;
    if (e)
        memcpy(login.crypt, e->hash, sizeof login.crypt);
    *login_out = login;
}
