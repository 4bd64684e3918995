/* Conversations, and what is said in them. */
#include "diagnose/reader.h"

#include <string.h>

#include "base/table.h"
#include "base/view.h"
#include "diagnose/mask.h"

static struct session *slot(struct diagnose *d)
{
    struct session *oldest = &d->sessions[0];
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (!d->sessions[i].used)
            return &d->sessions[i];
        if (d->sessions[i].touched < oldest->touched)
            oldest = &d->sessions[i];
    }
    diagnose_session_end(oldest, &d->gathered);
    return oldest;
}

struct session *diagnose_reader_begin(struct diagnose *d, uint64_t key)
{
    struct session *s = slot(d);
    diagnose_session_begin(s, key, d->lines);
    d->now = s;
    return s;
}

struct session *diagnose_reader_find(struct diagnose *d, struct sp_view key)
{
    uint64_t hash = key.len > 0 ? sp_hash(key, 0) | 1 : 0;
    if (hash == 0 && d->now && d->now->used)
        return d->now;
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (d->sessions[i].used && d->sessions[i].key == hash) {
            d->now = &d->sessions[i];
            return d->now;
        }
    return diagnose_reader_begin(d, hash);
}

struct session *diagnose_reader_begin_anew(struct diagnose *d, struct session *s)
{
    uint64_t key = s->key;
    diagnose_session_end(s, &d->gathered);
    return diagnose_reader_begin(d, key);
}

/* --- what is said --------------------------------------------------------------------------- */

/* secret: what of the client's text is one. */
static void learn_response(struct diagnose *d, const struct session *s, struct sp_view text,
                           struct sp_view secret)
{
    struct sp_view rest, mechanism = sp_view_of(s->auth.mechanism);
    bool command = secret.p > text.p; /* it stands behind AUTH and the mechanism */
    if (command) {
        rest = sp_view_trim(sp_view_from(text, strlen("AUTH")));
        if (!sp_view_word(&rest, ' ', &mechanism))
            return;
    }
    bool asked = !command && s->auth.last == CHALLENGE_PASSWORD;
    diagnose_secrets_learn_response(&d->secrets, mechanism, asked, secret);
}

void diagnose_reader_say(struct diagnose *d, struct sp_view line, const struct diagnose_line *l)
{
    struct place place;
    struct session *s = diagnose_reader_find(d, l->key);
    bool client = l->kind == DIAGNOSE_LINE_CLIENT;
    bool answers = diagnose_session_waits_for_answer(s);
    struct sp_view secret = {NULL, 0};
    if (client && !s->in_data && !d->trace)
        secret = diagnose_mask_secret_of(l->text, answers);
    if (secret.len > 0)
        learn_response(d, s, l->text, secret);
    if (!client && diagnose_session_is_over_before(s, l->text))
        s = diagnose_reader_begin_anew(d, s);
    s->touched = d->lines;
    struct diagnose_reply_line reply;
    bool done = !client && diagnose_reply_read(l->text, &reply) && reply.code / 100 == 2 &&
                reply.code != 221; /* never quoted */
    if (done)
        place.line = d->lines, place.quote[0] = '\0';
    else if (client && s->in_data && l->text.len != 1 && sp_view_find(l->text, '\n', 0) == l->text.len)
        place.line = d->lines, place.quote[0] = '\0'; /* content is not quoted */
    else
        diagnose_mask_quote(line, secret, d->lines, &place);
    if (client)
        diagnose_session_client(s, l->text, l->marked, &place);
    else
        diagnose_session_server(s, &d->gathered, l->text, &place);
}
