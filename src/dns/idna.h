/* Domains in Unicode to what DNS has of them: IDNA2008 (RFC 5891), by libidn2. No lookup. */
#ifndef DNS_IDNA_H
#define DNS_IDNA_H

#include "sallyport/base.h"

enum { DNS_IDNA_MAX = 256 };

/*
 * Write a domain's ASCII form, in lower case where it was Unicode; a domain that is ASCII, or an address
 * literal, stays as it is.
 *
 *   len_out  octets of out
 *
 * SP_ERR_SYNTAX: a label is no U-label. SP_ERR_LONG: over 255 octets.
 */
SP_MUST_USE int dns_idna(struct sp_view domain, char out[DNS_IDNA_MAX], size_t *len_out);

#endif
