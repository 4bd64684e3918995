#include "base/time.h"
#include "base/view.h"
#include "cli/commands.h"
#include "cli/secret.h"
#include "cli/user/parts.h"
#include "cli/user/store.h"
#include "os/heap.h"
#include "sasl/prep.h"

#include <string.h>
#include <sysexits.h>

/* clang-format off */
static struct cli_option options[] = {
    {.name = "data", .argument = "DIR", .help = "the server's data folder; default ./sallyport-data"},
    {.name = "cram-md5", .help = "add, passwd: keep a secret for CRAM-MD5 too, with which whoever reads it can log in"},
    {.name = "json", .help = "list as one JSON array, show as one object"},
    {.name = "anybody", .help = "may-send: lift the list, whatever sender is right again"},
    {.name = NULL},
};
/* clang-format on */

const struct cli_option *cmd_user_options(void) { return options; }

enum { TEXT_MAX = 4096, LIST_MAX = IPC_PAYLOAD_MAX };

/* --- changes ------------------------------------------------------------------------------- */

/* What a change is called, how it begins and what is said when it is done. */
struct change {
    const char *word;
    enum ipc_type type;
    bool password;
    const char *done;
};

static const struct change changes[] = {
    {"add", IPC_TYPE_user_add, true, "added"},
    {"passwd", IPC_TYPE_user_passwd, true, "password set"},
    {"disable", IPC_TYPE_user_enable, false, "disabled"},
    {"enable", IPC_TYPE_user_enable, false, "enabled"},
    {"remove", IPC_TYPE_user_remove, false, "removed"},
};
enum { CHANGE_N = sizeof changes / sizeof *changes };

static struct ipc_message wish_of(const struct change *c, struct sp_view name, struct sp_view password,
                                  bool cram)
{
    struct ipc_message m = {.type = c->type};
    if (c->type == IPC_TYPE_user_add)
        m.as.user_add = (struct ipc_user_add){.name = name, .password = password, .cram_md5 = cram};
    else if (c->type == IPC_TYPE_user_passwd)
        m.as.user_passwd = (struct ipc_user_passwd){.name = name, .password = password, .cram_md5 = cram};
    else if (c->type == IPC_TYPE_user_enable)
        m.as.user_enable = (struct ipc_user_enable){.name = name, .enabled = strcmp(c->word, "enable") == 0};
    else
        m.as.user_remove = (struct ipc_user_remove){.name = name};
    return m;
}

int user_end_output(void)
{
    return fflush(stdout) == 0 && !ferror(stdout)
               ? EX_OK
               : cli_fault("user", EX_IOERR, "cannot write to standard output");
}

static int report(const struct change *c, const char *name, enum ipc_user_result result, struct sp_view text)
{
    switch (result) {
    case IPC_USER_OK:
        printf("user %s: %s\n", name, c->done);
        return user_end_output();
    case IPC_USER_EXISTS:
        return cli_fault("user", EX_CANTCREAT,
                         "there is a user %s already; 'sallyport user passwd %s' sets a new password", name,
                         name);
    case IPC_USER_ABSENT:
        return cli_fault("user", EX_NOUSER, "there is no user %s; 'sallyport user list' shows all", name);
    default:
        return cli_fault("user", result == IPC_USER_INVALID ? EX_DATAERR : EX_TEMPFAIL, "%s: %.*s", name,
                         (int)text.len, (const char *)text.p);
    }
}

/* What this user's safety rests on from now on. */
static void warn_of_cram(const char *name)
{
    printf("A secret for CRAM-MD5 is kept, too. Unlike the rest of users.db it can be used as it is: whoever "
           "reads the file\n"
           "or a backup of it can log in as %s by CRAM-MD5, and can try guesses of the password fast. Keep "
           "the data\n"
           "folder and its backups on encrypted disks; 'sallyport user passwd %s' without --cram-md5 removes "
           "the secret.\n"
           "A listener offers CRAM-MD5 only when its key mechanisms names it.\n",
           name, name);
}

/* Said before the server is asked, so that a terminal's user learns it at once. */
static int check_name(const char *name)
{
    enum sasl_fault fault = sasl_user_fault(sp_view_of(name), SASL_PREP_STORED);
    return fault ? cli_fault("user", EX_DATAERR, "this cannot be a user's name: %s", sasl_fault_text(fault))
                 : EX_OK;
}

static int check_password(struct sp_view password)
{
    enum sasl_fault fault = sasl_password_fault(password, SASL_PREP_STORED);
    return fault ? cli_fault("user", EX_DATAERR, "this password cannot be used: %s", sasl_fault_text(fault))
                 : EX_OK;
}

static int change(const char *data, const struct change *c, const char *name, bool cram)
{
    struct sp_buf password, text;
    struct user_store *store = NULL;
    sp_buf_init(&password, &os_heap, CLI_SECRET_MAX);
    sp_buf_init(&text, &os_heap, TEXT_MAX);
    int code = strcmp(c->word, "add") == 0 ? check_name(name) : EX_OK;
    if (code == EX_OK && c->password)
        code = cli_read_new_password("user", name, &password);
    if (code == EX_OK && c->password)
        code = check_password(sp_buf_view(&password));
    if (code == EX_OK)
        store = user_store_open(data, &code);
    if (store) {
        struct ipc_message wish = wish_of(c, sp_view_of(name), sp_buf_view(&password), cram);
        enum ipc_user_result result = user_store_change(store, &wish, &text);
        code = report(c, name, result, sp_buf_view(&text));
        if (code == EX_OK && cram)
            warn_of_cram(name);
        user_store_close(store);
    }
    sp_buf_fini_secret(&password);
    sp_buf_fini(&text);
    return code;
}

