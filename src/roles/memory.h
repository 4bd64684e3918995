/* Memory that several processes share. */
#ifndef ROLES_MEMORY_H
#define ROLES_MEMORY_H

#include <stddef.h>

/*
 * Make it: zeros but for a random uint64_t at its beginning, the seed of a table of names that strangers choose. Its
 * size is for good.
 *
 * A descriptor, or -1: see errno.
 */
int memory_make(const char *name, size_t octets);

#endif
