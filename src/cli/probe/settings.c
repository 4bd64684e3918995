/* Settings for the programs that people send with, as they follow from what was found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/view.h"
#include "cli/probe/probe.h"
#include "os/heap.h"

#define X(n, title) title,
static const char *const titles[PROBE_CLIENT_N] = {PROBE_CLIENTS(X)};
#undef X

const char *probe_client_title(enum probe_client client) { return titles[client]; }

/* --- which port ------------------------------------------------------------------------------------ */

/* RFC 8314 3.3: TLS from the first octet before STARTTLS; nobody's password in clear. */
static int rank(const struct probe_port *p)
{
    if (!p->talked || !probe_keyword(probe_offer(p), "AUTH"))
        return 0;
    int good = p->safe ? 8 : 0;
    return good + (p->tls == PROBE_TLS_IMPLICIT ? 4 : p->tls == PROBE_TLS_STARTTLS ? 3 : 1);
}

const struct probe_port *probe_best_port(const struct probe_result *r, const struct probe_host **host_out)
{
    const struct probe_port *best = NULL;
    for (size_t i = 0; i < r->host_n; i++)
        for (size_t k = 0; k < r->hosts[i].port_n; k++) {
            const struct probe_port *p = &r->hosts[i].ports[k];
            if (rank(p) > (best ? rank(best) : 0)) {
                best = p;
                *host_out = &r->hosts[i];
            }
        }
    return best;
}

/* --- what is the same for all -------------------------------------------------------------------------- */

static bool offers(const struct probe_port *p, const char *mechanism)
{
    for (size_t i = 0; i < p->mechanism_n; i++)
        if (strcasecmp(p->mechanisms[i].name, mechanism) == 0)
            return true;
    return false;
}

/* The strongest of these that is offered; NULL: none. */
static const char *best_of(const struct probe_port *p, const char *const *names)
{
    for (; *names; names++)
        if (offers(p, *names))
            return *names;
    return NULL;
}

struct facts {
    const char *host;
    char *user, *user_line;                      /* as it is; as the rest of a line of msmtp's  */
    char *user_double, *user_single, *ca_double; /* as they stand between such quotes */
    unsigned port;
    bool implicit, starttls, trusted;
    const char *ca_file;
};

/* What stands between such quotes in Python, JavaScript or PHP. */
static char *escaped(struct sp_view text, char quote)
{
    struct sp_buf out;
    sp_buf_init(&out, &os_heap, 2 * text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == (uint8_t)quote || text.p[i] == '\\')
            sp_buf_add_u8(&out, '\\');
        sp_buf_add_u8(&out, text.p[i]);
    }
    char *copy = os_text(sp_buf_view(&out));
    sp_buf_fini(&out);
    return copy;
}

/* msmtp cuts blanks off, and takes away one pair of quotes around a value. */
static char *as_line(struct sp_view text)
{
    bool bare = text.len > 0 && text.p[0] != '"' && text.p[0] != ' ' && text.p[text.len - 1] != ' ';
    char *line = NULL;
    if (asprintf(&line, bare ? "%.*s" : "\"%.*s\"", (int)text.len, (const char *)text.p) < 0)
        abort();
    return line;
}

static struct facts facts_of(const struct probe_plan *plan, const struct probe_host *host,
                             const struct probe_port *p)
{
    struct sp_view user = plan->login ? sp_buf_view(&plan->user) : SP_LIT("USER");
    return (struct facts){
        .host = plan->server_name ? plan->server_name : host->name,
        .user = os_text(user),
        .user_line = as_line(user),
        .user_double = escaped(user, '"'),
        .user_single = escaped(user, '\''),
        .ca_double = escaped(sp_view_of(plan->ca_file), '"'),
        .port = p->number,
        .implicit = p->tls == PROBE_TLS_IMPLICIT,
        .starttls = p->tls == PROBE_TLS_STARTTLS,
        .trusted = p->safe,
        .ca_file = plan->ca_file,
    };
}

/* --- the clients ------------------------------------------------------------------------------------------
 */

static int mailer(char **out, const struct facts *f, const struct probe_port *p)
{
    static const char *const coded[] = {"CRAM-MD5", "DIGEST-MD5", NULL}, *const plain[] = {"PLAIN", "LOGIN",
                                                                                           NULL};
    const char *method = best_of(p, plain)   ? "Normal password"
                         : best_of(p, coded) ? "Encrypted password"
                                             : "OAuth2";
    return asprintf(out, "Server: %s\nPort: %u\nConnection security: %s\nAuthentication: %s\nUser name: %s\n",
                    f->host, f->port,
                    f->implicit   ? "SSL/TLS"
                    : f->starttls ? "STARTTLS"
                                  : "None (not safe)",
                    method, f->user);
}

