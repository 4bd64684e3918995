/* What is written beside each line of a transcript. */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include "pages/pages.h"

/* The line with what must be beside it; "" for nothing. */
struct row {
    char from;
    const char *text, *note;
};

static void check(const struct row *rows, size_t n)
{
    struct pages_noter noter = {0};
    for (size_t i = 0; i < n; i++) {
        const struct reference_line line = {rows[i].from, rows[i].text};
        char *note = pages_note(&noter, &line, REFERENCE_EN);
        if (*rows[i].note ? strstr(note, rows[i].note) == NULL : *note != '\0')
            fail_msg("'%s' is explained as '%s'", rows[i].text, note);
        free(note);
    }
}

static void test_a_login(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {'-', "TLS is on", ""},
        {'S', "220 mx.example ESMTP", "greeting"},
        {'C', "EHLO client.example", "asks what the server can do"},
        {'S', "250-mx.example greets client.example", "the server's name"},
        {'S', "250-SIZE 1000", "largest message"},
        {'S', "250-X-UNHEARD-OF", "not in the catalogue"},
        {'S', "250 AUTH=LOGIN PLAIN", "login mechanisms"},
        {'C', "AUTH LOGIN", "Asks for the name"},
        {'S', "334 VXNlcm5hbWU6", "asks \"Username:\""},
        {'C', "ZGVtbw==", "base64 of `demo`"},
        {'S', "334 UGFzc3dvcmQ6", "asks \"Password:\""},
        {'C', "*", "gives up"},
        {'S', "501 5.7.0 Cancelled", "what follows it"},
        {'C', "AUTH PLAIN AGRlbW8Ac2VjcmV0", "base64 of `NUL demo NUL secret`"},
        {'S', "334 ", "empty challenge"},
        {'C', "", "an empty line"},
        {'S', "334 AAECAw==", "prompt"},
        {'C', "/////w==", "the answer to the challenge"},
        {'C', "not base64", "the answer to the challenge"},
        {'S', "535 5.7.139 Authentication unsuccessful, basic authentication is disabled", "Microsoft"},
    };
    check(rows, sizeof rows / sizeof *rows);
}

static void test_a_message(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {'C', "DATA", "send the message"},
        {'S', "354 go on", "message"},
        {'C', "Subject: hello", "a line of the message"},
        {'C', "To: <b@example.net>", ""},
        {'C', "", "ends the header"},
        {'C', "MAIL FROM:<x>", ""},
        {'C', "..", "doubled"},
        {'C', "", ""},
        {'C', ".", "the end of the message"},
        {'C', "FROBNICATE", "not a command"},
        {'C', "", "not a command"},
        {'S', "250-first", "more lines"},
        {'S', "junk", "not an SMTP reply"},
        {'S', "", "not an SMTP reply"},
        {'C', "RCPT TO:<b@example.net>", "one recipient"},
    };
    check(rows, sizeof rows / sizeof *rows);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_login),
    cmocka_unit_test(test_a_message),
};

TAP_MAIN(tests)
