/*
 * `sallyport sendmail`, and the names sendmail, mailq and newaliases of this program: the command line that
 * programs of this machine have used for forty years. Options that have no meaning here are taken and
 * ignored, as other servers do; those that nobody knows are refused.
 */
#include "cli/sendmail/sendmail.h"

#include "base/view.h"
#include "cli/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* clang-format off */
static struct cli_option shown[] = {
    {.name = "t", .help = "the recipients stand in To, Cc and Bcc of the message, too"},
    {.name = "i", .help = "a line with a dot alone does not end the message; also -oi"},
    {.name = "f", .argument = "ADDRESS", .help = "the sender; '<>' is the empty one; also -r"},
    {.name = "F", .argument = "NAME", .help = "the sender's full name, where the message has no From"},
    {.name = "N", .argument = "WHEN", .help = "tell the sender of: never, or failure, delay and success with commas"},
    {.name = "R", .argument = "WHAT", .help = "a report of a failure has: full, the message; hdrs, its header"},
    {.name = "V", .argument = "ID", .help = "reports name this id"},
    {.name = "B", .argument = "TYPE", .help = "the body is 7BIT or 8BITMIME; without it, what it is"},
    {.name = "b", .argument = "MODE", .help = "m: take a message. s: speak SMTP on standard input and output. p: list the queue, as mailq. i: let the server read its aliases, as newaliases"},
    {.name = "C", .argument = "FILE", .help = "the server's configuration; /etc/sallyport/sallyport.conf"},
    {.name = "v", .help = "say where the message was put"},
    {.name = "data", .argument = "DIR", .help = "the server's data folder, where the configuration is not to say"},
    {.name = NULL},
};
/* clang-format on */

const struct cli_option *cmd_sendmail_options(void) { return shown; }

enum { DATA = 256 };

static const struct option longer[] = {
    {"data", required_argument, NULL, DATA}, {"help", no_argument, NULL, 'H'}, {NULL, 0, NULL, 0}};

/* Sendmail's, Postfix's and Exim's; each letter that takes a value, so that the value is no recipient. */
static const char letters[] = ":A:B:C:D:F:GIL:N:O:R:UV:X:b:d::e:f:h:imno:p:q::r:tv";

struct command_line {
    struct sendmail o;
    char mode; /* m: a message; s, p, i */
    bool runs; /* -q */
};

static int refuse_mode(const struct command_line *c, const char *mode)
{
    if (strcmp(mode, "d") == 0 || strcmp(mode, "D") == 0)
        return cli_fault(c->o.command, EX_USAGE, "-b%s: the server is started with 'sallyport serve -c FILE'",
                         mode);
    if (strcmp(mode, "v") == 0 || strcmp(mode, "t") == 0)
        return cli_fault(
            c->o.command, EX_USAGE,
            "-b%s: addresses are not tested here; 'sallyport check -c FILE' shows where mail goes", mode);
    return cli_fault(c->o.command, EX_USAGE, "-b%s is not known; -bm, -bs, -bp and -bi are", mode);
}

static int take_mode(struct command_line *c, const char *mode)
{
    if (strlen(mode) != 1 || !strchr("mspi", mode[0]))
        return refuse_mode(c, mode);
    c->mode = mode[0];
    return EX_OK;
}

/* -oX: an option of sendmail's by its one letter. */
static int take_o(struct command_line *c, const char *option)
{
    if (option[0] == 'i')
        c->o.dots = true;
    else if (option[0] == 'f' || option[0] == 'r')
        c->o.sender = option + 1;
    return EX_OK;
}

/* -N never, or some of the three with commas (RFC 3461 4.1). */
static int check_words(const struct command_line *c, char letter, const char *value, const char *words)
{
    struct sp_view rest = sp_view_of(value), word;
    bool any = false;
    while (sp_view_word(&rest, ',', &word)) {
        struct sp_view known = sp_view_of(words), one;
        bool found = false;
        while (!found && sp_view_word(&known, ' ', &one))
            found = sp_view_eq_nocase(word, one);
        any = true;
        if (!found)
            return cli_fault(c->o.command, EX_USAGE, "-%c %s: '%.*s' is none of: %s", letter, value,
                             (int)word.len, (const char *)word.p, words);
    }
    return any ? EX_OK : cli_fault(c->o.command, EX_USAGE, "-%c needs some of: %s", letter, words);
}