static int msmtp(char **out, const struct facts *f, const struct probe_port *p)
{
    static const char *const known[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "CRAM-MD5", "LOGIN", NULL};
    static const char *const words[] = {"scram-sha-256", "scram-sha-1", "plain", "cram-md5", "login"};
    const char *best = best_of(p, known), *method = "on";
    for (size_t i = 0; best && known[i]; i++)
        if (strcmp(known[i], best) == 0)
            method = words[i];
    return asprintf(out,
                    "account default\nhost %s\nport %u\ntls %s\ntls_starttls %s\n%s%s%sauth %s\nuser %s\n"
                    "passwordeval \"pass show mail\"\nfrom YOU@EXAMPLE.ORG\n",
                    f->host, f->port, f->implicit || f->starttls ? "on" : "off", f->implicit ? "off" : "on",
                    f->ca_file ? "tls_trust_file " : "", f->ca_file ? f->ca_file : "", f->ca_file ? "\n" : "",
                    method, f->user_line);
}

static int smtplib(char **out, const struct facts *f, const struct probe_port *p)
{
    const char *open = f->ca_file ? "cafile=\"" : "", *close = f->ca_file ? "\"" : "";
    (void)p;
    if (f->implicit)
        return asprintf(
            out,
            "import os, smtplib, ssl\n"
            "with smtplib.SMTP_SSL(\"%s\", %u, context=ssl.create_default_context(%s%s%s)) as s:\n"
            "    s.login(\"%s\", os.environ[\"SMTP_PASSWORD\"])\n    s.send_message(message)\n",
            f->host, f->port, open, f->ca_double, close, f->user_double);
    if (f->starttls)
        return asprintf(out,
                        "import os, smtplib, ssl\nwith smtplib.SMTP(\"%s\", %u) as s:\n"
                        "    s.starttls(context=ssl.create_default_context(%s%s%s))\n"
                        "    s.login(\"%s\", os.environ[\"SMTP_PASSWORD\"])\n    s.send_message(message)\n",
                        f->host, f->port, open, f->ca_double, close, f->user_double);
    return asprintf(out,
                    "import os, smtplib, ssl\nwith smtplib.SMTP(\"%s\", %u) as s:\n"
                    "    s.login(\"%s\", os.environ[\"SMTP_PASSWORD\"])\n    s.send_message(message)\n",
                    f->host, f->port, f->user_double);
}

static int nodemailer(char **out, const struct facts *f, const struct probe_port *p)
{
    (void)p;
    return asprintf(out,
                    "nodemailer.createTransport({\n  host: \"%s\", port: %u, secure: %s,%s\n"
                    "  auth: { user: \"%s\", pass: process.env.SMTP_PASSWORD },\n});\n",
                    f->host, f->port, f->implicit ? "true" : "false",
                    f->starttls   ? " requireTLS: true,"
                    : f->implicit ? ""
                                  : " ignoreTLS: true,",
                    f->user_double);
}

static int php(char **out, const struct facts *f, const struct probe_port *p)
{
    (void)p;
    const char *secure = f->implicit   ? "PHPMailer::ENCRYPTION_SMTPS"
                         : f->starttls ? "PHPMailer::ENCRYPTION_STARTTLS"
                                       : "''";
    return asprintf(
        out,
        "$mail->isSMTP();\n$mail->Host = '%s';\n$mail->Port = %u;\n$mail->SMTPSecure = %s;\n"
        "$mail->SMTPAuth = true;\n$mail->Username = '%s';\n$mail->Password = getenv('SMTP_PASSWORD');\n",
        f->host, f->port, secure, f->user_single);
}

static int postfix(char **out, const struct facts *f, const struct probe_port *p)
{
    static const char *const safe[] = {"PLAIN", "LOGIN", NULL};
    const char *level = f->trusted ? "secure" : f->implicit || f->starttls ? "encrypt" : "none";
    return asprintf(out,
                    "relayhost = [%s]:%u\nsmtp_tls_security_level = %s\n%ssmtp_sasl_auth_enable = yes\n"
                    "smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd\nsmtp_sasl_security_options = "
                    "noanonymous%s\n",
                    f->host, f->port, level, f->implicit ? "smtp_tls_wrappermode = yes\n" : "",
                    f->implicit || f->starttls || !best_of(p, safe) ? "" : " # the password goes in clear");
}

char *probe_settings(const struct probe_plan *plan, const struct probe_host *host,
                     const struct probe_port *port, enum probe_client client)
{
    static int (*const makers[PROBE_CLIENT_N])(char **, const struct facts *, const struct probe_port *) = {
        mailer, msmtp, smtplib, nodemailer, php, postfix};
    struct facts f = facts_of(plan, host, port);
    char *text = NULL;
    if (makers[client](&text, &f, port) < 0)
        abort();
    free(f.user);
    free(f.user_line);
    free(f.user_double);
    free(f.user_single);
    free(f.ca_double);
    return text;
}
