/* Any octets as a file of the maildrop: it is read to a message, or refused with a sentence, and never half
 * of each. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/view.h"
#include "os/heap.h"
#include "roles/pickup/pickup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MOST = 1 << 20 };

static struct role *role_of_pickup(void)
{
    static struct role role;
    static const char text[] =
        "hostname = \"mx.example.org\"\ndata = \"/nonexistent\"\ndefault-route = none\n"
        "domain \"example.org\" {\nroute = hold\nmailboxes = { anna, root }\n}\n"
        "domain \"any.example\" {\nroute = hold\n}\n"
        "listener \"l\" {\naddress = \"127.0.0.1:25\"\n}\n";
    struct sp_buf error;
    struct config *c = NULL;
    if (role.config)
        return &role;
    sp_buf_init(&error, &os_heap, 4096);
    if (config_parse("fuzz.conf", sp_view_of(text), &error, &c) != SP_OK)
        abort();
    sp_buf_fini(&error);
    c->limits.message_octets = MESSAGE_MOST;
    role.kind = IPC_PICKUP;
    role.config = c;
    return &role;
}

static int file_of(const uint8_t *data, size_t size)
{
    int fd = memfd_create("maildrop", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}

/* What is handed to the queue is whole, and is what the queue reads. */
static void judge(const struct parcel *p)
{
    struct sp_view rest = sp_buf_view(&p->recipients.list);
    size_t n = 0;
    for (struct ipc_recipient r; ipc_next_recipient(&rest, &r); n++)
        if (r.address.len == 0 || r.route.len == 0)
            abort();
    if (rest.len > 0 || n != p->recipients.n || !p->began || !p->whole || p->later)
        abort();
    if (p->size != p->content.len || (n == 0 && !p->refused))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pickup pickup = {.role = role_of_pickup(), .maildrop = -1, .watch = -1};
    struct parcel *p = os_new(sizeof *p);
    parcel_init(p);
    p->file = file_of(data, size);
    p->octets = size;
    p->id = 1;
    message_id_text(p->id, p->name);
    p->user[0] = 'u';
    p->received_ms = 1800000000000;
    parcel_read(&pickup, p);
    if (!p->fault)
        judge(p);
    else if (p->fault[0] == 0)
        abort();
    parcel_free(p);
    return 0;
}
