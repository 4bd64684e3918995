/* The allocator of programs: malloc behind sp_allocator. Running out of memory ends the process. */
#ifndef OS_HEAP_H
#define OS_HEAP_H

#include "sallyport/base.h"

/* Never returns NULL: out of memory is a panic, and the supervisor starts the role anew. */
extern const struct sp_allocator os_heap;

/* The same; it wipes what it takes back, also when a buffer grows. For buffers that hold secrets. */
extern const struct sp_allocator os_heap_secret;

/* n zeroed octets; free with free(). */
void *os_new(size_t n);

/* A NUL-terminated copy; for text known to hold no NUL. Free with free(). */
char *os_text(struct sp_view v);

/* Octets that differ for every process and call. */
void os_random(void *p, size_t n);

#endif
