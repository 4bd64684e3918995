/*
 * Every message of messages.def, filled with seeded random content: there and back, every truncation refused,
 * every surplus refused; and who may send what to whom.
 */
#include "tap.h"

#include "base/view.h"
#include "ipc/ipc.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

static const struct sp_allocator heap = {.resize = resize};

/* --- random content ------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t draw(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed ^ seed >> 29;
}

/* Octets that live as long as a message is looked at; often none. */
static uint8_t pool[1 << 16];
static size_t pool_len;

static struct sp_view draw_view(void)
{
    size_t len = draw() % 3 == 0 ? 0 : draw() % 40;
    uint8_t *p = pool + pool_len;
    assert_true(pool_len + len <= sizeof pool);
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)draw();
    pool_len += len;
    return sp_view_make(p, len);
}

static struct sp_mail_parameters draw_mail(void)
{
    return (struct sp_mail_parameters){.body = (uint8_t)(draw() % 3),
                                       .utf8 = draw() % 2,
                                       .require_tls = draw() % 2,
                                       .ret = (uint8_t)(draw() % 3),
                                       .by = (uint8_t)(draw() % 3),
                                       .by_trace = draw() % 2,
                                       .priority = (int8_t)(draw() % 19) - 9,
                                       .by_ms = (int64_t)draw(),
                                       .hold_until_ms = (int64_t)draw(),
                                       .envid = draw_view(),
                                       .auth = draw_view()};
}

static struct sp_rcpt_parameters draw_rcpt(void)
{
    return (struct sp_rcpt_parameters){.notify = (uint8_t)(draw() % 16), .orcpt = draw_view()};
}

static void check_mail(const struct sp_mail_parameters *a, const struct sp_mail_parameters *b)
{
    assert_int_equal(a->body, b->body);
    assert_int_equal(a->utf8, b->utf8);
    assert_int_equal(a->require_tls, b->require_tls);
    assert_int_equal(a->ret, b->ret);
    assert_int_equal(a->by, b->by);
    assert_int_equal(a->by_trace, b->by_trace);
    assert_int_equal(a->priority, b->priority);
    assert_true(a->by_ms == b->by_ms);
    assert_true(a->hold_until_ms == b->hold_until_ms);
    assert_true(sp_view_eq(a->envid, b->envid));
    assert_true(sp_view_eq(a->auth, b->auth));
}

static void check_rcpt(const struct sp_rcpt_parameters *a, const struct sp_rcpt_parameters *b)
{
    assert_int_equal(a->notify, b->notify);
    assert_true(sp_view_eq(a->orcpt, b->orcpt));
}

