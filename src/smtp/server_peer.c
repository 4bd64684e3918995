/*
 * XCLIENT and XFORWARD, as Postfix defines them: a trusted peer says who its client is.
 *
 * xclient-command = "XCLIENT" 1*( SP attribute-name "=" attribute-value )
 * attribute-value = xtext / "[UNAVAILABLE]" / "[TEMPUNAVAIL]"
 */
#include "smtp/server.h"

enum { PEER_FIELD_N = 10 };

static bool is_any(struct sp_view *value)
{
    (void)value;
    return true;
}

/* 192.0.2.1, or IPV6:2001:db8::1, whose tag goes. */
static bool is_address(struct sp_view *value)
{
    struct sp_view tag = SP_LIT("IPV6:");
    if (!sp_view_starts_nocase(*value, tag))
        return smtp_ipv4_is(*value);
    *value = sp_view_from(*value, tag.len);
    return smtp_ipv6_is(*value);
}

static bool is_port(struct sp_view *value)
{
    uint64_t n;
    return sp_view_u64(*value, 65535, &n) == SP_OK;
}

static bool is_protocol(struct sp_view *value)
{
    return sp_view_eq_nocase(*value, SP_LIT("SMTP")) || sp_view_eq_nocase(*value, SP_LIT("ESMTP"));
}

static bool is_source(struct sp_view *value)
{
    return sp_view_eq_nocase(*value, SP_LIT("LOCAL")) || sp_view_eq_nocase(*value, SP_LIT("REMOTE"));
}

static const struct attribute {
    struct sp_view name;
    size_t field;
    bool (*is)(struct sp_view *value);
    bool xclient, xforward;
} attributes[PEER_FIELD_N] = {
#define FIELD(f) offsetof(struct sp_server_peer, f)
    {SP_LIT_INIT("NAME"), FIELD(name), is_any, true, true},
    {SP_LIT_INIT("ADDR"), FIELD(address), is_address, true, true},
    {SP_LIT_INIT("PORT"), FIELD(port), is_port, true, true},
    {SP_LIT_INIT("PROTO"), FIELD(protocol), is_protocol, true, true},
    {SP_LIT_INIT("HELO"), FIELD(hello), is_any, true, true},
    {SP_LIT_INIT("LOGIN"), FIELD(login), is_any, true, false},
    {SP_LIT_INIT("DESTADDR"), FIELD(own_address), is_address, true, false},
    {SP_LIT_INIT("DESTPORT"), FIELD(own_port), is_port, true, false},
    {SP_LIT_INIT("IDENT"), FIELD(ident), is_any, false, true},
    {SP_LIT_INIT("SOURCE"), FIELD(source), is_source, false, true},
#undef FIELD
};

static const struct attribute *find(const struct sp_server *s, struct sp_view name)
{
    bool xclient = s->word->input == IN_XCLIENT;
    for (size_t i = 0; i < PEER_FIELD_N; i++)
        if ((xclient ? attributes[i].xclient : attributes[i].xforward) &&
            sp_view_eq_nocase(attributes[i].name, name))
            return &attributes[i];
    return NULL;
}

static enum smtp_reply_id take(struct sp_server *s, struct sp_view line, struct sp_view word)
{
    size_t at = (size_t)(word.p - line.p), equals = sp_view_find(word, '=', 0), len = 0;
    const struct attribute *a = find(s, sp_view_sub(word, 0, equals));
    if (!a || equals == word.len)
        return smtp_server_complain(s, at, SP_LIT("EHLO lists the names that are taken"), R_PEER_ATTRIBUTE);
    struct sp_view value = sp_view_from(word, equals + 1);
    if (sp_view_eq_nocase(value, SP_LIT("[UNAVAILABLE]")) ||
        sp_view_eq_nocase(value, SP_LIT("[TEMPUNAVAIL]")))
        return R_NONE;
    uint8_t *room = smtp_server_decode_room(s, line.len);
    if (!room)
        return R_NONE;
    int status = smtp_xtext_decode(value, room, &len);
    struct sp_view text = {room, len};
    if (status != SP_OK || len == 0 || !smtp_printable_is(text) || !a->is(&text))
        return smtp_server_complain(s, at + equals + 1,
                                    SP_LIT("this attribute does not take such a value; it is xtext"),
                                    R_PEER_ATTRIBUTE);
    s->xtext.len += len;
    memcpy((uint8_t *)&s->question.as.peer + a->field, &text, sizeof text);
    return R_NONE;
}

enum smtp_reply_id smtp_server_peer(struct sp_server *s, struct sp_view line, size_t at)
{
    struct sp_view rest = sp_view_from(line, at), word;
    s->question.as.peer = (struct sp_server_peer){0};
    if (rest.len == 0)
        return smtp_server_complain(s, at, SP_LIT("an attribute is missing"), R_PEER_ATTRIBUTE);
    while (sp_view_word(&rest, ' ', &word)) {
        enum smtp_reply_id wrong = take(s, line, word);
        if (wrong != R_NONE)
            return wrong;
    }
    return R_NONE;
}
