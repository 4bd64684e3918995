/* Every sequence of commands up to a depth, for many listeners: see drive.h. SALLYPORT_SLOW=1: one deeper. */
#include "tap.h"

#include "drive.h"
#include "oracle.h"

#include <stdlib.h>

static unsigned deeper(void)
{
    const char *slow = getenv("SALLYPORT_SLOW");
    return slow && slow[0] ? 1 : 0;
}

static void run(struct drive *d)
{
    d->rules = smtp_rules;
    if (!drive_run(d))
        fail_msg("%s", d->fault);
}

static void drive(struct drive_listener l, unsigned commands, unsigned depth)
{
    struct drive d = {.listener = l, .commands = commands, .depth = depth + deeper()};
    run(&d);
    print_message("# %lu sequences of up to %u of %u commands\n", d.sequences, d.depth, commands);
}

/* What is used in every mail, deepest. */
static void test_core_of_sandbox(void **c)
{
    (void)c;
    drive((struct drive_listener){.starttls = true, .clear_auth = true, .extended = true}, ORACLE_CORE, 5);
}

static void test_core_of_submission(void **c)
{
    (void)c;
    drive(
        (struct drive_listener){
            .starttls = true, .tls_required = true, .auth_required = true, .extended = true},
        ORACLE_CORE, 5);
}

static void test_core_without_extensions(void **c)
{
    (void)c;
    drive((struct drive_listener){.auth_required = true, .implicit_tls = true}, ORACLE_CORE, 5);
}

/* All commands, bad arguments among them. */
static void test_all_commands(void **c)
{
    (void)c;
    drive((struct drive_listener){.starttls = true, .clear_auth = true, .extended = true}, ORACLE_N, 4);
}

static void test_all_commands_of_lmtp(void **c)
{
    (void)c;
    drive((struct drive_listener){.lmtp = true, .extended = true}, ORACLE_N, 3);
}

/* All listeners, less deep; and cut everywhere. */
static void test_all_listeners(void **c)
{
    (void)c;
    unsigned long sequences = 0;
    for (unsigned i = 0; i < 128; i++) {
        struct drive d = {.listener = {i & 1, i & 2, i & 4, i & 8, i & 16, i & 32, i & 64},
                          .commands = ORACLE_N,
                          .depth = 2 + deeper()};
        run(&d);
        sequences += d.sequences;
    }
    print_message("# %lu sequences over 128 listeners\n", sequences);
}

static void test_cut_everywhere(void **c)
{
    (void)c;
    unsigned long sequences = 0;
    for (size_t cut = 1; cut < 40; cut++) {
        struct drive d = {.listener = {.clear_auth = true, .extended = true},
                          .commands = ORACLE_N,
                          .depth = 2 + deeper(),
                          .cut = cut};
        run(&d);
        sequences += d.sequences;
    }
    print_message("# %lu sequences in pieces of 1 to 39 octets\n", sequences);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_listeners),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_core_of_sandbox),
        cmocka_unit_test(test_core_of_submission),
        cmocka_unit_test(test_core_without_extensions),
        cmocka_unit_test(test_all_commands_of_lmtp),
        cmocka_unit_test(test_all_commands),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
