/*
 * Runs the transcripts of tests/scenes against the engine: test_scenes FILE... and, with --cuts
 * before the files, each with what the client sends cut into pieces of every size up to 40 and
 * some beyond. Scenes of octets sent ahead of a reply are about how they arrive: not cut.
 * The form of a scene is documented in tests/scenes/README.md.
 */
#include "host.h"

#include "base/view.h"
#include "book.h"

#include <stdio.h>
#include <stdlib.h>

struct scene {
    const char *path;
    unsigned line; /* the number of the line that is being read */
    struct host host;
    bool running;
    struct sp_server_options options;
    bool implicit_tls;
    int open_code;
    struct sp_buf pending; /* C: lines that go out in one write */
    size_t heard;          /* octets of the host's output that S: lines have matched */
    size_t tls_heard;
    size_t cut;
    char fault[1400];
};

static void *grow(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}
static const struct sp_allocator heap = {grow, NULL};

static void complain(struct scene *s, const char *what, struct sp_view wanted, struct sp_view got)
{
    if (!s->fault[0])
        snprintf(s->fault, sizeof(s->fault), "%s:%u: %s\n#   wanted: %.*s\n#   got:    %.*s", s->path,
                 s->line, what, (int)(wanted.len < 500 ? wanted.len : 500),
                 wanted.p ? (const char *)wanted.p : "", (int)(got.len < 500 ? got.len : 500),
                 got.p ? (const char *)got.p : "");
}

/* `...` stands for any octets, <host> and <id> for one word. */
static bool matches(struct sp_view pattern, struct sp_view text)
{
    static const char *const words[] = {"<host>", "<id>"};
    if (pattern.len == 0)
        return text.len == 0;
    if (sp_view_starts(pattern, SP_LIT("..."))) {
        for (size_t i = 0; i <= text.len; i++)
            if (matches(sp_view_from(pattern, 3), sp_view_from(text, i)))
                return true;
        return false;
    }
    for (size_t w = 0; w < 2; w++)
        if (sp_view_starts(pattern, sp_view_of(words[w]))) {
            size_t n = 0;
            while (n < text.len && (sp_ascii_alpha(text.p[n]) || sp_ascii_digit(text.p[n]) ||
                                    text.p[n] == '.' || text.p[n] == '-'))
                n++;
            return n > 0 && matches(sp_view_from(pattern, strlen(words[w])), sp_view_from(text, n));
        }
    return text.len > 0 && pattern.p[0] == text.p[0] &&
           matches(sp_view_from(pattern, 1), sp_view_from(text, 1));
}

static void flush(struct scene *s)
{
    if (s->pending.len > 0)
        host_feed(&s->host, sp_buf_view(&s->pending));
    sp_buf_clear(&s->pending);
}

static struct sp_view unheard(struct scene *s) { return sp_view_from(sp_buf_view(&s->host.out), s->heard); }

static void expect_line(struct scene *s, struct sp_view pattern)
{
    flush(s);
    struct sp_view out = unheard(s);
    size_t lf = sp_view_find(out, '\n', 0);
    if (lf == out.len) {
        complain(s, "no reply", pattern, out);
        return;
    }
    struct sp_view line = sp_view_sub(out, 0, lf - 1);
    s->heard += lf + 1;
    if (!matches(pattern, line))
        complain(s, "another reply", pattern, line);
}

static void expect_silence(struct scene *s, const char *when)
{
    if (unheard(s).len > 0)
        complain(s, when, (struct sp_view){0}, unheard(s));
}

static void expect_close(struct scene *s)
{
    flush(s);
    if (!s->host.closed)
        complain(s, "the connection is still open", SP_LIT("closed"), (struct sp_view){0});
}

/* \r \n \0 \t \\ and \xHH */
static void add_escaped(struct sp_buf *b, struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] != '\\' || i + 1 == v.len) {
            sp_buf_add_u8(b, v.p[i]);
            continue;
        }
        uint8_t c = v.p[++i];
        if (c == 'x' && i + 2 < v.len) {
            char hex[3] = {(char)v.p[i + 1], (char)v.p[i + 2], 0};
            sp_buf_add_u8(b, (uint8_t)strtoul(hex, NULL, 16));
            i += 2;
        } else {
            sp_buf_add_u8(b, c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? 0 : c);
        }
    }
}

