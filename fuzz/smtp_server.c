/*
 * The server engine against any client. The input is a listener (one octet), a size of pieces
 * (one octet) and what the client writes, in groups that an octet 0xff ends; the client reads
 * all replies before its next group. Each reply is looked up in the law book, and the same
 * octets in smaller pieces must get the same answers and leave the same message.
 */
#include "base/view.h"
#include "book.h"
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin(struct host *h, uint8_t listener)
{
    struct sp_server_options o = host_options();
    o.starttls = listener & 1;
    o.tls_required = listener & 2;
    o.auth_required = listener & 4;
    if (listener & 8)
        o.mechanisms_plain = (struct sp_view){0};
    if (listener & 16)
        o.max_message_octets = 64;
    o.extensions |= SP_EXT_FUTURERELEASE | SP_EXT_ETRN | SP_EXT_XCLIENT | SP_EXT_XFORWARD;
    o.max_errors = listener & 32 ? 3 : 1000;
    o.max_idle_commands = listener & 64 ? 3 : 1000;
    host_init(h, &o);
    host_open(h, listener & 128);
}

static void feed_groups(struct host *h, struct sp_view in)
{
    for (size_t at = 0; at < in.len;) {
        size_t end = sp_view_find(in, 0xff, at);
        host_feed(h, sp_view_sub(in, at, end - at));
        at = end + 1;
    }
}

static void die(const char *what, const struct host *h)
{
    fprintf(stderr, "%s: %s: %s\n", what, h->fault_input, h->fault_reply);
    abort();
}

static void check_alone(const struct host *h)
{
    if (h->fault)
        die(h->fault, h);
    if (h->status != SP_OK)
        die("a call failed", h);
    if (h->closed == (strcmp(sp_server_phase(h->s), "CLOSED") != 0))
        die("CLOSED was not told, or too early", h);
}

/* What is refused because of what has arrived with it: octets sent ahead, a PROXY header of version 2. */
static bool depends_on_cut(struct sp_view out)
{
    static const char *const marks[] = {"[sent-ahead]", "[proxy-header]"};
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
        if (out.len > 0 && memmem(out.p, out.len, marks[i], strlen(marks[i])))
            return true;
    return false;
}

/* Such octets are refused, or it is as if the rest came later. */
static void compare(const struct host *whole, const struct host *pieces)
{
    struct sp_view a = sp_buf_view(&whole->out), b = sp_buf_view(&pieces->out);
    if (depends_on_cut(a)) {
        size_t last = a.len - 2;
        while (last > 0 && a.p[last - 1] != '\n')
            last--;
        if (!sp_view_starts(b, sp_view_sub(a, 0, last)))
            die("what came before a refusal differs with the cut", pieces);
        return;
    }
    if (!sp_view_eq(a, b) || whole->stored != pieces->stored || whole->dropped != pieces->dropped)
        die("the answers or what was stored differ with the cut", pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host whole, pieces;
    if (size < 2)
        return 0;
    struct sp_view in = {data + 2, size - 2};
    begin(&whole, data[0]);
    begin(&pieces, data[0]);
    pieces.cut = 1 + data[1] % 32;
    feed_groups(&whole, in);
    feed_groups(&pieces, in);
    check_alone(&whole);
    check_alone(&pieces);
    compare(&whole, &pieces);
    host_fini(&whole);
    host_fini(&pieces);
    if (whole.fault || pieces.fault)
        die("memory", whole.fault ? &whole : &pieces);
    return 0;
}
