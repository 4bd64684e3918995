/* Alias files: what they say, and every fault by its line. */
#include "tap.h"

#include "base/view.h"
#include "config/aliases.h"
#include "os/heap.h"

#include <stdio.h>
#include <string.h>

static struct config_aliases *good(const char *text)
{
    struct sp_buf error;
    struct config_aliases *a = NULL;
    sp_buf_init(&error, &os_heap, 4096);
    int status = config_aliases_parse("f", sp_view_of(text), &error, &a);
    if (status != SP_OK)
        fail_msg("%.*s", (int)error.len, (const char *)error.p);
    sp_buf_fini(&error);
    return a;
}

static void bad(const char *text, const char *faults)
{
    struct sp_buf error;
    struct config_aliases *a = NULL;
    sp_buf_init(&error, &os_heap, 4096);
    assert_int_equal(config_aliases_parse("f", sp_view_of(text), &error, &a), SP_ERR_SYNTAX);
    assert_null(a);
    sp_buf_add_u8(&error, 0);
    assert_string_equal((const char *)error.p, faults);
    sp_buf_fini(&error);
}

static void stands(const struct config_aliases *a, const char *name, const char *targets)
{
    struct sp_view got = config_aliases_find(a, sp_view_of(name));
    if (!sp_view_eq(got, sp_view_of(targets)))
        fail_msg("%s: %.*s", name, (int)got.len, (const char *)got.p);
}

static void test_all_forms(void **state)
{
    (void)state;
    struct config_aliases *a = good("# who gets what\n"
                                    "Sales: Ann, bob@Example.NET # and nobody else\r\n"
                                    "\n"
                                    "info: sales,\n"
                                    "    info-archive\n"
                                    "\t\"a, b\"@example.com\n"
                                    "\"odd: name\" : ann, \"x@y\"\n"
                                    "last:x");
    stands(a, "sales", "ann\nbob@example.net\n");
    stands(a, "info", "sales\ninfo-archive\n\"a, b\"@example.com\n");
    stands(a, "odd: name", "ann\n\"x@y\"\n"); /* it holds an @, and is no address */
    stands(a, "last", "x\n");
    stands(a, "ann", "");
    assert_int_equal(config_aliases_count(a), 4);
    config_aliases_free(a);
    a = good("");
    assert_int_equal(config_aliases_count(a), 0);
    config_aliases_free(a);
}

static void test_all_faults_are_said(void **state)
{
    (void)state;
    bad("sales ann\n", "f:1: sales ann: there is no colon behind the name\n");
    bad("a: b\nA: c\n", "f:2: A is there twice\n");
    bad("  x\n", "f:1: x goes on with a line that is not there; a name begins in the first column\n");
    bad("a@b: c\n",
        "f:1: a@b is no name: the part before the @ of an address of this domain, of 64 octets at most\n");
    bad("a: |/bin/sh\nb: /dev/null, :include:/etc/passwd\n",
        "f:1: |/bin/sh is a program, a file or a list; a target is a name of this domain, or an address\n"
        "f:2: /dev/null is a program, a file or a list; a target is a name of this domain, or an address\n"
        "f:2: :include:/etc/passwd is a program, a file or a list; a target is a name of this domain, or an "
        "address\n");
    bad("a: x@\n", "f:1: x@ is neither a name nor an address such as ann@example.net\n");
    bad("a: x@y@z, b c\n", "f:1: x@y@z is neither a name nor an address such as ann@example.net\n"
                           "f:1: b c is neither a name nor an address such as ann@example.net\n");
    bad("a:\n", "f:1: a has no targets\n");
    /* What goes into RCPT as it is may not end the command, nor be anything but a mailbox. */
    bad("a: x\rRCPT@example.net\n",
        "f:1: x?RCPT@example.net is neither a name nor an address such as ann@example.net\n");
    bad("a: x y@example.net\n",
        "f:1: x y@example.net is neither a name nor an address such as ann@example.net\n");
    bad("a: <x@example.net>\n",
        "f:1: <x@example.net> is neither a name nor an address such as ann@example.net\n");
    bad("a: \"x\"y@example.net\n",
        "f:1: \"x\"y@example.net is neither a name nor an address such as ann@example.net\n");
    bad("a: \"x\033\"@example.net\n",
        "f:1: \"x?\"@example.net is neither a name nor an address such as ann@example.net\n");
}

/* A file without measure is read in a moment, and said to be wrong where it is. */
static void test_files_without_measure(void **state)
{
    (void)state;
    struct sp_buf text, error;
    struct config_aliases *a = NULL;
    sp_buf_init(&text, &os_heap, 64 << 20);
    sp_buf_init(&error, &os_heap, 4096);
    sp_buf_add_str(&text, "a:");
    for (int i = 0; i < 10001; i++)
        sp_buf_add_str(&text, "x,");
    sp_buf_add_str(&text, "\nlong: ");
    for (int i = 0; i < 1000000; i++)
        sp_buf_add_u8(&text, 'y');
    sp_buf_add(&text, SP_LIT("\nnul\0: x\nz: a\0b\n"));
    assert_int_equal(sp_buf_status(&text), SP_OK);
    assert_int_equal(config_aliases_parse("f", sp_buf_view(&text), &error, &a), SP_ERR_SYNTAX);
    sp_buf_add_u8(&error, 0);
    static const char *const said[] = {"f:1: x and what follows are more than 10000 targets of one name\n",
                                       "f:2: yyyy", "f:3: nul? is no name", "f:4: a?b is neither"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        assert_non_null(strstr((const char *)error.p, said[i]));
    sp_buf_fini(&error);
    sp_buf_fini(&text);
}

static void test_garbage_never_harms(void **state)
{
    (void)state;
    static const char octets[] = "ab@:,#\"\\ \t\r\n|\x00\xff";
    uint32_t seed = 7;
    for (int i = 0; i < 3000; i++) {
        uint8_t text[120];
        struct sp_buf error;
        struct config_aliases *a = NULL;
        size_t len = 0;
        for (; len < sizeof text && (seed = seed * 1103515245 + 12345) >> 25 != 0; len++)
            text[len] = (uint8_t)octets[(seed >> 16) % (sizeof octets - 1)];
        sp_buf_init(&error, &os_heap, 1 << 16);
        int status = config_aliases_parse("f", sp_view_make(text, len), &error, &a);
        assert_int_equal(status == SP_OK, a != NULL);
        assert_int_equal(status == SP_OK, error.len == 0);
        config_aliases_free(a);
        sp_buf_fini(&error);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_all_forms), cmocka_unit_test(test_all_faults_are_said),
    cmocka_unit_test(test_files_without_measure), cmocka_unit_test(test_garbage_never_harms)};

TAP_MAIN(tests)
