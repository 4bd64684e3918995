#include "sasl/mechanism.h"

#define X(id, name, needs) &sasl_##id,
const struct sasl_mechanism *const sasl_mechanisms[] = {SASL_MECHANISMS(X)};
#undef X
const size_t sasl_mechanism_n = sizeof sasl_mechanisms / sizeof *sasl_mechanisms;

const struct sasl_mechanism *sasl_mechanism_find(struct sp_view name)
{
    for (size_t i = 0; i < sasl_mechanism_n; i++)
        if (sp_view_eq_nocase(sp_view_of(sasl_mechanisms[i]->name), name))
            return sasl_mechanisms[i];
    return NULL;
}
