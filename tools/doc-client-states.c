/*
 * Write docs/client-states.md from the rule table of the client (src/smtp/client_rules.c), or with --check
 * say whether it is what the table says:
 *
 *     doc-client-states [--check] FOLDER
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client_rules.h"

static const char intro[] =
    "# The client's states\n\n"
    "<!-- Written by tools/doc-client-states.c from src/smtp/client_rules.c: change that. -->\n\n"
    "An SMTP client waits, in each of the phases below, for the reply to the command that names the phase. "
    "What came then\n"
    "decides the next command, and what it means for the recipients of the mail under way. The table in\n"
    "`src/smtp/client_rules.c` is the law of it; this page is that table, printed.\n\n"
    "What a recipient can meet, each exactly one of them:\n\n";

static const char reading[] =
    "\n*this* is the recipient whose RCPT is answered, *all* are those that have not met their fate yet. "
    "*waiting*: no mail\n"
    "is under way; mail that waits for this session is to be tried again over another. In a pipelined group "
    "the phase is that\n"
    "of the oldest command without a reply. A reply that is not in a phase's list counts as no reply.\n\n";

static void put_fates(FILE *out)
{
    fputs("| fate | meaning |\n|---|---|\n", out);
#define X(n, text) fprintf(out, "| **%s** | %s |\n", #n, text);
    SP_CLIENT_FATES(X)
#undef X
}

static void put_phases(FILE *out)
{
    struct sp_client_timeouts t = {1, 2, 3, 4, 5, 6, 7};
    static const char *const names[] = {"none", "greeting", "command", "data", "block", "end", "tls", "quit"};
    fputs("## Phases\n\n| phase | what is true there | timer |\n|---|---|---|\n", out);
    for (unsigned p = 0; p < CLIENT_PHASE_N; p++)
        fprintf(out, "| **%s** | %s | %s |\n", smtp_client_phase_name(p), smtp_client_phase_text(p),
                names[smtp_client_phase_timeout(p, &t)]);
}

static const char *whom(const struct smtp_client_rule *r)
{
    bool over = r->next == CLIENT_QUIT || r->next == CLIENT_CLOSED;
    switch (r->scope) {
    case CLIENT_THIS:
        return "this: ";
    case CLIENT_ALL:
        return "all: ";
    default:
        return over && r->fate != SP_CLIENT_NONE ? "waiting: " : "";
    }
}

static void put_rules(FILE *out)
{
    for (unsigned p = 0; p < CLIENT_CLOSED; p++) {
        fprintf(out, "\n## %s\n\n%s.\n\n| when | next | for whom what | RFC |\n|---|---|---|---|\n",
                smtp_client_phase_name(p), smtp_client_phase_text(p));
        for (unsigned i = 0; i < CLIENT_INPUT_N; i++) {
            const struct smtp_client_rule *r = &smtp_client_rules[p][i];
            if (!r->known)
                continue;
            const char *to = whom(r);
            fprintf(out, "| %s | %s | %s%s | %s |\n", smtp_client_input_text(i),
                    smtp_client_phase_name(r->next), to,
                    *to ? sp_client_fate_name((enum sp_client_fate)r->fate) : "", r->rfc);
        }
    }
}

static char *make_page(size_t *len_out)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len_out);
    if (!out)
        exit(71);
    fputs(intro, out);
    put_fates(out);
    fputs(reading, out);
    put_phases(out);
    put_rules(out);
    fclose(out);
    return text;
}

static bool is_same(const char *path, const char *text, size_t len)
{
    char *kept = calloc(1, len + 1);
    FILE *in = fopen(path, "rb");
    bool same = in && kept && fread(kept, 1, len + 1, in) == len && memcmp(kept, text, len) == 0;
    if (in)
        fclose(in);
    free(kept);
    return same;
}

int main(int argc, char **argv)
{
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0, good;
    char path[4096];
    size_t len = 0;
    if (argc != (check ? 3 : 2)) {
        fputs("usage: doc-client-states [--check] FOLDER\n", stderr);
        return 64;
    }
    snprintf(path, sizeof path, "%s/client-states.md", argv[argc - 1]);
    char *text = make_page(&len);
    if (check) {
        good = is_same(path, text, len);
        printf("1..1\n%s 1 - client-states.md is what the table says\n", good ? "ok" : "not ok");
    } else {
        FILE *out = fopen(path, "wb");
        good = out && fwrite(text, 1, len, out) == len;
        if ((out && fclose(out) != 0) || !good)
            fprintf(stderr, "doc-client-states: cannot write %s\n", path);
    }
    free(text);
    return good ? 0 : 1;
}
