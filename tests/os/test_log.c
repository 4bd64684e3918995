/* Log lines: form, escaping of strangers' octets, cutting, and readers that do not read. */
#include "harness.h"

#include "base/view.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

/* The text behind "event=". */
static const char *after_event(const char *line)
{
    const char *at = strstr(line, " event=");
    assert_non_null(at);
    return at + 1;
}

static void test_form(void **state)
{
    (void)state;
    struct caught c;
    catch_start(&c);
    os_log_role("smtpd/0");
    os_log(OS_INFO, "one", OS_STR("id", "abc"), OS_NUM("size", -5), OS_VIEW("who", SP_LIT("a@b.c")));
    os_log(OS_WARN, "two");
    os_log(OS_WARN, "three", OS_STR("absent", NULL), OS_VIEW("empty", (struct sp_view){0}),
           OS_STR("blank", ""));
    os_log(OS_INFO, "four", OS_NUM("n", INT64_MIN));
    os_log_role("sallyport");
    const char *text = catch_end(&c);
    /* time=2026-11-24T05:04:50.123Z */
    assert_memory_equal(text, "time=20", 7);
    assert_int_equal(strspn(text + 5, "0123456789-T:.Z"), 24);
    assert_int_equal(text[28], 'Z');
    assert_non_null(strstr(text, "Z level=info role=smtpd/0 event=one id=abc size=-5 who=a@b.c\n"));
    assert_non_null(strstr(text, " level=warn role=smtpd/0 event=two\n"));
    assert_non_null(strstr(text, " event=three blank=\"\"\n"));
    assert_non_null(strstr(text, " event=four n=-9223372036854775808\n"));
}

static void check_value(struct sp_view value, const char *written)
{
    struct caught c;
    char expected[2000];
    catch_start(&c);
    os_log(OS_INFO, "x", OS_VIEW("v", value));
    snprintf(expected, sizeof expected, "event=x v=%s\n", written);
    assert_string_equal(after_event(catch_end(&c)), expected);
}

