/* The whole reference as a static site, in every language; and as manual pages. */
#ifndef PAGES_SITE_H
#define PAGES_SITE_H

#include <stddef.h>

/* What was written, or what went wrong. */
struct pages_written {
    size_t files_n;
    int error;       /* errno; 0: all is well     */
    char path[4096]; /* the file of the error     */
};

/*
 * Write the site below a folder, which is made when it is missing: index.html, en/, vi/, assets/. Files of
 * earlier runs are written over, others are left alone. The pages need no server and nothing from elsewhere.
 */
void pages_site_write(const char *folder, struct pages_written *written_out);

/* Write sallyport-replies(7) as man7/sallyport-replies.7 and vi/man7/sallyport-replies.7 below a folder. */
void pages_man_write(const char *folder, struct pages_written *written_out);

#endif
