/*
 * What every public header of the engine library shares: views of octets, the
 * allocator and the status codes. No I/O, no clock, no global state.
 */
#ifndef SALLYPORT_BASE_H
#define SALLYPORT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Octets that belong to somebody else. They may hold NUL, need not end in one,
 * and are never turned into a `char *`. p may be NULL when len is 0.
 */
struct sp_view {
    const uint8_t *p;   /* the first octet                                                */
    size_t         len; /* how many there are                                             */
};

/* A view of a string literal, without its closing NUL. Lives as long as the program. */
#ifndef __cplusplus
#define SP_LIT(s) ((struct sp_view){(const uint8_t *)("" s), sizeof(s) - 1})
#else
#define SP_LIT(s) (sp_view{reinterpret_cast<const uint8_t *>("" s), sizeof(s) - 1})
#endif

/* The same as SP_LIT, for static initialisers. */
#define SP_LIT_INIT(s) {(const uint8_t *)("" s), sizeof(s) - 1}

/*
 * Where memory comes from. One call does all of it:
 *
 *   resize(ctx, NULL, 0, n)   give n octets
 *   resize(ctx, p, old, n)    make it n octets, contents kept, may move
 *   resize(ctx, p, old, 0)    take it back, returns NULL
 *
 * NULL for n > 0 means "no", and p is then still valid. `old` is always the
 * size last asked for, so an allocator needs no headers of its own.
 *
 * A session calls it only from within a call with that session, on the same thread. It must outlive every
 * session made with it. A failed call is an SP_ERR_NOMEM of that call; nothing leaks.
 */
struct sp_allocator {
    void *(*resize)(void *ctx, void *p, size_t old, size_t n); /* as above                */
    void *ctx;                                                 /* handed back to it; may be NULL */
};

/* Every function that can fail returns one of these; SP_OK is 0. */
enum sp_status {
    SP_OK         = 0,  /* done                                              */
    SP_ERR_NOMEM  = -1, /* the allocator said no                             */
    SP_ERR_CLOSED = -2, /* the session has ended                             */
    SP_ERR_MISUSE = -3, /* the caller broke the contract of the call         */
    SP_ERR_LONG   = -4, /* a documented length limit would be exceeded       */
    SP_ERR_SYNTAX = -5, /* the octets do not follow the grammar              */
    SP_ERR_RANGE  = -6, /* a number is outside its range                     */
    SP_ERR_ABSENT = -7, /* what was asked for is not there                   */
    SP_ERR_EXISTS = -8, /* it is there already                               */
    SP_ERR_IO     = -9  /* the operating system refused; see the log         */
};

/* Marks functions whose status is not to be dropped. */
#if defined(__GNUC__)
#define SP_MUST_USE __attribute__((warn_unused_result))
#else
#define SP_MUST_USE
#endif

#ifdef __cplusplus
}
#endif

#endif
