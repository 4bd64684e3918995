/* Any octets as the file in which a token issuer's keys are kept, and as a Cache-Control value. */
#include <stdlib.h>

#include "base/view.h"
#include "roles/fetch/kept.h"
#include "roles/fetch/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_view in = sp_view_make(data, size), jwks = {0};
    struct fetch_kept kept = {0};
    int status = fetch_kept_parse(in, "https://issuer.example/jwks", &kept, &jwks);
    if (status == SP_OK && (kept.fetched_s < 0 || kept.fresh_until_s < 0 || jwks.len >= in.len))
        abort();
    if (fetch_max_age_s(in) < -1 || fetch_max_age_s(in) > INT32_MAX)
        abort();
    return 0;
}
