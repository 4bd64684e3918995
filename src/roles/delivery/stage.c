#include "base/view.h"
#include "roles/delivery/delivery.h"

enum reference_stage delivery_stage_of(const char *phase)
{
    static const struct {
        const char *phase;
        enum reference_stage stage;
    } stages[] = {
        {"MAIL", REFERENCE_AT_MAIL},    {"RCPT", REFERENCE_AT_RCPT},
        {"DATA", REFERENCE_AT_CONTENT}, {"CONTENT", REFERENCE_AT_CONTENT},
        {"DOT", REFERENCE_AT_CONTENT},  {"DOT_EACH", REFERENCE_AT_CONTENT},
        {"BDAT", REFERENCE_AT_CONTENT}, {"BDAT_LAST", REFERENCE_AT_CONTENT},
        {"READY", REFERENCE_AT_MAIL},   {"RSET", REFERENCE_AT_MAIL},
    };
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (sp_view_eq(sp_view_of(phase), sp_view_of(stages[i].phase)))
            return stages[i].stage;
    return REFERENCE_AT_UNKNOWN;
}
