#include "roles/memory.h"

#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

int memory_make(const char *name, size_t octets)
{
    uint64_t seed;
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    os_random(&seed, sizeof seed);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)octets) == 0 && pwrite(fd, &seed, sizeof seed, 0) == sizeof seed &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}
