#include "base/nearest.h"

#include <stdint.h>
#include <string.h>

static size_t min(size_t a, size_t b) { return a < b ? a : b; }

size_t sp_word_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > SP_WORD_MAX || b_len > SP_WORD_MAX)
        return SIZE_MAX;
    size_t rows[3][SP_WORD_MAX + 1]; /* the row being made and the two before it, in turn */
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *older = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = min(change, min(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min(now[j], older[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

bool sp_word_is_near(const char *word, const char *candidate)
{
    size_t allowed = strlen(word) / 3;
    return sp_word_distance(word, candidate) <= (allowed ? allowed : 1);
}