/* `-- repeat N text`: the same line N times, in one write. */
static void send_repeated(struct scene *s, struct sp_view rest)
{
    struct sp_view number;
    uint64_t n = 0;
    if (!sp_view_word(&rest, ' ', &number) || sp_view_u64(number, 100000, &n) != SP_OK)
        complain(s, "-- repeat takes a number and a line", rest, (struct sp_view){0});
    for (uint64_t i = 0; i < n; i++) {
        sp_buf_add(&s->pending, sp_view_from(rest, 1));
        sp_buf_add(&s->pending, SP_LIT("\r\n"));
    }
}

/* `-- fill N text`: text, then N letters, then CRLF. */
static void send_filled(struct scene *s, struct sp_view rest)
{
    struct sp_view number;
    uint64_t n = 0;
    if (!sp_view_word(&rest, ' ', &number) || sp_view_u64(number, 100000, &n) != SP_OK)
        complain(s, "-- fill takes a number and a text", rest, (struct sp_view){0});
    sp_buf_add(&s->pending, sp_view_from(rest, 1));
    while (n-- > 0)
        sp_buf_add_u8(&s->pending, 'a');
    sp_buf_add(&s->pending, SP_LIT("\r\n"));
}

static void run_event(struct scene *s, struct sp_view event)
{
    struct sp_view word = {0}, rest = event;
    (void)sp_view_word(&rest, ' ', &word); /* an empty event is no known one, below */
    if (sp_view_eq(word, SP_LIT("repeat"))) {
        send_repeated(s, rest);
        return;
    }
    if (sp_view_eq(word, SP_LIT("fill"))) {
        send_filled(s, rest);
        return;
    }
    flush(s);
    if (sp_view_eq(event, SP_LIT("tls"))) {
        expect_silence(s, "something was said before the handshake");
        if (s->host.tls_starts == 0)
            complain(s, "no handshake was asked for", event, (struct sp_view){0});
        else
            host_secured(&s->host);
    } else if (sp_view_eq(event, SP_LIT("closed"))) {
        expect_close(s);
    } else {
        complain(s, "no such event", event, (struct sp_view){0});
    }
}

static void begin(struct scene *s)
{
    host_init(&s->host, &s->options);
    s->host.tls_by_itself = false;
    s->host.open_code = s->open_code;
    s->host.cut = s->cut;
    host_open(&s->host, s->implicit_tls);
    s->heard = 0;
    s->running = true;
}

static void end(struct scene *s)
{
    if (!s->running)
        return;
    flush(s);
    expect_silence(s, "something was said that the scene does not have");
    host_fini(&s->host);
    if (s->host.fault)
        complain(s, s->host.fault, sp_view_of(s->host.fault_input), sp_view_of(s->host.fault_reply));
    s->running = false;
}

/* --- the file ------------------------------------------------------------------------------ */

static bool is_yes(struct sp_view v) { return sp_view_eq(v, SP_LIT("yes")); }

static uint32_t number_of(struct scene *s, struct sp_view v)
{
    uint64_t n = 0;
    if (sp_view_u64(v, UINT32_MAX, &n) != SP_OK)
        complain(s, "a number is needed", v, (struct sp_view){0});
    return (uint32_t)n;
}

static void set_listener(struct scene *s, struct sp_view name)
{
    bool submission = sp_view_eq(name, SP_LIT("submission"));
    s->implicit_tls = sp_view_eq(name, SP_LIT("submissions"));
    if (!submission && !s->implicit_tls && !sp_view_eq(name, SP_LIT("smtp")))
        complain(s, "no such listener", SP_LIT("smtp, submission or submissions"), name);
    s->options.tls_required = submission;
    s->options.auth_required = submission || s->implicit_tls;
    if (submission || s->implicit_tls) {
        s->options.mechanisms_plain = (struct sp_view){0};
        s->options.extensions |= SP_EXT_FUTURERELEASE;
    }
    if (s->implicit_tls)
        s->options.starttls = false;
}

