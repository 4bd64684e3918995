#include "base/view.h"
#include "cli/user/parts.h"
#include "cli/user/store.h"
#include "os/heap.h"
#include "users/users.h"

#include <stdio.h>
#include <sysexits.h>

enum { TEXT_MAX = 4096, LIST_MAX = USERS_SENDERS_MAX * (USERS_SENDER_MAX + 1) };

static int gather(const struct cli_operands *o, struct sp_buf *list)
{
    if (o->n - 2 > USERS_SENDERS_MAX)
        return cli_fault("user", EX_DATAERR, "%zu patterns are too many; allowed: up to 100", o->n - 2);
    for (size_t i = 2; i < o->n; i++) {
        const char *wrong = users_sender_fault(sp_view_of(o->words[i]));
        if (wrong)
            return cli_fault("user", EX_DATAERR, "'%.80s' cannot be used: %s", o->words[i], wrong);
        if (list->len)
            sp_buf_add_u8(list, '\n');
        sp_buf_add_str(list, o->words[i]);
    }
    return EX_OK;
}

static int report(const char *name, size_t n, enum ipc_user_result result, const struct sp_buf *text)
{
    if (result == IPC_USER_ABSENT)
        return cli_fault("user", EX_NOUSER, "there is no user %s; 'sallyport user list' shows all", name);
    if (result != IPC_USER_OK)
        return cli_fault("user", result == IPC_USER_INVALID ? EX_DATAERR : EX_TEMPFAIL, "%s: %.*s", name,
                         (int)text->len, (const char *)text->p);
    if (n)
        printf("user %s: may send as %zu %s\n", name, n, n == 1 ? "pattern" : "patterns");
    else
        printf("user %s: may send as anybody\n", name);
    return user_end_output();
}

int user_may_send(const char *data, const struct cli_operands *o, bool anybody)
{
    struct sp_buf list, text;
    struct user_store *store = NULL;
    if (o->n < 2)
        return cli_usage_fault("user",
                               "may-send needs the NAME of a user, then patterns such as '*@example.org'");
    if (anybody != (o->n == 2))
        return cli_usage_fault("user", anybody
                                           ? "--anybody stands alone, without patterns"
                                           : "may-send needs patterns such as '*@example.org', or --anybody");
    sp_buf_init(&list, &os_heap, LIST_MAX);
    sp_buf_init(&text, &os_heap, TEXT_MAX);
    int code = gather(o, &list);
    if (code == EX_OK)
        store = user_store_open(data, &code);
    if (store) {
        struct ipc_message m = {
            .type = IPC_TYPE_user_may_send,
            .as.user_may_send = {.name = sp_view_of(o->words[1]), .senders = sp_buf_view(&list)}};
        code = report(o->words[1], o->n - 2, user_store_change(store, &m, &text), &text);
        user_store_close(store);
    }
    sp_buf_fini(&list);
    sp_buf_fini(&text);
    return code;
}
