/* Any octets as a configuration: taken, or refused with a line in every fault. Seeds: the files of
 * docs/examples. */
#include <stdlib.h>

#include "base/view.h"
#include "config/config.h"
#include "os/heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *c = NULL;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1 << 20);
    int status = config_parse("f", sp_view_make(data, size), &error, &c);
    if (status == SP_OK ? error.len != 0 || !c : c || !sp_view_starts(sp_buf_view(&error), SP_LIT("f:")))
        abort();
    config_free(c);
    sp_buf_fini(&error);
    return 0;
}
