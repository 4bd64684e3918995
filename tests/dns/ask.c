/*
 * Ask one question and print what came of it: ask SERVER ANCHOR-FILE NAME TYPE, or ask SERVER ANCHOR-FILE
 * HOST ADDRESS. An anchor file "-" is none, "+FILE" is taken tolerantly. test_zone.py runs it against a name
 * server of its own.
 */
#include "dns/dns.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/loop.h"

#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 10000 };

static struct event_base *base;

static void show_record(const struct dns_packet *p, const struct dns_record *r)
{
    char name[DNS_NAME_MAX + 1], text[1000];
    struct dns_tlsa tlsa;
    unsigned preference;
    size_t len;
    if (r->type == DNS_TYPE_MX && dns_record_mx(p, r, &preference, name) == SP_OK)
        printf("mx %u %s\n", preference, name);
    else if (r->type == DNS_TYPE_TXT && dns_record_txt(r, text, sizeof text, &len) == SP_OK)
        printf("txt %.*s\n", (int)len, text);
    else if (r->type == DNS_TYPE_TLSA && dns_record_tlsa(r, &tlsa) == SP_OK)
        printf("tlsa %u %u %u %zu\n", tlsa.usage, tlsa.selector, tlsa.matching, tlsa.data.len);
    else
        printf("other %u\n", r->type);
}

static void take_answer(void *ctx, const struct dns_answer *found)
{
    struct dns_packet p = found->packet;
    struct dns_record r;
    (void)ctx;
    printf("%s\n%s\n", dns_verdict_text(found->verdict), found->secure ? "secure" : "insecure");
    if (found->why[0])
        printf("why %s\n", found->why);
    while (found->verdict == DNS_FOUND && dns_packet_next(&p, &r) == SP_OK)
        show_record(&p, &r);
    event_base_loopbreak(base);
}

static void take_addresses(void *ctx, const struct dns_addresses *found)
{
    char text[OS_ADDRESS_TEXT];
    (void)ctx;
    printf("%s\n%s\nname %s\n", dns_verdict_text(found->verdict), found->secure ? "secure" : "insecure",
           found->name);
    for (size_t i = 0; i < found->n; i++) {
        os_address_text(&found->addresses[i], text);
        printf("address %s\n", text);
    }
    event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
    struct os_address server;
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 1000);
    if (argc != 5 || os_address_parse(sp_view_of(argv[1]), &server))
        return 2;
    bool off = argv[2][0] == '-', tolerant = argv[2][0] == '+';
    struct dns_options options = {.servers = &server,
                                  .server_n = 1,
                                  .trust = off        ? DNS_TRUST_OFF
                                           : tolerant ? DNS_TRUST_TOLERANT
                                                      : DNS_TRUST_STRICT,
                                  .anchor_file = off ? NULL : argv[2] + tolerant};
    base = os_loop_new();
    struct dns *d = dns_open(base, &options, &error);
    if (!d) {
        fprintf(stderr, "%.*s\n", (int)error.len, (const char *)error.p);
        return 1;
    }
    int type = atoi(argv[4]);
    if (type)
        (void)dns_ask(d, sp_view_of(argv[3]), (enum dns_type)type, TIMEOUT_MS, take_answer, NULL);
    else
        (void)dns_addresses(d, sp_view_of(argv[3]), 25, TIMEOUT_MS, take_addresses, NULL);
    dns_free(d); /* lives until its question has ended */
    event_base_dispatch(base);
    event_base_free(base);
    sp_buf_fini(&error);
    return 0;
}
