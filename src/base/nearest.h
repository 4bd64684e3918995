/* The word that somebody may have meant. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "sallyport/base.h"

enum { SP_WORD_MAX = 64 }; /* longer words are near to nothing */

/*
 * How many letters must be put in, taken out, changed or swapped with their neighbour to make
 * one word of the other (optimal string alignment). SIZE_MAX when a word is longer than SP_WORD_MAX.
 */
size_t sp_word_distance(const char *a, const char *b);

/* Near enough to be a slip: at most a third of the word's letters, and one letter for short words. */
bool sp_word_is_near(const char *word, const char *candidate);

#endif
