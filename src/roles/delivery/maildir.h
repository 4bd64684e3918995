/*
 * Storing one message in a Maildir: tmp, then new, each step on disk before the next. What is in new
 * is whole and stays so after a power loss.
 *
 * The name is made of the message's and the recipient's numbers, so that a delivery that is repeated after a
 * crash meets its first copy and adds no second.
 */
#ifndef ROLES_DELIVERY_MAILDIR_H
#define ROLES_DELIVERY_MAILDIR_H

#include "base/buf.h"

struct maildir_mail {
    const char *path; /* of the Maildir; it and tmp, new, cur are made when absent, 0700     */
    const char *name; /* of the file, unique for message and recipient                      */
    struct sp_view sender;
    struct sp_view content; /* CRLF line ends; stored with LF, as Maildirs are                  */
    int fd;                 /* instead of content, or -1                                        */
    uint64_t size;          /* octets in fd                                                     */
    bool again;             /* an earlier process may have delivered it: look in cur, too       */
};

/*
 * Deliver.
 *   error  why not, for the log and the sender
 * SP_OK: it is on disk. SP_ERR_EXISTS: it was there already. SP_ERR_IO: nothing was delivered,
 * errno says why (ENOSPC, EDQUOT: the disk or the owner's part of it is full).
 */
SP_MUST_USE int maildir_store(const struct maildir_mail *mail, struct sp_buf *error);

/*
 * The path of a recipient's Maildir: %d is its domain, %l its local part, both in lower case, %% a percent
 * sign.
 *
 * A local part may hold any printable ASCII but / and \, may not begin with a dot and has at most 64 octets;
 * quotes of a quoted local part are taken off. So nothing leads out of the folder, and nothing is hidden.
 * SP_ERR_SYNTAX: the address does not fit that.
 */
SP_MUST_USE int maildir_path(const char *pattern, struct sp_view address, struct sp_buf *path_out);

#endif
