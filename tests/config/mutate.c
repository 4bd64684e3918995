/*
 * The examples are in order; and whatever is done to them, the parser either takes the text or names a line
 * of it in every fault. The mutations come from a fixed seed, so that a failure can be had again.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 1 << 14, ROUNDS = 3000 };

static const char *const examples[] = {"sandbox.conf", "submission-relay.conf", "small-organisation.conf",
                                       "mail-server.conf"};
enum { EXAMPLE_N = sizeof examples / sizeof *examples };

static size_t read_example(size_t i, uint8_t *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", EXAMPLES, examples[i]);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(out, 1, TEXT_MAX, file);
    fclose(file);
    assert_in_range(len, 100, TEXT_MAX - 1);
    return len;
}

static void the_examples_are_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_N; i++) {
        static uint8_t text[TEXT_MAX + 1];
        text[read_example(i, text)] = 0;
        config_free(parse_ok((const char *)text));
    }
}

/* Every line of the faults begins with "f:N: ", N a line of the text, in rising order. */
static void check_faults(struct sp_view error, size_t lines)
{
    uint64_t last = 1;
    assert_true(error.len > 0);
    while (error.len) {
        size_t end = sp_view_find(error, '\n', 0), colon;
        assert_true(end < error.len);
        assert_true(sp_view_starts(error, SP_LIT("f:")));
        colon = sp_view_find(error, ':', 2);
        uint64_t line = 0;
        assert_int_equal(sp_view_u64(sp_view_sub(error, 2, colon - 2), lines, &line), SP_OK);
        assert_in_range(line, last, lines);
        assert_true(end > colon + 3);
        last = line;
        error = sp_view_from(error, end + 1);
    }
}

static void check(struct sp_view text)
{
    struct config *c = NULL;
    struct sp_buf error;
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.p[i] == '\n';
    sp_buf_init(&error, &os_heap, 1 << 20);
    int status = config_parse("f", text, &error, &c);
    if (status == SP_OK) {
        assert_int_equal(error.len, 0);
        config_free(c);
    } else {
        assert_int_equal(status, SP_ERR_SYNTAX);
        check_faults(sp_buf_view(&error), lines);
    }
    sp_buf_fini(&error);
}

static uint64_t random_state = 42;

static size_t random_below(size_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(random_state >> 33) % n;
}

/* One small change in place; returns the new length. */
static size_t mutate(uint8_t *text, size_t len)
{
    static const char marks[] = "{}=,\"\\#\n \t;'%0\0\377";
    size_t at = random_below(len), n = 1 + random_below(20);
    if (n > len - at)
        n = len - at;
    switch (random_below(5)) {
    case 0: /* an octet becomes a mark */
        text[at] = (uint8_t)marks[random_below(sizeof marks)];
        return len;
    case 1: /* some are lost */
        memmove(text + at, text + at + n, len - at - n);
        return len - n;
    case 2: /* some are doubled */
        if (len + n > TEXT_MAX)
            return len;
        memmove(text + at + n, text + at, len - at);
        return len + n;
    case 3: /* a mark comes in */
        if (len + 1 > TEXT_MAX)
            return len;
        memmove(text + at + 1, text + at, len - at);
        text[at] = (uint8_t)marks[random_below(sizeof marks)];
        return len + 1;
    default: /* the end is lost */
        return random_below(8) ? len : at;
    }
}

static void mutations_never_crash_and_name_a_line(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        static uint8_t text[TEXT_MAX];
        size_t len = read_example(round % EXAMPLE_N, text);
        for (size_t i = 0, n = 1 + random_below(6); i < n && len > 1; i++)
            len = mutate(text, len);
        /* A block of its own size: reading behind its end is seen. */
        uint8_t *copy = malloc(len ? len : 1);
        memcpy(copy, text, len);
        check((struct sp_view){copy, len});
        free(copy);
    }
}

static void every_beginning_of_an_example(void **state)
{
    (void)state;
    static uint8_t text[TEXT_MAX];
    size_t len = read_example(1, text);
    for (size_t n = 0; n <= len; n++)
        check((struct sp_view){text, n});
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_examples_are_in_order),
    cmocka_unit_test(mutations_never_crash_and_name_a_line),
    cmocka_unit_test(every_beginning_of_an_example),
};

TAP_MAIN(tests)
