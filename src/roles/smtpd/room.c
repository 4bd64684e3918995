#include "roles/smtpd/room.h"

#include "os/heap.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    RESERVE_MAX = 64, /* descriptors that sessions leave free; half of them for spools, half for edges */
    RESERVE_PART = 4, /* and of few at most this part                                                  */
    ELSEWHERE = 8     /* what comes after the start, but for listeners: more peers                     */
};

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    struct smtpd *smtpd = ctx;
    smtpd->held_octets += n - old; /* wraps as it should */
    return os_heap.resize(NULL, p, old, n);
}

const struct sp_allocator room_heap = {resize, &smtpd_self};

void room_init(struct smtpd *smtpd)
{
    struct rlimit limit = {0};
    int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    (void)getrlimit(RLIMIT_NOFILE, &limit); /* cannot fail */
    if (lowest >= 0)
        close(lowest);
    smtpd->descriptor_max = limit.rlim_cur;
    smtpd->descriptors_elsewhere = ELSEWHERE + (uint64_t)(lowest > 0 ? lowest : 0);
}

static bool is_free(const struct smtpd *smtpd, uint64_t reserve)
{
    uint64_t used =
        smtpd->descriptors_elsewhere + os_stream_n(smtpd->role->base) + smtpd->spool_n + smtpd->guest_n;
    for (const struct door *d = smtpd->doors; d; d = d->next)
        used++;
    return used + reserve < smtpd->descriptor_max;
}

static uint64_t reserve_of(const struct smtpd *smtpd)
{
    uint64_t part = smtpd->descriptor_max / RESERVE_PART;
    return part < RESERVE_MAX ? part : RESERVE_MAX;
}

bool room_for_session(const struct smtpd *smtpd) { return is_free(smtpd, reserve_of(smtpd)); }

bool room_for_spool(const struct smtpd *smtpd) { return is_free(smtpd, reserve_of(smtpd) / 2); }

bool room_for_mail(const struct smtpd *smtpd)
{
    return smtpd->held_octets < smtpd->role->config->limits.memory_octets;
}
