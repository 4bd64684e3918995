#include "roles/supervisor/paste.h"

#include "base/view.h"

#include <string.h>

#define FROM "me@example.org"
#define TO   "you@example.org"

/* --- quoting ---------------------------------------------------------------------------------- */

/* A word of a POSIX shell, in single quotes where it needs them. */
static void add_shell(struct sp_buf *out, struct sp_view word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+,=";
    bool bare = word.len > 0;
    for (size_t i = 0; i < word.len; i++)
        bare = bare && memchr(plain, word.p[i], sizeof plain - 1);
    if (bare) {
        sp_buf_add(out, word);
        return;
    }
    sp_buf_add_u8(out, '\'');
    for (size_t i = 0; i < word.len; i++) {
        if (word.p[i] == '\'')
            sp_buf_add_str(out, "'\\''");
        else
            sp_buf_add_u8(out, word.p[i]);
    }
    sp_buf_add_u8(out, '\'');
}

/* A string of Python or JavaScript, in double quotes. */
static void add_string(struct sp_buf *out, const char *s)
{
    sp_buf_add_u8(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            sp_buf_add_u8(out, '\\');
        sp_buf_add_u8(out, (uint8_t)*s);
    }
    sp_buf_add_u8(out, '"');
}

/* A program of one line as one word of the shell. */
static void end_program(struct sp_buf *out, const char *command, struct sp_buf *program)
{
    sp_buf_add_str(out, command);
    add_shell(out, sp_buf_view(program));
    sp_buf_fini_secret(program);
}

static void add_option(struct sp_buf *out, const char *option, const char *value)
{
    sp_buf_add_str(out, option);
    add_shell(out, sp_view_of(value));
}

/* --- programs ----------------------------------------------------------------------------------- */

void paste_swaks(struct sp_buf *out, const struct paste_target *t)
{
    static const char *const tls[] = {"", " -tls", " -tlsc"};
    add_option(out, "swaks --server ", t->host);
    add_option(out, " --port ", t->port);
    sp_buf_add_str(out, tls[t->tls]);
    if (t->user) {
        add_option(out, " --auth PLAIN --auth-user ", t->user);
        add_option(out, " --auth-password ", t->password);
    }
    sp_buf_add_str(out, " --from " FROM " --to " TO);
}

void paste_msmtp(struct sp_buf *out, const struct paste_target *t)
{
    sp_buf_add_str(out, "printf 'Subject: hello\\n\\nfrom msmtp\\n' | msmtp");
    add_option(out, " --host=", t->host);
    add_option(out, " --port=", t->port);
    if (t->tls != PASTE_PLAIN) {
        sp_buf_add_str(out,
                       t->tls == PASTE_TLS ? " --tls=on --tls-starttls=off" : " --tls=on --tls-starttls=on");
        add_option(out, " --tls-fingerprint=", t->fingerprint);
    }
    if (t->user) {
        struct sp_buf echo;
        sp_buf_init(&echo, out->alloc, out->max);
        add_option(&echo, "printf %s ", t->password);
        add_option(out, " --auth=plain --user=", t->user);
        end_program(out, " --passwordeval=", &echo);
    }
    sp_buf_add_str(out, " --from=" FROM " " TO);
}

void paste_python(struct sp_buf *out, const struct paste_target *t)
{
    struct sp_buf p;
    sp_buf_init(&p, out->alloc, out->max);
    sp_buf_add_str(&p, "import smtplib,ssl; ");
    if (t->tls != PASTE_PLAIN) {
        sp_buf_add_str(&p, "c=ssl.create_default_context(cafile=");
        add_string(&p, t->certificate);
        sp_buf_add_str(&p, t->named ? "); " : "); c.check_hostname=False; ");
    }
    sp_buf_add_str(&p, t->tls == PASTE_TLS ? "s=smtplib.SMTP_SSL(" : "s=smtplib.SMTP(");
    add_string(&p, t->host);
    sp_buf_add_str(&p, ",");
    sp_buf_add_str(&p, t->port);
    sp_buf_add_str(&p, t->tls == PASTE_TLS ? ",context=c); " : "); ");
    if (t->tls == PASTE_STARTTLS)
        sp_buf_add_str(&p, "s.starttls(context=c); ");
    if (t->user) {
        sp_buf_add_str(&p, "s.login(");
        add_string(&p, t->user);
        sp_buf_add_str(&p, ",");
        add_string(&p, t->password);
        sp_buf_add_str(&p, "); ");
    }
    sp_buf_add_str(&p,
                   "s.sendmail(\"" FROM "\",\"" TO "\",\"Subject: hello\\n\\nfrom smtplib\\n\"); s.quit()");
    end_program(out, "python3 -c ", &p);
}

void paste_node(struct sp_buf *out, const struct paste_target *t)
{
    struct sp_buf p;
    sp_buf_init(&p, out->alloc, out->max);
    sp_buf_add_str(&p, "require(\"nodemailer\").createTransport({host:");
    add_string(&p, t->host);
    sp_buf_add_str(&p, ",port:");
    sp_buf_add_str(&p, t->port);
    if (t->tls == PASTE_TLS)
        sp_buf_add_str(&p, ",secure:true");
    else
        sp_buf_add_str(&p, t->tls == PASTE_STARTTLS ? ",requireTLS:true" : ",ignoreTLS:true");
    if (t->tls != PASTE_PLAIN) {
        sp_buf_add_str(&p, ",tls:{ca:require(\"fs\").readFileSync(");
        add_string(&p, t->certificate);
        sp_buf_add_str(&p, t->named ? ")}" : "),checkServerIdentity(){}}");
    }
    if (t->user) {
        sp_buf_add_str(&p, ",auth:{user:");
        add_string(&p, t->user);
        sp_buf_add_str(&p, ",pass:");
        add_string(&p, t->password);
        sp_buf_add_str(&p, "}");
    }
    sp_buf_add_str(&p, "}).sendMail({from:\"" FROM "\",to:\"" TO
                       "\",subject:\"hello\",text:\"from nodemailer\"}).then(i=>console.log(i.response))");
    end_program(out, "node -e ", &p);
}
