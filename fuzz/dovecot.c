/* Any octets as lines of Dovecot's auth socket. */
#include <stdlib.h>

#include "base/view.h"
#include "users/dovecot_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct sp_view part, struct sp_view whole)
{
    return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_view rest = sp_view_make(data, size);
    while (rest.len > 0) {
        struct sp_view line = sp_view_sub(rest, 0, sp_view_find(rest, '\n', 0));
        struct users_dovecot_line l = users_dovecot_parse(line);
        if (l.word > USERS_DOVECOT_CONT || !is_inside(l.value, line) ||
            sp_view_find(l.value, '\t', 0) < l.value.len)
            abort();
        if (l.usable && (l.word != USERS_DOVECOT_MECH || l.value.len == 0 || l.value.len > 20 ||
                         sp_view_find(l.value, ' ', 0) < l.value.len))
            abort();
        if (l.word == USERS_DOVECOT_OK && l.answer != USERS_RIGHT)
            abort();
        if (l.word == USERS_DOVECOT_FAIL && l.answer == USERS_RIGHT)
            abort();
        rest = sp_view_from(rest, line.len + 1);
    }
    return 0;
}
