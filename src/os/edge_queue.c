#include "os/edge_queue.h"

#include "base/view.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MOST_KEPT_LEN = 1 << 20, /* an empty buffer above this is given back                     */
    OUT_MAX_LEN = 1 << 30    /* never reached: edge.c holds a lower ceiling for the backlog */
};

/* --- descriptors --------------------------------------------------------------------------- */

static void fds_add(struct edge_fds *q, int fd, uint64_t from, uint64_t to)
{
    if (q->start + q->n == q->cap) {
        if (q->n > 0)
            memmove(q->v, q->v + q->start, q->n * sizeof *q->v);
        q->start = 0;
        if (q->n * 2 >= q->cap) {
            size_t cap = q->cap ? q->cap * 2 : 8;
            q->v = os_heap.resize(NULL, q->v, q->cap * sizeof *q->v, cap * sizeof *q->v);
            q->cap = cap;
        }
    }
    q->v[q->start + q->n++] = (struct edge_fd){fd, from, to};
}

static struct edge_fd *fds_head(struct edge_fds *q) { return q->n > 0 ? &q->v[q->start] : NULL; }

static int fds_take(struct edge_fds *q)
{
    int fd = q->v[q->start].fd;
    q->start++;
    q->n--;
    return fd;
}

static void fds_fini(struct edge_fds *q)
{
    while (q->n > 0)
        close(fds_take(q));
    free(q->v);
    *q = (struct edge_fds){0};
}

/* --- in ------------------------------------------------------------------------------------ */

static void wipe(struct edge_in *in)
{
    if (in->secret)
        explicit_bzero(in->p, in->high);
    in->secret = false;
    in->high = 0;
}

void edge_in_fini(struct edge_in *in)
{
    wipe(in);
    free(in->p);
    fds_fini(&in->fds);
    *in = (struct edge_in){0};
}

/* Octets that the message at `start` still lacks, as far as is known. */
static size_t lacking(struct edge_in *in)
{
    enum ipc_type type;
    size_t payload, have = in->end - in->start;
    bool with_fd;
    struct sp_view head = sp_view_make(have ? in->p + in->start : NULL, have);
    if (ipc_header(head, &type, &payload, &with_fd))
        return 0;
    in->secret = in->secret || ipc_secret(type);
    return IPC_HEADER_LEN + payload > have ? IPC_HEADER_LEN + payload - have : 0;
}

/*
 * Room for at least `least` octets at `end`. The message that has begun goes to the front of a buffer that
 * holds all of it, so that it is moved once at most.
 */
static void make_room(struct edge_in *in, size_t least, size_t usual)
{
    if (in->cap - in->end >= least)
        return;
    size_t have = in->end - in->start;
    if (in->cap - have < least) {
        size_t cap = have + least > usual ? have + least : usual;
        uint8_t *p = os_heap.resize(NULL, NULL, 0, cap);
        bool secret = in->secret;
        if (have)
            memcpy(p, in->p + in->start, have);
        wipe(in);
        free(in->p);
        in->p = p;
        in->cap = cap;
        in->secret = secret;
    } else if (have) {
        memmove(in->p, in->p + in->start, have);
    }
    in->start = 0;
    in->end = have;
    if (in->high < have)
        in->high = have;
}

/* Everything was parsed: start at the front again, and leave no secret and no large buffer lying about. */
static void rest(struct edge_in *in)
{
    wipe(in);
    in->start = in->end = 0;
    if (in->cap > MOST_KEPT_LEN) {
        free(in->p);
        in->p = NULL;
        in->cap = 0;
    }
}

static const char *take_fds(struct edge_in *in, struct msghdr *h, size_t octets)
{
    const char *fault = (h->msg_flags & MSG_CTRUNC) ? "a descriptor was lost (too many open files?)" : NULL;
    size_t n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int), n++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
            uint64_t end = in->offset + (in->end - in->start);
            fds_add(&in->fds, fd, end, end + octets);
        }
    }
    return n > 1 && !fault ? "more than one descriptor came with a message" : fault;
}

