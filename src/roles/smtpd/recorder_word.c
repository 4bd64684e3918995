#include "roles/smtpd/recorder_word.h"

#include "base/utf8.h"
#include "base/view.h"

size_t recorder_verb(struct sp_view line)
{
    static const char *const verbs[] = {"EHLO", "HELO", "LHLO", "STARTTLS", "AUTH", "MAIL",
                                        "RCPT", "DATA", "BDAT", "RSET",     "NOOP", "QUIT",
                                        "HELP", "VRFY", "EXPN", "XCLIENT",  "ETRN", "XFORWARD"};
    struct sp_view word = sp_view_sub(line, 0, sp_view_find(line, ' ', 0));
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (sp_view_eq_nocase(word, sp_view_of(verbs[i])))
            return word.len;
    return 0;
}

/* The registry of IANA, and those that were never registered. */
const char *recorder_mechanism(struct sp_view name)
{
    static const char *const known[] = {"PLAIN",
                                        "LOGIN",
                                        "SCRAM-SHA-1",
                                        "SCRAM-SHA-1-PLUS",
                                        "SCRAM-SHA-256",
                                        "CRAM-MD5",
                                        "DIGEST-MD5",
                                        "SCRAM-SHA-512",
                                        "SCRAM-SHA-256-PLUS",
                                        "SCRAM-SHA-512-PLUS",
                                        "XOAUTH2",
                                        "OAUTHBEARER",
                                        "EXTERNAL",
                                        "ANONYMOUS",
                                        "NTLM",
                                        "GSSAPI",
                                        "GSS-SPNEGO",
                                        "KERBEROS_V4",
                                        "KERBEROS_V5",
                                        "SECURID",
                                        "ECDSA-NIST256P-CHALLENGE",
                                        "SAML20",
                                        "OPENID20",
                                        "GS2-KRB5",
                                        "GS2-KRB5-PLUS",
                                        "SRP",
                                        "OTP",
                                        "SKEY",
                                        "NMAS_LOGIN",
                                        "CRAM-SHA1",
                                        "XOAUTH",
                                        "OAUTH10A",
                                        "EAP-AES128",
                                        "EAP-AES128-PLUS",
                                        "APOP"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (sp_view_eq_nocase(name, sp_view_of(known[i])))
            return known[i];
    return NULL;
}

size_t recorder_harmless_word(struct sp_view line)
{
    enum { WORD_MAX = 32, LONE_MAX = 12 };
    size_t n = 0;
    while (n < line.len && n <= WORD_MAX && (sp_ascii_alpha(line.p[n]) || (n > 0 && line.p[n] == '-')))
        n++;
    if (n == 0 || n > WORD_MAX)
        return 0;
    if (n == line.len)
        return n <= LONE_MAX ? n : 0;
    return line.p[n] == ':' ? n + 1 : line.p[n] == ' ' ? n : 0;
}

bool recorder_is_base64(struct sp_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!sp_ascii_alpha(text.p[i]) && !sp_ascii_digit(text.p[i]) && !strchr("+/=", text.p[i]))
            return false;
    return text.len > 0;
}

void recorder_add_text(struct sp_buf *out, struct sp_view text)
{
    while (text.len > 0) {
        size_t n = sp_utf8_text_len(text);
        if (n == 0) {
            n = 1;
            sp_buf_add_str(out, "\\x");
            sp_buf_add_hex(out, sp_view_sub(text, 0, 1));
        } else {
            if (text.p[0] == '\\')
                sp_buf_add_u8(out, '\\');
            sp_buf_add(out, sp_view_sub(text, 0, n));
        }
        text = sp_view_from(text, n);
    }
}
