#include "roles/srs.h"

#include "base/view.h"
#include "dns/idna.h"
#include "message/srs.h"
#include "os/heap.h"
#include "os/log.h"
#include "smtp/grammar.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum { TEXT_MAX = 8192, DAY_S = 86400, DAY_MS = DAY_S * 1000 };

struct secrets {
    uint32_t generation;
    struct sp_buf text;
    size_t n;
    struct sp_view lines[SRS_SECRETS_MAX];
};

struct srs {
    struct secrets now, next;
};

static void clear(struct secrets *s)
{
    sp_buf_fini_secret(&s->text);
    *s = (struct secrets){0};
    sp_buf_init(&s->text, &os_heap, TEXT_MAX);
}

struct srs *srs_new(void)
{
    struct srs *s = os_new(sizeof *s);
    sp_buf_init(&s->now.text, &os_heap, TEXT_MAX);
    sp_buf_init(&s->next.text, &os_heap, TEXT_MAX);
    return s;
}

void srs_free(struct srs *s)
{
    if (!s)
        return;
    clear(&s->now);
    clear(&s->next);
    free(s);
}

struct sp_view srs_secret(struct sp_view line)
{
    if (line.len && line.p[line.len - 1] == '\r')
        line.len--;
    line = sp_view_trim(line);
    return line.len && line.p[0] == '#' ? (struct sp_view){0} : line;
}

void srs_take(struct srs *s, const struct ipc_srs_secrets *m)
{
    struct secrets *next = &s->next;
    struct sp_view rest, line;
    clear(next);
    next->generation = m->generation;
    if (sp_buf_add(&next->text, m->text) != SP_OK)
        os_panic("srs", "the supervisor passed on more secrets than it may"); /* it has tried them */
    rest = sp_buf_view(&next->text);
    while (next->n < SRS_SECRETS_MAX && sp_view_word(&rest, '\n', &line))
        if (srs_secret(line).len)
            next->lines[next->n++] = srs_secret(line);
}

void srs_use(struct srs *s, uint32_t generation)
{
    clear(&s->now);
    if (s->next.generation != generation)
        return; /* none in this one */
    s->now = s->next;
    s->next = (struct secrets){0};
    sp_buf_init(&s->next.text, &os_heap, TEXT_MAX);
}

static void digest(void *ctx, size_t secret, struct sp_view octets, uint8_t digest_out[MESSAGE_SRS_DIGEST])
{
    const struct secrets *s = ctx;
    unsigned len = MESSAGE_SRS_DIGEST;
    if (!HMAC(EVP_sha1(), s->lines[secret].p, (int)s->lines[secret].len, octets.p, octets.len, digest_out,
              &len))
        os_panic("srs", "OpenSSL makes no HMAC-SHA-1");
}

static struct message_srs scheme(const struct srs *s, const struct config *c)
{
    return (struct message_srs){.domain = sp_view_of(c->srs.domain),
                                .hash_len = c->srs.hash_len,
                                .max_age_days = c->srs.max_age_s / DAY_S,
                                .secret_n = s->now.n,
                                .digest = digest,
                                .ctx = (void *)&s->now};
}

static uint32_t day_of(int64_t ms) { return (uint32_t)(ms / DAY_MS); }

/* No domain holds an @, quoted local parts may. The index behind the @; 0: there is none. */
static size_t find_domain(struct sp_view address)
{
    size_t at = address.len;
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    return at;
}

/* The domain as DNS has it; false: it has none such. */
static bool read_domain(struct sp_view address, char ascii[DNS_IDNA_MAX], struct sp_view *domain_out)
{
    size_t len, at = find_domain(address);
    if (at == 0 || dns_idna(sp_view_from(address, at), ascii, &len) != SP_OK)
        return false;
    *domain_out = sp_view_make(ascii, len);
    return true;
}

bool srs_is_outside(const struct config *c, struct sp_view address)
{
    char ascii[DNS_IDNA_MAX];
    struct sp_view domain;
    return read_domain(address, ascii, &domain) && !config_find_domain(c, domain);
}

struct sp_view srs_sender(const struct srs *s, const struct config *c, struct sp_view sender,
                          int64_t signed_ms, struct sp_buf *made)
{
    char ascii[DNS_IDNA_MAX];
    struct sp_view domain;
    if (!s || !c->srs.domain || s->now.n == 0 || !read_domain(sender, ascii, &domain) ||
        config_find_domain(c, domain))
        return sender;
    struct message_srs srs = scheme(s, c);
    struct sp_view local = sp_view_sub(sender, 0, find_domain(sender) - 1);
    sp_buf_clear(made);
    return message_srs_encode(&srs, local, domain, day_of(signed_ms), made) == SP_OK ? sp_buf_view(made)
                                                                                     : sender;
}

int srs_read(const struct srs *s, const struct config *c, struct sp_view local, int64_t now_ms,
             struct sp_buf *address_out)
{
    struct sp_path path;
    struct smtp_fault fault;
    struct message_srs srs = scheme(s, c);
    size_t before = address_out->len;
    int status = message_srs_decode(&srs, local, day_of(now_ms), address_out);
    if (status ||
        smtp_mailbox_parse(sp_view_from(sp_buf_view(address_out), before), true, &path, &fault) == SP_OK)
        return status;
    address_out->len = before; /* its parts were cut elsewhere than when it was signed */
    return SP_ERR_SYNTAX;
}
