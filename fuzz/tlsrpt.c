/* Any octets as a TXT record that says where reports about TLS go: endpoints lie within it, and addresses
 * hold nothing that could leave their place in an envelope or a header. */
#include <stdlib.h>

#include "base/view.h"
#include "message/tlsrpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const struct message_tlsrpt_place *p)
{
    size_t ats = 0;
    if (p->address_len > sizeof p->address)
        abort();
    for (size_t i = 0; i < p->address_len; i++) {
        uint8_t c = p->address[i];
        ats += c == '@';
        if (c <= ' ' || c >= 0x7f || c == '<' || c == '>' || c == ',' || c == '"' || c == '\\')
            abort();
    }
    if (ats != 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_view text = sp_view_make(data, size), rua;
    struct message_tlsrpt_place p;
    if (message_tlsrpt_read(text, &rua))
        return 0;
    if (!message_tlsrpt_is_record(text) || rua.len == 0 || rua.p < data || rua.p + rua.len > data + size)
        abort();
    size_t n = 0;
    for (; message_tlsrpt_next(&rua, &p); n++) {
        if (p.uri.len == 0 || p.uri.p < data || p.uri.p + p.uri.len > data + size)
            abort();
        if (p.kind == MESSAGE_TLSRPT_MAILTO)
            check_address(&p);
    }
    if (n == 0)
        abort();
    return 0;
}
