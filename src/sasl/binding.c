#include "sasl/binding.h"

static const char *const names[SASL_BINDING_N] = {
#define X(n, text) [SASL_BINDING_##n] = text,
    SASL_BINDINGS(X)
#undef X
};

const char *sasl_binding_name(enum sasl_binding_kind kind) { return names[kind]; }

enum sasl_binding_kind sasl_binding_find(struct sp_view name)
{
    enum sasl_binding_kind kind = 0;
    while (kind < SASL_BINDING_N && !sp_view_eq(name, sp_view_of(names[kind])))
        kind++;
    return kind;
}

enum sasl_binding_kind sasl_binding_best(const struct sasl_binding *b)
{
    enum sasl_binding_kind kind = 0;
    while (kind < SASL_BINDING_N && b->data[kind].len == 0)
        kind++;
    return kind;
}
