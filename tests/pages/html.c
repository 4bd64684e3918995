/* Pages as HTML: what is escaped, what becomes a link, and that every block is closed. */
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pages/html.h"

static char *made;
static size_t made_n;

static FILE *begin(struct pages_html *h, const struct pages_subject *about)
{
    FILE *to = open_memstream(&made, &made_n);
    assert_non_null(to);
    pages_html_init(h, to, REFERENCE_EN, "../", about);
    return to;
}

static void assert_made(struct pages_html *h, const char *expected)
{
    pages_html_end(h);
    assert_int_equal(fclose(h->to), 0);
    assert_string_equal(made, expected);
    free(made);
}

static void test_escaped(void **state)
{
    (void)state;
    struct pages_html h;
    FILE *to = begin(&h, NULL);
    pages_html_put(to, "<a href=\"x\"> & 'b'");
    assert_made(&h, "&lt;a href=&quot;x&quot;&gt; &amp; 'b'");
    begin(&h, NULL);
    pages_html_inline(&h, "`<b>` and <i>");
    assert_made(&h, "<code>&lt;b&gt;</code> and &lt;i&gt;");
}

static void test_links(void **state)
{
    (void)state;
    struct pages_html h;
    begin(&h, NULL);
    pages_html_inline(
        &h,
        "`503`, `503` again, `AUTH`, `auth`, `5.7.8`, `5.7.57`, `5.7.99`, `599x`, `334 / 503`, `334 / 599`");
    assert_made(&h, "<a href=\"../codes/503.html\"><code>503</code></a>, <code>503</code> again, "
                    "<a href=\"../commands/auth.html\"><code>AUTH</code></a>, <code>auth</code>, "
                    "<a href=\"../enhanced/x.7.8.html\"><code>5.7.8</code></a>, "
                    "<a href=\"../enhanced/x.7.57.html\"><code>5.7.57</code></a>, <code>5.7.99</code>, "
                    "<code>599x</code>, "
                    "<a href=\"../compare/334-503.html\"><code>334 / 503</code></a>, <code>334 / 599</code>");
    /* A page does not link to itself. */
    struct pages_subject about = pages_subject_of_code(reference_code_find(503));
    begin(&h, &about);
    pages_html_inline(&h, "`503` and an open `tick");
    assert_made(&h, "<code>503</code> and an open `tick");
}

static void test_blocks(void **state)
{
    (void)state;
    struct pages_html h;
    begin(&h, NULL);
    const struct reference_line said = {'S', "599 <no>"};
    h.out.ops->heading(&h.out, "when", "When");
    h.out.ops->text(&h.out, "One:\n- a\n- b");
    h.out.ops->text(&h.out, "- c\nTwo");
    h.out.ops->subheading(&h.out, "case", "599  Nothing");
    h.out.ops->transcript(&h.out, &(struct reference_transcript){&said, 1});
    h.out.ops->small(&h.out, "- d");
    assert_made(
        &h,
        "<section id=\"when\">\n<h2>When</h2>\n<p>One:</p>\n<ul>\n<li>a</li>\n<li>b</li>\n<li>c</li>\n</ul>\n"
        "<p>Two</p>\n<div class=\"case\" id=\"case\">\n"
        "<h3><a href=\"../codes/599.html\"><span class=\"key\">599</span></a> Nothing</h3>\n"
        "<ol class=\"transcript alone\">\n<li class=\"server no\"><span class=\"who\">"
        "<span aria-hidden=\"true\">S:</span><span class=\"hidden\">server says</span></span> "
        "<code class=\"said\">599 &lt;no&gt;</code> <span class=\"note\"></span></li>\n</ol>\n"
        "<ul>\n<li>d</li>\n</ul>\n</div>\n</section>\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_escaped),
    cmocka_unit_test(test_links),
    cmocka_unit_test(test_blocks),
};

TAP_MAIN(tests)
