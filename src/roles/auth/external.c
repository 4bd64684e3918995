/* EXTERNAL: whose certificate has the client shown in TLS, and is there such a user? */
#include "base/view.h"
#include "os/heap.h"
#include "roles/auth/exchange.h"

#include <stdlib.h>

enum { DETAIL_MAX = 1024 };

/* One user is one, in whatever case and spelling a certificate has the name. */
static bool is_same(struct sp_view a, struct sp_view b)
{
    struct sp_buf one, other;
    enum sasl_fault fault;
    sp_buf_init(&one, &os_heap, SASL_USER_MAX);
    sp_buf_init(&other, &os_heap, SASL_USER_MAX);
    bool same = sasl_prep_name(a, SASL_PREP_QUERY, &one, &fault) == SP_OK &&
                sasl_prep_name(b, SASL_PREP_QUERY, &other, &fault) == SP_OK &&
                sp_view_eq(sp_buf_view(&one), sp_buf_view(&other));
    sp_buf_fini(&one);
    sp_buf_fini(&other);
    return same;
}

/* "the certificate is of anna, bob" */
static char *list_names(struct sp_view names)
{
    struct sp_buf text;
    struct sp_view name;
    const char *between = "the certificate is of ";
    sp_buf_init(&text, &os_heap, DETAIL_MAX);
    while (sp_view_word(&names, '\n', &name) && text.max - text.len > name.len + 32) {
        sp_buf_add_str(&text, between);
        sp_buf_add(&text, name);
        between = ", ";
    }
    char *detail = os_text(sp_buf_view(&text));
    sp_buf_fini(&text);
    return detail;
}

/* Why none of its names is a user who may come in; NULL: x->login is one. */
static const char *find_user(struct exchange *x, struct sp_view wanted, bool *readable_out)
{
    struct sp_view name, names = sp_view_of(x->certificate_names);
    bool speaks_for = false, disabled = false;
    *readable_out = true;
    while (sp_view_word(&names, '\n', &name)) {
        if (wanted.len && !is_same(name, wanted))
            continue;
        speaks_for = true;
        *readable_out = auth_look_up(x, name);
        if (!*readable_out)
            return "users-db";
        if (x->login.known && !x->login.disabled)
            return NULL;
        disabled |= x->login.known;
    }
    x->detail = list_names(sp_view_of(x->certificate_names));
    return disabled ? "disabled" : speaks_for ? "certificate-unknown-user" : "certificate-other-user";
}

void auth_check_external(struct exchange *x)
{
    struct sp_view user = {0};
    bool readable = true;
    if (x->certificate == IPC_CERTIFICATE_NONE) {
        x->why = "no-certificate";
    } else if (x->certificate == IPC_CERTIFICATE_UNVERIFIED) {
        x->why = "certificate-unverified";
        x->detail = os_text(sp_view_of(x->certificate_fault));
    } else if (!x->certificate_names[0]) {
        x->why = "certificate-without-name";
    } else {
        x->why = find_user(x, sasl_server_user(x->sasl), &readable);
    }
    if (!readable) {
        auth_say_unavailable(x, x->why);
        return;
    }
    if (!x->why)
        user = users_name_view(&x->login.name);
    auth_exchange_run(x, sasl_server_external_is(x->sasl, user));
}
