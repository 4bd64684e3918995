/* Command lines: each way to write an option, each fault and its message, each usage text. */
#include "tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/nearest.h"
#include "capture.h"
#include "cli/commands.h"

static const struct cli_option table[] = {
    {.name = "to", .argument = "ADDRESS", .help = "a recipient", .repeat = true},
    {.name = "from", .argument = "ADDRESS", .help = "the sender"},
    {.name = "json", .help = "print JSON"},
    {.name = "c", .argument = "FILE", .help = "a file"},
    {NULL},
};

struct line {
    struct cli_option options[5];
    struct cli_operands operands;
    char *argv[100];
    int argc;
};

static bool parse(struct line *l, const char *const *words)
{
    memset(l, 0, sizeof *l);
    memcpy(l->options, table, sizeof table);
    l->argv[l->argc++] = (char *)"help";
    for (; *words; words++)
        l->argv[l->argc++] = (char *)*words;
    return cli_parse("help", l->argc, l->argv, l->options, &l->operands);
}

#define PARSE(l, ...) parse(l, (const char *const[]){__VA_ARGS__, NULL})

static void assert_fault(const char *const *words, const char *message)
{
    struct line l;
    int saved, copy = capture_start(2, stderr, &saved);
    bool ok = parse(&l, words);
    capture_end(2, stderr, saved, copy);
    assert_false(ok);
    char expected[512];
    snprintf(expected, sizeof expected, "sallyport help: %s; see 'sallyport help help'\n", message);
    assert_string_equal(captured, expected);
}

#define FAULT(message, ...) assert_fault((const char *const[]){__VA_ARGS__, NULL}, message)

static void test_forms(void **state)
{
    (void)state;
    struct line l;
    assert_true(PARSE(&l, "--to", "a@x", "host", "--json", "--to=b@x", "-", "-c", "f", "--from="));
    assert_int_equal(l.operands.n, 2);
    assert_string_equal(l.operands.words[0], "host");
    assert_string_equal(l.operands.words[1], "-");
    struct cli_option *to = cli_option(l.options, "to");
    assert_int_equal(to->n, 2);
    assert_string_equal(to->values[0], "a@x");
    assert_string_equal(to->values[1], "b@x");
    assert_true(cli_option(l.options, "json")->given);
    assert_string_equal(cli_value(l.options, "c"), "f");
    assert_string_equal(cli_value(l.options, "from"), "");

    assert_true(PARSE(&l, "-cfile", "--to", "-", "--to", "-x"));
    assert_string_equal(cli_value(l.options, "c"), "file");
    assert_string_equal(cli_option(l.options, "to")->values[1], "-x");
    assert_null(cli_value(l.options, "from"));
    assert_true(PARSE(&l, "-c=file"));
    assert_string_equal(cli_value(l.options, "c"), "file");
    assert_true(PARSE(&l, "--c=file"));
}

static void test_end_of_options(void **state)
{
    (void)state;
    struct line l;
    assert_true(PARSE(&l, "a", "--json", "--", "--to", "--", "--help"));
    assert_int_equal(l.operands.n, 4);
    assert_string_equal(l.operands.words[1], "--to");
    assert_string_equal(l.operands.words[2], "--");
    assert_false(cli_option(l.options, "to")->given);
}

static void test_faults(void **state)
{
    (void)state;
    FAULT("--to needs a value (ADDRESS)", "--to");
    FAULT("--to needs a value (ADDRESS)", "--to", "--", "x");
    FAULT("--to needs a value (ADDRESS), but '--from' follows; write --to=--from if that is the value",
          "--to", "--from", "x");
    FAULT("-c needs a value (FILE), but '--json' follows; write -c=--json if that is the value", "-c",
          "--json");
    FAULT("--json takes no value", "--json=1");
    FAULT("--from is given twice", "--from", "a", "--from=b");
    FAULT("unknown option '--fron'; did you mean --from?", "--fron=x");
    FAULT("unknown option '-to'; write --to", "-to", "x");
    FAULT("unknown option '--completely-else'", "--completely-else");
    FAULT("unknown option '-x'", "-x");
}

static void test_too_many_values(void **state)
{
    (void)state;
    const char *words[CLI_VALUES_MAX + 2] = {NULL};
    for (int i = 0; i < CLI_VALUES_MAX; i++)
        words[i] = "--to=x";
    struct line l;
    assert_true(parse(&l, words));
    assert_int_equal(cli_option(l.options, "to")->n, CLI_VALUES_MAX);
    words[CLI_VALUES_MAX] = "--to=x";
    assert_fault(words, "--to is given more than 64 times");
}

