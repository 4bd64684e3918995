/* What the configuration's tests share. */
#ifndef TESTS_CONFIG_SUPPORT_H
#define TESTS_CONFIG_SUPPORT_H

#include <string.h>

#include "base/view.h"
#include "config/config.h"
#include "os/heap.h"
#include "tap.h"

/* The least that is a configuration; texts are put behind it. It has 3 lines. */
#define LEAST                                                                                                \
    "hostname = mail.example.org\n"                                                                          \
    "default-route = hold\n"                                                                                 \
    "listener l { address = \"127.0.0.1:2525\" }\n"

static inline struct config *parse_ok(const char *text)
{
    struct config *c = NULL;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1 << 20);
    int status = config_parse("/etc/x.conf", sp_view_of(text), &error, &c);
    if (status != SP_OK)
        print_error("%.*s%s", (int)error.len, (const char *)error.p, text);
    assert_int_equal(status, SP_OK);
    assert_int_equal(error.len, 0);
    sp_buf_fini(&error);
    return c;
}

/* The text is faulty, and these are all the lines that say so. */
static inline void parse_faults(const char *text, const char *expected)
{
    struct config *c = NULL;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1 << 20);
    assert_int_equal(config_parse("f", sp_view_of(text), &error, &c), SP_ERR_SYNTAX);
    assert_null(c);
    sp_buf_add_u8(&error, 0);
    assert_int_equal(sp_buf_status(&error), SP_OK);
    assert_string_equal((const char *)error.p, expected);
    sp_buf_fini(&error);
}

/* One fault behind LEAST. */
#define FAULT(text, expected) parse_faults(LEAST text, expected "\n")

#endif
