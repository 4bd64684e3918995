#include "roles/supervisor/reload.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/supervisor/children.h"
#include "roles/supervisor/give.h"
#include "roles/supervisor/limits.h"

#include <sysexits.h>

static void log_refusal(const struct sp_buf *error)
{
    struct sp_view rest = sp_buf_view(error), line;
    while (sp_view_word(&rest, '\n', &line))
        os_log(OS_WARN, "reload-refused", OS_VIEW("why", line));
    os_log(OS_WARN, "reload-refused", OS_STR("effect", "the configuration from before stays in use"));
}

static void log_failed_start(const struct sp_buf *error)
{
    struct sp_view rest = sp_buf_view(error), line;
    while (sp_view_word(&rest, '\n', &line))
        os_log(OS_WARN, "role-not-started", OS_VIEW("why", line));
}

/* What cannot change while processes and folders are as they are. */
static void log_unchanged(const struct supervisor *sv, const struct config *next)
{
    const struct config *now = sv->generation->config;
    const struct {
        const char *key;
        bool changed;
    } fixed[] = {
        {"smtpd-processes", next->smtpd_n != sv->child_n[IPC_SMTPD]},
        {"auth-processes", next->auth_n != sv->child_n[IPC_AUTH]},
        {"delivery-processes", next->delivery_n != sv->child_n[IPC_DELIVERY]},
        {"data", !sv->options->data && strcmp(next->data, sv->data) != 0},
        {"maildrop", next->maildrop != now->maildrop},
        {"user", sv->user.change && !sp_view_eq(sp_view_of(next->user), sp_view_of(now->user))},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (fixed[i].changed)
            os_log(OS_WARN, "reload-partial", OS_STR("key", fixed[i].key),
                   OS_STR("effect", "takes effect at the next start"));
}

static int load_next(struct supervisor *sv, struct sp_buf *error, struct generation **next_out,
                     struct listeners *listeners_out)
{
    struct generation *next = NULL;
    int code = generation_read(sv->options, sv->generation->number + 1, error, &next);
    if (code == EX_OK)
        code = generation_read_secrets(next, sv->folder, error);
    if (code == EX_OK)
        code = listeners_bind(next->config, &sv->listeners, error, listeners_out);
    if (code == EX_OK && ((code = listeners_listen(listeners_out, false, error)) != EX_OK ||
                          (code = listeners_listen(listeners_out, true, error)) != EX_OK))
        listeners_abandon(listeners_out);
    if (code == EX_OK)
        *next_out = next;
    else
        generation_free(next);
    return code;
}

void reload_begin(struct supervisor *sv)
{
    struct generation *next;
    struct listeners listeners;
    struct sp_buf error;
    sv->reload_asked = false;
    sp_buf_init(&error, &os_heap, ERROR_MAX);
    if (load_next(sv, &error, &next, &listeners) != EX_OK) {
        log_refusal(&error);
    } else {
        log_unchanged(sv, next->config);
        listeners_replace(&sv->listeners, &listeners);
        generation_free(sv->generation);
        sv->generation = next;
        limits_raise(next->config);
        EACH_CHILD(sv, c)
        {
            give_generation(sv, c);
            give_start(sv, c); /* smtpd gets its listeners once it is ready */
        }
        sv->reloading = true;
        if (children_start(sv, &error) != EX_OK)
            log_failed_start(&error);
    }
    sp_buf_fini(&error);
}

void reload_note_ready(struct supervisor *sv)
{
    if (!sv->reloading || !children_ready(sv))
        return;
    sv->reloading = false;
    os_log(OS_INFO, "reloaded", OS_STR("configuration", sv->generation->path),
           OS_NUM("generation", sv->generation->number));
}
