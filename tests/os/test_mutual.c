/* Clients that show certificates: what is believed, which names are read from them, whom a session belongs
 * to. */
#include "identity.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>

/* A name of a certificate; NUL and all, so with its length. */
struct name {
    int type; /* GEN_EMAIL, GEN_DNS */
    struct sp_view text;
};

/* A client's certificate, signed by itself, so that it is its own authority. */
struct client_identity {
    struct sp_buf certificate, key;
};

static void add_names(X509 *x, const struct name *names, size_t n)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    for (size_t i = 0; i < n; i++) {
        GENERAL_NAME *one = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        assert_int_equal(ASN1_STRING_set(text, names[i].text.p, (int)names[i].text.len), 1);
        GENERAL_NAME_set0_value(one, names[i].type, text);
        assert_true(sk_GENERAL_NAME_push(all, one) > 0);
    }
    assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0), 1);
    GENERAL_NAMES_free(all);
}

static void take(BIO *from, struct sp_buf *out, const struct sp_allocator *alloc)
{
    char *p;
    long n = BIO_get_mem_data(from, &p);
    sp_buf_init(out, alloc, 1 << 16);
    assert_int_equal(sp_buf_add(out, sp_view_make(p, (size_t)n)), SP_OK);
    BIO_free(from);
}

/* usage: "clientAuth"; days from now on, and back when it is negative. */
static void make_client_identity(struct client_identity *id, const char *usage, long days,
                                 const struct name *names, size_t n)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);
    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), -30 * 86400);
    X509_gmtime_adj(X509_getm_notAfter(x), days * 86400);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)"Änna", -1, -1, 0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)"second", -1, -1, 0);
    X509_set_issuer_name(x, subject);
    X509_set_pubkey(x, key);
    X509_EXTENSION *extended = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, usage);
    X509_add_ext(x, extended, -1);
    X509_EXTENSION_free(extended);
    if (n)
        add_names(x, names, n);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    BIO *certificate = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(certificate, x);
    PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
    take(certificate, &id->certificate, &os_heap);
    take(secret, &id->key, &os_heap_secret);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void free_client_identity(struct client_identity *id)
{
    sp_buf_fini(&id->certificate);
    sp_buf_fini(&id->key);
}

/* The server's context asks for a certificate of this authority. */
static void ask(struct tls_world *t, struct sp_view authority)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1000);
    struct os_tls_context *asking = os_tls_server_asking(t->server, authority, &error);
    assert_int_equal(error.len, 0);
    assert_non_null(asking);
    os_tls_unref(t->server);
    t->server = asking;
    sp_buf_fini(&error);
}

static struct os_tls_context *presenting(const struct client_identity *id)
{
    struct sp_buf error;
    struct os_tls_context *client = make_client(OS_TLS_ANY, NULL);
    sp_buf_init(&error, &os_heap, 1000);
    if (id)
        assert_int_equal(
            os_tls_client_present(client, sp_buf_view(&id->certificate), sp_buf_view(&id->key), &error),
            SP_OK);
    assert_int_equal(error.len, 0);
    sp_buf_fini(&error);
    return client;
}

static const struct os_tls_facts *visit(struct tls_world *t, const struct client_identity *shown)
{
    shake_hands(t, presenting(shown), NULL);
    assert_int_equal(t->w.server.closed_n, 0);
    return os_stream_tls(t->w.server.stream);
}

static void expect_names(const struct tls_world *t, enum os_tls_name kind, const char *wanted)
{
    struct sp_buf out;
    sp_buf_init(&out, &os_heap, 4096);
    os_stream_add_names(t->w.server.stream, kind, &out);
    sp_buf_add_u8(&out, 0);
    assert_string_equal((const char *)out.p, wanted);
    sp_buf_fini(&out);
}

/* --- what is believed -------------------------------------------------------------------------- */

