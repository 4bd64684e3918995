#include "sasl/fault.h"

#include <stdint.h>

static const struct {
    enum sasl_fault_class class;
    const char *id;
    const char *text;
} faults[SASL_FAULT_N] = {
#define X(n, c, i, t) [SASL_FAULT_##n] = {.class = SASL_##c, .id = i, .text = t},
    SASL_FAULTS(X)
#undef X
};

enum sasl_fault_class sasl_fault_class(enum sasl_fault f) { return faults[f].class; }

const char *sasl_fault_id(enum sasl_fault f) { return faults[f].id; }

const char *sasl_fault_text(enum sasl_fault f) { return faults[f].text; }