static int take_report(struct command_line *c, int letter, const char *value)
{
    if (letter == 'N') {
        c->o.notify = value;
        bool alone = sp_view_eq_nocase(sp_view_of(value), SP_LIT("never"));
        return alone ? EX_OK : check_words(c, 'N', value, "failure delay success");
    }
    if (letter == 'R') {
        c->o.ret = value;
        return check_words(c, 'R', value, "full hdrs");
    }
    if (letter == 'B') {
        c->o.body = value;
        return check_words(c, 'B', value, "7BIT 8BITMIME");
    }
    c->o.envid = value;
    return strlen(value) <= 33 ? EX_OK : cli_fault(c->o.command, EX_USAGE, "-V takes at most 33 octets");
}

static int take_option(struct command_line *c, int letter, const char *value)
{
    switch (letter) {
    case 't':
        c->o.from_header = true;
        return EX_OK;
    case 'i':
        c->o.dots = true;
        return EX_OK;
    case 'I':
        c->mode = 'i';
        return EX_OK;
    case 'f':
    case 'r':
        c->o.sender = value;
        return EX_OK;
    case 'F':
        c->o.full_name = value;
        return EX_OK;
    case 'C':
        c->o.config = value;
        return EX_OK;
    case 'v':
        c->o.verbose = true;
        return EX_OK;
    case 'q':
        c->runs = true;
        return EX_OK;
    case 'b':
        return take_mode(c, value);
    case 'o':
        return take_o(c, value);
    case 'N':
    case 'R':
    case 'V':
    case 'B':
        return take_report(c, letter, value);
    case DATA:
        c->o.data = value;
        return EX_OK;
    case ':':
        return cli_fault(c->o.command, EX_USAGE,
                         "the option -%c needs a value; see 'sallyport help sendmail'", optopt);
    case '?':
        if (optopt > 0 && optopt < DATA)
            return cli_fault(c->o.command, EX_USAGE,
                             "the option -%c is not known; see 'sallyport help sendmail'", optopt);
        return cli_fault(c->o.command, EX_USAGE, "an option is not known; see 'sallyport help sendmail'");
    default: /* of other servers, without a meaning here */
        return EX_OK;
    }
}

static int take_command_line(struct command_line *c, int argc, char **argv)
{
    int letter;
    optind = 0; /* glibc: from the start */
    opterr = 0;
    while ((letter = getopt_long(argc, argv, letters, longer, NULL)) != -1) {
        if (letter == 'H') {
            cli_print_usage(cli_command_find("sendmail"), stdout);
            exit(EX_OK); /* as of every command */
        }
        int code = take_option(c, letter, optarg ? optarg : "");
        if (code != EX_OK)
            return code;
    }
    c->o.recipients = (const char **)argv + optind;
    c->o.recipient_n = (size_t)(argc - optind);
    return EX_OK;
}

static int deliver(const struct sendmail *o, const struct sendmail_place *place)
{
    struct sendmail_mail m;
    sendmail_mail_init(&m);
    int code = sendmail_read(o, place, &m);
    if (code == EX_OK)
        code = sendmail_drop(o, place, &m);
    if (code == EX_OK && o->verbose)
        printf("put into %s/maildrop\n", place->data);
    sendmail_mail_fini(&m);
    return code;
}

static int run(struct command_line *c)
{
    struct sendmail_place place = {0};
    bool nobody = c->o.recipient_n == 0 && !c->o.from_header;
    if (c->mode == 'm' && c->runs && nobody) /* the server runs its queue by itself */
        return EX_OK;
    if (c->mode == 'm' && nobody)
        return cli_fault(
            c->o.command, EX_USAGE,
            "name the recipients, or use -t when the message does; see 'sallyport help sendmail'");
    int code = sendmail_find(&c->o, &place);
    if (code != EX_OK)
        return code;
    if (c->mode == 's')
        code = sendmail_smtp(&c->o, &place);
    else if (c->mode == 'p')
        code = sendmail_list(&c->o, &place);
    else if (c->mode == 'i')
        code = sendmail_aliases(&c->o, &place);
    else
        code = deliver(&c->o, &place);
    sendmail_place_fini(&place);
    return code;
}

static int run_as(const char *command, char mode, int argc, char **argv)
{
    struct command_line c = {.o = {.command = command}, .mode = mode};
    int code = take_command_line(&c, argc, argv);
    return code == EX_OK ? run(&c) : code;
}

int cmd_sendmail(int argc, char **argv) { return run_as("sendmail", 'm', argc, argv); }

bool cli_is_sendmail(int argc, char **argv, int *code_out)
{
    static const struct {
        const char *name;
        char mode;
    } names[] = {{"sendmail", 'm'}, {"mailq", 'p'}, {"newaliases", 'i'}};
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL, *name = slash      ? slash + 1
                                                                         : argc > 0 ? argv[0]
                                                                                    : "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].name) == 0) {
            *code_out = run_as(name, names[i].mode, argc, argv);
            return true;
        }
    return false;
}
