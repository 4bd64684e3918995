/* Any octets as a message's header: whose From and Sender say it is, the same in whatever pieces it comes. */
#include <stdlib.h>

#include "base/view.h"
#include "message/author.h"
#include "os/heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool may(void *ctx, struct sp_view local, struct sp_view domain)
{
    size_t *seen = ctx;
    if (local.len == 0 || domain.len == 0 || local.len > MESSAGE_AUTHOR_ADDRESS_MAX ||
        domain.len > MESSAGE_AUTHOR_ADDRESS_MAX)
        abort();
    (*seen)++;
    return sp_view_eq_nocase(domain, SP_LIT("example.org"));
}

static enum message_author_verdict read_in_pieces(struct sp_view in, size_t piece, size_t *seen_out)
{
    struct message_author a;
    *seen_out = 0;
    message_author_init(&a, &os_heap, may, seen_out);
    while (in.len > 0) {
        message_author_feed(&a, sp_view_sub(in, 0, piece));
        in = sp_view_from(in, piece);
    }
    enum message_author_verdict v = message_author_end(&a);
    if ((v == MESSAGE_AUTHOR_REFUSED) > (a.refused.len > 0) || a.field.cap > MESSAGE_AUTHOR_FIELD_MAX)
        abort();
    message_author_fini(&a);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_view in = sp_view_make(data, size);
    size_t seen, again;
    enum message_author_verdict v = read_in_pieces(in, size + 1, &seen);
    for (size_t piece = 1; piece < 4; piece++)
        if (read_in_pieces(in, piece, &again) != v || again != seen)
            abort();
    return 0;
}
