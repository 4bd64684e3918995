/*
 * One logfmt line per event on stderr:
 *
 *   time=2026-11-24T05:04:50.123Z level=info role=smtpd/0 event=mail-accepted session=... id=...
 *
 * A line is one write of at most 4,000 octets. A reader that does not read never blocks a role:
 * what does not fit is counted and reported in the next line that does (lost=N).
 * Values from the network are escaped: printable ASCII and valid UTF-8 pass, the rest is \xNN.
 *
 * Levels, and there are no others: info; warn (worth a look); fatal (the operator can mend
 * it: say how); panic (our mistake).
 */
#ifndef OS_LOG_H
#define OS_LOG_H

#include "sallyport/base.h"

enum os_log_level { OS_INFO, OS_WARN, OS_FATAL, OS_PANIC };

enum os_log_kind { OS_LOG_END_, OS_LOG_TEXT_, OS_LOG_VIEW_, OS_LOG_INT_ };

struct os_log_field {
    const char *key;
    enum os_log_kind kind;
    const char *text;
    struct sp_view view;
    int64_t number;
};

#define OS_STR(k, v)  ((struct os_log_field){.key = (k), .kind = OS_LOG_TEXT_, .text = (v)})
#define OS_VIEW(k, v) ((struct os_log_field){.key = (k), .kind = OS_LOG_VIEW_, .view = (v)})
#define OS_NUM(k, v)  ((struct os_log_field){.key = (k), .kind = OS_LOG_INT_, .number = (int64_t)(v)})

/*
 * Write a line: os_log(OS_INFO, "mail-accepted", OS_STR("id", id), OS_NUM("size", n));
 * fields whose text is NULL or view is empty are left out.
 */
#define os_log(level, event, ...)                                                                            \
    os_log_fields(level, event, (const struct os_log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})

void os_log_fields(enum os_log_level level, const char *event, const struct os_log_field *fields);

/* "smtpd/0" in every line from now on. Static text or kept by the caller. */
void os_log_role(const char *role);

/* Give stderr a file description of its own that never blocks (once, in the supervisor; roles inherit it). */
void os_log_open(void);

/* Log at fatal and exit with the sysexits code. */
_Noreturn void os_fatal(int exit_code, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Log at panic and abort: a broken invariant of ours. */
_Noreturn void os_panic(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
