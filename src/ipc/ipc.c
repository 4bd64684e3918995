/* Packing and unpacking, generated from messages.def by giving its words new meanings. */
#include "ipc/ipc.h"

#include "base/view.h"

/* --- words --------------------------------------------------------------------------------- */

#define X(n, word) word,
static const char *const tls_policy_words[] = {IPC_TLS_POLICIES(X)};
static const char *const tls_result_words[] = {IPC_TLS_RESULTS(X)};
#undef X

const char *ipc_tls_policy_word(unsigned policy)
{
    return policy < IPC_TLS_POLICY_N ? tls_policy_words[policy] : NULL;
}

const char *ipc_tls_result_word(unsigned result)
{
    return result < IPC_TLS_RESULT_N ? tls_result_words[result] : NULL;
}

/* --- numbers and views ------------------------------------------------------------------- */

static void put_number(struct sp_buf *b, uint64_t n, size_t octets)
{
    uint8_t raw[8];
    for (size_t i = 0; i < octets; i++)
        raw[i] = (uint8_t)(n >> (8 * i));
    sp_buf_add(b, sp_view_make(raw, octets));
}

static void put_view(struct sp_buf *b, struct sp_view v)
{
    if (v.len > IPC_PAYLOAD_MAX) {
        b->failed = SP_ERR_LONG;
        return;
    }
    put_number(b, v.len, 4);
    sp_buf_add(b, v);
}

/* A reader that remembers that it ran out. */
struct reader {
    struct sp_view rest;
    bool bad;
};

static uint64_t get_number(struct reader *r, size_t octets)
{
    uint64_t n = 0;
    if (r->bad || r->rest.len < octets) {
        r->bad = true;
        return 0;
    }
    for (size_t i = 0; i < octets; i++)
        n |= (uint64_t)r->rest.p[i] << (8 * i);
    r->rest = sp_view_from(r->rest, octets);
    return n;
}

static struct sp_view get_view(struct reader *r)
{
    size_t len = (size_t)get_number(r, 4);
    if (r->bad || len > r->rest.len) {
        r->bad = true;
        return (struct sp_view){0};
    }
    struct sp_view v = sp_view_sub(r->rest, 0, len);
    r->rest = sp_view_from(r->rest, len);
    return v;
}

/* A number of few values: any other is a mistake, or no message of ours. */
static uint8_t get_below(struct reader *r, unsigned end)
{
    uint64_t n = get_number(r, 1);
    r->bad = r->bad || n >= end;
    return r->bad ? 0 : (uint8_t)n;
}

/* --- what MAIL and RCPT asked -------------------------------------------------------------- */

enum { PRIORITY_MOST = 9 };

static void put_mail(struct sp_buf *b, const struct sp_mail_parameters *p)
{
    put_number(b, p->body, 1);
    put_number(b, p->utf8, 1);
    put_number(b, p->require_tls, 1);
    put_number(b, p->ret, 1);
    put_number(b, p->by, 1);
    put_number(b, p->by_trace, 1);
    put_number(b, (uint8_t)(p->priority + PRIORITY_MOST), 1);
    put_number(b, (uint64_t)p->by_ms, 8);
    put_number(b, (uint64_t)p->hold_until_ms, 8);
    put_view(b, p->envid);
    put_view(b, p->auth);
}

static struct sp_mail_parameters get_mail(struct reader *r)
{
    struct sp_mail_parameters p = {0};
    p.body = get_below(r, SP_BODY_BINARYMIME + 1);
    p.utf8 = get_below(r, 2);
    p.require_tls = get_below(r, 2);
    p.ret = get_below(r, SP_RET_HDRS + 1);
    p.by = get_below(r, SP_BY_NOTIFY + 1);
    p.by_trace = get_below(r, 2);
    p.priority = (int8_t)(get_below(r, 2 * PRIORITY_MOST + 1) - PRIORITY_MOST);
    p.by_ms = (int64_t)get_number(r, 8);
    p.hold_until_ms = (int64_t)get_number(r, 8);
    p.envid = get_view(r);
    p.auth = get_view(r);
    return p;
}

static void put_rcpt(struct sp_buf *b, const struct sp_rcpt_parameters *p)
{
    put_number(b, p->notify, 1);
    put_view(b, p->orcpt);
}

static struct sp_rcpt_parameters get_rcpt(struct reader *r)
{
    struct sp_rcpt_parameters p = {0};
    p.notify = get_below(r, 2 * SP_NOTIFY_DELAY);
    p.orcpt = get_view(r);
    return p;
}

/* --- pack -------------------------------------------------------------------------------- */

