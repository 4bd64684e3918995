#include "roles/auth/worker.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "sasl/cram_md5.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICENESS = 5 }; /* a burst of AUTH yields to mail that is under way */

struct auth_worker {
    pthread_t thread;
    pthread_mutex_t lock; /* over all below but wake and event */
    pthread_cond_t work;
    struct auth_line line;
    struct auth_job *running;
    struct auth_job *done, **done_end;
    bool up, leave;
    int wake; /* eventfd: something is in `done` */
    struct event *event;
};

static void free_job(struct auth_job *job)
{
    explicit_bzero(job, sizeof *job);
    free(job);
}

struct auth_job *auth_job_new(enum auth_job_kind kind, struct sp_view password)
{
    struct auth_job *job = os_new(sizeof *job);
    if (password.len > sizeof job->password)
        os_panic("auth-job", "a password of %zu octets came past the mechanisms", password.len);
    job->kind = kind;
    job->which = SASL_WHICH_NONE;
    job->password_len = password.len;
    memcpy(job->password, password.p, password.len);
    return job;
}

/* --- the thread -------------------------------------------------------------------------- */

static void check(struct auth_job *job, struct sp_view password)
{
    job->status = sasl_verifier_check(&job->verifier, password, &job->which);
    bool right = job->crypt[0] && users_crypt_check(job->crypt, password);
    if (right && job->imported && !job->status && job->which == SASL_WHICH_NONE) {
        job->status = sasl_verifier_remake(password, &job->verifier);
        job->which = SASL_WHICH_OWN;
        job->remade = true;
    }
}

static void run_job(struct auth_job *job)
{
    struct sp_view password = sp_view_make(job->password, job->password_len);
    if (job->kind == AUTH_JOB_CHECK)
        check(job, password);
    else if (job->verifier.salt_len > 0)
        job->status = sasl_verifier_remake(password, &job->verifier);
    else
        job->status = sasl_verifier_make(password, &job->verifier);
    if (job->cram && !job->status) {
        sasl_cram_derive(password, job->verifier.cram);
        job->verifier.has_cram = true;
    }
    explicit_bzero(job->password, sizeof job->password);
}

/* Locked. */
static void finish(struct auth_worker *w, struct auth_job *job)
{
    static const uint64_t one = 1;
    job->next = NULL;
    *w->done_end = job;
    w->done_end = &job->next;
    if (write(w->wake, &one, sizeof one) != (ssize_t)sizeof one && errno != EAGAIN)
        os_panic("auth-worker", "cannot wake the loop: %s", strerror(errno));
}

static void *work(void *arg)
{
    struct auth_worker *w = arg;
    (void)setpriority(PRIO_PROCESS, 0, NICENESS); /* of this thread; without it all still works */
    pthread_mutex_lock(&w->lock);
    w->up = true;
    pthread_cond_signal(&w->work);
    while (!w->leave) {
        struct auth_job *job = (struct auth_job *)auth_line_pop(&w->line);
        if (!job) {
            pthread_cond_wait(&w->work, &w->lock);
            continue;
        }
        w->running = job;
        pthread_mutex_unlock(&w->lock);
        run_job(job);
        pthread_mutex_lock(&w->lock);
        w->running = NULL;
        finish(w, job);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* --- the loop's side --------------------------------------------------------------------- */

static struct auth_job *take_done(struct auth_worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct auth_job *job = w->done;
    if (job) {
        w->done = job->next;
        if (!w->done)
            w->done_end = &w->done;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void collect(evutil_socket_t fd, short what, void *arg)
{
    struct auth_worker *w = arg;
    uint64_t n;
    (void)what;
    if (read(fd, &n, sizeof n) < 0)
        return; /* EAGAIN: collected with an earlier call */
    for (struct auth_job *job; (job = take_done(w));) {
        if (!job->forgotten)
            job->done(job);
        free_job(job);
    }
}

struct auth_worker *auth_worker_new(struct event_base *base)
{
    struct auth_worker *w = os_new(sizeof *w);
    sigset_t all, before;
    uint64_t seed;
    os_random(&seed, sizeof seed);
    auth_line_init(&w->line, AUTH_WAITING_MAX, seed);
    w->done_end = &w->done;
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->event = w->wake < 0 ? NULL : event_new(base, w->wake, EV_READ | EV_PERSIST, collect, w);
    if (!w->event || event_add(w->event, NULL) != 0)
        os_panic("auth-worker", "cannot watch for results: %s", strerror(errno));
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    /* Signals are the loop's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        os_panic("auth-worker", "cannot start the thread: %s", strerror(error));
    /* Its priority is set when this returns: later the role's sandbox would forbid it. */
    pthread_mutex_lock(&w->lock);
    while (!w->up)
        pthread_cond_wait(&w->work, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return w;
}

void auth_worker_set_waiting(struct auth_worker *w, uint32_t waiting_max)
{
    pthread_mutex_lock(&w->lock);
    w->line.max = waiting_max;
    pthread_mutex_unlock(&w->lock);
}

void auth_worker_free(struct auth_worker *w)
{
    pthread_mutex_lock(&w->lock);
    w->leave = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    for (struct auth_line_item *i; (i = auth_line_pop(&w->line));)
        free_job((struct auth_job *)i);
    for (struct auth_job *job; (job = take_done(w));)
        free_job(job);
    auth_line_fini(&w->line);
    event_free(w->event);
    close(w->wake);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void auth_worker_give(struct auth_worker *w, struct sp_view client, struct auth_job *job)
{
    pthread_mutex_lock(&w->lock);
    struct auth_job *leaves = (struct auth_job *)auth_line_push(&w->line, client, &job->item);
    if (leaves) {
        leaves->status = SP_ERR_LONG;
        finish(w, leaves);
    }
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
}

void auth_worker_forget(struct auth_worker *w, struct auth_job *job)
{
    pthread_mutex_lock(&w->lock);
    bool waits = job->item.client != NULL;
    if (waits)
        auth_line_remove(&w->line, &job->item);
    else
        job->forgotten = true; /* under way, or done: collect frees it */
    pthread_mutex_unlock(&w->lock);
    if (waits)
        free_job(job);
}
