/*
 * Any octets as a PROXY header: refused, or read the same whatever follows; what is cut off asks for more.
 * Seeds: a header of each version.
 */
#include <stdlib.h>

#include "base/view.h"
#include "os/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct os_proxy whole, header;
    const char *fault = NULL;
    struct sp_view in = sp_view_make(data, size);
    int status = os_proxy_parse(in, &whole, &fault);
    if ((status == SP_ERR_SYNTAX) != (fault != NULL))
        abort();
    if (status != SP_OK)
        return 0;
    if (whole.len > size || os_proxy_parse(sp_view_sub(in, 0, whole.len), &header, &fault) != SP_OK ||
        header.len != whole.len || header.known != whole.known ||
        os_proxy_parse(sp_view_sub(in, 0, whole.len - 1), &header, &fault) != SP_ERR_ABSENT)
        abort();
    return 0;
}
