/* Every refusal of ours has its page, and no page is without a refusal. */
#include "tap.h"

#include <string.h>

#include "base/view.h"
#include "reference/reference.h"

struct refusal {
    const char *id;
    int code;
    const char *enhanced;
};

static const struct refusal refusals[] = {
#define REFUSAL(name, id, code, enhanced, text) {id, code, enhanced},
#include "roles/smtpd/refusals.def"
#undef REFUSAL
#define REFUSAL(name, code, enhanced, id, text) {id, code, enhanced},
#include "smtp/server_reasons.def"
#undef REFUSAL
};
enum { REFUSALS_N = sizeof refusals / sizeof *refusals };

static void test_each_refusal_has_a_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < REFUSALS_N; i++) {
        const struct reference_reason *page = reference_reason_find(sp_view_of(refusals[i].id));
        if (!page)
            fail_msg("reference/reasons.toml has no entry for %s", refusals[i].id);
        if (page->code != refusals[i].code || strcmp(page->enhanced, refusals[i].enhanced) != 0)
            fail_msg("%s is %d %s in reference/reasons.toml, and %d %s where it is said", page->id,
                     page->code, page->enhanced, refusals[i].code, refusals[i].enhanced);
    }
}

static bool is_said(const char *id)
{
    for (size_t i = 0; i < REFUSALS_N; i++)
        if (strcmp(refusals[i].id, id) == 0)
            return true;
    return false;
}

static void test_no_page_is_orphaned(void **state)
{
    (void)state;
    size_t n;
    const struct reference_reason *pages = reference_reasons(&n);
    for (size_t i = 0; i < n; i++)
        if (!is_said(pages[i].id))
            fail_msg("reference/reasons.toml has an entry for %s, which nothing says", pages[i].id);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_each_refusal_has_a_page),
    cmocka_unit_test(test_no_page_is_orphaned),
};

TAP_MAIN(tests)
