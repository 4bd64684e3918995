#include "roles/smtpd/recorder.h"

#include "base/base64.h"
#include "base/view.h"
#include "os/heap.h"
#include "roles/smtpd/recorder_word.h"
#include "sasl/shape.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    INPUT_MAX = 12288 + 512,
    REFUSAL_MAX = 256,
    MECHANISM_MAX = 20,
    WHOLE_MAX = RECORDER_LINE_MAX * 4 + 64 /* a line with its time and mark, all of it escaped */
};

struct recorder {
    uint64_t begun_ms;
    struct sp_buf head, tail;
    struct sp_buf line; /* being written                           */
    unsigned head_n, tail_n;
    uint64_t dropped;    /* lines between them                      */
    struct sp_buf input; /* a line of the client that goes on       */
    bool answer;         /* it is a response in a SASL exchange     */
    uint64_t input_len;  /* of all of it, as far as it has come     */
    uint64_t content;    /* octets of a message that is going by    */
    char mechanism[MECHANISM_MAX + 1];
    bool auth;         /* AUTH was said: passwords may follow     */
    bool first_answer; /* of its exchange                         */
    bool challenged;   /* a 334 waits for its answer              */
    uint32_t refusals;
    char refusal[REFUSAL_MAX];
    size_t refusal_len;
};

struct recorder *recorder_new(uint64_t begun_ms)
{
    struct recorder *r = os_new(sizeof *r);
    r->begun_ms = begun_ms;
    sp_buf_init(&r->head, &os_heap, RECORDER_HEAD_OCTETS);
    sp_buf_init(&r->tail, &os_heap, RECORDER_TAIL_OCTETS);
    sp_buf_init(&r->line, &os_heap, WHOLE_MAX);
    sp_buf_init(&r->input, &os_heap_secret, INPUT_MAX);
    return r;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    sp_buf_fini(&r->head);
    sp_buf_fini(&r->tail);
    sp_buf_fini(&r->line);
    sp_buf_fini_secret(&r->input);
    free(r);
}

/* --- lines into bounded memory --------------------------------------------------------------------- */

static void drop_first(struct recorder *r)
{
    size_t end = sp_view_find(sp_buf_view(&r->tail), '\n', 0);
    sp_buf_drop(&r->tail, end < r->tail.len ? end + 1 : r->tail.len);
    r->tail_n--;
    r->dropped++;
}

static void keep(struct recorder *r, struct sp_view line)
{
    bool in_head = r->head_n < RECORDER_HEAD_LINES && r->head.len + line.len <= RECORDER_HEAD_OCTETS;
    if (in_head && r->tail_n == 0 && r->dropped == 0) {
        sp_buf_add(&r->head, line);
        r->head_n++;
        return;
    }
    while (r->tail_n > 0 &&
           (r->tail_n >= RECORDER_TAIL_LINES || r->tail.len + line.len > RECORDER_TAIL_OCTETS))
        drop_first(r);
    sp_buf_add(&r->tail, line);
    r->tail_n++;
}

/* "  0.012 C: " */
static struct sp_buf *begin(struct recorder *r, const char *mark, uint64_t now_ms)
{
    char front[48];
    uint64_t ms = now_ms - r->begun_ms;
    (void)snprintf(front, sizeof front, "%6llu.%03u %s ", (unsigned long long)(ms / 1000),
                   (unsigned)(ms % 1000), mark); /* fits */
    sp_buf_clear(&r->line);
    sp_buf_add_str(&r->line, front);
    return &r->line;
}

static void end(struct recorder *r)
{
    sp_buf_add_u8(&r->line, '\n');
    keep(r, sp_buf_view(&r->line));
}

static void add_cut(struct sp_buf *line, struct sp_view text)
{
    recorder_add_text(line, sp_view_sub(text, 0, RECORDER_LINE_MAX));
    if (text.len <= RECORDER_LINE_MAX)
        return;
    sp_buf_add_str(line, "<... ");
    sp_buf_add_dec(line, text.len);
    sp_buf_add_str(line, " octets>");
}

/* --- the client ------------------------------------------------------------------------------------ */

static void finish_content(struct recorder *r, uint64_t now_ms)
{
    if (r->content == 0)
        return;
    struct sp_buf *line = begin(r, "--:", now_ms);
    sp_buf_add_str(line, "message, ");
    sp_buf_add_dec(line, r->content);
    sp_buf_add_str(line, " octets");
    end(r);
    r->content = 0;
}

static void add_response(struct recorder *r, struct sp_buf *line, struct sp_view response)
{
    struct sasl_shape shape = sasl_shape_look(sp_view_of(r->mechanism), r->first_answer, response);
    sasl_shape_write(&shape, line);
    r->first_answer = false;
}

