/*
 * Random operations on a store and on a model of a page that does the same in memory. After each step both
 * list the same, and lease the same; so does what is left of the files when the power fails at that moment.
 */
#include "store/folder.h"

#include "base/view.h"

enum { MAILS = 24, RECIPIENTS = 4, STEPS = 400, SEEDS = 6, TEXT = 32768, HISTORY = 64 };

struct m_recipient {
    enum store_state state;
    uint32_t attempts;
    int64_t next_ms;
    bool leased;
    unsigned parked; /* 0: no; else under this one of names */
};

struct m_mail {
    uint64_t id; /* 0: none */
    bool spooled;
    size_t n, size;
    struct m_recipient to[RECIPIENTS];
};

/* That recipients are parked under. */
static const char *const names[] = {"", "a", "b.example", "mx/c.example"};
enum { NAMES = sizeof names / sizeof *names };

struct model {
    struct m_mail mails[MAILS];
};

struct run {
    struct folder folder;
    struct store *store;
    struct model now, committed;
    uint64_t seed, next_id;
    int64_t clock_ms;
    unsigned name; /* whose parked are being leased; 0: what is due */
    /* Listings at the commits since the WAL was emptied: what a torn WAL may bring back. */
    char *history[HISTORY];
    size_t history_n;
};

static uint32_t roll(struct run *r, uint32_t below)
{
    r->seed ^= r->seed << 13; /* xorshift64 */
    r->seed ^= r->seed >> 7;
    r->seed ^= r->seed << 17;
    return (uint32_t)((r->seed >> 32) % below);
}

static bool is_open(const struct m_recipient *r)
{
    return store_state_waits(r->state) || r->state == STORE_HELD;
}

/* --- listings ------------------------------------------------------------------------------- */

static void put_line(char *text, uint64_t id, size_t size, uint32_t number, const struct m_recipient *r)
{
    size_t at = strlen(text);
    (void)snprintf(text + at, TEXT - at, "%llu %zu %u %s %u %lld %s\n", (unsigned long long)id, size, number,
                   store_state_word(r->state), r->attempts,
                   store_state_waits(r->state) ? (long long)r->next_ms : -1, names[r->parked]);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = ((const struct m_mail *)a)->id, y = ((const struct m_mail *)b)->id;
    return (x > y) - (x < y);
}

static void list_model(const struct model *m, char *text)
{
    struct model sorted = *m;
    qsort(sorted.mails, MAILS, sizeof *sorted.mails, by_id);
    text[0] = 0;
    for (size_t i = 0; i < MAILS; i++)
        for (uint32_t k = 0; sorted.mails[i].id && k < sorted.mails[i].n; k++)
            put_line(text, sorted.mails[i].id, sorted.mails[i].size, k, &sorted.mails[i].to[k]);
}

static void note_listed(void *ctx, const struct store_mail *mail, const struct store_recipient *r)
{
    unsigned parked = 0;
    while (parked < NAMES && !sp_view_eq(r->parked, sp_view_of(names[parked])))
        parked++;
    assert_true(parked < NAMES);
    struct m_recipient seen = {
        .state = r->state, .attempts = r->attempts, .next_ms = r->next_ms, .parked = parked};
    put_line(ctx, mail->id, (size_t)mail->size, r->number, &seen);
}

static void list_store(struct store *s, char *text)
{
    struct store_cursor cursor = {0};
    text[0] = 0;
    while (!cursor.end)
        assert_int_equal(store_list(s, &cursor, 3, note_listed, text), SP_OK);
}

static void compare(struct run *r)
{
    static char want[TEXT], got[TEXT];
    list_model(&r->now, want);
    list_store(r->store, got);
    assert_string_equal(got, want);
}

static void remember(struct run *r, bool emptied)
{
    static char text[TEXT];
    list_model(&r->committed, text);
    if (emptied || r->history_n == HISTORY) {
        while (r->history_n)
            free(r->history[--r->history_n]);
        while (store_tidy(r->store, STORE_IDLE))
            ;
    }
    r->history[r->history_n++] = strdup(text);
}

/* --- changes -------------------------------------------------------------------------------- */

static struct sp_view content_of(uint64_t id, size_t size)
{
    static uint8_t octets[9000];
    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t)(id * 7 + i);
    return sp_view_make(octets, size);
}

static void spool(struct run *r, const struct m_mail *m)
{
    int fd;
    struct sp_view content = content_of(m->id, m->size);
    assert_int_equal(store_spool(r->store, m->id, &fd), SP_OK);
    assert_int_equal(write(fd, content.p, content.len), (ssize_t)content.len);
    close(fd);
}

