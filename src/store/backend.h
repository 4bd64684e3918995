/* What a backend of the store provides; see store.h for what each verb means. */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "store/store.h"
#include "store/tls.h"

struct store_backend {
    const char *name;
    int (*open)(const struct store_options *options, struct sp_buf *error, struct store **store_out);
    void (*close)(struct store *s);
    int (*begin)(struct store *s);
    int (*commit)(struct store *s);
    void (*rollback)(struct store *s);
    int (*add)(struct store *s, const struct store_mail *mail, const struct store_recipient *recipients,
               size_t n, const struct sp_view *content, bool leased);
    int (*lease)(struct store *s, int64_t now_ms, size_t most, store_visit *visit, void *ctx,
                 int64_t *next_out);
    void (*release)(struct store *s, uint64_t mail, uint32_t number, int64_t due_ms);
    int (*settle)(struct store *s, uint64_t mail, const struct store_settlement *list, size_t n,
                  bool *gone_out);
    int (*retry)(struct store *s, uint64_t mail, int64_t now_ms, int64_t since_ms, size_t most,
                 size_t *n_out);
    int (*recall)(struct store *s, int64_t now_ms, int64_t limit_ms, size_t most, size_t *n_out);
    int (*hasten)(struct store *s, uint64_t mail, uint32_t number, int64_t now_ms);
    int (*park)(struct store *s, uint64_t mail, uint32_t number, struct sp_view name);
    int (*lease_parked)(struct store *s, struct sp_view name, struct store_place *place, size_t most,
                        store_visit *visit, void *ctx);
    int (*parked_after)(struct store *s, struct sp_view name, struct sp_buf *name_out);
    int (*count_parked)(struct store *s, struct sp_view name, size_t most, size_t *n_out);
    int (*suspend)(struct store *s, struct sp_view name, int64_t since_ms);
    int (*resume)(struct store *s, struct sp_view name);
    int (*suspensions)(struct store *s, store_visit_suspension *visit, void *ctx);
    int (*late)(struct store *s, int64_t now_ms, size_t most, store_visit *visit, void *ctx);
    int (*redirect)(struct store *s, uint64_t mail, uint32_t number, struct sp_view address,
                    struct sp_view route);
    int (*remove)(struct store *s, uint64_t mail);
    int (*list)(struct store *s, struct store_cursor *cursor, size_t most, store_visit *visit, void *ctx);
    int (*body)(struct store *s, uint64_t mail, struct store_body *body_out);
    int (*spool)(struct store *s, uint64_t id, int *fd_out);
    void (*unspool)(struct store *s, uint64_t id);
    bool (*tidy)(struct store *s, enum store_tidiness how);
    int (*space)(struct store *s, struct store_space *space_out);
    int (*count)(struct store *s, uint64_t *n_out);
    int (*tls_add)(struct store *s, const struct store_tls_session *session, int64_t due_ms, bool *bounded_out);
    int (*tls_read)(struct store *s, uint32_t day, struct sp_view domain, store_tls_visit_session *visit,
                    void *ctx);
    int (*tls_list)(struct store *s, uint32_t day, struct sp_view domain, size_t most,
                    store_tls_visit_report *visit, void *ctx);
    int (*tls_due)(struct store *s, int64_t now_ms, uint32_t day, size_t most, store_tls_visit_report *visit,
                   void *ctx);
    int (*tls_mark)(struct store *s, const struct store_tls_report *r);
    int (*tls_forget)(struct store *s, uint32_t day);
};

/* First member of every backend's own struct. */
struct store {
    const struct store_backend *backend;
    char error[256];
    bool disk_full;
};

extern const struct store_backend store_sqlite;

#endif
