/*
 * Any octets as the local part of a recipient: an address that stands for a sender, or nothing. And, up to
 * the first line feed, as a sender's local part, the rest its domain: what is made of it must be read as the
 * same again.
 */
#include <stdlib.h>

#include "base/view.h"
#include "message/srs.h"
#include "os/heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TODAY = 20000, ROOM = 2048 };

/* Not HMAC: one that the fuzzer may learn to satisfy, so that it gets behind the check of the hash. */
static void digest(void *ctx, size_t secret, struct sp_view octets, uint8_t digest_out[MESSAGE_SRS_DIGEST])
{
    (void)ctx;
    memset(digest_out, (int)secret, MESSAGE_SRS_DIGEST);
    for (size_t i = 0; i < octets.len; i++)
        digest_out[i % MESSAGE_SRS_DIGEST] ^= octets.p[i];
}

static const struct message_srs srs = {.domain = SP_LIT_INIT("we.example"),
                                       .hash_len = MESSAGE_SRS_HASH_LEAST,
                                       .max_age_days = 21,
                                       .secret_n = 2,
                                       .digest = digest};

static void read_it(struct sp_view local)
{
    struct sp_buf out;
    sp_buf_init(&out, &os_heap, ROOM);
    int status = message_srs_decode(&srs, local, TODAY, &out);
    if (sp_buf_status(&out) != SP_OK || (status == SP_OK) != (out.len > 0) ||
        (status != SP_OK && status != SP_ERR_ABSENT && status != SP_ERR_SYNTAX && status != SP_ERR_RANGE))
        abort();
    sp_buf_fini(&out);
}

/* What it stands for, made into an address once more, is that address. */
static void there_and_back(struct sp_view local, struct sp_view domain)
{
    struct sp_buf there, back, again;
    sp_buf_init(&there, &os_heap, ROOM);
    sp_buf_init(&back, &os_heap, ROOM);
    sp_buf_init(&again, &os_heap, ROOM);
    if (message_srs_encode(&srs, local, domain, TODAY, &there) == SP_OK) {
        size_t name = there.len - srs.domain.len - 1;
        struct sp_view made = sp_view_make(there.p, name);
        if (name > MESSAGE_SRS_LOCAL_MAX)
            abort();
        if (domain.len > 0 && local.len > 0 && sp_view_find(domain, '@', 0) == domain.len) {
            int status = message_srs_decode(&srs, made, TODAY, &back);
            size_t at = back.len;
            while (at > 0 && back.p[at - 1] != '@')
                at--;
            if (status == SP_OK && at > 0 &&
                (message_srs_encode(&srs, sp_view_make(back.p, at - 1),
                                    sp_view_make(back.p + at, back.len - at), TODAY, &again) != SP_OK ||
                 !sp_view_eq_nocase(sp_buf_view(&again), sp_buf_view(&there))))
                abort();
        }
    } else if (there.len > 0) {
        abort();
    }
    sp_buf_fini(&there);
    sp_buf_fini(&back);
    sp_buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_view in = sp_view_make(data, size);
    size_t line = sp_view_find(in, '\n', 0);
    read_it(in);
    there_and_back(sp_view_sub(in, 0, line), sp_view_from(in, line < in.len ? line + 1 : line));
    return 0;
}
