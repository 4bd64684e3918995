/* The two clocks: wall time for people, monotonic time for deadlines. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970-01-01 UTC; may jump. */
int64_t os_wall_ms(void);

/* Milliseconds that never go back; the start is arbitrary. */
uint64_t os_mono_ms(void);

#endif
