/* One mistake made once: misbehave.c makes it, judge.c judges and tells. */
#ifndef CLI_SEND_TRIAL_H
#define CLI_SEND_TRIAL_H

#include <jansson.h>

#include "cli/send/mistakes.h"
#include "cli/send/send.h"

struct send_trial {
    const struct send_plan *plan;
    const struct send_mistake *mistake;
    struct send_setup setup;
    struct client *client;
    size_t step;
    unsigned due;      /* replies to the step that have not come */
    bool before;       /* a reply before the last was a refusal  */
    bool ready, over;  /* it came to the mistake; all was said   */
    int code;          /* of the last reply; 0: none             */
    struct sp_buf got; /* the replies, with '\n' between them    */
    struct sp_buf why; /* why the session ended                  */
};

enum send_verdict { SEND_RIGHT, SEND_ALLOWED, SEND_WRONG, SEND_UNTRIED, SEND_VERDICT_N };

enum send_verdict send_judge(const struct send_trial *t);
void send_print_trial(const struct send_trial *t, enum send_verdict verdict);
json_t *send_json_trial(const struct send_trial *t, enum send_verdict verdict);

#endif
