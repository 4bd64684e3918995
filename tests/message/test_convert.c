/* Conversion for servers that take less: what becomes of each kind of part, in any split. */
#include "base/buf.h"
#include "base/view.h"
#include "message/convert.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

static const struct sp_allocator heap = {resize, NULL};

/* The result, or the fault with its code. */
static char *convert(enum message_convert_to to, struct sp_view in, size_t cut)
{
    struct message_convert *c = NULL;
    struct sp_buf out;
    int status = message_convert_new(to, &heap, &c);
    assert_int_equal(status, SP_OK);
    sp_buf_init(&out, &heap, 1 << 20);
    for (size_t at = 0; at < in.len && !status; at += cut)
        status = message_convert_feed(c, sp_view_sub(in, at, cut), &out);
    if (!status)
        status = message_convert_end(c, &out);
    const char *enhanced = NULL, *fault = message_convert_fault(c, &enhanced);
    assert_int_equal(status == SP_ERR_SYNTAX, fault != NULL);
    if (fault) {
        sp_buf_clear(&out);
        sp_buf_add_str(&out, enhanced);
        sp_buf_add_str(&out, " ");
        sp_buf_add_str(&out, fault);
    }
    sp_buf_add_u8(&out, 0);
    char *text = strdup((const char *)out.p);
    sp_buf_fini(&out);
    message_convert_free(c);
    return text;
}

static void expect(enum message_convert_to to, struct sp_view in, const char *wanted)
{
    for (size_t cut = in.len + 1; cut > 0; cut--) {
        char *got = convert(to, in, cut);
        assert_string_equal(got, wanted);
        free(got);
    }
}

#define SEVEN(in, wanted) expect(MESSAGE_TO_SEVEN_BIT, SP_LIT(in), wanted)
#define EIGHT(in, wanted) expect(MESSAGE_TO_EIGHT_BIT, SP_LIT(in), wanted)

static void test_text_becomes_quoted_printable(void **state)
{
    (void)state;
    SEVEN("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
          "8bit\r\n\r\n"
          "gr\xc3\xbcn = \r\n.\r\nend",
          "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
          "Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BCn =3D=20\r\n.\r\nend");
}

static void test_long_lines_are_broken_softly(void **state)
{
    (void)state;
    char *got = convert(
        MESSAGE_TO_SEVEN_BIT,
        SP_LIT("Content-Transfer-Encoding: 8BIT\r\n\r\n"
               "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
               "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\r\n"),
        1000);
    assert_non_null(strstr(got, "=C3=\r\n=BC"));
    for (char *line = got; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\r") <= 76);
    free(got);
}

static void test_other_things_become_base64(void **state)
{
    (void)state;
    SEVEN("Content-Type: application/x-y\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\xff\n\r\r\n",
          "Content-Type: application/x-y\r\nContent-Transfer-Encoding: base64\r\n\r\nAP8KDQ0K\r\n");
    EIGHT("Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb",
          "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nYQpi");
}

static void test_each_part_for_itself(void **state)
{
    (void)state;
    SEVEN("Content-Type: multipart/mixed; (x) boundary=\"a b\"\r\nContent-Transfer-Encoding: "
          "8bit\r\n\r\npreamble\r\n"
          "--a b\r\n\r\nplain --a b\r\n"
          "--a b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n"
          "--a b \r\nContent-Type: image/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xff\r\n\r\n"
          "--a bc\r\n"
          "--a b--\r\nepilogue\r\n",
          "Content-Type: multipart/mixed; (x) boundary=\"a b\"\r\nContent-Transfer-Encoding: "
          "7bit\r\n\r\npreamble\r\n"
          "--a b\r\n\r\nplain --a b\r\n"
          "--a b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n"
          "--a b \r\nContent-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n\r\n/w0KDQotLWEgYmM=\r\n"
          "--a b--\r\nepilogue\r\n");
}

static void test_messages_within(void **state)
{
    (void)state;
    SEVEN("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
          "Subject: in\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n",
          "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
          "Subject: in\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n");
}

static void test_what_fits_stays(void **state)
{
    (void)state;
    SEVEN("Subject: x\r\n\r\nbody\r\n.\r\n", "Subject: x\r\n\r\nbody\r\n.\r\n");
    SEVEN("Subject: header alone\r\n", "Subject: header alone\r\n");
    SEVEN("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n--b--",
          "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: y\r\n--b--");
    EIGHT("Content-Transfer-Encoding: 8bit\r\n\r\n\xff\r\n",
          "Content-Transfer-Encoding: 8bit\r\n\r\n\xff\r\n");
}

static void test_what_cannot_be_converted(void **state)
{
    (void)state;
    SEVEN("Subject: \xc3\xbc\r\n\r\n", "5.6.3 the message cannot be converted: a header has octets over 127");
    SEVEN("Subject: x\r\n\r\n\xc3\xbc\r\n",
          "5.6.3 the message cannot be converted: a part that does not say so has octets over 127");
    SEVEN("Content-Type: multipart/mixed\r\n\r\n",
          "5.6.3 the message cannot be converted: a multipart has no boundary");
    SEVEN("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: "
          "8bit\r\n\r\nx\r\n--b--\r\n",
          "5.6.2 the message may not be converted: its signature would break");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_text_becomes_quoted_printable),
    cmocka_unit_test(test_long_lines_are_broken_softly),
    cmocka_unit_test(test_other_things_become_base64),
    cmocka_unit_test(test_each_part_for_itself),
    cmocka_unit_test(test_messages_within),
    cmocka_unit_test(test_what_fits_stays),
    cmocka_unit_test(test_what_cannot_be_converted),
};

TAP_MAIN(tests)
