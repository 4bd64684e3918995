/*
 * Write docs/server-states.md and docs/server-states.dot from the rule table of the server
 * engine, or with --check say whether they are up to date:
 *
 *     doc-server-states [--check] docs
 *
 * The picture is made of the second: dot -Tsvg docs/server-states.dot -o docs/server-states.svg
 */
#include "base/view.h"
#include "smtp/server_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] =
    "# The server's states\n"
    "\n"
    "<!-- Written by tools/doc-server-states.c from src/smtp/server_rules.c: change that. -->\n"
    "\n"
    "An SMTP session is in one of the phases below; what a command does depends on the phase. The table in\n"
    "`src/smtp/server_rules.c` is the law of it: the engine has no other place that decides what is accepted "
    "and where a\n"
    "session goes. This page is that table, printed.\n"
    "\n"
    "![The phases and the ways between them](server-states.svg)\n"
    "\n"
    "A command is checked in this order, and the first check that fails gives the reply:\n"
    "\n"
    "1. it is a verb that is known (500) and implemented here (502);\n"
    "2. what the verb needs everywhere holds: nothing sent ahead (554 and closed), offered (502), TLS and "
    "user where policy\n"
    "   asks (530), not yet TLS for STARTTLS and no user yet for AUTH (503);\n"
    "3. the phase accepts it (503), and what the phase asks beside holds;\n"
    "4. its argument is right (501, 553, 555; 552 for SIZE; 504 for the mechanism);\n"
    "5. the server's own judgement, where the table says *asks*: yes leads on, no is any 4yz or 5yz and "
    "leads home.\n"
    "\n"
    "A refusal sends the session to the phase's home. If that is another phase, the mail is dropped.\n"
    "\n"
    "The octets that BDAT counts belong to its line: where BDAT is refused they are thrown away before the "
    "reply.\n"
    "\n";

static const char *const reads_names[] = {"nothing", "commands", "SASL answers", "the message", "a chunk, counted"};
static const char *const timer_names[] = {"none", "command", "data", "TLS"};

static void put_view(FILE *f, struct sp_view v) { fprintf(f, "%.*s", (int)v.len, (const char *)v.p); }

static void put_needs(FILE *f, unsigned needs)
{
    const char *comma = "";
    for (unsigned bit = 0; bit < NEED_N; bit++)
        if (needs & 1u << bit) {
            fprintf(f, "%s%s", comma, smtp_needs[bit].name);
            comma = ", ";
        }
}

static void put_phases(FILE *f)
{
    fputs("## Phases\n\n| phase | what is true there | reads | home | timer |\n|---|---|---|---|---|\n", f);
    for (unsigned p = 0; p < P_N; p++) {
        const struct smtp_phase_row *row = &smtp_phases[p];
        fprintf(f, "| **%s** | %s | %s | %s | %s |\n", row->name, row->meaning, reads_names[row->reads],
                smtp_phases[row->home].name, timer_names[row->timer]);
    }
}

/* "221 CLOSED", "asks: 250 MAIL", "334 SASL": a code where one is said, a phase where it changes. */
static void put_outcome(FILE *f, const struct smtp_outcome *o, unsigned phase)
{
    int code = smtp_replies[o->say].code;
    if (code)
        fprintf(f, "%d", code);
    if (o->next != phase)
        fprintf(f, "%s%s", code ? " " : "", smtp_phases[o->next].name);
}

static void put_cell(FILE *f, unsigned phase, unsigned input)
{
    const struct smtp_rule *r = &smtp_rules[phase][input];
    switch (r->who) {
    case ENGINE:
        put_outcome(f, &r->yes, phase);
        break;
    case REFUSES:
        put_outcome(f, &r->no, phase);
        fprintf(f, "<br>%s", smtp_replies[r->no.say].reason);
        break;
    case CALLER:
        fputs("asks: ", f);
        put_outcome(f, &r->yes, phase);
        if (r->more.say != R_NONE) {
            fputs(", ", f);
            put_outcome(f, &r->more, phase);
        }
        if (r->no.next != phase) {
            fputs(", no: ", f);
            put_outcome(f, &r->no, phase);
        }
        break;
    default:
        break;
    }
    if (r->who != ABSENT && r->need) {
        fputs("<br>needs ", f);
        put_needs(f, r->need);
    }
}

/* The phases that have a row for any input of the range, as columns. */
static void put_matrix(FILE *f, const char *title, unsigned from, unsigned to)
{
    bool used[P_N] = {false};
    for (unsigned p = 0; p < P_N; p++)
        for (unsigned i = from; i < to; i++)
            used[p] = used[p] || smtp_rules[p][i].who != ABSENT;
    fprintf(f, "\n## %s\n\n| |", title);
    for (unsigned p = 0; p < P_N; p++)
        if (used[p])
            fprintf(f, " %s |", smtp_phases[p].name);
    fputs("\n|---|", f);
    for (unsigned p = 0; p < P_N; p++)
        if (used[p])
            fputs("---|", f);
    for (unsigned i = from; i < to; i++) {
        fprintf(f, "\n| **%s** |", smtp_input_name(i));
        for (unsigned p = 0; p < P_N; p++)
            if (used[p]) {
                fputc(' ', f);
                put_cell(f, p, i);
                fputs(" |", f);
            }
    }
    fputc('\n', f);
}

