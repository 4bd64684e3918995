/* The route kind maildir: each recipient's copy, one after the other. */
#include "base/view.h"
#include "os/heap.h"
#include "roles/delivery/delivery.h"
#include "roles/delivery/maildir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_LIMIT = 4000, NAME_LIMIT = 256 };

/* SECONDS.ID_RECIPIENT.HOST: sorts by time, is the same in each attempt. */
static void name_file(const struct delivery_attempt *a, const struct delivery_target *t, const char *hostname,
                      char name_out[NAME_LIMIT])
{
    snprintf(name_out, NAME_LIMIT, "%lld.%s_%llu.%.128s", (long long)(message_id_wall_ms(a->id) / 1000),
             a->id_text, (unsigned long long)t->recipient, hostname);
    for (char *c = name_out; *c; c++)
        if (*c == '/' || *c == ':')
            *c = '-';
}

static void settle(struct delivery_attempt *a, size_t target, enum ipc_outcome_kind kind,
                   const char *enhanced, struct sp_view text)
{
    const struct delivery_outcome o = {
        .kind = kind, .enhanced = sp_view_of(enhanced), .reply = text, .remote = "maildir"};
    delivery_attempt_settle(a, target, &o);
}

static void deliver(struct delivery_route *r, struct delivery_attempt *a, size_t target, const char *path)
{
    const struct delivery_target *t = &a->targets[target];
    char name[NAME_LIMIT];
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, PATH_LIMIT + 500);
    name_file(a, t, r->delivery->role->config->hostname, name);
    const struct maildir_mail mail = {
        .path = path,
        .name = name,
        .sender = a->sender,
        .content = a->content,
        .fd = a->fd,
        .size = a->size,
        .again = message_id_wall_ms(a->id) <= r->delivery->paired_ms,
    };
    switch (maildir_store(&mail, &error)) {
    case SP_OK:
        settle(a, target, IPC_OUTCOME_DELIVERED, "2.0.0", SP_LIT("stored"));
        break;
    case SP_ERR_EXISTS:
        settle(a, target, IPC_OUTCOME_DELIVERED, "2.0.0", SP_LIT("stored before"));
        break;
    default:
        settle(a, target, IPC_OUTCOME_DEFERRED, errno == ENOSPC || errno == EDQUOT ? "4.2.2" : "4.3.0",
               sp_buf_view(&error));
    }
    sp_buf_fini(&error);
}

void delivery_maildir(struct delivery_route *r, struct delivery_attempt *a)
{
    struct sp_buf path;
    sp_buf_init(&path, &os_heap, PATH_LIMIT);
    for (size_t i = 0; i < a->target_n; i++) {
        if (a->targets[i].settled)
            continue;
        if (maildir_path(r->path, a->targets[i].address, &path))
            settle(
                a, i, IPC_OUTCOME_FAILED, "5.1.3",
                SP_LIT(
                    "no mailbox can have this local part: no / or \\, no dot in front, 64 octets at most"));
        else
            deliver(r, a, i, (const char *)path.p);
    }
    sp_buf_fini(&path);
}