static void test_escaping(void **state)
{
    (void)state;
    static const struct {
        struct sp_view value;
        const char *written;
    } cases[] = {
        {SP_LIT_INIT("plain-value_1.2/3:4@x<y>"), "plain-value_1.2/3:4@x<y>"},
        {SP_LIT_INIT("two words"), "\"two words\""},
        {SP_LIT_INIT("a=b"), "\"a=b\""},
        {SP_LIT_INIT("say \"hi\""), "\"say \\\"hi\\\"\""},
        {SP_LIT_INIT("back\\slash"), "\"back\\\\slash\""},
        {SP_LIT_INIT("line\r\nlevel=fatal"), "\"line\\x0d\\x0alevel=fatal\""},
        {SP_LIT_INIT("nul\0tab\t"), "\"nul\\x00tab\\x09\""},
        {SP_LIT_INIT("\x1b[2J"), "\"\\x1b[2J\""},
        {SP_LIT_INIT("\x7f"), "\"\\x7f\""},
        {SP_LIT_INIT("Nguyễn@ví-dụ.vn"), "Nguyễn@ví-dụ.vn"},
        {SP_LIT_INIT("😀"), "😀"},
        {SP_LIT_INIT("\xff\xfe"), "\"\\xff\\xfe\""},
        {SP_LIT_INIT("cut \xe1\xbb"), "\"cut \\xe1\\xbb\""},
        {SP_LIT_INIT("\xc0\xaf"), "\"\\xc0\\xaf\""}, /* longer than needed */
        {SP_LIT_INIT("\xe0\x80\xaf"), "\"\\xe0\\x80\\xaf\""},
        {SP_LIT_INIT("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\""},          /* half of a pair */
        {SP_LIT_INIT("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\""}, /* beyond Unicode */
        {SP_LIT_INIT("\xf8\x88\x80\x80\x80"), "\"\\xf8\\x88\\x80\\x80\\x80\""},
        {SP_LIT_INIT("\xc2\x9b"
                     "2J"),
         "\"\\xc2\\x9b2J\""}, /* CSI as one character */
        {SP_LIT_INIT("a\xe2\x80\xae"
                     "b"),
         "\"a\\xe2\\x80\\xaeb\""}, /* right-to-left override */
        {SP_LIT_INIT("a\xe2\x80\xa8"
                     "b"),
         "\"a\\xe2\\x80\\xa8b\""}, /* line separator */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_value(cases[i].value, cases[i].written);
}

/* Whatever a stranger says, a line stays a line: no control octet but the one at its end. */
static void test_every_octet(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        struct caught caught;
        uint8_t octets[3] = {'a', (uint8_t)c, 'b'};
        catch_start(&caught);
        os_log(OS_INFO, "x", OS_VIEW("v", sp_view_make(octets, 3)));
        const char *text = catch_end(&caught);
        size_t len = strlen(text);
        for (size_t i = 0; i < len; i++)
            assert_int_equal((uint8_t)text[i] < ' ' || (uint8_t)text[i] >= 0x7f, i == len - 1);
    }
}

static void test_too_long(void **state)
{
    (void)state;
    char long_text[6000];
    memset(long_text, ' ', sizeof long_text - 1);
    for (size_t len = 3700; len < sizeof long_text; len += len < 4100 ? 1 : 700) {
        struct caught c;
        catch_start(&c);
        os_log(OS_INFO, "x", OS_VIEW("v", sp_view_make(long_text, len)), OS_STR("behind", "value"));
        const char *text = catch_end(&c);
        size_t n = strlen(text);
        assert_true(n <= 4000);
        assert_int_equal(text[n - 1], '\n');
        bool whole = strstr(text, " behind=value\n") != NULL;
        assert_int_equal(whole, strstr(text, " cut=1\n") == NULL);
        assert_non_null(strstr(text, "  \""));
        assert_true(whole ? len < 4000 : len > 3800);
    }
}

/* --- readers that do not read ----------------------------------------------------------------- */

struct reader {
    int saved, fd;
};

static void read_from(struct reader *r, int write_end, int read_end)
{
    r->saved = dup(STDERR_FILENO);
    r->fd = read_end;
    assert_true(dup2(write_end, STDERR_FILENO) >= 0);
    os_log_open();
}

static void stop_reading(struct reader *r)
{
    dup2(r->saved, STDERR_FILENO);
    close(r->saved);
    close(r->fd);
    os_log_open();
}

static size_t drain(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t n;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = 0;
    return len;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void lose_lines(int write_end, int read_end)
{
    enum { LINE_N = 5000 };
    struct reader r;
    size_t size = 4 << 20;
    char *text = malloc(size);
    int flags = fcntl(write_end, F_GETFL);
    read_from(&r, write_end, read_end);
    for (int i = 0; i < LINE_N; i++) /* would block for ever */
        os_log(OS_INFO, "flood", OS_NUM("i", i));
    drain(r.fd, text, size);
    size_t got = count_lines(text);
    assert_true(got > 0 && got < LINE_N);
    assert_null(strstr(text, "lost="));
    os_log(OS_INFO, "after");
    os_log(OS_INFO, "later");
    drain(r.fd, text, size);
    char expected[64];
    snprintf(expected, sizeof expected, "event=after lost=%zu\n", LINE_N - got);
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "event=later\n"));
    /* Others who hold the pipe are not made non-blocking. */
    assert_int_equal(fcntl(write_end, F_GETFL), flags);
    stop_reading(&r);
    free(text);
    close(write_end);
}

static void test_full_pipe(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    lose_lines(ends[1], ends[0]);
}

static void test_full_socket(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    lose_lines(ends[1], ends[0]);
}

/* A pipe that cannot be opened anew, as one of another user: asked before each line. */
static void test_borrowed_pipe(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int ends[2], status;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (setresuid(65534, 65534, 65534))
            _exit(9);
        dup2(ends[1], STDERR_FILENO);
        os_log_open();
        alarm(20);
        for (int i = 0; i < 5000; i++)
            os_log(OS_INFO, "flood", OS_NUM("i", i));
        _exit((fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) ? 8 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    char *text = malloc(1 << 20);
    drain(ends[0], text, 1 << 20);
    assert_true(count_lines(text) > 100);
    free(text);
    close(ends[0]);
    close(ends[1]);
}

static void test_reader_gone(void **state)
{
    (void)state;
    struct reader r;
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    read_from(&r, ends[1], dup(ends[0]));
    close(r.fd);
    close(ends[0]);
    r.fd = ends[1];
    os_log(OS_INFO, "nobody-hears");
    stop_reading(&r);
    struct caught c;
    catch_start(&c);
    os_log(OS_INFO, "somebody-hears");
    assert_non_null(strstr(catch_end(&c), "event=somebody-hears lost=1\n"));
}

/* Several processes in one pipe: no line is torn. */
static void test_lines_do_not_mix(void **state)
{
    (void)state;
    enum { PROCESS_N = 4, LINE_N = 200 };
    struct reader r;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
    read_from(&r, ends[1], ends[0]);
    char filler[300];
    memset(filler, 'f', sizeof filler);
    for (int i = 0; i < PROCESS_N; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int k = 0; k < LINE_N; k++)
                os_log(OS_INFO, "line", OS_VIEW("filler", sp_view_make(filler, sizeof filler)),
                       OS_NUM("end", i));
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESS_N; i++)
        wait(NULL);
    char *text = malloc(1 << 20), *rest;
    drain(r.fd, text, 1 << 20);
    stop_reading(&r);
    close(ends[1]);
    size_t n = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
        assert_memory_equal(line, "time=", 5);
        assert_null(strstr(line + 5, "time="));
        assert_non_null(strstr(line, " end="));
    }
    assert_true(n > PROCESS_N);
    free(text);
}

/* --- the end ----------------------------------------------------------------------------------- */

static void test_fatal_and_panic(void **state)
{
    (void)state;
    for (int panic = 0; panic < 2; panic++) {
        struct caught c;
        int status;
        catch_start(&c);
        pid_t pid = fork();
        if (pid == 0) {
            if (panic)
                os_panic("impossible", "%d is not %s", 1, "two");
            os_fatal(78, "configuration", "%s: say %s", "file", "what to do");
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        const char *text = catch_end(&c);
        assert_non_null(strstr(
            text, panic
                      ? "level=panic role=sallyport event=impossible reason=\"1 is not two\"\n"
                      : "level=fatal role=sallyport event=configuration reason=\"file: say what to do\"\n"));
        if (panic)
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        else
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 78);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_form),
    cmocka_unit_test(test_escaping),
    cmocka_unit_test(test_every_octet),
    cmocka_unit_test(test_too_long),
    cmocka_unit_test(test_full_pipe),
    cmocka_unit_test(test_full_socket),
    cmocka_unit_test(test_borrowed_pipe),
    cmocka_unit_test(test_reader_gone),
    cmocka_unit_test(test_lines_do_not_mix),
    cmocka_unit_test(test_fatal_and_panic),
};

TAP_MAIN(tests)
