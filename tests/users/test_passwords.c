/* A password file: its lines, faulty ones, and each cut at every octet. */
#include "base/view.h"
#include "os/heap.h"
#include "tap.h"
#include "users/passwords.h"

#include <stdlib.h>
#include <string.h>

#define HASH                                                                                                 \
    "$6$saltsalt$pauPrmdmG4BTE9h2HPmywiw152IFch6BJCEsaY6D.PLTfpV8sqvXwWdyfsgVgozkYH9B80bAip/08R2BPH2xk/"
#define HASH2 "$5$saltsalt$0rl.MZtoLLPP3X0Rdl8riRnphIcAXJY27/aOAyK2hB5"

static int parse(struct sp_view text, char *error, size_t max, struct users_passwords **out)
{
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, 4096);
    int status = users_passwords_parse(text, &b, out);
    size_t n = b.len < max - 1 ? b.len : max - 1;
    if (n)
        memcpy(error, b.p, n);
    error[n] = '\0';
    sp_buf_fini(&b);
    return status;
}

static void test_found(void **state)
{
    (void)state;
    struct users_passwords *p = NULL;
    struct users_login login;
    char error[256];
    assert_int_equal(
        parse(SP_LIT("# users\r\n\r\n  bob@Example.ORG:" HASH ":1000:x\nAnna:{SHA256-CRYPT}" HASH2), error,
              sizeof error, &p),
        SP_OK);
    assert_string_equal(error, "");
    users_passwords_find(p, SP_LIT("BOB@example.org"), &login);
    assert_true(login.known && login.imported && !login.disabled);
    assert_string_equal(login.crypt, HASH);
    assert_true(sp_view_eq(users_name_view(&login.name), SP_LIT("bob@Example.ORG")));
    users_passwords_find(p, SP_LIT("anna"), &login);
    assert_true(login.known);
    assert_string_equal(login.crypt, HASH2);
    /* Whoever is not there has a hash too, so that the work is the same. */
    users_passwords_find(p, SP_LIT("nobody"), &login);
    assert_false(login.known);
    assert_true(strlen(login.crypt) > 20);
    users_passwords_find(p, SP_LIT("\0"), &login);
    assert_false(login.known);
    users_passwords_free(p);
    users_passwords_free(NULL);
}

static void test_nobody_in_it(void **state)
{
    (void)state;
    struct users_passwords *p = NULL;
    struct users_login login;
    char error[256];
    assert_int_equal(parse(SP_LIT("\n# none\n"), error, sizeof error, &p), SP_OK);
    users_passwords_find(p, SP_LIT("bob"), &login);
    assert_false(login.known);
    assert_string_equal(login.crypt, "");
    users_passwords_free(p);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        struct sp_view text;
        const char *says;
    } rows[] = {
        {SP_LIT_INIT("bob"), "line 1: (no name): the line is not NAME:HASH"},
        {SP_LIT_INIT(":" HASH), "line 1: (no name): the line is not NAME:HASH"},
        {SP_LIT_INIT("#\nbob:" HASH "\nBOB:" HASH), "line 3: BOB: the name stands twice"},
        {SP_LIT_INIT("bob:secret"), "line 1: bob: it is not a crypt"},
        {SP_LIT_INIT("bob:"), "line 1: bob: "},
        {SP_LIT_INIT("bob:$6$sa\0lt"), "line 1: bob: the hash is too long, or holds a NUL"},
        {SP_LIT_INIT("b\0b:" HASH), "line 1: "},
        {SP_LIT_INIT("b\xff:" HASH), "not UTF-8"},
        {SP_LIT_INIT("bob:{PLAIN}secret"), "line 1: bob: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct users_passwords *p = NULL;
        char error[512];
        assert_int_equal(parse(rows[i].text, error, sizeof error, &p), SP_ERR_SYNTAX);
        assert_null(p);
        if (!memmem(error, sizeof error, rows[i].says, strlen(rows[i].says)))
            fail_msg("row %zu: %s", i, error);
        assert_null(strstr(error, "secret"));
    }
    char text[1024] = "bob:$6$";
    memset(text + 7, 'x', 900);
    struct users_passwords *p = NULL;
    char error[512];
    assert_int_equal(parse(sp_view_of(text), error, sizeof error, &p), SP_ERR_SYNTAX);
}

static void test_cut_at_every_octet(void **state)
{
    (void)state;
    static const char text[] = "bob:" HASH ":x\nanna:{CRYPT}" HASH2 "\n";
    for (size_t n = 0; n < sizeof text; n++) {
        struct users_passwords *p = NULL;
        char error[512];
        struct users_login login;
        char *copy = os_text(sp_view_make(text, n)); /* so that reading on is seen */
        if (parse(sp_view_make(copy, n), error, sizeof error, &p) == SP_OK) {
            users_passwords_find(p, SP_LIT("bob"), &login);
            users_passwords_free(p);
        } else {
            assert_true(error[0] != '\0');
        }
        free(copy);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_found),
    cmocka_unit_test(test_nobody_in_it),
    cmocka_unit_test(test_faults),
    cmocka_unit_test(test_cut_at_every_octet),
};

TAP_MAIN(tests)