/* "AUTH PLAIN AG..." */
static void add_auth(struct recorder *r, struct sp_buf *line, struct sp_view arguments)
{
    struct sp_view rest = sp_view_trim(arguments), name;
    r->auth = r->first_answer = true;
    r->mechanism[0] = '\0';
    sp_buf_add_str(line, "AUTH");
    if (!sp_view_word(&rest, ' ', &name))
        return;
    sp_buf_add_u8(line, ' ');
    const char *known = recorder_mechanism(name);
    if (!known) { /* it may be the password itself */
        sp_buf_add_str(line, "<no mechanism: ");
        sp_buf_add_dec(line, name.len);
        sp_buf_add_str(line, " octets>");
    } else {
        sp_buf_add_str(line, known);
        (void)snprintf(r->mechanism, sizeof r->mechanism, "%s", known); /* fits */
    }
    rest = sp_view_trim(rest);
    if (rest.len == 0)
        return;
    sp_buf_add_u8(line, ' ');
    if (sp_view_eq(rest, SP_LIT("=")))
        sp_buf_add_u8(line, '=');
    else
        add_response(r, line, rest);
}

/* What is no command: behind an AUTH it may be a password, before it a header or another protocol. */
static void add_unknown(const struct recorder *r, struct sp_buf *line, struct sp_view text)
{
    size_t word = r->auth ? 0 : recorder_harmless_word(text);
    if (word > 0) {
        sp_buf_add(line, sp_view_sub(text, 0, word));
        if (word == text.len)
            return;
        sp_buf_add_u8(line, ' ');
    }
    sp_buf_add_str(line, "<");
    sp_buf_add_dec(line, text.len - word);
    sp_buf_add_str(line, word > 0 ? " octets" : " octets, no command");
    if (word == 0 && recorder_is_base64(text)) /* the rest of a response that was broken into lines? */
        sp_buf_add_str(line, ", base64");
    sp_buf_add_u8(line, '>');
}

static void take_line(struct recorder *r, struct sp_view text, uint64_t now_ms)
{
    if (text.len > 0 && text.p[text.len - 1] == '\r')
        text.len--;
    struct sp_buf *line = begin(r, "C:", now_ms);
    size_t verb = recorder_verb(text);
    if (r->answer) {
        add_response(r, line, text);
        r->challenged = false;
    } else if (verb == 4 && sp_view_starts_nocase(text, SP_LIT("AUTH"))) {
        add_auth(r, line, sp_view_from(text, verb));
    } else if (verb > 0) {
        add_cut(line, text);
    } else {
        add_unknown(r, line, text);
    }
    end(r);
}

static void take_piece(struct recorder *r, struct sp_view piece)
{
    r->input_len += piece.len;
    sp_buf_add(&r->input, sp_view_sub(piece, 0, INPUT_MAX - r->input.len));
}

static void forget_input(struct recorder *r)
{
    sp_buf_fini_secret(&r->input);
    r->input_len = 0;
}

void recorder_client(struct recorder *r, struct sp_view octets, enum sp_server_reads reads, uint64_t now_ms)
{
    enum { TLS_HANDSHAKE = 0x16 };
    bool answer = reads == SP_SERVER_READS_ANSWER;
    if (reads == SP_SERVER_READS_MESSAGE) {
        r->content += octets.len;
        return;
    }
    if (octets.len > 0 && octets.p[0] == TLS_HANDSHAKE && r->input_len == 0) {
        recorder_event(r, "a TLS handshake where a command is due", NULL, now_ms);
        return;
    }
    while (octets.len > 0) {
        size_t lf = sp_view_find(octets, '\n', 0);
        bool whole = lf < octets.len;
        struct sp_view piece = sp_view_sub(octets, 0, lf);
        octets = sp_view_from(octets, lf + 1);
        if (r->input_len == 0)
            r->answer = answer;
        answer = false; /* an exchange goes on with the next call at the earliest */
        if (!whole || r->input_len > 0)
            take_piece(r, piece);
        if (!whole)
            return;
        take_line(r, r->input_len > 0 ? sp_buf_view(&r->input) : piece, now_ms);
        forget_input(r);
    }
}

/* --- the server ------------------------------------------------------------------------------------ */

