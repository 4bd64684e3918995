/* Any octets as a message between roles: refused, or understood so that packing gives the same octets. */
#include <stdlib.h>

#include "base/view.h"
#include "ipc/ipc.h"
#include "os/heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ipc_message m;
    enum ipc_type type;
    size_t payload_len;
    bool with_fd;
    int fd;
    struct sp_view in = sp_view_make(data, size);
    if (ipc_header(in, &type, &payload_len, &with_fd) != SP_OK || size - IPC_HEADER_LEN < payload_len)
        return 0;
    struct sp_view whole = sp_view_sub(in, 0, IPC_HEADER_LEN + payload_len);
    if (ipc_unpack(type, sp_view_from(whole, IPC_HEADER_LEN), with_fd ? 3 : -1, &m) != SP_OK)
        return 0;
    struct sp_buf again;
    sp_buf_init(&again, &os_heap, 2 * IPC_PAYLOAD_MAX);
    if (ipc_pack(&m, &again, &fd) != SP_OK || !sp_view_eq(sp_buf_view(&again), whole) || (fd >= 0) != with_fd)
        abort();
    sp_buf_fini(&again);
    return 0;
}