static void do_add(struct run *r)
{
    size_t i = 0;
    while (i < MAILS && r->now.mails[i].id)
        i++;
    if (i == MAILS)
        return;
    struct m_mail *m = &r->now.mails[i];
    *m = (struct m_mail){.id = ++r->next_id, .spooled = roll(r, 5) == 0, .n = 1 + roll(r, RECIPIENTS)};
    m->size = roll(r, m->spooled ? 9000 : 3) ? roll(r, 6000) : 0;
    bool leased = roll(r, 2);
    struct store_mail mail = {
        .id = m->id, .received_ms = r->clock_ms, .sender = SP_LIT("a@b"), .size = m->size};
    struct store_recipient to[RECIPIENTS];
    for (uint32_t k = 0; k < m->n; k++) {
        enum store_state state = roll(r, 4) ? STORE_QUEUED : STORE_HELD;
        unsigned parked = state == STORE_QUEUED && roll(r, 4) == 0 ? roll(r, NAMES) : 0;
        m->to[k] = (struct m_recipient){.state = state,
                                        .next_ms = r->clock_ms + roll(r, 50) - 25,
                                        .leased = leased && state == STORE_QUEUED && !parked,
                                        .parked = parked};
        to[k] = (struct store_recipient){.number = k,
                                         .address = SP_LIT("c@d"),
                                         .route = SP_LIT("r"),
                                         .state = state,
                                         .next_ms = m->to[k].next_ms,
                                         .parked = sp_view_of(names[parked])};
    }
    struct sp_view content = content_of(m->id, m->size);
    if (m->spooled)
        spool(r, m);
    assert_int_equal(store_add(r->store, &mail, to, m->n, m->spooled ? NULL : &content, leased), SP_OK);
}

static void do_settle(struct run *r)
{
    static const enum store_state states[] = {STORE_DEFERRED, STORE_DELIVERED, STORE_FAILED, STORE_HELD};
    struct m_mail *m = &r->now.mails[roll(r, MAILS)];
    struct store_settlement list[RECIPIENTS];
    size_t n = 0, open = 0;
    bool gone = false;
    for (uint32_t k = 0; m->id && k < m->n; k++)
        if (m->to[k].leased && is_open(&m->to[k]) && roll(r, 4)) {
            list[n++] = (struct store_settlement){.number = k,
                                                  .state = states[roll(r, 4)],
                                                  .attempted = roll(r, 2),
                                                  .next_ms = r->clock_ms + roll(r, 100)};
        }
    if (n == 0)
        return;
    assert_int_equal(store_settle(r->store, m->id, list, n, &gone), SP_OK);
    for (size_t i = 0; i < n; i++) {
        struct m_recipient *t = &m->to[list[i].number];
        t->state = list[i].state;
        t->attempts += list[i].attempted;
        t->next_ms = list[i].next_ms;
        t->parked = 0;
    }
    for (uint32_t k = 0; k < m->n; k++)
        open += is_open(&m->to[k]);
    assert_int_equal(gone, open == 0);
    if (gone)
        m->id = 0;
}

static void do_remove(struct run *r)
{
    struct m_mail *m = &r->now.mails[roll(r, MAILS)];
    if (!m->id) {
        assert_int_equal(store_remove(r->store, r->next_id + 1000), SP_ERR_ABSENT);
        return;
    }
    assert_int_equal(store_remove(r->store, m->id), SP_OK);
    m->id = 0;
}

static void do_retry(struct run *r)
{
    struct m_mail *m = &r->now.mails[roll(r, MAILS)];
    size_t n, want = 0;
    if (!m->id)
        return;
    assert_int_equal(store_retry(r->store, m->id, r->clock_ms, 0, 100, &n), SP_OK);
    for (uint32_t k = 0; k < m->n; k++)
        if (store_state_waits(m->to[k].state) && (m->to[k].next_ms > r->clock_ms || m->to[k].parked)) {
            m->to[k].next_ms = r->clock_ms;
            m->to[k].parked = 0;
            want++;
        }
    assert_int_equal(n, want);
}

/* As the role does: of one that it has leased, or of one that it meets. */
static void do_park(struct run *r)
{
    struct m_mail *m = &r->now.mails[roll(r, MAILS)];
    if (!m->id)
        return;
    uint32_t k = roll(r, (uint32_t)m->n);
    unsigned name = 1 + roll(r, NAMES - 1);
    assert_int_equal(store_park(r->store, m->id, k, sp_view_of(names[name])), SP_OK);
    if (store_state_waits(m->to[k].state))
        m->to[k].parked = name;
}

