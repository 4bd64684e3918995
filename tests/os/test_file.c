/* Small files, read whole and written so that they are there whole or not at all. */
#include "os/file.h"

#include "base/view.h"
#include "os/heap.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder_path[] = "/tmp/sallyport-file-XXXXXX";
static int folder;

static int begin(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder_path));
    folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0;
}

static int finish(void **state)
{
    (void)state;
    (void)unlinkat(folder, "a", 0); /* where a test made it */
    close(folder);
    return rmdir(folder_path);
}

static int read_at_most(size_t max, const char *name, struct sp_view wanted)
{
    struct sp_buf out;
    sp_buf_init(&out, &os_heap, max);
    int status = os_file_read(folder, name, &out);
    if (status == SP_OK)
        assert_true(sp_view_eq(sp_buf_view(&out), wanted));
    sp_buf_fini(&out);
    return status;
}

static void a_file_is_there_whole(void **state)
{
    (void)state;
    struct stat st;
    struct sp_view first = SP_LIT("0123456789"), second = SP_LIT("0123456789+");
    assert_int_equal(os_file_put(folder, "a", "a.part", first), SP_OK);
    assert_int_equal(fstatat(folder, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_not_equal(faccessat(folder, "a.part", F_OK, 0), 0);
    assert_int_equal(read_at_most(10, "a", first), SP_OK); /* as long as may be */
    assert_int_equal(os_file_put(folder, "a", "a.part", second), SP_OK);
    assert_int_equal(read_at_most(11, "a", second), SP_OK);
    assert_int_equal(read_at_most(10, "a", second), SP_ERR_LONG);
    assert_int_equal(errno, EFBIG);
}

static void what_fails_leaves_what_was(void **state)
{
    (void)state;
    struct sp_view octets = SP_LIT("plugh");
    assert_int_equal(os_file_put(folder, "a", "a.part", octets), SP_OK);
    assert_int_equal(os_file_put(folder, ".", "a.part", SP_LIT("other")), SP_ERR_IO); /* no name for a file */
    assert_int_not_equal(faccessat(folder, "a.part", F_OK, 0), 0);
    assert_int_equal(symlinkat("a", folder, "b.part"), 0);
    assert_int_equal(os_file_put(folder, "a", "b.part", SP_LIT("other")), SP_ERR_IO);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(unlinkat(folder, "b.part", 0), 0);
    assert_int_equal(read_at_most(100, "a", octets), SP_OK);
}

static void what_is_no_file_is_not_read(void **state)
{
    (void)state;
    assert_int_equal(read_at_most(10, ".", SP_LIT("")), SP_ERR_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(read_at_most(10, "absent", SP_LIT("")), SP_ERR_IO);
    assert_int_equal(errno, ENOENT);
}

static void a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    int ends[2];
    struct sp_buf out;
    sp_buf_init(&out, &os_heap, 100);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(os_file_write_open(ends[1], SP_LIT("xyzzy")), SP_OK);
    close(ends[1]);
    assert_int_equal(os_file_read_open(ends[0], &out), SP_OK);
    assert_true(sp_view_eq(sp_buf_view(&out), SP_LIT("xyzzy")));
    close(ends[0]);
    sp_buf_fini(&out);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_file_is_there_whole),
    cmocka_unit_test(what_fails_leaves_what_was),
    cmocka_unit_test(what_is_no_file_is_not_read),
    cmocka_unit_test(a_pipe_is_read_to_its_end),
};

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, begin, finish);
}
