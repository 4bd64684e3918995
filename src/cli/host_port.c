#include "cli/host_port.h"

#include <string.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/options.h"

int cli_host_port(const char *command, const char *text, char host_out[CLI_HOST_SIZE], const char **port_out)
{
    const char *host = text, *port = NULL;
    size_t len = strlen(text);
    if (text[0] == '[') {
        host = text + 1;
        len = strcspn(host, "]");
        const char *behind = host + len;
        port = *behind && behind[1] == ':' ? behind + 2 : NULL;
        if (!*behind || (behind[1] && !port))
            return cli_usage_fault(command, "'%s' is no address: [IPv6]:PORT is wanted", text);
    } else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
        len = strcspn(text, ":");
        port = text + len + 1;
    }
    if (len == 0 || len >= CLI_HOST_SIZE)
        return cli_usage_fault(command, "'%s' names no host: HOST, HOST:PORT or [IPv6]:PORT is wanted", text);
    memcpy(host_out, host, len);
    host_out[len] = '\0';
    *port_out = port;
    return EX_OK;
}

int cli_port(const char *command, struct sp_view text, uint16_t *port_out)
{
    uint64_t port = 0;
    if (sp_view_u64(text, 65535, &port) || port == 0)
        return cli_usage_fault(command, "'%.*s' is no port: a number from 1 to 65535 is wanted",
                               (int)text.len, (const char *)text.p);
    *port_out = (uint16_t)port;
    return EX_OK;
}
