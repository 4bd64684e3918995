/* How much the queue takes into memory and into one transaction. */
#ifndef ROLES_QUEUE_LIMITS_H
#define ROLES_QUEUE_LIMITS_H

enum {
    QUEUE_TARGETS_MAX = 100,     /* recipients in one attempt: what every server takes (RFC 5321 4.5.3.1.8) */
    QUEUE_WINDOW_MAX = 10000,    /* recipients in memory that the store gave                        */
    QUEUE_FRESH_MAX = 10000,     /* and recipients of new messages, whatever the others wait for    */
    QUEUE_SHARE_MAX = 1000,      /* of them waiting for one destination; the rest is parked         */
    QUEUE_URGENT_MAX = 200,      /* and so many more of a priority above normal                     */
    QUEUE_SITES_MAX = 20000,     /* sites, above which none is remembered without mail: some 10 MiB */
    QUEUE_TALKS_MAX = 1024,      /* conversations of sites, and of messages: some KiB each          */
    QUEUE_BATCH_MAX = 1024,      /* entries in one transaction                                      */
    QUEUE_BATCH_OCTETS = 8 << 20 /* and octets                                                      */
};

#endif
