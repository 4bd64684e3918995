/* The lines to paste: whatever stands in a name or a password, the shell hands it on as it is. */
#include "tap.h"

#include "base/view.h"
#include "os/heap.h"
#include "roles/supervisor/paste.h"

#include <stdio.h>
#include <string.h>

static const struct paste_target nasty = {.host = "::1",
                                          .port = "2587",
                                          .tls = PASTE_STARTTLS,
                                          .user = "o'neil \"x\" $HOME \\",
                                          .password = "`id` 'a' %s\\n",
                                          .certificate = "/tmp/a b/it's/cert.pem",
                                          .fingerprint = "AB:CD",
                                          .named = true};

/* What a program sees of the line: the shell runs it with the program's name changed to one that prints its
 * words. */
static void words_of(void (*paste)(struct sp_buf *, const struct paste_target *), const char *program,
                     char *out, size_t size)
{
    struct sp_buf line;
    sp_buf_init(&line, &os_heap, 65536);
    sp_buf_add_str(&line, program);
    sp_buf_add_str(&line, "() { printf '%s\\n' \"$@\"; }; ");
    paste(&line, &nasty);
    sp_buf_add_u8(&line, 0);
    assert_int_equal(sp_buf_status(&line), SP_OK);
    FILE *p = popen((const char *)line.p, "r");
    assert_non_null(p);
    size_t n = fread(out, 1, size - 1, p);
    out[n] = '\0';
    assert_int_equal(pclose(p), 0);
    sp_buf_fini(&line);
}

static void swaks_gets_its_words(void **state)
{
    (void)state;
    char out[4096];
    words_of(paste_swaks, "swaks", out, sizeof out);
    assert_string_equal(
        out, "--server\n::1\n--port\n2587\n-tls\n--auth\nPLAIN\n--auth-user\no'neil \"x\" $HOME \\\n"
             "--auth-password\n`id` 'a' %s\\n\n--from\nme@example.org\n--to\nyou@example.org\n");
}

static void msmtp_gets_its_words_and_its_password(void **state)
{
    (void)state;
    char out[4096];
    words_of(paste_msmtp, "msmtp", out, sizeof out);
    const char *eval = strstr(out, "--passwordeval=");
    assert_non_null(eval);
    assert_non_null(strstr(out, "--user=o'neil \"x\" $HOME \\\n"));
    /* The command that msmtp runs prints the password and nothing else. */
    char command[512], password[512];
    const char *end = strstr(eval, "\n--from");
    assert_non_null(end);
    (void)snprintf(command, sizeof command, "%.*s", (int)(end - eval - 15), eval + 15);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t n = fread(password, 1, sizeof password - 1, p);
    password[n] = '\0';
    (void)pclose(p);
    assert_string_equal(password, nasty.password);
}

static void programs_get_strings_of_their_language(void **state)
{
    (void)state;
    char out[4096];
    words_of(paste_python, "python3", out, sizeof out);
    assert_non_null(strstr(out, "s.login(\"o'neil \\\"x\\\" $HOME \\\\\",\"`id` 'a' %s\\\\n\")"));
    assert_non_null(strstr(out, "cafile=\"/tmp/a b/it's/cert.pem\""));
    words_of(paste_node, "node", out, sizeof out);
    assert_non_null(strstr(out, "auth:{user:\"o'neil \\\"x\\\" $HOME \\\\\",pass:\"`id` 'a' %s\\\\n\"}"));
    assert_non_null(strstr(out, "requireTLS:true"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(swaks_gets_its_words),
    cmocka_unit_test(msmtp_gets_its_words_and_its_password),
    cmocka_unit_test(programs_get_strings_of_their_language),
};

TAP_MAIN(tests)
