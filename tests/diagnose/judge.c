/*
 * Logs on standard input, each as "LENGTH\n" and its octets; for each a line on standard output: verdict, id,
 * line, then everything else that diagnose would show of the input. In one process, so that thousands can be
 * measured.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/view.h"
#include "diagnose/diagnose.h"

static void print_report(const struct diagnose_report *r)
{
    static const char *const verdicts[] = {"failure", "no failure", "undetermined"};
    printf("%s\t%s\t%llu", verdicts[r->verdict], diagnose_cause(r->findings[0].id)->id,
           (unsigned long long)r->findings[0].line);
    for (size_t i = 0; i < r->finding_n; i++)
        printf("\t%s", r->findings[i].quote);
    for (size_t i = 0; i < r->challenge_n; i++)
        printf("\t%s\t%s", r->challenges[i].text, r->challenges[i].decoded);
    printf("\n");
}

int main(void)
{
    enum { LOG_MAX = 1 << 24, PIECE = 7 }; /* an odd cut, so that lines are cut everywhere */
    size_t len;
    while (scanf("%zu", &len) == 1 && getchar() == '\n' && len < LOG_MAX) {
        uint8_t *log = malloc(len + 1);
        if (!log || fread(log, 1, len, stdin) != len)
            return 1;
        struct diagnose *d = diagnose_new();
        for (size_t at = 0; at < len; at += PIECE)
            diagnose_feed(d, sp_view_sub(sp_view_make(log, len), at, PIECE));
        print_report(diagnose_end(d));
        diagnose_free(d);
        free(log);
    }
    return 0;
}