static void test_who_is_believed(void **state)
{
    static const struct {
        const char *usage;
        long days;
        bool shows, trusted;
        const char *fault;
    } cases[] = {
        {"clientAuth", 30, true, true, NULL},
        {"clientAuth", 30, true, false, "self-signed certificate"},
        {"serverAuth", 30, true, true, "unsuitable certificate purpose"},
        {"clientAuth", -1, true, true, "certificate has expired"},
        {"clientAuth", 30, false, true, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_world t;
        struct client_identity id, other;
        make_client_identity(&id, cases[i].usage, cases[i].days, NULL, 0);
        make_client_identity(&other, "clientAuth", 30, NULL, 0);
        open_tls(&t);
        ask(&t, sp_buf_view(cases[i].trusted ? &id.certificate : &other.certificate));
        const struct os_tls_facts *facts = visit(&t, cases[i].shows ? &id : NULL);
        assert_int_equal(facts->peer_shown, cases[i].shows);
        assert_int_equal(facts->peer_verified, cases[i].shows && !cases[i].fault);
        if (cases[i].fault)
            assert_string_equal(facts->peer_fault, cases[i].fault);
        else
            assert_null(facts->peer_fault);
        close_tls(&t);
        free_client_identity(&id);
        free_client_identity(&other);
    }
}

/* A server that does not ask is shown nothing, and believes nothing. */
static void test_unasked(void **state)
{
    struct tls_world t;
    struct client_identity id;
    (void)state;
    make_client_identity(&id, "clientAuth", 30, NULL, 0);
    open_tls(&t);
    const struct os_tls_facts *facts = visit(&t, &id);
    assert_false(facts->peer_shown || facts->peer_verified);
    expect_names(&t, OS_TLS_COMMON_NAME, "");
    close_tls(&t);
    free_client_identity(&id);
}

/* --- names ------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    static uint8_t long_name[256];
    memset(long_name, 'x', sizeof long_name);
    const struct name names[] = {
        {GEN_EMAIL, SP_LIT("anna@example.org")},
        {GEN_DNS, SP_LIT("anna.example.org")},
        {GEN_EMAIL, SP_LIT("evil@example.org\nroot@example.org")}, /* one that would be two */
        {GEN_EMAIL, SP_LIT("root@example.org\0.evil.example")},    /* one that would be cut */
        {GEN_DNS, SP_LIT("root.example.org\0.evil.example")},
        {GEN_EMAIL, {long_name, sizeof long_name}},
        {GEN_EMAIL, SP_LIT("")},
        {GEN_EMAIL, {long_name, 255}},
        {GEN_EMAIL, SP_LIT("bob@example.org")},
    };
    struct tls_world t;
    struct client_identity id;
    char wanted[512];
    (void)state;
    (void)snprintf(wanted, sizeof wanted, "anna@example.org\n%.255s\nbob@example.org\n",
                   (const char *)long_name);
    make_client_identity(&id, "clientAuth", 30, names, sizeof names / sizeof *names);
    open_tls(&t);
    ask(&t, sp_buf_view(&id.certificate));
    assert_true(visit(&t, &id)->peer_verified);
    expect_names(&t, OS_TLS_EMAIL, wanted);
    expect_names(&t, OS_TLS_DNS, "anna.example.org\n");
    expect_names(&t, OS_TLS_COMMON_NAME, "Änna\nsecond\n");
    struct sp_buf narrow;
    sp_buf_init(&narrow, &os_heap, 20);
    os_stream_add_names(t.w.server.stream, OS_TLS_EMAIL, &narrow);
    assert_int_equal(narrow.len, sizeof "anna@example.org\n" - 1); /* whole names, or none */
    assert_int_equal(sp_buf_status(&narrow), SP_OK);
    sp_buf_fini(&narrow);
    close_tls(&t);
    free_client_identity(&id);
}

/* --- faults ------------------------------------------------------------------------------------ */

static void test_faulty_files(void **state)
{
    struct tls_world t;
    struct client_identity one, two;
    struct sp_buf error;
    struct os_tls_context *client = make_client(OS_TLS_ANY, NULL);
    (void)state;
    make_client_identity(&one, "clientAuth", 30, NULL, 0);
    make_client_identity(&two, "clientAuth", 30, NULL, 0);
    open_tls(&t);
    sp_buf_init(&error, &os_heap, 1000);
    assert_null(os_tls_server_asking(t.server, SP_LIT("nothing"), &error));
    sp_buf_add_u8(&error, '|');
    assert_null(os_tls_server_asking(t.server, SP_LIT(""), &error));
    sp_buf_add_u8(&error, '|');
    assert_int_equal(
        os_tls_client_present(client, sp_buf_view(&one.certificate), sp_buf_view(&two.key), &error),
        SP_ERR_SYNTAX);
    sp_buf_add_u8(&error, '|');
    assert_int_equal(os_tls_client_present(client, SP_LIT(""), sp_buf_view(&two.key), &error), SP_ERR_SYNTAX);
    sp_buf_add_u8(&error, 0);
    assert_string_equal((const char *)error.p,
                        "there is no certificate of an authority in it (PEM)|"
                        "there is no certificate of an authority in it (PEM)|"
                        "key: the key is not that of the certificate|"
                        "certificate: there is no certificate in it (PEM, the own one first)");
    sp_buf_fini(&error);
    os_tls_unref(client);
    close_tls(&t);
    free_client_identity(&one);
    free_client_identity(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_believed),
        cmocka_unit_test(test_unasked),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_faulty_files),
    };
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