ssize_t edge_in_read(struct edge_in *in, int fd, size_t len, bool *more_out, const char **fault_out)
{
    size_t want = lacking(in);
    make_room(in, want > len / 4 ? want : len / 4, len);
    union {
        struct cmsghdr align;
        char raw[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec room = {in->p + in->end, in->cap - in->end};
    struct msghdr h = {
        .msg_iov = &room, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return n;
    size_t before = in->fds.n;
    *fault_out = take_fds(in, &h, (size_t)n);
    in->end += (size_t)n;
    if (in->high < in->end)
        in->high = in->end;
    /* The kernel stops behind octets that carried a descriptor, whatever follows. */
    *more_out = (size_t)n == room.iov_len || in->fds.n > before;
    return n;
}

static const char stray[] = "a descriptor came that no message announced";

static const char *claim(struct edge_in *in, bool with_fd, int *fd_out)
{
    struct edge_fd *head = fds_head(&in->fds);
    *fd_out = -1;
    if (head && head->to <= in->offset)
        return stray;
    if (!with_fd)
        return NULL;
    if (!head || head->from > in->offset)
        return "the message announced a descriptor that did not come";
    *fd_out = fds_take(&in->fds);
    return NULL;
}

/* With all complete messages gone, a descriptor can only be that of the one that has begun. */
static bool has_stray(struct edge_in *in)
{
    struct edge_fd *head = fds_head(&in->fds);
    return head &&
           (in->fds.n > 1 || in->start == in->end || head->from > in->offset || head->to <= in->offset);
}

bool edge_in_next(struct edge_in *in, struct edge_frame *frame_out, const char **fault_out)
{
    struct sp_view have = sp_view_make(in->end > in->start ? in->p + in->start : NULL, in->end - in->start);
    size_t payload;
    bool with_fd;
    int status = ipc_header(have, &frame_out->type, &payload, &with_fd);
    if (status == SP_ERR_SYNTAX)
        *fault_out = "unknown message type, flags, or a payload over the limit";
    else if (status == SP_OK && have.len - IPC_HEADER_LEN >= payload)
        *fault_out = claim(in, with_fd, &frame_out->fd);
    else if (has_stray(in))
        *fault_out = stray;
    else if (have.len == 0 && in->end > 0)
        rest(in);
    if (*fault_out || status || have.len - IPC_HEADER_LEN < payload)
        return false;
    in->secret = in->secret || ipc_secret(frame_out->type);
    frame_out->payload = sp_view_sub(have, IPC_HEADER_LEN, payload);
    in->start += IPC_HEADER_LEN + payload;
    in->offset += IPC_HEADER_LEN + payload;
    return true;
}

/* --- out ----------------------------------------------------------------------------------- */

void edge_out_init(struct edge_out *out)
{
    *out = (struct edge_out){0};
    sp_buf_init(&out->octets, &os_heap_secret, OUT_MAX_LEN);
}

void edge_out_fini(struct edge_out *out)
{
    sp_buf_fini(&out->octets);
    fds_fini(&out->fds);
    out->start = 0;
    out->secret = false;
}

size_t edge_out_len(const struct edge_out *out) { return out->octets.len - out->start; }

int edge_out_add(struct edge_out *out, const struct ipc_message *m)
{
    size_t from = out->octets.len;
    int fd;
    int status = ipc_pack(m, &out->octets, &fd);
    if (status)
        return status;
    if (fd >= 0) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            out->octets.len = from;
            return SP_ERR_IO;
        }
        fds_add(&out->fds, copy, from, from + 1);
    }
    out->secret = out->secret || ipc_secret(m->type);
    return SP_OK;
}

/* All went: start at the front again, and leave no secret and no large buffer lying about. */
static void rewind_out(struct edge_out *out)
{
    if (out->secret || out->octets.cap > MOST_KEPT_LEN)
        edge_out_fini(out);
    sp_buf_clear(&out->octets);
    out->start = 0;
}

/* A long backlog would otherwise grow for ever at its end. */
static void compact(struct edge_out *out)
{
    if (out->start < MOST_KEPT_LEN || out->start < out->octets.len / 2)
        return;
    sp_buf_drop(&out->octets, out->start);
    for (size_t i = 0; i < out->fds.n; i++)
        out->fds.v[out->fds.start + i].from -= out->start;
    out->start = 0;
}

int edge_out_write(struct edge_out *out, int fd)
{
    while (edge_out_len(out) > 0) {
        union {
            struct cmsghdr align;
            char raw[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec part = {out->octets.p + out->start, edge_out_len(out)};
        struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
        struct edge_fd *head = fds_head(&out->fds);
        struct edge_fd *next = head;
        if (head && head->from == out->start) {
            h.msg_control = &control;
            h.msg_controllen = sizeof control;
            struct cmsghdr *c = CMSG_FIRSTHDR(&h);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof head->fd);
            memcpy(CMSG_DATA(c), &head->fd, sizeof head->fd);
            next = out->fds.n > 1 ? head + 1 : NULL;
        }
        if (next)
            part.iov_len = (size_t)next->from - out->start;
        ssize_t n = sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            compact(out);
            return errno;
        }
        if (h.msg_control)
            close(fds_take(&out->fds));
        out->start += (size_t)n;
    }
    rewind_out(out);
    return 0;
}
