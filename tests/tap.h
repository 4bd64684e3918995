/* What every cmocka program includes: cmocka with what it needs, and TAP as the output. */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A program's main: run the tests of the array, one TAP line each. */
#define TAP_MAIN(tests)                                                                                      \
    int main(void)                                                                                           \
    {                                                                                                        \
        cmocka_set_message_output(CM_OUTPUT_TAP);                                                            \
        return cmocka_run_group_tests(tests, NULL, NULL);                                                    \
    }

#endif
