/* Files that a site of pages needs beside its HTML; made from reference/site/ and docs/ by tools/embed. */
#ifndef PAGES_ASSETS_H
#define PAGES_ASSETS_H

extern const char pages_style_css[];
extern const char pages_site_js[];
extern const char pages_server_states_svg[];

#endif
