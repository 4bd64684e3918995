/* Logs whose lines are records: JSON of Node's loggers, the comma-separated protocol logs of Exchange. */
#ifndef DIAGNOSE_STRUCTURED_H
#define DIAGNOSE_STRUCTURED_H

#include "diagnose/line.h"

/* The text is unescaped into scratch; kind is a NOTE when the record does not say who spoke. false: it is no record. */
bool diagnose_json_read(struct sp_view line, uint8_t *scratch, struct diagnose_line *line_out);

/* What a record names as the error, unescaped into scratch; false: it names none. */
bool diagnose_json_error(struct sp_view line, uint8_t *scratch, struct sp_view *text_out);

bool diagnose_csv_read(struct sp_view line, struct diagnose_line *line_out);

#endif
