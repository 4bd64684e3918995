/* The role fetch: what Cache-Control says, and the file in which keys are kept. */
#include "base/view.h"
#include "os/heap.h"
#include "roles/fetch/kept.h"
#include "roles/fetch/transfer.h"
#include "tap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void test_max_age(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t s;
    } rows[] = {
        {"", -1},
        {"max-age=0", 0},
        {" Max-Age=60", 60},
        {"public, max-age=60, must-revalidate", 60},
        {"max-age=60, max-age=70", 60},
        {"max-age=60, no-store", 0},
        {"no-cache", 0},
        {"s-maxage=60", -1},
        {"max-age=-1", -1},
        {"max-age=\"60\"", -1},
        {"max-age=99999999999999999999", -1},
        {",,,", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(fetch_max_age_s(sp_view_of(rows[i].value)), rows[i].s);
}

#define HEAD "sallyport-keys 1\nurl https://a.example/\nfetched 12\nfresh-until 34\n\n"

static void test_kept_text(void **state)
{
    (void)state;
    struct fetch_kept kept;
    struct sp_view jwks, text = SP_LIT(HEAD "{}\n");
    assert_int_equal(fetch_kept_parse(text, "https://a.example/", &kept, &jwks), SP_OK);
    assert_int_equal(kept.fetched_s, 12);
    assert_int_equal(kept.fresh_until_s, 34);
    assert_true(sp_view_eq(jwks, SP_LIT("{}\n")));
    assert_int_equal(fetch_kept_parse(text, "https://b.example/", &kept, &jwks), SP_ERR_ABSENT);
    for (size_t n = 0; n < sizeof HEAD - 1; n++)
        assert_int_equal(fetch_kept_parse(sp_view_sub(text, 0, n), "https://a.example/", &kept, &jwks),
                         SP_ERR_SYNTAX);
    static const char *const faulty[] = {
        "sallyport-keys 2\nurl https://a.example/\nfetched 12\nfresh-until 34\n\n{}",
        "sallyport-keys 1\nurl https://a.example/\nfetched x\nfresh-until 34\n\n{}",
        "sallyport-keys 1\nurl https://a.example/\nfetched 12\nfresh-until 99999999999999999999\n\n{}",
        "sallyport-keys 1\nfetched 12\nurl https://a.example/\nfresh-until 34\n\n{}",
        "sallyport-keys 1\nurl https://a.example/\nfetched 12\nfresh-until 34\nmore\n{}",
    };
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++)
        assert_int_equal(fetch_kept_parse(sp_view_of(faulty[i]), "https://a.example/", &kept, &jwks),
                         SP_ERR_SYNTAX);
}

/* Why it failed. */
static int write_on_a_full_disk(void)
{
    struct rlimit before;
    const struct fetch_kept kept = {56, 78};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){20, before.rlim_max}), 0);
    int status = fetch_kept_write("https://a.example/", &kept, SP_LIT("{}")), fault = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, SP_ERR_IO);
    return fault;
}

static void test_kept_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/sallyport-test-XXXXXX", before[4096];
    struct fetch_kept kept = {12, 34}, found;
    struct sp_buf jwks;
    assert_non_null(getcwd(before, sizeof before));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    sp_buf_init(&jwks, &os_heap, FETCH_OCTETS_MAX);
    assert_int_equal(fetch_kept_read("https://a.example/", &found, &jwks), SP_ERR_ABSENT);
    assert_int_equal(fetch_kept_write("https://a.example/", &kept, SP_LIT("{\"keys\"")), SP_OK);
    assert_int_equal(fetch_kept_read("https://b.example/", &found, &jwks), SP_ERR_ABSENT);
    assert_int_equal(fetch_kept_read("https://a.example/", &found, &jwks), SP_OK);
    assert_memory_equal(&found, &kept, sizeof kept);
    assert_true(sp_view_eq(sp_buf_view(&jwks), SP_LIT("{\"keys\"")));
    assert_int_equal(access("token-keys.next", F_OK), -1);
    assert_int_equal(write_on_a_full_disk(), EFBIG); /* what was kept stays */
    assert_int_equal(access("token-keys.next", F_OK), -1);
    sp_buf_clear(&jwks);
    assert_int_equal(fetch_kept_read("https://a.example/", &found, &jwks), SP_OK);
    assert_true(sp_view_eq(sp_buf_view(&jwks), SP_LIT("{\"keys\"")));
    assert_int_equal(unlink("token-keys"), 0);
    assert_int_equal(symlink("/etc/passwd", "token-keys"), 0); /* no link is followed */
    assert_int_equal(fetch_kept_read("https://a.example/", &found, &jwks), SP_ERR_IO);
    assert_int_equal(unlink("token-keys"), 0);
    sp_buf_fini(&jwks);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(folder), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_max_age),
    cmocka_unit_test(test_kept_text),
    cmocka_unit_test(test_kept_file),
};

TAP_MAIN(tests)