/* "r=...,s=...,i=4096": salt and proofs let a password be guessed without asking us, so they are not kept. */
static void add_scram(struct sp_buf *line, const char *name, struct sp_view challenge)
{
    size_t len = challenge.len;
    struct sp_view part;
    sp_buf_add_u8(line, '<');
    sp_buf_add_str(line, name);
    while (sp_view_word(&challenge, ',', &part))
        if (sp_view_starts(part, SP_LIT("i="))) {
            sp_buf_add_str(line, ", ");
            recorder_add_text(line, part);
        }
    sp_buf_add_str(line, ", ");
    sp_buf_add_dec(line, len);
    sp_buf_add_str(line, " octets>");
}

/* Prompts and errors are the same for everybody. */
static bool is_public(struct sp_view challenge)
{
    static const struct sp_view fronts[] = {SP_LIT_INIT("Username:"), SP_LIT_INIT("Password:"),
                                            SP_LIT_INIT("{"), SP_LIT_INIT("<"), SP_LIT_INIT("e=")};
    for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++)
        if (sp_view_starts(challenge, fronts[i]))
            return true;
    return challenge.len == 0;
}

static void add_challenge(struct sp_buf *line, struct sp_view text)
{
    enum { LOOK_MAX = 2048 };
    uint8_t decoded[LOOK_MAX];
    size_t n = 0;
    struct sp_view encoded = sp_view_sub(text, 0, text.len > LOOK_MAX ? LOOK_MAX : text.len);
    struct sp_view c = {0};
    if (sp_base64_decode(encoded, decoded, &n) == SP_OK)
        c = sp_view_make(decoded, n);
    sp_buf_add_str(line, "334 ");
    if (sp_view_starts(c, SP_LIT("r=")))
        add_scram(line, "scram-server-first", c);
    else if (sp_view_starts(c, SP_LIT("v=")))
        add_scram(line, "scram-server-final", c);
    else if (is_public(c) && c.len == n)
        add_cut(line, text);
    else
        add_scram(line, "challenge", sp_view_make(decoded, n));
}

static void note_refusal(struct recorder *r, struct sp_view reply)
{
    bool last = reply.len > 3 && reply.p[3] == ' ';
    if (r->refusals == 0 && r->refusal_len == 0) {
        r->refusal_len = reply.len < REFUSAL_MAX ? reply.len : REFUSAL_MAX;
        memcpy(r->refusal, reply.p, r->refusal_len);
    }
    r->refusals += last;
}

static void take_reply(struct recorder *r, struct sp_view reply, uint64_t now_ms)
{
    struct sp_buf *line = begin(r, "S:", now_ms);
    r->challenged = sp_view_starts(reply, SP_LIT("334 "));
    if (r->challenged)
        add_challenge(line, sp_view_from(reply, 4));
    else
        add_cut(line, reply);
    end(r);
    if (reply.len > 3 && (reply.p[0] == '4' || reply.p[0] == '5'))
        note_refusal(r, reply);
}

void recorder_server(struct recorder *r, struct sp_view replies, uint64_t now_ms)
{
    struct sp_view reply;
    finish_content(r, now_ms);
    while (sp_view_word(&replies, '\n', &reply)) {
        if (reply.len > 0 && reply.p[reply.len - 1] == '\r')
            reply.len--;
        take_reply(r, reply, now_ms);
    }
}

/* --- what else happens ------------------------------------------------------------------------------- */

static void finish_input(struct recorder *r, uint64_t now_ms)
{
    if (r->input_len == 0)
        return;
    struct sp_buf *line = begin(r, "--:", now_ms);
    sp_buf_add_str(line, "a line without its end, ");
    sp_buf_add_dec(line, r->input_len);
    sp_buf_add_str(line, " octets");
    end(r);
    forget_input(r);
}

void recorder_event(struct recorder *r, const char *what, const char *detail, uint64_t now_ms)
{
    finish_content(r, now_ms);
    finish_input(r, now_ms);
    struct sp_buf *line = begin(r, "--:", now_ms);
    sp_buf_add_str(line, what);
    if (detail) {
        sp_buf_add_str(line, ": ");
        add_cut(line, sp_view_of(detail));
    }
    end(r);
}

struct recorder_sum recorder_sum(const struct recorder *r)
{
    return (struct recorder_sum){.refusals = r->refusals,
                                 .refusal = sp_view_make(r->refusal, r->refusal_len),
                                 .challenged = r->challenged};
}

void recorder_lines(const struct recorder *r, struct sp_buf *out)
{
    sp_buf_add(out, sp_buf_view(&r->head));
    if (r->dropped) {
        sp_buf_add_str(out, "       ... --: ");
        sp_buf_add_dec(out, r->dropped);
        sp_buf_add_str(out, r->dropped == 1 ? " line is left out here\n" : " lines are left out here\n");
    }
    sp_buf_add(out, sp_buf_view(&r->tail));
}