static void test_help(void **state)
{
    (void)state;
    const char *const none[] = {NULL};
    assert_int_equal(run(2, stderr, none), EX_USAGE);
    assert_non_null(strstr(captured, "usage: sallyport COMMAND"));
    assert_int_equal(RUN(1, stdout, "help"), EX_OK);
    for (size_t i = 0; i < cli_command_n; i++)
        if (!cli_commands[i].hidden)
            assert_non_null(strstr(captured, cli_commands[i].summary));
    assert_int_equal(RUN(1, stdout, "--help"), EX_OK);
    assert_int_equal(RUN(1, stdout, "--version"), EX_OK);
    assert_int_equal(strncmp(captured, "sallyport ", 10), 0);
    assert_int_equal(RUN(2, stderr, "version", "x"), EX_USAGE);
    assert_int_equal(RUN(2, stderr, "help", "a", "b"), EX_USAGE);
}

static void test_unknown_command(void **state)
{
    (void)state;
    assert_int_equal(RUN(2, stderr, "hlep"), EX_USAGE);
    assert_string_equal(
        captured, "sallyport: unknown command 'hlep'; did you mean 'help'? All commands: sallyport help\n");
    assert_int_equal(RUN(2, stderr, "frobnicate"), EX_USAGE);
    assert_string_equal(captured, "sallyport: unknown command 'frobnicate'. All commands: sallyport help\n");
    assert_int_equal(RUN(2, stderr, "help", "vresion"), EX_USAGE);
    assert_non_null(strstr(captured, "did you mean 'version'?"));
    assert_int_equal(RUN(2, stderr, "--frobnicate"), EX_USAGE);
    assert_non_null(strstr(captured, "unknown option '--frobnicate'"));
}

/* Each command's usage names each of its options, and its own --help prints the same text. */
static void test_usages(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_command_n; i++) {
        const struct cli_command *c = &cli_commands[i];
        assert_int_equal(RUN(1, stdout, "help", c->name), EX_OK);
        assert_non_null(strstr(captured, c->summary));
        const struct cli_option *o = c->options ? c->options() : NULL;
        for (; o && o->name; o++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s", o->name[1] ? "--" : "-", o->name);
            assert_non_null(strstr(captured, name));
            assert_non_null(strstr(captured, o->help));
            assert_false(o->given);
        }
    }
}

/* The options are printed by the command's own parse, which leaves: in a child. */
static void test_own_help(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_command_n; i++) {
        if (cli_commands[i].hidden)
            continue;
        static char expected[sizeof captured];
        assert_int_equal(RUN(1, stdout, "help", cli_commands[i].name), EX_OK);
        memcpy(expected, captured, sizeof expected);
        int saved, copy = capture_start(1, stdout, &saved);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            char *argv[] = {(char *)"sallyport", (char *)cli_commands[i].name, (char *)"--help", NULL};
            (void)cli_run(3, argv);
            _exit(99); /* --help must have left */
        }
        int status;
        assert_true(waitpid(pid, &status, 0) == pid);
        capture_end(1, stdout, saved, copy);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_string_equal(captured, expected);
    }
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(sp_word_distance("", ""), 0);
    assert_int_equal(sp_word_distance("abc", ""), 3);
    assert_int_equal(sp_word_distance("", "abc"), 3);
    assert_int_equal(sp_word_distance("send", "sned"), 1);
    assert_int_equal(sp_word_distance("kitten", "sitting"), 3);
    assert_true(sp_word_is_near("503", "504"));
    assert_false(sp_word_is_near("503", "534"));
    char word[SP_WORD_MAX + 2];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_true(sp_word_distance(word, "a") == SIZE_MAX);
    word[SP_WORD_MAX] = '\0';
    assert_int_equal(sp_word_distance(word, word), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_forms),    cmocka_unit_test(test_end_of_options),
    cmocka_unit_test(test_faults),   cmocka_unit_test(test_too_many_values),
    cmocka_unit_test(test_help),     cmocka_unit_test(test_unknown_command),
    cmocka_unit_test(test_usages),   cmocka_unit_test(test_own_help),
    cmocka_unit_test(test_distance),
};

int main(void)
{
    setenv("COLUMNS", "200", 1); /* no help text is cut */
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