/* End the leases that the model no longer has, at commit or rollback: as the role does. */
static void end_leases(struct run *r, struct model *before)
{
    for (size_t i = 0; i < MAILS; i++) {
        struct m_mail *old = &before->mails[i], *new = &r->now.mails[i];
        for (uint32_t k = 0; old->id && k < old->n; k++) {
            bool same = new->id == old->id;
            bool settled = same && old->to[k].leased && new->to[k].leased &&roll(r, 2);
            if (!old->to[k].leased || (same && !settled))
                continue;
            bool waits = same && store_state_waits(new->to[k].state);
            store_release(r->store, old->id, k, waits ? new->to[k].next_ms : STORE_NEVER);
            if (same)
                new->to[k].leased = false;
        }
    }
}

static void crash(struct run *r, bool torn);

static void transaction(struct run *r)
{
    struct model before = r->now;
    assert_int_equal(store_begin(r->store), SP_OK);
    for (uint32_t n = roll(r, 6); n > 0; n--) {
        switch (roll(r, 10)) {
        case 0:
        case 1:
        case 2:
            do_add(r);
            break;
        case 3:
        case 4:
        case 5:
            do_settle(r);
            break;
        case 6:
            do_remove(r);
            break;
        case 7:
        case 8:
            do_park(r);
            break;
        default:
            do_retry(r);
        }
        compare(r);
    }
    if (roll(r, 20) == 0)
        crash(r, false);
    if (roll(r, 5) == 0) {
        struct model dropped = r->now;
        store_rollback(r->store);
        r->now = before;
        for (size_t i = 0; i < MAILS; i++) /* leases of what was added do not end by themselves */
            for (uint32_t k = 0; dropped.mails[i].id && k < dropped.mails[i].n; k++)
                if (dropped.mails[i].id != before.mails[i].id && dropped.mails[i].to[k].leased)
                    store_release(r->store, dropped.mails[i].id, k, STORE_NEVER);
    } else {
        assert_int_equal(store_commit(r->store), SP_OK);
        end_leases(r, &before);
        r->committed = r->now;
        remember(r, roll(r, 10) == 0);
    }
    compare(r);
}

/* --- leases --------------------------------------------------------------------------------- */

static void note_leased(void *ctx, const struct store_mail *mail, const struct store_recipient *got)
{
    struct run *r = ctx;
    for (size_t i = 0; i < MAILS; i++)
        if (r->now.mails[i].id == mail->id) {
            struct m_recipient *t = &r->now.mails[i].to[got->number];
            assert_false(t->leased); /* never two leases of one recipient */
            assert_true(store_state_waits(t->state) && t->parked == r->name);
            assert_true(t->parked || t->next_ms <= r->clock_ms);
            t->leased = true;
            return;
        }
    fail_msg("leased a recipient of no message: %llu", (unsigned long long)mail->id);
}

static void lease(struct run *r)
{
    int64_t next, earliest = STORE_NEVER;
    do
        assert_int_equal(store_lease(r->store, r->clock_ms, 1 + roll(r, 5), note_leased, r, &next), SP_OK);
    while (next == r->clock_ms);
    for (size_t i = 0; i < MAILS; i++)
        for (uint32_t k = 0; r->now.mails[i].id && k < r->now.mails[i].n; k++) {
            const struct m_recipient *t = &r->now.mails[i].to[k];
            if (!store_state_waits(t->state) || t->parked)
                continue;
            assert_true(t->leased || t->next_ms > r->clock_ms); /* nobody who is due was left out */
            if (t->next_ms > r->clock_ms && t->next_ms < earliest)
                earliest = t->next_ms;
        }
    assert_int_equal(next, earliest);
}

static void lease_parked(struct run *r)
{
    struct store_place place = {0};
    bool wanted[NAMES] = {0};
    r->name = 1 + roll(r, NAMES - 1);
    do
        assert_int_equal(
            store_lease_parked(r->store, sp_view_of(names[r->name]), &place, 1 + roll(r, 3), note_leased, r),
            SP_OK);
    while (!place.end);
    for (size_t i = 0; i < MAILS; i++)
        for (uint32_t k = 0; r->now.mails[i].id && k < r->now.mails[i].n; k++) {
            const struct m_recipient *t = &r->now.mails[i].to[k];
            assert_true(t->leased || t->parked != r->name); /* nobody was left out */
            wanted[t->parked] = true;
        }
    r->name = 0;
    struct sp_buf name;
    sp_buf_init(&name, &os_heap, 64);
    for (unsigned k = 1; k < NAMES; k++)
        if (wanted[k]) {
            assert_int_equal(store_parked_after(r->store, sp_buf_view(&name), &name), SP_OK);
            assert_true(sp_view_eq(sp_buf_view(&name), sp_view_of(names[k])));
        }
    assert_int_equal(store_parked_after(r->store, sp_buf_view(&name), &name), SP_ERR_ABSENT);
    sp_buf_fini(&name);
}

