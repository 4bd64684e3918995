/*
 * The one thread beside the loop: it derives keys from passwords, so that the loop never waits for
 * PBKDF2. It touches nothing but the job it is given. Jobs wait in a fair and bounded line (line.h);
 * whatever becomes of a job, its `done` is called once, by the loop, never from inside a call here.
 */
#ifndef ROLES_AUTH_WORKER_H
#define ROLES_AUTH_WORKER_H

#include "os/loop.h"
#include "roles/auth/line.h"
#include "sasl/prep.h"
#include "sasl/verifier.h"
#include "users/users.h"

enum { AUTH_WAITING_MAX = 4096 }; /* until auth_worker_set_waiting */

enum auth_job_kind {
    AUTH_JOB_CHECK, /* which password of this verifier is it? -> which */
    AUTH_JOB_MAKE   /* make its verifier; under the salt and the iterations in it, or, without a salt, new ones */
};

struct auth_job {
    struct auth_line_item item; /* first: the line's handle      */
    struct auth_job      *next; /* among those that are done     */
    enum auth_job_kind    kind;
    struct sasl_verifier  verifier;
    /*
     * CHECK: of a crypt(3) hash too, unless it is empty. imported: it counts, and when it is right the verifier
     * is made from the password; else it only takes its time.
     */
    bool                  imported, remade;
    bool                  cram; /* MAKE: with a secret for CRAM-MD5 */
    char                  crypt[USERS_CRYPT_MAX];
    int                   which;  /* SASL_WHICH_NONE: none of them */
    int                   status; /* SP_OK; SP_ERR_LONG: too many waited; SP_ERR_NOMEM */
    bool                  forgotten;
    /* Called by the loop; the job is freed after it. */
    void (*done)(struct auth_job *job);
    void   *owner;
    size_t  password_len;
    uint8_t password[SASL_PASSWORD_MAX]; /* prepared; overwritten as soon as it is used */
};

struct auth_worker;

struct auth_worker *auth_worker_new(struct event_base *base);

/* How many jobs may wait at once; of more the client with the most gives way (SP_ERR_LONG). */
void auth_worker_set_waiting(struct auth_worker *w, uint32_t waiting_max);

/* Ends the thread; jobs that wait are dropped without `done`. */
void auth_worker_free(struct auth_worker *w);

/* A job for a prepared password of at most SASL_PASSWORD_MAX octets; fill in the rest and give it away. */
struct auth_job *auth_job_new(enum auth_job_kind kind, struct sp_view password);

/* client: who shares a turn. The worker owns the job from now on. */
void auth_worker_give(struct auth_worker *w, struct sp_view client, struct auth_job *job);

/* Nobody waits for this job any more: its `done` is not called. */
void auth_worker_forget(struct auth_worker *w, struct auth_job *job);

#endif
