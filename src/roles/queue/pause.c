#include "os/heap.h"
#include "roles/queue/queue.h"

enum { SPREAD = 16 };

int64_t queue_pause_spread(int64_t pause_ms)
{
    uint32_t random;
    os_random(&random, sizeof random);
    return pause_ms + (int64_t)random % (pause_ms / SPREAD + 1);
}

int64_t queue_pause_ms(uint32_t first_s, uint32_t most_s, uint32_t n)
{
    int64_t pause = (int64_t)first_s * 1000, most = (int64_t)most_s * 1000;
    for (uint32_t i = 1; i < n && pause < most; i++)
        pause *= 2;
    return queue_pause_spread(pause < most ? pause : most);
}
