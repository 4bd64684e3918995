#include "base/view.h"
#include "cli/user/parts.h"
#include "cli/user/store.h"
#include "os/heap.h"
#include "users/users.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { TEXT_MAX = 4096, GROUPS = 5, GROUP_LEN = 4, PASSWORD_LEN = GROUPS * (GROUP_LEN + 1) - 1 };

/* 100 bits, in letters and digits that are not taken for one another. */
static void make_password(char out[PASSWORD_LEN + 1])
{
    static const char letters[32 + 1] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[PASSWORD_LEN];
    os_random(random, sizeof random);
    for (size_t i = 0; i < PASSWORD_LEN; i++)
        out[i] = i % (GROUP_LEN + 1) == GROUP_LEN ? '-' : letters[random[i] % 32];
    out[PASSWORD_LEN] = '\0';
    explicit_bzero(random, sizeof random);
}

static int ask(const char *data, const struct ipc_message *m, enum ipc_user_result *result_out,
               struct sp_buf *text)
{
    int code = EX_OK;
    struct user_store *store = user_store_open(data, &code);
    if (store)
        *result_out = user_store_change(store, m, text);
    user_store_close(store);
    return code;
}

static int fault(const struct cli_operands *o, enum ipc_user_result result, const struct sp_buf *text)
{
    const char *name = o->words[1], *label = o->words[2];
    switch (result) {
    case IPC_USER_EXISTS:
        return cli_fault("user", EX_CANTCREAT,
                         "%s has an application password '%s' already; 'sallyport user revoke' ends it", name,
                         label);
    case IPC_USER_ABSENT:
        return strcmp(o->words[0], "revoke") == 0
                   ? cli_fault(
                         "user", EX_NOUSER,
                         "there is no user %s with an application password '%s'; 'sallyport user list' and "
                         "'user show' tell",
                         name, label)
                   : cli_fault("user", EX_NOUSER, "there is no user %s; 'sallyport user list' shows all",
                               name);
    default:
        return cli_fault("user", result == IPC_USER_INVALID ? EX_DATAERR : EX_TEMPFAIL, "%s: %.*s", name,
                         (int)text->len, (const char *)text->p);
    }
}

static int check_words(const struct cli_operands *o)
{
    if (o->n < 3)
        return cli_usage_fault("user", "%s needs the NAME of a user and a LABEL, such as phone", o->words[0]);
    if (o->n > 3)
        return cli_usage_fault("user", "'%s' is not expected here; a label with spaces goes into quotes",
                               o->words[3]);
    const char *wrong = users_label_fault(sp_view_of(o->words[2]));
    return wrong ? cli_fault("user", EX_DATAERR, "this cannot be a label: %s", wrong) : EX_OK;
}

int user_app_password(const char *data, const struct cli_operands *o)
{
    char password[PASSWORD_LEN + 1];
    struct sp_buf text;
    enum ipc_user_result result = IPC_USER_OK;
    int code = check_words(o);
    if (code != EX_OK)
        return code;
    make_password(password);
    struct ipc_message m = {.type = IPC_TYPE_user_app_add,
                            .as.user_app_add = {.name = sp_view_of(o->words[1]),
                                                .label = sp_view_of(o->words[2]),
                                                .password = sp_view_of(password)}};
    sp_buf_init(&text, &os_heap, TEXT_MAX);
    code = ask(data, &m, &result, &text);
    if (code == EX_OK && result != IPC_USER_OK) {
        code = fault(o, result, &text);
    } else if (code == EX_OK) {
        fprintf(stderr, "user %s: the password for '%s', shown this once:\n", o->words[1], o->words[2]);
        code = printf("%s\n", password) > 0 && fflush(stdout) == 0
                   ? EX_OK
                   : cli_fault("user", EX_IOERR,
                               "cannot write to standard output: nobody has seen the password; revoke '%s' "
                               "and make another",
                               o->words[2]);
    }
    explicit_bzero(password, sizeof password);
    sp_buf_fini(&text);
    return code;
}

int user_revoke(const char *data, const struct cli_operands *o)
{
    struct sp_buf text;
    enum ipc_user_result result = IPC_USER_OK;
    int code = check_words(o);
    if (code != EX_OK)
        return code;
    struct ipc_message m = {
        .type = IPC_TYPE_user_app_remove,
        .as.user_app_remove = {.name = sp_view_of(o->words[1]), .label = sp_view_of(o->words[2])}};
    sp_buf_init(&text, &os_heap, TEXT_MAX);
    code = ask(data, &m, &result, &text);
    if (code == EX_OK && result != IPC_USER_OK) {
        code = fault(o, result, &text);
    } else if (code == EX_OK) {
        printf("user %s: application password '%s' revoked\n", o->words[1], o->words[2]);
        code = user_end_output();
    }
    sp_buf_fini(&text);
    return code;
}