/* Words of EHLO, "none", or "peer" for XCLIENT and XFORWARD. */
static void set_extensions(struct scene *s, struct sp_view words)
{
    static const struct {
        const char *word;
        uint32_t set;
    } known[] = {{"none", 0},
                 {"CHUNKING", SP_EXT_CHUNKING},
                 {"BINARYMIME", SP_EXT_BINARYMIME},
                 {"SMTPUTF8", SP_EXT_SMTPUTF8},
                 {"DSN", SP_EXT_DSN},
                 {"REQUIRETLS", SP_EXT_REQUIRETLS},
                 {"DELIVERBY", SP_EXT_DELIVERBY},
                 {"FUTURERELEASE", SP_EXT_FUTURERELEASE},
                 {"MT-PRIORITY", SP_EXT_MT_PRIORITY},
                 {"LIMITS", SP_EXT_LIMITS},
                 {"ETRN", SP_EXT_ETRN},
                 {"peer", SP_EXT_XCLIENT | SP_EXT_XFORWARD}};
    struct sp_view word;
    s->options.extensions = 0;
    while (sp_view_word(&words, ' ', &word)) {
        size_t i = 0, n = sizeof(known) / sizeof(known[0]);
        while (i < n && !sp_view_eq(word, sp_view_of(known[i].word)))
            i++;
        if (i == n)
            complain(s, "no such extension", SP_LIT("one that EHLO can list"), word);
        else
            s->options.extensions |= known[i].set;
    }
}

static void set_option(struct scene *s, struct sp_view line)
{
    struct sp_server_options *o = &s->options;
    size_t colon = sp_view_find(line, ':', 0);
    struct sp_view key = sp_view_sub(line, 0, colon), value = sp_view_trim(sp_view_from(line, colon + 1));
    if (sp_view_eq(key, SP_LIT("listener")))
        set_listener(s, value);
    else if (sp_view_eq(key, SP_LIT("extensions")))
        set_extensions(s, value);
    else if (sp_view_eq(key, SP_LIT("protocol")))
        o->lmtp = sp_view_eq(value, SP_LIT("lmtp"));
    else if (sp_view_eq(key, SP_LIT("refuse-undeclared-8bit")))
        o->refuse_undeclared_8bit = is_yes(value);
    else if (sp_view_eq(key, SP_LIT("fix-line-ends")))
        o->fix_line_ends = is_yes(value);
    else if (sp_view_eq(key, SP_LIT("starttls")))
        o->starttls = is_yes(value);
    else if (sp_view_eq(key, SP_LIT("mechanisms-clear")))
        o->mechanisms_plain = value;
    else if (sp_view_eq(key, SP_LIT("mechanisms-tls")))
        o->mechanisms_tls = value;
    else if (sp_view_eq(key, SP_LIT("auth-required")))
        o->auth_required = is_yes(value);
    else if (sp_view_eq(key, SP_LIT("greeting")))
        s->open_code = (int)number_of(s, value);
    else if (sp_view_eq(key, SP_LIT("max-errors")))
        o->max_errors = number_of(s, value);
    else if (sp_view_eq(key, SP_LIT("max-idle-commands")))
        o->max_idle_commands = number_of(s, value);
    else if (sp_view_eq(key, SP_LIT("max-auth-failures")))
        o->max_auth_failures = number_of(s, value);
    else if (sp_view_eq(key, SP_LIT("max-recipients")))
        o->max_recipients = number_of(s, value);
    else if (sp_view_eq(key, SP_LIT("max-message-octets")))
        o->max_message_octets = number_of(s, value);
    else if (!sp_view_eq(key, SP_LIT("only")))
        complain(s, "no such option", line, (struct sp_view){0});
}

static void run_line(struct scene *s, struct sp_view line)
{
    if (sp_view_starts(line, SP_LIT("C: "))) {
        sp_buf_add(&s->pending, sp_view_from(line, 3));
        sp_buf_add(&s->pending, SP_LIT("\r\n"));
    } else if (sp_view_eq(line, SP_LIT("C:"))) {
        sp_buf_add(&s->pending, SP_LIT("\r\n"));
    } else if (sp_view_starts(line, SP_LIT("C! "))) {
        add_escaped(&s->pending, sp_view_from(line, 3));
    } else if (sp_view_starts(line, SP_LIT("S: "))) {
        expect_line(s, sp_view_from(line, 3));
    } else if (sp_view_starts(line, SP_LIT("-- "))) {
        run_event(s, sp_view_from(line, 3));
    } else {
        complain(s, "a line begins with 'C: ', 'C! ', 'S: ' or '-- '", line, (struct sp_view){0});
    }
}

enum part { PROSE, OPTIONS, SESSION, MESSAGE };

static void check_message(struct scene *s, struct sp_buf *message)
{
    flush(s);
    if (!sp_view_eq(sp_buf_view(message), sp_buf_view(&s->host.content)))
        complain(s, "another message was taken", sp_buf_view(message), sp_buf_view(&s->host.content));
}