#define U8(f)           put_number(b, m->f, 1);
#define U32(f)          put_number(b, m->f, 4);
#define U64(f)          put_number(b, m->f, 8);
#define VIEW(f)         put_view(b, m->f);
#define SECRET(f)       put_view(b, m->f);
#define LIST(record, f) put_view(b, m->f);
#define MAIL(f)         put_mail(b, &m->f);
#define RCPT(f)         put_rcpt(b, &m->f);
#define FD(f)           *fd_out = m->f;
#define RECORD(name)                                                                                         \
    int ipc_add_##name(struct sp_buf *b, const struct ipc_##name *m)                                         \
    {
#define END_RECORD(name)                                                                                     \
    return sp_buf_status(b);                                                                                 \
    }
#define MESSAGE(name, from, to)                                                                              \
    static void pack_##name(const struct ipc_##name *m, struct sp_buf *b, int *fd_out)                       \
    {                                                                                                        \
        (void)b, (void)fd_out;
#define END(name) }
#include "ipc/messages.def"
#undef U8
#undef U32
#undef U64
#undef VIEW
#undef SECRET
#undef LIST
#undef MAIL
#undef RCPT
#undef FD
#undef RECORD
#undef END_RECORD
#undef MESSAGE
#undef END

/* --- unpack ------------------------------------------------------------------------------ */

#define LIST_CHECK(record, list)                                                                             \
    for (struct sp_view rest_ = (list); rest_.len > 0 && !r->bad;) {                                         \
        struct ipc_##record entry_;                                                                          \
        if (!ipc_next_##record(&rest_, &entry_))                                                             \
            r->bad = true;                                                                                   \
    }

#define U8(f)     m->f = (uint8_t)get_number(r, 1);
#define U32(f)    m->f = (uint32_t)get_number(r, 4);
#define U64(f)    m->f = get_number(r, 8);
#define VIEW(f)   m->f = get_view(r);
#define SECRET(f) VIEW(f)
#define MAIL(f)   m->f = get_mail(r);
#define RCPT(f)   m->f = get_rcpt(r);
#define LIST(record, f)                                                                                      \
    m->f = get_view(r);                                                                                      \
    LIST_CHECK(record, m->f)
#define FD(f)                                                                                                \
    m->f = *fd;                                                                                              \
    *fd = -1;
#define RECORD(name)                                                                                         \
    bool ipc_next_##name(struct sp_view *rest, struct ipc_##name *m)                                         \
    {                                                                                                        \
        struct reader reader = {*rest, false}, *r = &reader;                                                 \
        if (rest->len == 0)                                                                                  \
            return false;
#define END_RECORD(name)                                                                                     \
    *rest = r->rest;                                                                                         \
    return !r->bad;                                                                                          \
    }
#define MESSAGE(name, from, to)                                                                              \
    static void unpack_##name(struct ipc_##name *m, struct reader *r, int *fd)                               \
    {                                                                                                        \
        (void)r, (void)fd;
#define END(name) }
#include "ipc/messages.def"
#undef U8
#undef U32
#undef U64
#undef VIEW
#undef SECRET
#undef LIST
#undef MAIL
#undef RCPT
#undef FD
#undef RECORD
#undef END_RECORD
#undef MESSAGE
#undef END

/* --- tables ------------------------------------------------------------------------------ */

struct type_facts {
    const char *name;
    uint8_t from, to;
};

#define U8(f)
#define U32(f)
#define U64(f)
#define VIEW(f)
#define SECRET(f)
#define LIST(record, f)
#define MAIL(f)
#define RCPT(f)
#define FD(f)
#define RECORD(name)
#define END_RECORD(name)
#define END(name)
#define MESSAGE(name, from, to) [IPC_TYPE_##name] = {#name, IPC_##from, IPC_##to},
static const struct type_facts types[IPC_TYPE_N] = {
#include "ipc/messages.def"
};
#undef MESSAGE

#define X(a, b) {IPC_##a, IPC_##b},
const struct ipc_edge_rule ipc_edges[] = {IPC_EDGES(X)};
const struct ipc_edge_rule ipc_controls[] = {IPC_CONTROLS(X)};
#undef X
const size_t ipc_edge_n = sizeof ipc_edges / sizeof *ipc_edges;
const size_t ipc_control_n = sizeof ipc_controls / sizeof *ipc_controls;

#define X(n, name) [IPC_##n] = name,
static const char *const role_names[IPC_ROLE_N] = {IPC_ROLES(X)};
#undef X

int ipc_pack(const struct ipc_message *m, struct sp_buf *out, int *fd_out)
{
    size_t start = out->len;
    int fd = -1;
    put_number(out, 0, IPC_HEADER_LEN);
    switch (m->type) {
#define MESSAGE(name, from, to)                                                                              \
    case IPC_TYPE_##name:                                                                                    \
        pack_##name(&m->as.name, out, &fd);                                                                  \
        break;
#include "ipc/messages.def"
#undef MESSAGE
    case IPC_TYPE_N:
        break;
    }
    size_t payload = out->len - start - IPC_HEADER_LEN;
    if (!out->failed && payload > IPC_PAYLOAD_MAX)
        out->failed = SP_ERR_LONG;
    if (out->failed) {
        int failed = out->failed;
        out->len = start;
        out->failed = SP_OK;
        return failed;
    }
    uint8_t *header = out->p + start;
    for (size_t i = 0; i < 4; i++)
        header[i] = (uint8_t)(payload >> (8 * i));
    header[4] = (uint8_t)m->type;
    header[5] = (uint8_t)((unsigned)m->type >> 8);
    header[6] = fd >= 0 ? 1 : 0;
    header[7] = 0;
    *fd_out = fd;
    return SP_OK;
}

int ipc_header(struct sp_view in, enum ipc_type *type_out, size_t *payload_len_out, bool *fd_out)
{
    if (in.len < IPC_HEADER_LEN)
        return SP_ERR_ABSENT;
    struct reader r = {in, false};
    size_t len = (size_t)get_number(&r, 4);
    unsigned type = (unsigned)get_number(&r, 2);
    unsigned flags = (unsigned)get_number(&r, 2);
    if (len > IPC_PAYLOAD_MAX || type >= IPC_TYPE_N || flags > 1)
        return SP_ERR_SYNTAX;
    *type_out = (enum ipc_type)type;
    *payload_len_out = len;
    *fd_out = flags & 1;
    return SP_OK;
}

int ipc_unpack(enum ipc_type type, struct sp_view payload, int fd, struct ipc_message *message_out)
{
    struct reader r = {payload, false};
    memset(message_out, 0, sizeof *message_out);
    message_out->type = type;
    switch (type) {
#define MESSAGE(name, from, to)                                                                              \
    case IPC_TYPE_##name:                                                                                    \
        unpack_##name(&message_out->as.name, &r, &fd);                                                       \
        break;
#include "ipc/messages.def"
#undef MESSAGE
    case IPC_TYPE_N:
        return SP_ERR_SYNTAX;
    }
    /* A descriptor that no field took is surplus; one that is missing shows as -1. */
    return r.bad || r.rest.len > 0 || fd >= 0 ? SP_ERR_SYNTAX : SP_OK;
}

static bool joins(const struct ipc_edge_rule *rules, size_t n, enum ipc_role a, enum ipc_role b)
{
    for (size_t i = 0; i < n; i++)
        if ((rules[i].a == a && rules[i].b == b) || (rules[i].a == b && rules[i].b == a))
            return true;
    return false;
}

static bool is_edge(enum ipc_role a, enum ipc_role b)
{
    return joins(ipc_edges, ipc_edge_n, a, b) || joins(ipc_controls, ipc_control_n, a, b);
}

static bool is_meant(enum ipc_role word, enum ipc_role role)
{
    return word == IPC_ANY || word == role ||
           (word == IPC_BRINGER && (role == IPC_SMTPD || role == IPC_PICKUP));
}

bool ipc_allowed(enum ipc_type type, enum ipc_role from, enum ipc_role to)
{
    if (type >= IPC_TYPE_N || !is_edge(from, to))
        return false;
    const struct type_facts *t = &types[type];
    return is_meant(t->from, from) && is_meant(t->to, to);
}

const char *ipc_type_name(enum ipc_type type) { return type < IPC_TYPE_N ? types[type].name : "unknown"; }

const char *ipc_role_name(enum ipc_role role) { return role < IPC_ROLE_N ? role_names[role] : "unknown"; }

enum ipc_role ipc_role_find(const char *name)
{
    for (unsigned i = 0; i < IPC_ROLE_N; i++)
        if (sp_view_eq(sp_view_of(name), sp_view_of(role_names[i])))
            return (enum ipc_role)i;
    return IPC_ROLE_N;
}

#undef SECRET
#undef END
#define SECRET(f) || true
#define END(name) ;
#define MESSAGE(name, from, to)                                                                              \
    case IPC_TYPE_##name:                                                                                    \
        return false

bool ipc_secret(enum ipc_type type)
{
    switch (type) {
#include "ipc/messages.def"
    case IPC_TYPE_N:
        break;
    }
    return false;
}