#define MAIL(f)   m->f = draw_mail();
#define RCPT(f)   m->f = draw_rcpt();
#define U8(f)     m->f = (uint8_t)draw();
#define U32(f)    m->f = (uint32_t)draw();
#define U64(f)    m->f = draw();
#define VIEW(f)   m->f = draw_view();
#define SECRET(f) m->f = draw_view();
#define FD(f)     m->f = draw() % 2 ? 42 : -1;
#define LIST(record, f)                                                                                      \
    {                                                                                                        \
        struct sp_buf list_;                                                                                 \
        sp_buf_init(&list_, &heap, 1 << 16);                                                                 \
        for (uint64_t n_ = draw() % 5; n_ > 0; n_--) {                                                       \
            struct ipc_##record entry_;                                                                      \
            draw_##record(&entry_);                                                                          \
            assert_int_equal(ipc_add_##record(&list_, &entry_), SP_OK);                                      \
        }                                                                                                    \
        assert_true(pool_len + list_.len <= sizeof pool);                                                    \
        if (list_.len)                                                                                       \
            memcpy(pool + pool_len, list_.p, list_.len);                                                     \
        m->f = sp_view_make(pool + pool_len, list_.len);                                                     \
        pool_len += list_.len;                                                                               \
        sp_buf_fini(&list_);                                                                                 \
    }
#define RECORD(name)                                                                                         \
    static void draw_##name(struct ipc_##name *m)                                                            \
    {
#define END_RECORD(name) }
#define MESSAGE(name, from, to)                                                                              \
    static void draw_##name(struct ipc_##name *m)                                                            \
    {
#define END(name) }
#include "ipc/messages.def"
#undef U8
#undef U32
#undef U64
#undef VIEW
#undef SECRET
#undef FD
#undef LIST
#undef MAIL
#undef RCPT
#undef RECORD
#undef END_RECORD
#undef MESSAGE
#undef END

/* --- equality ------------------------------------------------------------------------------- */

#define MAIL(f)   check_mail(&a->f, &b->f);
#define RCPT(f)   check_rcpt(&a->f, &b->f);
#define U8(f)     assert_int_equal(a->f, b->f);
#define U32(f)    assert_int_equal(a->f, b->f);
#define U64(f)    assert_true(a->f == b->f);
#define VIEW(f)   assert_true(sp_view_eq(a->f, b->f));
#define SECRET(f) assert_true(sp_view_eq(a->f, b->f));
#define FD(f)     assert_int_equal(a->f, b->f);
#define LIST(record, f)                                                                                      \
    {                                                                                                        \
        struct sp_view rest_a_ = a->f, rest_b_ = b->f;                                                       \
        struct ipc_##record entry_a_, entry_b_;                                                              \
        while (ipc_next_##record(&rest_a_, &entry_a_)) {                                                     \
            assert_true(ipc_next_##record(&rest_b_, &entry_b_));                                             \
            check_##record(&entry_a_, &entry_b_);                                                            \
        }                                                                                                    \
        assert_int_equal(rest_a_.len, 0);                                                                    \
        assert_int_equal(rest_b_.len, 0);                                                                    \
    }
#define RECORD(name)                                                                                         \
    static void check_##name(const struct ipc_##name *a, const struct ipc_##name *b)                         \
    {
#define END_RECORD(name)        }
#define MESSAGE(name, from, to) RECORD(name)
#define END(name)               }
#include "ipc/messages.def"
#undef U8
#undef U32
#undef U64
#undef VIEW
#undef SECRET
#undef FD
#undef LIST
#undef MAIL
#undef RCPT
#undef RECORD
#undef END_RECORD
#undef MESSAGE
#undef END

/* --- dispatch ------------------------------------------------------------------------------- */

#define U8(f)
#define U32(f)
#define U64(f)
#define VIEW(f)
#define SECRET(f)
#define FD(f)
#define LIST(record, f)
#define MAIL(f)
#define RCPT(f)
#define RECORD(name)
#define END_RECORD(name)
#define END(name)

static void draw_message(enum ipc_type type, struct ipc_message *m)
{
    pool_len = 0;
    m->type = type;
    switch (type) {
#define MESSAGE(name, from, to)                                                                              \
    case IPC_TYPE_##name:                                                                                    \
        draw_##name(&m->as.name);                                                                            \
        break;
#include "ipc/messages.def"
#undef MESSAGE
    case IPC_TYPE_N:
        break;
    }
}

static void check_message(const struct ipc_message *a, const struct ipc_message *b)
{
    assert_int_equal(a->type, b->type);
    switch (a->type) {
#define MESSAGE(name, from, to)                                                                              \
    case IPC_TYPE_##name:                                                                                    \
        check_##name(&a->as.name, &b->as.name);                                                              \
        break;
#include "ipc/messages.def"
#undef MESSAGE
    case IPC_TYPE_N:
        break;
    }
}

/* Draw a message, pack it and read its header. */
static struct sp_view pack(enum ipc_type type, struct ipc_message *m, struct sp_buf *out, int *fd_out)
{
    enum ipc_type read_type;
    size_t payload_len;
    bool with_fd;
    draw_message(type, m);
    sp_buf_clear(out);
    assert_int_equal(ipc_pack(m, out, fd_out), SP_OK);
    assert_int_equal(ipc_header(sp_buf_view(out), &read_type, &payload_len, &with_fd), SP_OK);
    assert_int_equal(read_type, type);
    assert_int_equal(payload_len, out->len - IPC_HEADER_LEN);
    assert_int_equal(with_fd, *fd_out >= 0);
    return sp_view_from(sp_buf_view(out), IPC_HEADER_LEN);
}

/* An exact copy on the heap, so that a read beyond its end is seen. */
static struct sp_view copy(struct sp_view v)
{
    uint8_t *p = malloc(v.len ? v.len : 1);
    if (v.len)
        memcpy(p, v.p, v.len);
    return sp_view_make(p, v.len);
}

static void drop(struct sp_view v) { free((void *)(uintptr_t)v.p); }

static void test_round_trips(void **state)
{
    (void)state;
    struct sp_buf out;
    sp_buf_init(&out, &heap, 1 << 20);
    for (unsigned type = 0; type < IPC_TYPE_N; type++)
        for (seed = 1; seed < 1000000000; seed += 9999991) {
            struct ipc_message m, back;
            uint64_t start = seed;
            int fd;
            struct sp_view payload = copy(pack((enum ipc_type)type, &m, &out, &fd));
            assert_int_equal(ipc_unpack((enum ipc_type)type, payload, fd, &back), SP_OK);
            check_message(&m, &back);
            drop(payload);
            seed = start;
        }
    sp_buf_fini(&out);
}

static void test_truncated_and_longer(void **state)
{
    (void)state;
    struct sp_buf out;
    sp_buf_init(&out, &heap, 1 << 20);
    for (unsigned type = 0; type < IPC_TYPE_N; type++)
        for (seed = 1; seed < 100; seed += 9) {
            struct ipc_message m, back;
            uint64_t start = seed;
            int fd;
            struct sp_view payload = pack((enum ipc_type)type, &m, &out, &fd);
            for (size_t len = 0; len < payload.len; len++) {
                struct sp_view cut = copy(sp_view_sub(payload, 0, len));
                assert_int_equal(ipc_unpack((enum ipc_type)type, cut, fd, &back), SP_ERR_SYNTAX);
                drop(cut);
            }
            sp_buf_add_u8(&out, 0);
            payload = copy(sp_view_from(sp_buf_view(&out), IPC_HEADER_LEN));
            assert_int_equal(ipc_unpack((enum ipc_type)type, payload, fd, &back), SP_ERR_SYNTAX);
            drop(payload);
            seed = start;
        }
    sp_buf_fini(&out);
}

/* Any octet changed to anything: refused or understood, never read beyond the end. */
static void test_damaged(void **state)
{
    (void)state;
    struct sp_buf out;
    unsigned refused = 0;
    sp_buf_init(&out, &heap, 1 << 20);
    for (unsigned type = 0; type < IPC_TYPE_N; type++)
        for (uint64_t round = 1; round < 300; round++) {
            struct ipc_message m, back, again;
            int fd;
            seed = round * 77;
            struct sp_view payload = copy(pack((enum ipc_type)type, &m, &out, &fd));
            uint8_t *p = (uint8_t *)(uintptr_t)payload.p;
            for (int i = 0; i < 3 && payload.len > 0; i++)
                p[draw() % payload.len] = (uint8_t)draw();
            if (ipc_unpack((enum ipc_type)type, payload, fd, &back) == SP_OK) {
                sp_buf_clear(&out);
                assert_int_equal(ipc_pack(&back, &out, &fd), SP_OK);
                struct sp_view packed = sp_view_from(sp_buf_view(&out), IPC_HEADER_LEN);
                assert_true(sp_view_eq(packed, payload));
                assert_int_equal(ipc_unpack((enum ipc_type)type, packed, fd, &again), SP_OK);
            } else {
                refused++;
            }
            drop(payload);
        }
    assert_true(refused > 100);
    sp_buf_fini(&out);
}

static void test_surplus_descriptor(void **state)
{
    (void)state;
    struct sp_buf out;
    sp_buf_init(&out, &heap, 1 << 20);
    for (unsigned type = 0; type < IPC_TYPE_N; type++) {
        struct ipc_message m, back;
        bool takes = false;
        int fd;
        for (seed = 3; seed < 300 && !takes; seed++) {
            uint64_t start = seed;
            (void)pack((enum ipc_type)type, &m, &out, &fd);
            takes = fd >= 0;
            seed = start;
        }
        struct sp_view payload = pack((enum ipc_type)type, &m, &out, &fd);
        assert_int_equal(ipc_unpack((enum ipc_type)type, payload, 42, &back), takes ? SP_OK : SP_ERR_SYNTAX);
        assert_int_equal(ipc_unpack((enum ipc_type)type, payload, -1, &back), SP_OK);
    }
    sp_buf_fini(&out);
}

static void test_headers(void **state)
{
    (void)state;
    enum ipc_type type = IPC_TYPE_N;
    size_t len = 7;
    bool with_fd;
    struct sp_view header = SP_LIT("\x00\x00\x40\x00\x01\x00\x01\x00");
    for (size_t n = 0; n < IPC_HEADER_LEN; n++)
        assert_int_equal(ipc_header(sp_view_sub(header, 0, n), &type, &len, &with_fd), SP_ERR_ABSENT);
    assert_int_equal(len, 7);
    assert_int_equal(ipc_header(header, &type, &len, &with_fd), SP_OK);
    assert_int_equal(len, IPC_PAYLOAD_MAX);
    assert_int_equal(type, 1);
    assert_true(with_fd);
    assert_int_equal(ipc_header(SP_LIT("\x01\x00\x40\x00\x01\x00\x00\x00"), &type, &len, &with_fd),
                     SP_ERR_SYNTAX);
    assert_int_equal(ipc_header(SP_LIT("\x00\x00\x00\x00\x01\x00\x02\x00"), &type, &len, &with_fd),
                     SP_ERR_SYNTAX);
    assert_int_equal(ipc_header(SP_LIT("\x00\x00\x00\x00\x00\x01\x00\x00"), &type, &len, &with_fd),
                     SP_ERR_SYNTAX);
    uint8_t last[IPC_HEADER_LEN] = {[4] = IPC_TYPE_N};
    assert_int_equal(ipc_header(sp_view_make(last, sizeof last), &type, &len, &with_fd), SP_ERR_SYNTAX);
}

static void test_limit(void **state)
{
    (void)state;
    struct sp_buf out;
    uint8_t *content = calloc(1, IPC_PAYLOAD_MAX + 1);
    int fd;
    struct ipc_message m = {.type = IPC_TYPE_submit, .as.submit.content = {content, IPC_PAYLOAD_MAX + 1}};
    sp_buf_init(&out, &heap, 2 * IPC_PAYLOAD_MAX);
    sp_buf_add_str(&out, "before");
    assert_int_equal(ipc_pack(&m, &out, &fd), SP_ERR_LONG);
    assert_true(sp_view_eq(sp_buf_view(&out), SP_LIT("before")));
    m.as.submit.content.len = IPC_PAYLOAD_MAX; /* the other fields make it too long */
    assert_int_equal(ipc_pack(&m, &out, &fd), SP_ERR_LONG);
    assert_true(sp_view_eq(sp_buf_view(&out), SP_LIT("before")));
    m.as.submit.content.len = IPC_PAYLOAD_MAX - 200;
    assert_int_equal(ipc_pack(&m, &out, &fd), SP_OK);
    sp_buf_fini(&out);
    free(content);
}

/* --- who may speak to whom ------------------------------------------------------------------- */

static bool has_edge(enum ipc_role a, enum ipc_role b)
{
    bool found = false;
    for (size_t i = 0; i < ipc_edge_n + ipc_control_n; i++) {
        const struct ipc_edge_rule *e = i < ipc_edge_n ? &ipc_edges[i] : &ipc_controls[i - ipc_edge_n];
        found = found || (e->a == a && e->b == b) || (e->a == b && e->b == a);
    }
    return found;
}

static void test_allowed(void **state)
{
    (void)state;
    for (unsigned type = 0; type < IPC_TYPE_N; type++) {
        unsigned ways = 0;
        for (unsigned from = 0; from < IPC_ROLE_N; from++)
            for (unsigned to = 0; to < IPC_ROLE_N; to++) {
                bool allowed = ipc_allowed((enum ipc_type)type, (enum ipc_role)from, (enum ipc_role)to);
                ways += allowed;
                if (allowed)
                    assert_true(has_edge((enum ipc_role)from, (enum ipc_role)to));
            }
        assert_true(ways > 0); /* a message that nobody may send is a slip in messages.def */
    }
    assert_true(ipc_allowed(IPC_TYPE_submit, IPC_SMTPD, IPC_QUEUE));
    assert_false(ipc_allowed(IPC_TYPE_submit, IPC_QUEUE, IPC_SMTPD));
    assert_false(ipc_allowed(IPC_TYPE_submit, IPC_DELIVERY, IPC_QUEUE));
    assert_false(ipc_allowed(IPC_TYPE_configure, IPC_TOOL, IPC_QUEUE));
    assert_false(ipc_allowed(IPC_TYPE_N, IPC_SUPERVISOR, IPC_SMTPD));
    assert_false(ipc_allowed(IPC_TYPE_ready, IPC_SMTPD, IPC_AUTH));
}

/* What tools and smtpd hold in their hands must not reach what only the supervisor may say. */
static void test_supervisor_words(void **state)
{
    (void)state;
    static const enum ipc_type words[] = {IPC_TYPE_configure,  IPC_TYPE_folder, IPC_TYPE_tls_identity,
                                          IPC_TYPE_listener,   IPC_TYPE_peer,   IPC_TYPE_ticket_keys,
                                          IPC_TYPE_start,      IPC_TYPE_stop,   IPC_TYPE_credential,
                                          IPC_TYPE_user_wanted};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (unsigned from = 0; from < IPC_ROLE_N; from++)
            for (unsigned to = 0; to < IPC_ROLE_N; to++)
                if (from != IPC_SUPERVISOR)
                    assert_false(ipc_allowed(words[i], (enum ipc_role)from, (enum ipc_role)to));
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < IPC_ROLE_N; i++)
        assert_int_equal(ipc_role_find(ipc_role_name((enum ipc_role)i)), i);
    assert_int_equal(ipc_role_find("postmaster"), IPC_ROLE_N);
    assert_int_equal(ipc_role_find(""), IPC_ROLE_N);
    assert_string_equal(ipc_role_name(IPC_ROLE_N), "unknown");
    assert_string_equal(ipc_type_name(IPC_TYPE_submit), "submit");
    assert_string_equal(ipc_type_name(IPC_TYPE_N), "unknown");
    for (unsigned a = 0; a < IPC_TYPE_N; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(ipc_type_name((enum ipc_type)a), ipc_type_name((enum ipc_type)b));
}

static void test_secrets(void **state)
{
    (void)state;
    static const enum ipc_type secret[] = {IPC_TYPE_tls_identity, IPC_TYPE_ticket_keys, IPC_TYPE_credential,
                                           IPC_TYPE_user_wanted,  IPC_TYPE_auth_begin,  IPC_TYPE_auth_answer};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        assert_true(ipc_secret(secret[i]));
    assert_false(ipc_secret(IPC_TYPE_submit));
    assert_false(ipc_secret(IPC_TYPE_auth_no));
    assert_false(ipc_secret(IPC_TYPE_N));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_round_trips), cmocka_unit_test(test_truncated_and_longer),
    cmocka_unit_test(test_damaged),     cmocka_unit_test(test_surplus_descriptor),
    cmocka_unit_test(test_headers),     cmocka_unit_test(test_limit),
    cmocka_unit_test(test_allowed),     cmocka_unit_test(test_supervisor_words),
    cmocka_unit_test(test_names),       cmocka_unit_test(test_secrets),
};

TAP_MAIN(tests)