static void put_verbs(FILE *f)
{
    fputs("\n## Verbs\n\nCounted as idle: limited in number between two mails.\n\n"
          "| verb | needs everywhere | idle | longest line |\n|---|---|---|---|\n",
          f);
    for (unsigned i = 0; i < IN_VERB_N; i++) {
        fprintf(f, "| %s | ", smtp_input_name(i));
        put_needs(f, smtp_words[i].need);
        fprintf(f, " | %s | %u |\n", smtp_words[i].idle ? "yes" : "", smtp_words[i].line_max);
    }
    fputs("\nKnown, but not implemented (502): ", f);
    const char *comma = "";
    for (size_t i = IN_VERB_N; i < smtp_words_n; i++)
        if (smtp_words[i].input == IN_OFF) {
            fputs(comma, f);
            put_view(f, smtp_words[i].spelling);
            comma = ", ";
        }
    fputs(".\n", f);
}

static void put_needs_table(FILE *f)
{
    fputs("\n## Needs\n\nTested in this order.\n\n| need | holds when | if not | RFC |\n|---|---|---|---|\n",
          f);
    for (unsigned bit = 0; bit < NEED_N; bit++) {
        const struct smtp_need_row *n = &smtp_needs[bit];
        const struct smtp_reply_row *r = &smtp_replies[n->reply];
        fprintf(f, "| %s | %s | %d %s `%s`%s | %s |\n", n->name, n->meaning, r->code, r->enhanced, r->reason,
                n->unmet == CLOSES ? ", closed" : "", n->rfc);
    }
}

static void put_replies(FILE *f)
{
    fputs("\n## Replies\n\n`$v` is the command, `$n` what would be accepted now, `$d` what is wrong in the "
          "argument and where, `$l` "
          "the limit of\nthe line, `$s` that of a message, `$m` the mechanisms offered, `$h` this server, "
          "`$c` the client. Replies to EHLO "
          "and HELO\nand the greeting carry no enhanced code (RFC 2034 section 4).\n\n"
          "| code | enhanced | text | reason |\n|---|---|---|---|\n",
          f);
    for (unsigned i = 0; i < R_N; i++) {
        const struct smtp_reply_row *r = &smtp_replies[i];
        if (r->code == 0)
            continue;
        fprintf(f, "| %d | %s | ", r->code, r->enhanced);
        for (size_t k = 0; k < r->text.len; k++) /* what Markdown or HTML would take for theirs */
            fprintf(f, "%s%c", strchr("<>|*_[]", r->text.p[k]) ? "\\" : "", r->text.p[k]);
        fprintf(f, " | %s%s%s |\n", r->reason[0] ? "`" : "", r->reason, r->reason[0] ? "`" : "");
    }
}

/* As smtp_server_offers has it. */
static const char *when_offered(unsigned offer)
{
    switch (offer) {
    case 0:
        return "";
    case SP_EXT_BINARYMIME:
        return "the listener offers it, and CHUNKING";
    case SP_EXT_REQUIRETLS:
        return "the listener offers it, under TLS";
    case SP_EXT_DELIVERBY:
    case SP_EXT_FUTURERELEASE:
        return "the listener offers it, and the clock is known";
    default:
        return "the listener offers it";
    }
}

static void put_extensions(FILE *f)
{
    fputs("\n## What EHLO lists\n\n| line | when | RFC |\n|---|---|---|\n", f);
    for (size_t i = 0; i < smtp_extensions_n; i++) {
        fputs("| `", f);
        put_view(f, smtp_extensions[i].text);
        fputs("` | ", f);
        put_needs(f, smtp_extensions[i].need);
        fprintf(f, "%s | %s |\n", when_offered(smtp_extensions[i].offer), smtp_extensions[i].rfc);
    }
}

/* The section that orders each row, where a phase differs from the others. */
static void put_sections(FILE *f)
{
    fputs("\n## Sections\n\nThe RFC and section that order each row of the table.\n\n| input | sections "
          "|\n|---|---|\n",
          f);
    for (unsigned i = 0; i < IN_N; i++) {
        const char *last = "", *comma = "";
        fprintf(f, "| %s | ", smtp_input_name(i));
        for (unsigned p = 0; p < P_N; p++) {
            const struct smtp_rule *r = &smtp_rules[p][i];
            if (r->who == ABSENT || strcmp(r->rfc, last) == 0)
                continue;
            fprintf(f, "%s%s (%s", comma, r->rfc, smtp_phases[p].name);
            for (unsigned q = p + 1; q < P_N; q++)
                if (smtp_rules[q][i].who != ABSENT) {
                    if (strcmp(smtp_rules[q][i].rfc, r->rfc) != 0)
                        break;
                    fprintf(f, " %s", smtp_phases[q].name);
                }
            fputc(')', f);
            last = r->rfc;
            comma = "; ";
        }
        fputs(" |\n", f);
    }
}

