/* The word that somebody may have meant. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_WORD_MAX = 64 }; /* longer words are near to nothing */

/*
 * How many letters must be put in, taken out, changed or swapped with their neighbour to make
 * one word of the other (optimal string alignment). SIZE_MAX when a word is longer than CLI_WORD_MAX.
 */
size_t cli_distance(const char *a, const char *b);

/* Near enough to be a slip: at most a third of the word's letters, and one letter for short words. */
bool cli_is_near(const char *word, const char *candidate);

#endif
