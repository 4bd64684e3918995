#include "message/id.h"

#include "base/view.h"

/* Crockford's base32 in lower case: no i, l, o, u, so that ids survive being read aloud. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static const int64_t EPOCH_MS = 1577836800000; /* 2020-01-01 */

uint64_t message_id_next(struct message_id_maker *m, int64_t wall_ms)
{
    uint64_t ms = wall_ms > EPOCH_MS ? (uint64_t)(wall_ms - EPOCH_MS) : 0;
    if (ms > m->last_ms) {
        m->last_ms = ms;
        m->counter = 0;
    } else if (++m->counter > 0xffff) {
        m->last_ms++;
        m->counter = 0;
    }
    return (m->last_ms & 0x1ffffffffffu) << 22 | (uint64_t)(m->process & 63) << 16 | m->counter;
}

int64_t message_id_wall_ms(uint64_t id) { return EPOCH_MS + (int64_t)(id >> 22); }

void message_id_text(uint64_t id, char text_out[MESSAGE_ID_TEXT + 1])
{
    for (size_t i = MESSAGE_ID_TEXT; i-- > 0; id >>= 5)
        text_out[i] = digits[id & 31];
    text_out[MESSAGE_ID_TEXT] = '\0';
}

int message_id_parse(struct sp_view text, uint64_t *id_out)
{
    if (text.len != MESSAGE_ID_TEXT)
        return SP_ERR_SYNTAX;
    uint64_t id = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *hit = memchr(digits, sp_ascii_lower(text.p[i]), 32);
        if (!hit || (i == 0 && hit - digits > 7))
            return SP_ERR_SYNTAX;
        id = id << 5 | (uint64_t)(hit - digits);
    }
    *id_out = id;
    return SP_OK;
}