/* --- bodies, restarts, power failures ------------------------------------------------------- */

static void check_bodies(struct store *s, const struct model *m)
{
    static uint8_t octets[9000];
    for (size_t i = 0; i < MAILS; i++) {
        struct store_body body;
        if (!m->mails[i].id)
            continue;
        assert_int_equal(store_body(s, m->mails[i].id, &body), SP_OK);
        assert_int_equal(body.fd >= 0, m->mails[i].spooled);
        if (body.fd >= 0) {
            body.content = sp_view_make(octets, (size_t)pread(body.fd, octets, sizeof octets, 0));
            close(body.fd);
        }
        assert_true(sp_view_eq(body.content, content_of(m->mails[i].id, m->mails[i].size)));
    }
}

static size_t files_in(const struct folder *f, const char *below)
{
    int fd = openat(f->fd, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fdopendir(fd);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/*
 * The WAL may be torn when it was begun anew since the database got all of it: its octets before that are
 * synced, and no power failure takes them.
 */
static bool may_tear(const struct run *r) { return strcmp(r->history[0], r->history[r->history_n - 1]) != 0; }

/* What is on the disk now, opened anew: the last commit, all of it, and no file that nobody owns. */
static void crash(struct run *r, bool torn)
{
    static char got[TEXT], want[TEXT];
    struct stat wal = {0};
    (void)fstatat(r->folder.fd, "queue.db-wal", &wal, 0); /* none: nothing to tear */
    struct folder copy = folder_crash(&r->folder, torn ? roll(r, (uint32_t)wal.st_size + 1) : INT64_MAX);
    struct store *s = folder_open(&copy);
    list_store(s, got);
    if (torn) {
        size_t i = 0;
        while (i < r->history_n && strcmp(got, r->history[i]) != 0)
            i++;
        assert_true(i < r->history_n); /* some commit's state, never half of one */
    } else {
        size_t spooled = 0;
        list_model(&r->committed, want);
        assert_string_equal(got, want);
        check_bodies(s, &r->committed);
        for (size_t i = 0; i < MAILS; i++)
            spooled += r->committed.mails[i].id && r->committed.mails[i].spooled;
        assert_int_equal(files_in(&copy, "bodies"), spooled);
        assert_int_equal(files_in(&copy, "incoming"), 0);
    }
    store_close(s);
    folder_free(&copy);
}

static void restart(struct run *r)
{
    store_close(r->store);
    r->store = folder_open(&r->folder);
    for (size_t i = 0; i < MAILS; i++)
        for (size_t k = 0; k < RECIPIENTS; k++)
            r->now.mails[i].to[k].leased = false;
    r->committed = r->now;
    remember(r, true);
}

static void run_seed(uint64_t seed)
{
    struct run *r = os_new(sizeof *r);
    r->folder = folder_new();
    r->store = folder_open(&r->folder);
    r->seed = seed * 0x9e3779b97f4a7c15u + 1;
    r->clock_ms = 1000;
    remember(r, true);
    for (int i = 0; i < STEPS; i++) {
        transaction(r);
        r->clock_ms += roll(r, 30);
        if (roll(r, 3) == 0)
            lease(r);
        if (roll(r, 5) == 0)
            lease_parked(r);
        if (roll(r, 10) == 0 && may_tear(r))
            crash(r, true);
        if (roll(r, 25) == 0)
            crash(r, false);
        if (roll(r, 40) == 0)
            restart(r);
        if (roll(r, 10) == 0)
            check_bodies(r->store, &r->now);
    }
    uint64_t n, want = 0;
    for (size_t i = 0; i < MAILS; i++)
        want += r->now.mails[i].id != 0;
    assert_int_equal(store_count(r->store, &n), SP_OK);
    assert_int_equal(n, want);
    store_close(r->store);
    folder_free(&r->folder);
    while (r->history_n)
        free(r->history[--r->history_n]);
    free(r);
}

static void test_store_and_model_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("# seed %llu\n", (unsigned long long)seed);
        run_seed(seed);
    }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_store_and_model_agree)};

TAP_MAIN(tests)
