/* The sandbox: what `sallyport serve` is without a configuration file. docs/examples/sandbox.conf says the
 * same. */
#include "config/keys.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/view.h"
#include "os/heap.h"

struct sandbox {
    const struct config_sandbox *options;
    struct sp_buf *text, *error;
    struct sp_arena arena;
    bool faulty;
};

static void fault(struct sandbox *s, const char *text)
{
    sp_buf_add_str(s->error, text);
    sp_buf_add_u8(s->error, '\n');
    s->faulty = true;
}

static void line(struct sandbox *s, const char *text)
{
    sp_buf_add_str(s->text, text);
    sp_buf_add_u8(s->text, '\n');
}

/* key = "value", escaped as read.c wants it. */
static void setting(struct sandbox *s, const char *indent, const char *key, const char *value)
{
    sp_buf_add_str(s->text, config_text(&s->arena, "%s%s = \"", indent, key));
    for (const char *p = value; *p; p++) {
        if (*p == '"' || *p == '\\')
            sp_buf_add_u8(s->text, '\\');
        sp_buf_add_u8(s->text, (uint8_t)*p);
    }
    line(s, "\"");
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((uint8_t)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* Absolute, since every role reads this text in a working folder of its own. */
static void write_data(struct sandbox *s)
{
    const char *data = s->options->data ? s->options->data : "sallyport-data";
    char here[PATH_MAX];
    if (data[0] == '\0' || has_control(data)) {
        fault(s, "--data: the name of the data folder is empty or holds control octets; allowed: a path");
        return;
    }
    if (data[0] == '/')
        setting(s, "", "data", data);
    else if (getcwd(here, sizeof here))
        setting(s, "", "data", config_text(&s->arena, "%s/%s", here, data));
    else
        fault(s, config_text(&s->arena, "--data %s: the working folder cannot be named: %s", data,
                             strerror(errno)));
}

/*
 * What somebody needs who wants other machines to connect: the same listener, but only for who logs in over
 * TLS. Printed with the refusal; it can be used as it is.
 */
static void fault_not_loopback(struct sandbox *s, const char *option, const char *value)
{
    bool implicit = strcmp(option, "--submissions") == 0;
    fault(s, config_text(
                 &s->arena,
                 "%s %s: without -c only loopback addresses (127.0.0.0/8, ::1) are served, since the sandbox "
                 "takes mail from anyone. Write this to sallyport.conf and start with -c sallyport.conf:\n\n"
                 "    data = \"sallyport-data\"\n"
                 "    default-route = hold\n"
                 "    listener \"%s\" {\n"
                 "        address = \"%s\"\n"
                 "        tls = %s\n"
                 "        auth = required\n"
                 "    }\n\n"
                 "(docs/configuration.md has all keys; a user is made with: sallyport user add NAME "
                 "--data sallyport-data)",
                 option, value, option + 2, value, implicit ? "implicit" : "starttls"));
}

static void write_address(struct sandbox *s, const char *option, const char *value, const char *preset)
{
    struct os_address address;
    if (!value)
        value = preset;
    if (os_address_parse(sp_view_of(value), &address))
        fault(s, config_text(&s->arena,
                             "%s %.80s: is not a numeric address with a port; allowed: %s, [::1]:0 (0: any "
                             "free port)",
                             option, value, preset));
    else if (!os_address_is_loopback(&address))
        fault_not_loopback(s, option, value);
    else
        setting(s, "    ", "address", value);
}

static void write_listeners(struct sandbox *s)
{
    line(s, "listener \"smtp\" {");
    write_address(s, "--smtp", s->options->smtp, "127.0.0.1:2525");
    line(s, "    tls = starttls\n    auth = offered\n    auth-in-clear = yes\n"
            "    relay-from = { \"127.0.0.0/8\", \"::1\" }\n    listen-last = yes\n}");
    line(s, "listener \"submission\" {");
    write_address(s, "--submission", s->options->submission, "127.0.0.1:2587");
    line(s, "    tls = starttls\n    require-tls = yes\n    auth = required\n}");
    line(s, "listener \"submissions\" {");
    write_address(s, "--submissions", s->options->submissions, "127.0.0.1:2465");
    line(s, "    tls = implicit\n    auth = required\n}");
}

/* HOST:PORT, [v6]:PORT. */
static void write_relay(struct sandbox *s)
{
    struct sp_view relay = sp_view_of(s->options->relay);
    size_t colon = relay.len;
    uint64_t port;
    while (colon > 0 && relay.p[colon - 1] != ':')
        colon--;
    struct sp_view host = sp_view_sub(relay, 0, colon ? colon - 1 : 0);
    bool bracketed = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
    bool bare_v6 = !bracketed && sp_view_find(host, ':', 0) < host.len;
    if (host.len == 0 || bare_v6 || has_control(s->options->relay) ||
        sp_view_u64(sp_view_from(relay, colon), 65535, &port) || port == 0) {
        fault(s, config_text(&s->arena,
                             "--relay %.80s: is not a server and its port; allowed: smtp.example.org:25, "
                             "127.0.0.1:1025, [::1]:1025",
                             s->options->relay));
        return;
    }
    const char *name, *wrong;
    wrong = config_value_read(CONFIG_KIND_HOST, "--relay",
                              config_text(&s->arena, "%.*s", (int)host.len, (const char *)host.p), &s->arena,
                              &name);
    if (wrong) {
        fault(s, wrong);
        return;
    }
    line(s, "route \"relay\" {\n    kind = relay");
    setting(s, "    ", "host", name);
    line(s, config_text(&s->arena, "    port = %u\n    tls = opportunistic\n}", (unsigned)port));
    line(s, "queue {\n    retry-first = 1s\n    retry-most = 10s\n    back-off-first = 1s\n    back-off-most "
            "= 10s\n}");
}

int config_sandbox_text(const struct config_sandbox *options, struct sp_buf *text_out, struct sp_buf *error)
{
    struct sandbox s = {.options = options, .text = text_out, .error = error};
    size_t before = text_out->len;
    sp_arena_init(&s.arena, &os_heap, SIZE_MAX);
    line(&s, "hostname = \"localhost\"");
    line(&s, "maildrop = own");
    write_data(&s);
    line(&s, options->relay ? "default-route = relay" : "default-route = hold");
    write_listeners(&s);
    if (options->relay)
        write_relay(&s);
    line(&s, "limits {\n    connections-per-address = 0\n    auth-slow-down = no\n    free-space = 16M\n}");
    line(&s, "sessions {\n    keep = all\n}");
    struct config *parsed = NULL;
    if (!s.faulty && config_parse("(sandbox)", sp_view_from(sp_buf_view(text_out), before), error, &parsed))
        s.faulty = true;
    config_free(parsed);
    sp_arena_reset(&s.arena);
    if (s.faulty)
        text_out->len = before;
    return s.faulty ? SP_ERR_SYNTAX : SP_OK;
}
