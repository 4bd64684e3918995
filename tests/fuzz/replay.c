/*
 * A fuzz target without a fuzzer: each seed of its corpus, each of them cut at every octet, and a bounded
 * number of random changes of them, the same in every run. `./dev fuzz` goes on from there.
 *
 *     fuzz-replay-NAME FOLDER [NTH]
 *
 * With NTH only each NTH cut and change: for a target that takes its time.
 */
#include "tap.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS_MAX = 256, SEED_OCTETS = 1 << 16, CHANGES = 4000, CUT_MAX = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct seed {
    uint8_t *octets;
    size_t len;
} seeds[SEEDS_MAX];
static size_t seed_n, nth = 1;
static uint64_t dice = 0x9e3779b97f4a7c15u;

static size_t roll(size_t below)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return below ? (size_t)(dice % below) : 0;
}

/* On the heap and of just this length, so that reading on is seen. */
static void run(const uint8_t *octets, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len)
        memcpy(copy, octets, len);
    (void)LLVMFuzzerTestOneInput(copy, len); /* it aborts when something is wrong */
    free(copy);
}

static void read_seeds(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        FILE *f = e->d_name[0] != '.' && seed_n < SEEDS_MAX ? fopen(path, "rb") : NULL;
        if (!f)
            continue;
        struct seed *s = &seeds[seed_n++];
        s->octets = malloc(SEED_OCTETS);
        s->len = fread(s->octets, 1, SEED_OCTETS, f);
        fclose(f);
    }
    if (d)
        closedir(d);
}

static void takes_each_seed(void **state)
{
    (void)state;
    assert_true(seed_n > 0);
    run(NULL, 0);
    for (size_t i = 0; i < seed_n; i++)
        run(seeds[i].octets, seeds[i].len);
}

static void takes_each_seed_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < seed_n; i++)
        for (size_t n = 0; n < seeds[i].len && n < CUT_MAX; n += nth)
            run(seeds[i].octets, n);
}

static size_t change(uint8_t *octets, size_t len)
{
    size_t at = roll(len), n;
    const struct seed *other = &seeds[roll(seed_n)];
    switch (roll(5)) {
    case 0: /* a bit */
        if (len)
            octets[at] ^= (uint8_t)(1u << roll(8));
        return len;
    case 1: /* any octet */
        if (len)
            octets[at] = (uint8_t)roll(256);
        return len;
    case 2: /* some less */
        n = roll(len - at < 16 ? len - at : 16);
        memmove(octets + at, octets + at + n, len - at - n);
        return len - n;
    case 3: /* some twice */
        n = roll(len - at < 64 ? len - at : 64);
        if (len + n > SEED_OCTETS)
            return len;
        memmove(octets + at + n, octets + at, len - at);
        return len + n;
    default: /* on as another seed goes on */
        n = other->len > at ? other->len - at : 0;
        memcpy(octets + at, other->octets + (other->len - n), n);
        return at + n;
    }
}

static void takes_changed_seeds(void **state)
{
    static uint8_t octets[2 * SEED_OCTETS];
    (void)state;
    for (size_t i = 0; i < CHANGES; i += nth) {
        const struct seed *s = &seeds[roll(seed_n)];
        size_t len = s->len;
        memcpy(octets, s->octets, len);
        for (size_t k = roll(4); k != (size_t)-1 && len > 0; k--)
            len = change(octets, len);
        run(octets, len);
    }
    for (size_t i = 0; i < seed_n; i++)
        free(seeds[i].octets);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(takes_each_seed),
    cmocka_unit_test(takes_each_seed_cut_anywhere),
    cmocka_unit_test(takes_changed_seeds),
};

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3)
        return 64;
    if (argc == 3 && (nth = strtoul(argv[2], NULL, 10)) == 0)
        return 64;
    read_seeds(argv[1]);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
