/* Which words of a client may be written down. */
#ifndef SMTPD_RECORDER_WORD_H
#define SMTPD_RECORDER_WORD_H

#include "base/buf.h"

/* The length of the verb at the front, 0 when there is none that SMTP knows. */
size_t recorder_verb(struct sp_view line);

/* A name that is surely one of a SASL mechanism, in upper case; else NULL. */
const char *recorder_mechanism(struct sp_view name);

/* The length of a first word that says what a line is about: "Subject:", "GET", "HALO"; else 0. */
size_t recorder_harmless_word(struct sp_view line);

/* Nothing but the letters of base64, and some. */
bool recorder_is_base64(struct sp_view text);

/* Append text: control octets and what is not UTF-8 as \xNN, a backslash as two. */
void recorder_add_text(struct sp_buf *out, struct sp_view text);

#endif
