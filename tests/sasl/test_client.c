/* The client's side: what is said to which prompt, and which mechanism is chosen. */
#include "octets.h"
#include "sasl/client.h"
#include "sasl/server.h"

static struct sasl_client *begin(const char *mechanism)
{
    static const struct sasl_credentials demo = {SP_LIT_INIT("demo"), SP_LIT_INIT("secret")};
    struct sasl_client *c = NULL;
    assert_int_equal(sasl_client_new(sp_view_of(mechanism), &demo, &os_heap, &c), SP_OK);
    return c;
}

static void says(struct sasl_client *c, const char *challenge, struct sp_view wanted, const char *named)
{
    struct sp_buf out = fresh();
    const char *sent = NULL;
    assert_int_equal(sasl_client_step(c, sp_view_of(challenge), &out, &sent), SP_OK);
    assert_view(sp_buf_view(&out), wanted);
    assert_string_equal(sent, named);
    sp_buf_fini(&out);
}

static void gives_up(struct sasl_client *c, const char *challenge)
{
    struct sp_buf out = fresh();
    const char *sent = NULL;
    assert_int_equal(sasl_client_step(c, sp_view_of(challenge), &out, &sent), SP_ERR_SYNTAX);
    assert_int_equal(out.len, 0);
    sp_buf_fini(&out);
}

static void plain_says_it_once(void **state)
{
    struct sasl_client *c = begin("PLAIN");
    (void)state;
    assert_true(sasl_client_has_initial(c));
    says(c, "", SP_LIT("\0demo\0secret"), "user name and password");
    gives_up(c, "");
    sasl_client_free(c);
}

static void plain_cannot_carry_nul(void **state)
{
    static const struct sasl_credentials odd = {SP_LIT_INIT("de\0mo"), SP_LIT_INIT("secret")};
    struct sasl_client *c = NULL;
    struct sp_buf out = fresh();
    const char *sent = NULL;
    (void)state;
    assert_int_equal(sasl_client_new(SP_LIT("PLAIN"), &odd, &os_heap, &c), SP_OK);
    assert_int_equal(sasl_client_step(c, SP_LIT(""), &out, &sent), SP_ERR_MISUSE);
    assert_int_equal(out.len, 0);
    sasl_client_free(c);
}

static void login_with(const char *first, const char *second)
{
    struct sasl_client *c = begin("login");
    assert_false(sasl_client_has_initial(c));
    says(c, first, SP_LIT("demo"), "user name");
    says(c, second, SP_LIT("secret"), "password");
    gives_up(c, "Password:");
    sasl_client_free(c);
}

static void login_understands_odd_prompts(void **state)
{
    (void)state;
    login_with("Username:", "Password:");
    login_with("User Name", "Password");
    login_with("", "");
    login_with("login: ", "PASSWD:");
    login_with("Tai khoan", "Mat khau");
    login_with("Enter user and password", "again, user and password");
}

static void login_repeats_the_name_when_asked(void **state)
{
    struct sasl_client *c = begin("LOGIN");
    (void)state;
    says(c, "Username:", SP_LIT("demo"), "user name");
    says(c, "Username:", SP_LIT("demo"), "user name");
    says(c, "Password:", SP_LIT("secret"), "password");
    gives_up(c, "");
    sasl_client_free(c);
}

static void login_stops_at_endless_or_foreign_prompts(void **state)
{
    struct sasl_client *c = begin("LOGIN");
    (void)state;
    for (int i = 0; i < 3; i++)
        says(c, "Username:", SP_LIT("demo"), "user name");
    gives_up(c, "Username:");
    sasl_client_free(c);
    c = begin("LOGIN");
    gives_up(c, "{\"status\":\"401\",\"schemes\":\"bearer\"}");
    sasl_client_free(c);
}

/* What our client says, our server understands: with every mechanism. */
static void both_sides_meet(void **state)
{
    static const char *const names[] = {"PLAIN", "LOGIN"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sasl_client *c = begin(names[i]);
        struct sasl_server *s = NULL;
        const char *sent = NULL;
        assert_int_equal(sasl_server_new(sp_view_of(names[i]), &os_heap, &s), SP_OK);
        enum sasl_server_state at = sasl_server_start(s, false, SP_LIT(""));
        for (int turn = 0; at == SASL_SERVER_CHALLENGE && turn < 4; turn++) {
            struct sp_buf out = fresh();
            assert_int_equal(sasl_client_step(c, sasl_server_challenge(s), &out, &sent), SP_OK);
            at = sasl_server_step(s, sp_buf_view(&out));
            sp_buf_fini(&out);
        }
        assert_int_equal(at, SASL_SERVER_ASK_PASSWORD);
        assert_view(sasl_server_user(s), SP_LIT("demo"));
        assert_view(sasl_server_password(s), SP_LIT("secret"));
        sasl_client_free(c);
        sasl_server_free(s);
    }
}

