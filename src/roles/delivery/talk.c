/*
 * What is said over a link, kept for `sallyport queue why`: commands and replies, without secrets and without
 * content. Of much only the first lines and the last ones are kept: the beginning shows with whom, the end
 * why.
 */
#include "base/view.h"
#include "os/heap.h"
#include "roles/delivery/delivery.h"

#include <stdio.h>

enum { PART_MAX = 3000, HEAD_MAX = 1000, LINE_MAX = 300 };

static void part_init(struct delivery_talk_part *part)
{
    *part = (struct delivery_talk_part){0};
    sp_buf_init(&part->lines, &os_heap, PART_MAX + 2 * LINE_MAX);
}

void delivery_talk_init(struct delivery_talk *t)
{
    part_init(&t->opening);
    part_init(&t->mail);
}

void delivery_talk_fini(struct delivery_talk *t)
{
    sp_buf_fini(&t->opening.lines);
    sp_buf_fini(&t->mail.lines);
}

/* --- lines ---------------------------------------------------------------------------------------- */

static void add_clean(struct sp_buf *b, struct sp_view text, size_t most)
{
    for (size_t i = 0; i < text.len && i < most; i++)
        (void)sp_buf_add_u8(b, text.p[i] >= ' ' && text.p[i] != 0x7f ? text.p[i] : '?'); /* there is room */
    if (text.len > most)
        (void)sp_buf_add_str(b, "..."); /* the same */
}

/* Leave out lines behind the first ones until the rest fits. */
static void shorten(struct delivery_talk_part *part)
{
    struct sp_buf *b = &part->lines;
    size_t to = part->head;
    while (b->len - (to - part->head) > PART_MAX) {
        to = sp_view_find(sp_buf_view(b), '\n', to) + 1;
        part->left_out++;
    }
    memmove(b->p + part->head, b->p + to, b->len - to);
    b->len -= to - part->head;
}

static void add(struct delivery_link *l, const char *who, struct sp_view text, struct sp_view more)
{
    struct delivery_talk_part *part = l->was_ready ? &l->talk.mail : &l->talk.opening;
    size_t first = text.len < LINE_MAX ? text.len : LINE_MAX;
    (void)sp_buf_add_str(&part->lines, who); /* there is always room for one more line */
    add_clean(&part->lines, text, LINE_MAX - 3);
    add_clean(&part->lines, more, LINE_MAX - first);
    (void)sp_buf_add_u8(&part->lines, '\n');
    if (part->lines.len <= HEAD_MAX)
        part->head = part->lines.len;
    if (part->lines.len > PART_MAX)
        shorten(part);
}

void delivery_talk_say(struct delivery_link *l, const char *text, struct sp_view more)
{
    add(l, "-- ", sp_view_of(text), more);
}

static void add_sent(struct delivery_link *l, const struct client_note *n)
{
    char secret[64] = "";
    if (n->event->as.sent.secret)
        (void)snprintf(secret, sizeof secret, "<%s>", n->secret_name ? n->secret_name : "secret");
    add(l, "C: ", n->event->as.sent.line, sp_view_of(secret));
}

static void add_reply(struct delivery_link *l, const struct sp_client_reply *reply)
{
    struct sp_view rest = reply->lines, line;
    /* What a server says between an AUTH and its end may tell of the secret. */
    while (sp_client_reply_line(&rest, &line))
        add(l, "S: ", sp_view_starts_nocase(line, SP_LIT("334")) ? SP_LIT("334 <challenge>") : line,
            (struct sp_view){0});
}

void delivery_talk_note(struct delivery_link *l, const struct client_note *n)
{
    switch (n->type) {
    case CLIENT_NOTE_DIAL:
        delivery_talk_say(l, "dialling ", sp_view_of(n->text));
        break;
    case CLIENT_NOTE_UP:
        delivery_talk_say(l, "connected to ", sp_view_of(n->text));
        break;
    case CLIENT_NOTE_DOWN:
    case CLIENT_NOTE_AUTH:
        delivery_talk_say(l, n->text, (struct sp_view){0});
        break;
    case CLIENT_NOTE_TLS:
        delivery_talk_say(l, n->tls->version,
                          n->tls->peer_verified ? SP_LIT(", certificate verified")
                                                : SP_LIT(", certificate not verified"));
        break;
    case CLIENT_NOTE_SENT:
        add_sent(l, n);
        break;
    case CLIENT_NOTE_REPLY:
        add_reply(l, &n->event->as.reply.reply);
        break;
    }
}

void delivery_talk_begin(struct delivery_link *l)
{
    char text[80];
    struct delivery_talk_part *part = &l->talk.mail;
    sp_buf_clear(&part->lines);
    part->head = part->left_out = 0;
    if (l->mail_n == 0)
        return;
    (void)snprintf(text, sizeof text, "%llu mail%s before this one over the same connection",
                   (unsigned long long)l->mail_n, l->mail_n == 1 ? "" : "s");
    delivery_talk_say(l, text, (struct sp_view){0});
}

/* --- told ------------------------------------------------------------------------------------------- */

static void tell_part(const struct delivery_talk_part *part, struct sp_buf *to)
{
    struct sp_view all = sp_buf_view(&part->lines);
    (void)sp_buf_add(to, sp_view_sub(all, 0, part->head)); /* what does not fit is left out */
    if (part->left_out > 0) {
        (void)sp_buf_add_str(to, "-- ");
        (void)sp_buf_add_dec(to, part->left_out);
        (void)sp_buf_add_str(to, " lines are left out here\n");
    }
    (void)sp_buf_add(to, sp_view_from(all, part->head));
}

void delivery_talk_tell(const struct delivery_link *l, struct delivery_attempt *a)
{
    struct sp_buf said;
    sp_buf_init(&said, &os_heap, DELIVERY_TALK_MAX);
    tell_part(&l->talk.opening, &said);
    tell_part(&l->talk.mail, &said);
    if (a->talk.len + said.len > DELIVERY_TALK_MAX) /* the last host's counts */
        sp_buf_clear(&a->talk);
    (void)sp_buf_add(&a->talk, sp_buf_view(&said)); /* it fits */
    sp_buf_fini(&said);
}
