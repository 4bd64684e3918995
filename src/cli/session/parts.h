/* The parts of `sallyport session`: list and show, and what they share. */
#ifndef CLI_SESSION_PARTS_H
#define CLI_SESSION_PARTS_H

#include "base/arena.h"
#include "cli/catalogue.h"
#include "cli/session/store.h"
#include "message/id.h"

enum { SESSION_ATTEMPTS_MAX = 100, SESSION_ID_SIZE = MESSAGE_ID_TEXT + 2, SESSION_TIME_SIZE = 32 };

struct session_filter {
    struct ipc_session_list wanted; /* most: 0 for all */
    bool json;
};

/* Each prints on stdout and returns a sysexits code; faults go to stderr. */
int session_look_list(struct session_store *s, const struct session_filter *filter);
int session_show(struct session_store *s, const char *word, bool json, enum reference_lang lang);

/* What the last answer says: EX_OK, or the fault is printed. id: as it was given. */
int session_fault_of(const struct ipc_session_done *done, const char *id);
int session_parse_id(const char *word, uint64_t *id_out);

void session_id_text(uint64_t id, char text_out[SESSION_ID_SIZE]);
void session_time_text(uint64_t wall_ms, char text_out[SESSION_TIME_SIZE]);

json_t *session_facts_json(const struct ipc_session_facts *f);

#endif
