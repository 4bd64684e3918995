/* The flight recorder: the same lines however the octets come, bounded memory, no secret. */
#include "tap.h"

#include "base/view.h"
#include "os/heap.h"
#include "roles/smtpd/recorder.h"

#include <stdio.h>
#include <stdlib.h>

static char *lines_of(const struct recorder *r)
{
    struct sp_buf out;
    sp_buf_init(&out, &os_heap, RECORDER_HEAD_OCTETS + RECORDER_TAIL_OCTETS + 256);
    recorder_lines(r, &out);
    assert_int_equal(sp_buf_status(&out), SP_OK);
    char *text = os_text(sp_buf_view(&out));
    sp_buf_fini(&out);
    return text;
}

static void client(struct recorder *r, const char *text, enum sp_server_reads reads)
{
    recorder_client(r, sp_view_of(text), reads, 1000);
}

static void server(struct recorder *r, const char *text) { recorder_server(r, sp_view_of(text), 2345); }

static void a_conversation(void **state)
{
    (void)state;
    struct recorder *r = recorder_new(1000);
    server(r, "220 mx.example.org ESMTP\r\n");
    client(r, "EHLO client.example\r\n", SP_SERVER_READS_COMMANDS);
    server(r, "250-mx.example.org\r\n250 HELP\r\n");
    client(r, "DATA\r\n", SP_SERVER_READS_COMMANDS);
    server(r, "354 Go on\r\n");
    client(r, "Subject: x\r\n", SP_SERVER_READS_MESSAGE);
    client(r, "\r\n.\r\n", SP_SERVER_READS_MESSAGE);
    server(r, "452-4.3.1 No\r\n452 4.3.1 room\r\n");
    recorder_event(r, "closed", "Connection reset by peer", 62000);
    char *text = lines_of(r);
    assert_string_equal(text, "     1.345 S: 220 mx.example.org ESMTP\n"
                              "     0.000 C: EHLO client.example\n"
                              "     1.345 S: 250-mx.example.org\n"
                              "     1.345 S: 250 HELP\n"
                              "     0.000 C: DATA\n"
                              "     1.345 S: 354 Go on\n"
                              "     1.345 --: message, 17 octets\n"
                              "     1.345 S: 452-4.3.1 No\n"
                              "     1.345 S: 452 4.3.1 room\n"
                              "    61.000 --: closed: Connection reset by peer\n");
    struct recorder_sum sum = recorder_sum(r);
    assert_int_equal(sum.refusals, 1);
    assert_true(sp_view_eq(sum.refusal, SP_LIT("452-4.3.1 No")));
    free(text);
    recorder_free(r);
}

static const char commands[] =
    "EHLO a\r\nAUTH PLAIN AGFubmEAc2VjcmV0LXdvcmQ=\r\nsecret-word\r\nc2VjcmV0LXdvcmQ=\r\n"
    "NOOP x\\y\r\n";

static void every_cut_is_the_same(void **state)
{
    (void)state;
    struct recorder *whole = recorder_new(1000);
    client(whole, commands, SP_SERVER_READS_COMMANDS);
    char *expected = lines_of(whole);
    recorder_free(whole);
    assert_non_null(strstr(expected, "AUTH PLAIN <response: 24 characters, base64, 17 octets>"));
    assert_non_null(strstr(expected, "<11 octets, no command>"));
    assert_non_null(strstr(expected, "NOOP x\\\\y"));
    assert_null(strstr(expected, "secret"));
    assert_null(strstr(expected, "c2Vj"));
    for (size_t size = 1; size < sizeof commands; size++) {
        struct recorder *r = recorder_new(1000);
        for (struct sp_view rest = sp_view_of(commands); rest.len > 0; rest = sp_view_from(rest, size))
            recorder_client(r, sp_view_sub(rest, 0, size), SP_SERVER_READS_COMMANDS, 1000);
        char *text = lines_of(r);
        assert_string_equal(text, expected);
        free(text);
        recorder_free(r);
    }
    free(expected);
}

/* Only the first line is the answer; what came with it is read as commands. */
static void an_answer(void **state)
{
    (void)state;
    struct recorder *r = recorder_new(1000);
    client(r, "AUTH LOGIN\r\n", SP_SERVER_READS_COMMANDS);
    server(r, "334 VXNlcm5hbWU6\r\n");
    assert_true(recorder_sum(r).challenged);
    client(r, "YW5", SP_SERVER_READS_ANSWER);
    client(r, "uYQ==\r\nQUIT\r\n", SP_SERVER_READS_ANSWER);
    server(r, "334 cj1hYmMscz1zYWx0LGk9NDA5Ng==\r\n334 dj1zaWduYXR1cmU=\r\n334 \r\n535 5.7.8 No\r\n");
    assert_false(recorder_sum(r).challenged);
    char *text = lines_of(r);
    assert_non_null(strstr(text, "C: <response: 8 characters, base64, 4 octets>\n"));
    assert_non_null(strstr(text, "C: QUIT\n"));
    assert_non_null(strstr(text, "S: 334 VXNlcm5hbWU6\n"));
    assert_non_null(strstr(text, "S: 334 <scram-server-first, i=4096, 19 octets>\n"));
    assert_non_null(strstr(text, "S: 334 <scram-server-final, 11 octets>\n"));
    assert_null(strstr(text, "salt"));
    free(text);
    recorder_free(r);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct recorder *r = recorder_new(1000);
    char line[2000];
    for (int n = 0; n < 5000; n++) {
        (void)snprintf(line, sizeof line, "NOOP %d %0*d\r\n", n, n % 700 + 1, 0);
        client(r, line, SP_SERVER_READS_COMMANDS);
    }
    char *text = lines_of(r);
    assert_true(strlen(text) <= RECORDER_HEAD_OCTETS + RECORDER_TAIL_OCTETS + 100);
    assert_non_null(strstr(text, "C: NOOP 0 0\n"));
    assert_non_null(strstr(text, "C: NOOP 4999 "));
    assert_non_null(strstr(text, " lines are left out here\n"));
    free(text);
    recorder_free(r);
}

/* A line that never ends is counted, not kept. */
static void a_line_without_end(void **state)
{
    (void)state;
    struct recorder *r = recorder_new(1000);
    for (int n = 0; n < 100000; n++)
        client(r, "secret-word", SP_SERVER_READS_COMMANDS);
    recorder_event(r, "closed by the client", NULL, 1000);
    char *text = lines_of(r);
    assert_string_equal(text, "     0.000 --: a line without its end, 1100000 octets\n"
                              "     0.000 --: closed by the client\n");
    free(text);
    recorder_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_conversation),
                                       cmocka_unit_test(every_cut_is_the_same), cmocka_unit_test(an_answer),
                                       cmocka_unit_test(memory_is_bounded),
                                       cmocka_unit_test(a_line_without_end)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
