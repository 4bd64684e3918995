/* From what was gathered to a verdict. */
#ifndef DIAGNOSE_REPORT_H
#define DIAGNOSE_REPORT_H

#include "diagnose/session.h"

void diagnose_report_make(struct gathering *g, uint64_t lines, struct diagnose_report *report_out);

#endif
