#include "config/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/heap.h"
#include "os/log.h"

struct config_fault {
    unsigned line;
    size_t order;
    const char *text;
    struct config_fault *older;
};

void *config_new(struct sp_arena *a, size_t n)
{
    void *p = sp_arena_get(a, n ? n : 1);
    if (!p)
        os_panic("config-memory", "%zu octets were refused", n);
    return memset(p, 0, n);
}

static char *format_text(struct sp_arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t size = len < 0 ? 1 : (size_t)len + 1;
    char *text = config_new(a, size);
    vsnprintf(text, size, format, args);
    return text;
}

char *config_text(struct sp_arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(a, format, args);
    va_end(args);
    return text;
}

void config_fault(struct config_faults *f, unsigned line, const char *format, ...)
{
    if (++f->n > CONFIG_FAULTS_MAX)
        return;
    struct config_fault *fault = config_new(f->arena, sizeof *fault);
    va_list args;
    va_start(args, format);
    *fault = (struct config_fault){line, f->n, format_text(f->arena, format, args), f->newest};
    va_end(args);
    f->newest = fault;
}

const char *config_fault_text(const struct config_faults *f) { return f->newest ? f->newest->text : NULL; }

static int by_line(const void *a, const void *b)
{
    const struct config_fault *x = *(const struct config_fault *const *)a;
    const struct config_fault *y = *(const struct config_fault *const *)b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

void config_faults_show(const struct config_faults *f, const char *path, struct sp_buf *out)
{
    const struct config_fault *sorted[CONFIG_FAULTS_MAX];
    size_t n = 0;
    for (const struct config_fault *fault = f->newest; fault; fault = fault->older)
        sorted[n++] = fault;
    qsort(sorted, n, sizeof *sorted, by_line);
    for (size_t i = 0; i < n; i++) {
        sp_buf_add_str(out, path);
        sp_buf_add_u8(out, ':');
        sp_buf_add_dec(out, sorted[i]->line);
        sp_buf_add_str(out, ": ");
        sp_buf_add_str(out, sorted[i]->text);
        sp_buf_add_u8(out, '\n');
    }
    if (f->n > n) {
        sp_buf_add_str(out, path);
        sp_buf_add_u8(out, ':');
        sp_buf_add_dec(out, n ? sorted[n - 1]->line : 1);
        sp_buf_add_str(out, ": and ");
        sp_buf_add_dec(out, f->n - n);
        sp_buf_add_str(out, " faults more\n");
    }
}