static void put_page(FILE *f)
{
    fputs(head, f);
    put_phases(f);
    put_matrix(f, "Commands", 0, IN_VERB_N);
    put_matrix(f, "What else happens", IN_VERB_N, IN_N);
    put_verbs(f);
    put_needs_table(f);
    put_extensions(f);
    put_replies(f);
    put_sections(f);
}

/* --- the picture ------------------------------------------------------------------------------- */

/* What ends every session is left out, so that the rest can be seen. */
static bool is_drawn(unsigned input)
{
    static const unsigned not [] = {IN_TIMER,  IN_SLOW,   IN_SHUTDOWN, IN_EOF,   IN_DISMISS,
                                    IN_ERRORS, IN_IDLERS, IN_FAILURES, IN_AHEAD, IN_BARE_LF,
                                    IN_HTTP,   IN_PROXY,  IN_TLS_HELLO};
    for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
        if (not [i] == input)
            return false;
    return true;
}

static void put_label(FILE *f, bool *first, unsigned input, int code)
{
    const char *name = smtp_input_name(input);
    fprintf(f, "%s", *first ? "" : "\\n");
    for (; *name; name++)
        if (!strchr("()`", *name))
            fputc(*name, f);
    if (code)
        fprintf(f, " %d", code);
    *first = false;
}

static bool leads(const struct smtp_rule *r, bool refused, unsigned phase, unsigned to, int *code_out)
{
    const struct smtp_outcome *o = NULL;
    if (refused && (r->who == REFUSES || r->who == CALLER))
        o = &r->no;
    if (!refused && (r->who == ENGINE || r->who == CALLER))
        o = &r->yes;
    if (!refused && r->more.say != R_NONE && r->more.next == to && r->more.next != phase)
        o = &r->more;
    if (!o || o->next != to || o->next == phase)
        return false;
    *code_out = smtp_replies[o->say].code;
    return true;
}

static void put_edge(FILE *f, unsigned from, unsigned to, bool refused)
{
    bool first = true;
    int code = 0;
    for (unsigned i = 0; i < IN_N; i++) {
        if (!is_drawn(i) || !leads(&smtp_rules[from][i], refused, from, to, &code))
            continue;
        if (first)
            fprintf(f, "    %s -> %s [%slabel=\"", smtp_phases[from].name, smtp_phases[to].name,
                    refused ? "style=dashed, " : "");
        put_label(f, &first, i, code);
    }
    if (!first)
        fputs("\"]\n", f);
}

static void put_picture(FILE *f)
{
    fputs("// Written by tools/doc-server-states.c from src/smtp/server_rules.c: change that.\n"
          "digraph server {\n"
          "    graph [rankdir=TB, fontname=\"sans-serif\", nodesep=0.5, ranksep=0.6, labelloc=b,\n"
          "           label=\"Solid: accepted. Dashed: refused. Commands that stay where they are, and what "
          "closes a session "
          "from anywhere, are left out.\"]\n"
          "    node [shape=box, style=\"rounded\", fontname=\"sans-serif\"]\n"
          "    edge [fontname=\"sans-serif\", fontsize=10]\n",
          f);
    for (unsigned p = 0; p < P_N; p++)
        fprintf(f, "    %s [tooltip=\"%s\"]\n", smtp_phases[p].name, smtp_phases[p].meaning);
    for (unsigned from = 0; from < P_N; from++)
        for (unsigned to = 0; to < P_N; to++)
            for (int refused = 0; refused < 2; refused++)
                put_edge(f, from, to, refused);
    fputs("}\n", f);
}

/* --- files ----------------------------------------------------------------------------------------- */

static bool same(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "rb");
    char *have = f ? malloc(len + 1) : NULL;
    size_t n = have ? fread(have, 1, len + 1, f) : 0;
    bool equal = n == len && memcmp(have, text, len) == 0;
    free(have);
    if (f)
        fclose(f);
    return equal;
}

static int do_file(const char *folder, const char *name, void (*put)(FILE *), bool check)
{
    char path[1024], *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return 1;
    put(f);
    fclose(f);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int bad = 0;
    if (check) {
        bad = !same(path, text, len);
        printf("%s - %s is what the table says\n", bad ? "not ok" : "ok", name);
    } else {
        f = fopen(path, "wb");
        bad = !f || fwrite(text, 1, len, f) != len;
        if ((f && fclose(f) != 0) || bad)
            fprintf(stderr, "doc-server-states: cannot write %s\n", path);
    }
    free(text);
    return bad;
}

int main(int argc, char **argv)
{
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc != (check ? 3 : 2)) {
        fputs("usage: doc-server-states [--check] FOLDER\n", stderr);
        return 64;
    }
    if (check)
        puts("1..2");
    int bad = do_file(argv[argc - 1], "server-states.md", put_page, check);
    bad += do_file(argv[argc - 1], "server-states.dot", put_picture, check);
    return bad > 0;
}
