#include "base/view.h"
#include "cli/user/parts.h"
#include "cli/user/store.h"
#include "os/heap.h"

#include <stdio.h>
#include <sysexits.h>

enum { TEXT_MAX = 4096 };

static json_t *passwords_of(struct sp_view rest)
{
    json_t *array = json_array();
    struct ipc_app_password p;
    while (ipc_next_app_password(&rest, &p)) {
        char created[USER_TIME_TEXT], used[USER_TIME_TEXT];
        user_time_text(p.created_ms, created);
        user_time_text(p.used_ms, used);
        json_array_append_new(array,
                              json_pack("{s:s%, s:s, s:s?}", "label", (const char *)p.label.p, p.label.len,
                                        "created", created, "last_used", p.used_ms ? used : NULL));
    }
    return array;
}

static json_t *senders_of(struct sp_view rest)
{
    json_t *array = json_array();
    struct sp_view pattern;
    while (sp_view_word(&rest, '\n', &pattern))
        json_array_append_new(array, json_stringn((const char *)pattern.p, pattern.len));
    return array;
}

static int show_json(const struct ipc_user *u, const struct auth_kept_user *shown)
{
    json_t *object = user_json(u);
    json_object_del(object, "may_send_patterns");
    json_object_set_new(object, "app_passwords", passwords_of(sp_buf_view(&shown->app_passwords)));
    json_object_set_new(object, "may_send", senders_of(sp_buf_view(&shown->senders)));
    (void)json_dumpf(object, stdout, JSON_INDENT(2)); /* failures show at the end */
    putchar('\n');
    json_decref(object);
    return user_end_output();
}

static void show_passwords(struct sp_view rest)
{
    struct ipc_app_password p;
    while (ipc_next_app_password(&rest, &p)) {
        char created[USER_TIME_TEXT], used[USER_TIME_TEXT];
        user_time_text(p.created_ms, created);
        user_time_text(p.used_ms, used);
        printf("application password  %.*s, made %s, %s%s\n", (int)p.label.len, (const char *)p.label.p,
               created, p.used_ms ? "last used " : "never used", p.used_ms ? used : "");
    }
}

static int show_text(const struct ipc_user *u, const struct auth_kept_user *shown)
{
    char created[USER_TIME_TEXT], changed[USER_TIME_TEXT];
    struct sp_view rest = sp_buf_view(&shown->senders), pattern;
    user_time_text(u->created_ms, created);
    user_time_text(u->changed_ms, changed);
    printf("name                  %.*s\n", (int)u->name.len, (const char *)u->name.p);
    printf("state                 %s\n", u->disabled ? "disabled" : "enabled");
    printf("created               %s\n", created);
    printf("password              set %s%s\n", changed,
           u->imported ? ", imported: a crypt(3) hash until the next login with PLAIN or LOGIN" : "");
    if (u->cram_md5)
        printf("CRAM-MD5              possible: a secret that can be used as it is is kept\n");
    show_passwords(sp_buf_view(&shown->app_passwords));
    if (rest.len == 0)
        printf("may send as           anybody\n");
    while (sp_view_word(&rest, '\n', &pattern))
        printf("may send as           %.*s\n", (int)pattern.len, (const char *)pattern.p);
    return user_end_output();
}

static int show(const char *name, enum ipc_user_result result, const struct auth_kept_user *shown,
                const struct sp_buf *text, bool json)
{
    struct sp_view rest = sp_buf_view(&shown->users);
    struct ipc_user u;
    if (result == IPC_USER_ABSENT)
        return cli_fault("user", EX_NOUSER, "there is no user %s; 'sallyport user list' shows all", name);
    if (result != IPC_USER_OK || !ipc_next_user(&rest, &u))
        return cli_fault("user", EX_TEMPFAIL, "%s cannot be shown: %.*s", name, (int)text->len,
                         (const char *)text->p);
    return json ? show_json(&u, shown) : show_text(&u, shown);
}

int user_show(const char *data, const struct cli_operands *o, bool json)
{
    struct sp_buf text;
    struct auth_kept_user shown;
    int code = EX_OK;
    if (o->n != 2)
        return o->n < 2 ? cli_usage_fault("user", "show needs the NAME of a user")
                        : cli_usage_fault("user", "'%s' is not expected here", o->words[2]);
    struct user_store *store = user_store_open(data, &code);
    if (!store)
        return code;
    sp_buf_init(&text, &os_heap, TEXT_MAX);
    auth_kept_user_init(&shown);
    enum ipc_user_result result = user_store_show(store, sp_view_of(o->words[1]), &shown, &text);
    code = show(o->words[1], result, &shown, &text, json);
    auth_kept_user_fini(&shown);
    sp_buf_fini(&text);
    user_store_close(store);
    return code;
}
