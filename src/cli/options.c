#include "cli/options.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/nearest.h"
#include "cli/commands.h"

int cli_fault(const char *command, int code, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "sallyport %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

int cli_usage_fault(const char *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "sallyport %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; see 'sallyport help %s'\n", command);
    return EX_USAGE;
}

struct cli_option *cli_option(struct cli_option *options, const char *name)
{
    while (options->name && strcmp(options->name, name) != 0)
        options++;
    assert(options->name);
    return options;
}

const char *cli_value(struct cli_option *options, const char *name)
{
    const struct cli_option *option = cli_option(options, name);
    return option->n ? option->values[0] : NULL;
}

/* A word of the command line, taken apart. */
struct word {
    const char *name; /* behind its dashes, not ended where the name ends */
    size_t len;
    const char *value; /* behind '=', or NULL */
    bool is_short;
};

static bool looks_like_option(const char *s) { return s[0] == '-' && s[1] != '\0'; }

static struct word take_apart(const char *s)
{
    struct word w = {.is_short = s[1] != '-'};
    w.name = s + (w.is_short ? 1 : 2);
    if (w.is_short) {
        w.len = 1;
        w.value = s[2] == '\0' ? NULL : s[2] == '=' ? s + 3 : s + 2;
    } else {
        w.len = strcspn(w.name, "=");
        w.value = w.name[w.len] == '=' ? w.name + w.len + 1 : NULL;
    }
    return w;
}

static struct cli_option *find(struct cli_option *options, struct word w)
{
    for (; options->name; options++)
        if (strlen(options->name) == w.len && memcmp(options->name, w.name, w.len) == 0)
            return options;
    return NULL;
}

static const char *dashes(const struct cli_option *option) { return option->name[1] == '\0' ? "-" : "--"; }

static bool fault_unknown(const char *command, const struct cli_option *options, const char *s, struct word w)
{
    if (w.is_short && w.value) { /* "-to" is a slip for "--to" more often than a letter with a value */
        for (const struct cli_option *o = options; o->name; o++) {
            size_t len = strcspn(s + 1, "=");
            if (strlen(o->name) == len && memcmp(o->name, s + 1, len) == 0) {
                cli_usage_fault(command, "unknown option '%s'; write --%s", s, o->name);
                return false;
            }
        }
    }
    char name[SP_WORD_MAX + 1];
    const struct cli_option *nearest = NULL;
    size_t distance = SIZE_MAX;
    if (w.len <= SP_WORD_MAX) {
        memcpy(name, w.name, w.len);
        name[w.len] = '\0';
        for (const struct cli_option *o = options; o->name && w.len > 1; o++)
            if (sp_word_is_near(name, o->name) && sp_word_distance(name, o->name) < distance) {
                distance = sp_word_distance(name, o->name);
                nearest = o;
            }
    }
    int shown = w.is_short ? (int)strlen(s) : (int)w.len + 2;
    if (nearest)
        cli_usage_fault(command, "unknown option '%.*s'; did you mean %s%s?", shown, s, dashes(nearest),
                        nearest->name);
    else
        cli_usage_fault(command, "unknown option '%.*s'", shown, s);
    return false;
}

static bool add_value(const char *command, struct cli_option *option, const char *value, unsigned order)
{
    if (option->given && !option->repeat) {
        cli_usage_fault(command, "%s%s is given twice", dashes(option), option->name);
        return false;
    }
    option->given = true;
    if (!option->argument)
        return true;
    if (option->n == CLI_VALUES_MAX) {
        cli_usage_fault(command, "%s%s is given more than %d times", dashes(option), option->name,
                        CLI_VALUES_MAX);
        return false;
    }
    option->order[option->n] = order;
    option->values[option->n++] = value;
    return true;
}

/*
 * The value of an option: behind its '=', or the next word, unless that is itself an option of
 * this command: then the value was forgotten. *i moves when the next word is taken.
 */
static const char *value_of(const char *command, struct cli_option *options, const struct cli_option *option,
                            struct word w, int argc, char **argv, int *i)
{
    if (w.value)
        return w.value;
    const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
    if (!next || strcmp(next, "--") == 0) {
        cli_usage_fault(command, "%s%s needs a value (%s)", dashes(option), option->name, option->argument);
        return NULL;
    }
    bool negative =
        option->argument[0] == '-' && next[0] == '-' && next[1] >= '0' && next[1] <= '9'; /* of -9..9 */
    if (!negative && looks_like_option(next) && find(options, take_apart(next)) &&
        (next[1] == '-' || next[2] == '\0')) {
        cli_usage_fault(
            command, "%s%s needs a value (%s), but '%s' follows; write %s%s=%s if that is the value",
            dashes(option), option->name, option->argument, next, dashes(option), option->name, next);
        return NULL;
    }
    ++*i;
    return next;
}

static void print_help_and_leave(const char *name)
{
    const struct cli_command *command = cli_command_find(name);
    assert(command);
    cli_print_usage(command, stdout);
    exit(fflush(stdout) == 0 ? EX_OK : EX_IOERR);
}

static bool parse_option(const char *command, struct cli_option *options, int argc, char **argv, int *i)
{
    const char *s = argv[*i];
    struct word w = take_apart(s);
    struct cli_option *option = find(options, w);
    if (!option && (strcmp(s, "--help") == 0 || strcmp(s, "-h") == 0))
        print_help_and_leave(command);
    if (!option)
        return fault_unknown(command, options, s, w);
    if (!option->argument && w.value) {
        cli_usage_fault(command, "%s%s takes no value", dashes(option), option->name);
        return false;
    }
    const char *value = "";
    unsigned order = (unsigned)*i;
    if (option->argument && option->argument[0] == '[')
        value = w.value ? w.value : "";
    else if (option->argument)
        value = value_of(command, options, option, w, argc, argv, i);
    return value && add_value(command, option, value, order);
}

bool cli_parse(const char *command, int argc, char **argv, struct cli_option *options,
               struct cli_operands *operands_out)
{
    for (struct cli_option *o = options; o->name; o++) {
        o->given = false;
        o->n = 0;
    }
    int n = 0; /* operands are gathered at the front: never ahead of the word being read */
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        if (!ended && strcmp(argv[i], "--") == 0)
            ended = true;
        else if (ended || !looks_like_option(argv[i]))
            argv[1 + n++] = argv[i];
        else if (!parse_option(command, options, argc, argv, &i))
            return false;
    }
    *operands_out = (struct cli_operands){(const char **)(argv + 1), (size_t)n};
    return true;
}