/* --- the list ------------------------------------------------------------------------------ */

void user_time_text(uint64_t wall_ms, char text_out[USER_TIME_TEXT])
{
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, 31);
    sp_buf_add_rfc3339(&b, (int64_t)wall_ms, false);
    memcpy(text_out, b.p, b.len);
    text_out[b.len] = 0;
    sp_buf_fini(&b);
}

json_t *user_json(const struct ipc_user *u)
{
    char created[USER_TIME_TEXT], changed[USER_TIME_TEXT];
    user_time_text(u->created_ms, created);
    user_time_text(u->changed_ms, changed);
    return json_pack("{s:s%, s:b, s:s, s:s, s:b, s:b, s:i, s:i}", "name", (const char *)u->name.p,
                     u->name.len, "disabled", u->disabled != 0, "created", created, "password_changed",
                     changed, "imported", u->imported != 0, "cram_md5", u->cram_md5 != 0, "app_passwords",
                     (int)u->app_passwords, "may_send_patterns", (int)u->senders);
}

static void list_user(const struct ipc_user *u, json_t *array)
{
    char changed[USER_TIME_TEXT];
    user_time_text(u->changed_ms, changed);
    if (array)
        json_array_append_new(array, user_json(u));
    else
        printf("%-8s  %s  %.*s\n", u->disabled ? "disabled" : "enabled", changed, (int)u->name.len,
               (const char *)u->name.p);
}

/* Page by page; returns the first failure. */
static enum ipc_user_result list_all(struct user_store *store, json_t *array, struct sp_buf *text)
{
    struct sp_buf list;
    uint8_t after[SASL_USER_MAX];
    size_t after_len = 0, n = 0;
    enum ipc_user_result result;
    sp_buf_init(&list, &os_heap, LIST_MAX);
    do {
        result = user_store_page(store, sp_view_make(after, after_len), &list, text);
        struct sp_view rest = sp_buf_view(&list);
        struct ipc_user u;
        while (result == IPC_USER_OK && ipc_next_user(&rest, &u)) {
            if (n++ == 0 && !array)
                printf("%-8s  %-20s  %s\n", "STATE", "PASSWORD SET", "NAME");
            list_user(&u, array);
            after_len = u.name.len < sizeof after ? u.name.len : sizeof after;
            memcpy(after, u.name.p, after_len);
        }
    } while (result == IPC_USER_OK && list.len > 0);
    sp_buf_fini(&list);
    return result;
}

static int list(const char *data, bool json)
{
    struct sp_buf text;
    int code = EX_OK;
    struct user_store *store = user_store_open(data, &code);
    if (!store)
        return code;
    json_t *array = json ? json_array() : NULL;
    sp_buf_init(&text, &os_heap, TEXT_MAX);
    if (list_all(store, array, &text) != IPC_USER_OK)
        code = cli_fault("user", EX_TEMPFAIL, "the users cannot be listed: %.*s", (int)text.len,
                         (const char *)text.p);
    else if (json && json_dumpf(array, stdout, JSON_INDENT(2)) == 0) /* failures show at the end */
        putchar('\n');
    if (code == EX_OK)
        code = user_end_output();
    json_decref(array);
    sp_buf_fini(&text);
    user_store_close(store);
    return code;
}

/* --- the command ---------------------------------------------------------------------------- */

#define WORDS "add, passwd, app-password, revoke, may-send, disable, enable, remove, import, show or list"

static int run_change(const char *data, const struct change *c, const struct cli_operands *o, bool cram)
{
    if (o->n != 2)
        return o->n < 2 ? cli_usage_fault("user", "%s needs the NAME of a user", c->word)
                        : cli_usage_fault("user", "'%s' is not expected here", o->words[2]);
    return change(data, c, o->words[1], cram);
}

static int run_list(const char *data, const struct cli_operands *o, bool json)
{
    return o->n == 1 ? list(data, json) : cli_usage_fault("user", "'%s' is not expected here", o->words[1]);
}

int cmd_user(int argc, char **argv)
{
    struct cli_operands o;
    if (!cli_parse("user", argc, argv, options, &o))
        return EX_USAGE;
    const char *data = cli_value(options, "data") ? cli_value(options, "data") : "sallyport-data";
    bool json = cli_option(options, "json")->given, any = cli_option(options, "anybody")->given;
    bool cram = cli_option(options, "cram-md5")->given;
    if (o.n == 0)
        return cli_usage_fault("user", "say what to do: " WORDS);
    const char *word = o.words[0];
    if (json && strcmp(word, "list") != 0 && strcmp(word, "show") != 0)
        return cli_usage_fault("user", "--json is for list and show");
    if (any && strcmp(word, "may-send") != 0)
        return cli_usage_fault("user", "--anybody is for may-send");
    if (cram && strcmp(word, "add") != 0 && strcmp(word, "passwd") != 0)
        return cli_usage_fault("user", "--cram-md5 is for add and passwd");
    if (strcmp(word, "list") == 0)
        return run_list(data, &o, json);
    if (strcmp(word, "show") == 0)
        return user_show(data, &o, json);
    if (strcmp(word, "app-password") == 0)
        return user_app_password(data, &o);
    if (strcmp(word, "revoke") == 0)
        return user_revoke(data, &o);
    if (strcmp(word, "may-send") == 0)
        return user_may_send(data, &o, any);
    if (strcmp(word, "import") == 0)
        return user_import(data, &o);
    for (size_t i = 0; i < CHANGE_N; i++)
        if (strcmp(word, changes[i].word) == 0)
            return run_change(data, &changes[i], &o, cram);
    return cli_usage_fault("user", "'%s' is none of " WORDS, word);
}