static void chooses(const char *offered, const char *wanted, bool secure, const char *mechanism)
{
    struct sp_buf why = fresh();
    struct sp_view chosen = {0};
    int status =
        sasl_client_choose(&(struct sasl_offer){sp_view_of(offered), secure, NULL}, sp_view_of(wanted),
                           &(struct sasl_credentials){.token = false}, &chosen, &why);
    assert_int_equal(status, mechanism ? SP_OK : SP_ERR_ABSENT);
    if (mechanism)
        assert_view(chosen, sp_view_of(mechanism));
    else
        assert_true(why.len > 0);
    sp_buf_fini(&why);
}

static void chooses_by_strength(void **state)
{
    (void)state;
    chooses("LOGIN PLAIN", "", true, "PLAIN");
    chooses("GSSAPI login", "", true, "LOGIN");
    chooses("PLAIN LOGIN SCRAM-SHA-1", "", true, "SCRAM-SHA-1");
    chooses("SCRAM-SHA-1 SCRAM-SHA-256 PLAIN", "", true, "SCRAM-SHA-256");
    chooses("PLAIN SCRAM-SHA-1-PLUS", "", true, "PLAIN");
    chooses("PLAIN LOGIN SCRAM-SHA-1", "", false, "SCRAM-SHA-1");
    chooses("PLAIN LOGIN SCRAM-SHA-1", "plain", false, NULL);
    chooses("PLAIN LOGIN", "login", true, "LOGIN");
    chooses("PLAIN", "LOGIN", true, NULL);
    chooses("PLAIN LOGIN", "", false, NULL);
    chooses("GSSAPI NTLM", "", true, NULL);
    chooses("", "", true, NULL);
    chooses("PLAIN", "NTLM", true, NULL);
    chooses("PLAINER", "", true, NULL);
}

static void next(const char *failed, const char *floor, const char *mechanism)
{
    struct sp_buf why = fresh();
    struct sp_view chosen = {0};
    const struct sasl_binding binding = {{SP_LIT("exported")}};
    struct sasl_offer offer = {.mechanisms =
                                   SP_LIT("SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"),
                               .secure = true,
                               .binding = &binding,
                               .floor = sp_view_of(floor),
                               .failed = sp_view_of(failed)};
    int status =
        sasl_client_choose(&offer, SP_LIT(""), &(struct sasl_credentials){.token = false}, &chosen, &why);
    assert_int_equal(status, mechanism ? SP_OK : SP_ERR_ABSENT);
    if (mechanism)
        assert_view(chosen, sp_view_of(mechanism));
    sp_buf_fini(&why);
}

/* The reason goes to logs and to `queue show`: it names both sides. */
static void a_floor_says_what_it_kept_away(void **state)
{
    struct sp_buf why = fresh();
    struct sp_view chosen = {0};
    const struct sasl_offer offer = {
        .mechanisms = SP_LIT("PLAIN LOGIN"), .secure = true, .floor = SP_LIT("SCRAM-SHA-256")};
    (void)state;
    assert_int_equal(
        sasl_client_choose(&offer, SP_LIT(""), &(struct sasl_credentials){.token = false}, &chosen, &why),
        SP_ERR_ABSENT);
    assert_view(sp_buf_view(&why), SP_LIT("the server offers AUTH PLAIN LOGIN, and nothing weaker than "
                                          "SCRAM-SHA-256 may be used"));
    sp_buf_fini(&why);
}

static void what_failed_is_not_tried_again(void **state)
{
    (void)state;
    next("", "", "SCRAM-SHA-256-PLUS");
    next("SCRAM-SHA-256-PLUS", "", "SCRAM-SHA-256");
    next("SCRAM-SHA-256", "", "SCRAM-SHA-1");
    next("SCRAM-SHA-1", "", "PLAIN");
    next("PLAIN", "", "LOGIN");
    next("LOGIN", "", NULL);
    /* The floor. */
    next("SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-1");
    next("SCRAM-SHA-1", "scram-sha-1", NULL);
    next("", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256-PLUS");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_floor_says_what_it_kept_away),
    cmocka_unit_test(what_failed_is_not_tried_again),
    cmocka_unit_test(plain_says_it_once),
    cmocka_unit_test(plain_cannot_carry_nul),
    cmocka_unit_test(login_understands_odd_prompts),
    cmocka_unit_test(login_repeats_the_name_when_asked),
    cmocka_unit_test(login_stops_at_endless_or_foreign_prompts),
    cmocka_unit_test(both_sides_meet),
    cmocka_unit_test(chooses_by_strength),
};

TAP_MAIN(tests)
