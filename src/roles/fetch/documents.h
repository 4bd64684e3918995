/* Documents that delivery asks for: a few at a time, in the order in which they were asked for. */
#ifndef FETCH_DOCUMENTS_H
#define FETCH_DOCUMENTS_H

#include "roles/fetch/transfer.h"
#include "roles/role.h"

enum {
    FETCH_AT_ONCE = 4,
    FETCH_POSTS_AT_ONCE = 2, /* of these: web servers that take reports may be slow, and mail waits for policies */
    FETCH_WAITING_MAX = 256
};

struct fetch_documents;

struct fetch_documents *fetch_documents_new(struct role *r, struct dns *const *dns);
void fetch_documents_want(struct fetch_documents *f, struct os_edge *from, const struct ipc_document_wanted *m);
/* Nobody waits for what this process wanted. */
void fetch_documents_forget(struct fetch_documents *f, uint32_t peer);

#endif
