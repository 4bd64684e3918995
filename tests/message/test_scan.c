/* The header scan: whatever the cuts, the same count. */
#include "tap.h"

#include "base/view.h"
#include "message/scan.h"

struct sample {
    const char *text;
    uint32_t received_n;
    bool in_header;
};

static const struct sample samples[] = {
    {"", 0, true},
    {"Received: a\r\n", 1, true},
    {"Received: a\r\nReceived: b\r\n\tReceived: folded\r\nSubject: x\r\n\r\nReceived: body\r\n", 2, false},
    {"RECEIVED: a\r\nreceived : b\r\nReceived\t:c\r\n\r\n", 3, false},
    {"Received-SPF: pass\r\nX-Received: a\r\nReceive: d\r\nReceived\r\n\r\n", 0, false},
    {"\r\nReceived: body\r\n", 0, false},
    {"Subject: x\r\n\r\nReceived: body\r\n", 0, false},
    {"S\r\nReceived: b\r\n", 1, true},
    {"Received: a", 1, true},
    {"Subject: a\rb\nReceived: not at a line's start\r\n\r\n", 0, false},
};

static void expect(const struct sample *sample, size_t cut)
{
    struct message_scan s;
    struct sp_view rest = sp_view_of(sample->text);
    message_scan_init(&s);
    while (rest.len > 0) {
        message_scan_feed(&s, sp_view_sub(rest, 0, cut));
        rest = sp_view_from(rest, cut);
    }
    assert_int_equal(s.received_n, sample->received_n);
    assert_int_equal(s.in_header, sample->in_header);
}

static void counts_received_fields_of_the_header_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        expect(&samples[i], 4096);
}

static void is_the_same_at_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        for (size_t cut = 1; cut <= strlen(samples[i].text); cut++)
            expect(&samples[i], cut);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(counts_received_fields_of_the_header_only),
    cmocka_unit_test(is_the_same_at_every_cut),
};

TAP_MAIN(tests)