/* A session goes on behind a ```message block, and ends where the next ```smtp begins. */
static void run_text(struct scene *s, struct sp_view text)
{
    enum part part = PROSE;
    struct sp_buf message;
    unsigned sessions = 0;
    sp_buf_init(&message, &heap, 1 << 20);
    for (s->line = 1; text.len > 0 && !s->fault[0]; s->line++) {
        size_t lf = sp_view_find(text, '\n', 0);
        struct sp_view line = sp_view_sub(text, 0, lf);
        text = sp_view_from(text, lf + 1);
        bool fence = sp_view_eq(line, SP_LIT("```"));
        if (part == PROSE && s->line == 1 && sp_view_eq(line, SP_LIT("---"))) {
            part = OPTIONS;
        } else if (part == OPTIONS && sp_view_eq(line, SP_LIT("---"))) {
            part = PROSE;
        } else if (part == OPTIONS) {
            set_option(s, line);
        } else if (part == PROSE && sp_view_eq(line, SP_LIT("```smtp"))) {
            end(s);
            begin(s);
            sessions++;
            part = SESSION;
        } else if (part == PROSE && sp_view_eq(line, SP_LIT("```message"))) {
            sp_buf_clear(&message);
            part = MESSAGE;
        } else if (part == SESSION && fence) {
            flush(s);
            expect_silence(s, "something was said that the scene does not have");
            part = PROSE;
        } else if (part == SESSION) {
            run_line(s, line);
        } else if (part == MESSAGE && fence) {
            check_message(s, &message);
            part = PROSE;
        } else if (part == MESSAGE) {
            sp_buf_add(&message, line);
            sp_buf_add(&message, SP_LIT("\r\n"));
        }
    }
    end(s);
    if (part != PROSE || sessions == 0)
        complain(s, "the file has no session, or a block is not closed", (struct sp_view){0},
                 (struct sp_view){0});
    sp_buf_fini(&message);
}

static void read_file(struct scene *s, struct sp_buf *text)
{
    FILE *f = fopen(s->path, "rb");
    char block[4096];
    size_t n;
    while (f && (n = fread(block, 1, sizeof(block), f)) > 0)
        sp_buf_add(text, sp_view_make(block, n));
    if (!f || sp_buf_status(text) != SP_OK)
        complain(s, "cannot read the file", (struct sp_view){0}, (struct sp_view){0});
    if (f)
        fclose(f);
}

static bool is_about_arrival(struct sp_view text)
{
    static const char mark[] = "[sent-ahead]";
    return memmem(text.p, text.len, mark, sizeof(mark) - 1) != NULL;
}

/* Once with each write whole, or once for each size of its pieces. */
static void run_file(struct scene *s, const char *path, bool cuts)
{
    static const size_t beyond[] = {64, 100, 511, 512, 513, 1054, 1055, 4096, 12287, 12288};
    struct sp_buf text;
    sp_buf_init(&text, &heap, 1 << 20);
    *s = (struct scene){.path = path};
    read_file(s, &text);
    size_t runs = !cuts                                  ? 1
                  : is_about_arrival(sp_buf_view(&text)) ? 0
                                                         : 40 + sizeof(beyond) / sizeof(beyond[0]);
    for (size_t i = 0; i < runs && !s->fault[0]; i++) {
        *s = (struct scene){.path = path,
                            .options = host_options(),
                            .cut = !cuts    ? 0
                                   : i < 40 ? i + 1
                                            : beyond[i - 40]};
        sp_buf_init(&s->pending, &heap, 1 << 24);
        run_text(s, sp_buf_view(&text));
        sp_buf_fini(&s->pending);
    }
    sp_buf_fini(&text);
}

int main(int argc, char **argv)
{
    bool cuts = argc > 1 && strcmp(argv[1], "--cuts") == 0;
    int first = cuts ? 2 : 1, failed = 0;
    printf("1..%d\n", argc - first);
    for (int i = first; i < argc; i++) {
        static struct scene s;
        const char *slash = strrchr(argv[i], '/');
        run_file(&s, argv[i], cuts);
        failed += s.fault[0] != 0;
        printf("%s %d - %s\n", s.fault[0] ? "not ok" : "ok", i - first + 1, slash ? slash + 1 : argv[i]);
        if (s.fault[0])
            printf("# in pieces of %zu (0: whole)\n# %s\n", s.cut, s.fault);
    }
    return failed > 0;
}
