/* The options of send, in the order in which people look for them. */
#include "cli/commands.h"
#include "cli/send.h"

/* clang-format off */
struct cli_option send_options[] = {
    {.group = "Where", .name = "server", .argument = "HOST[:PORT]", .help = "instead of the operand; then the first operand is FILE"},
    {.name = "port", .argument = "PORT", .help = "default 25; 465 with implicit TLS, 587 with --auth, 24 with LMTP"},
    {.name = "socket", .argument = "PATH", .help = "a unix socket, instead of HOST"},
    {.name = "local-interface", .argument = "ADDRESS[:PORT]", .help = "connect from this address of ours"},
    {.name = "protocol", .argument = "esmtp|smtp|lmtp", .help = "smtp: HELO, no extensions; lmtp: LHLO, a reply for each recipient"},
    {.name = "helo", .argument = "NAME", .help = "our name in EHLO; default this host's"},
    {.name = "ehlo", .argument = "NAME", .help = "the same"},
    {.name = "timeout", .argument = "SECONDS", .help = "for each answer; default 30"},
    {.name = "proxy", .argument = "v1|v2", .help = "begin with a PROXY header, as a load balancer does"},
    {.name = "proxy-from", .argument = "ADDRESS:PORT", .help = "the client that it tells of; default none: UNKNOWN, LOCAL"},
    {.name = "proxy-to", .argument = "ADDRESS:PORT", .help = "where that client connected to; default the loopback address and the port"},
    {.name = "xclient", .argument = "ATTRIBUTES", .help = "XCLIENT, 'ADDR=192.0.2.1 NAME=client.example'; a server must trust us for it"},

    {.group = "TLS", .name = "tls", .argument = "auto|off|starttls|implicit", .help = "auto: implicit on port 465, else STARTTLS when it is offered"},
    {.name = "tls-optional", .help = "--tls auto"},
    {.name = "tls-on-connect", .help = "--tls implicit"},
    {.name = "verify", .help = "send nothing unless the certificate is valid; the rule with --auth, except to this machine"},
    {.name = "insecure", .help = "log in even without a valid certificate, or without TLS"},
    {.name = "ca-file", .argument = "FILE", .help = "authorities to trust (PEM) instead of the system's"},
    {.name = "sni", .argument = "NAME", .help = "the server's name in TLS, to ask for and to verify; default HOST"},
    {.name = "cert", .argument = "FILE", .help = "a certificate to show in TLS (PEM), and to log in with by EXTERNAL"},
    {.name = "key", .argument = "FILE", .help = "its private key (PEM); default the same file"},
    {.name = "tls-min", .argument = "VERSION", .help = "lowest version of TLS, 1.0 to 1.3; default 1.2"},
    {.name = "tls-max", .argument = "VERSION", .help = "highest version of TLS"},
    {.name = "ciphers", .argument = "LIST", .help = "as OpenSSL writes them; those of TLS 1.3 begin with TLS_"},

    {.group = "Logging in", .name = "auth", .argument = "USER[:PASSWORD]", .help = "log in; without PASSWORD it comes from the options below, SALLYPORT_PASSWORD, or is asked for"},
    {.name = "password-file", .argument = "FILE", .help = "the password is its first line; - is standard input"},
    {.name = "token-file", .argument = "FILE", .help = "log in by the bearer token in its first line: OAUTHBEARER, XOAUTH2"},
    {.name = "mechanism", .argument = "NAME", .help = "of AUTH: SCRAM-SHA-256, PLAIN, ...; default the strongest that is offered"},
    {.name = "min-mechanism", .argument = "NAME", .help = "none weaker than this when one fails and the next is tried"},

    {.group = "Envelope", .name = "to", .argument = "ADDRESS", .help = "a recipient; several with commas", .repeat = true},
    {.name = "cc", .argument = "ADDRESS", .help = "the same, in the field Cc", .repeat = true},
    {.name = "bcc", .argument = "ADDRESS", .help = "the same, in no field", .repeat = true},
    {.name = "from", .argument = "ADDRESS", .help = "the sender; default you at this host; '<>' is the null sender"},
    {.name = "notify", .argument = "LIST", .help = "DSN: never, or of success,failure,delay"},
    {.name = "orcpt", .argument = "TYPE;ADDRESS", .help = "DSN: the original recipient, 'rfc822;user@example.org'"},
    {.name = "ret", .argument = "full|hdrs", .help = "DSN: how much of the message a report shall carry"},
    {.name = "envid", .argument = "TEXT", .help = "DSN: an id that reports repeat"},
    {.name = "requiretls", .help = "REQUIRETLS: verified TLS on the whole way, or a bounce"},
    {.name = "deliver-by", .argument = "SECONDS[;R|N]", .help = "DELIVERBY: R returns what is late (default), N tells"},
    {.name = "hold-for", .argument = "SECONDS", .help = "FUTURERELEASE: the server shall keep it so long"},
    {.name = "priority", .argument = "-9..9", .help = "MT-PRIORITY"},
    {.name = "mail-auth", .argument = "ADDRESS", .help = "AUTH= of MAIL: who wrote it"},
    {.name = "mail-param", .argument = "TEXT", .help = "more parameters for MAIL, as they are"},
    {.name = "rcpt-param", .argument = "TEXT", .help = "more parameters for each RCPT, as they are"},

    {.group = "Message", .name = "subject", .argument = "TEXT", .help = "of a message that has no header of its own"},
    {.name = "body", .argument = "TEXT", .help = "instead of FILE; \\n is a line end"},
    {.name = "body-type", .argument = "TYPE", .help = "of the body, or of FILE without a header; default text/plain"},
    {.name = "header", .argument = "LINE", .help = "a header field, 'Name: value', instead of ours of that name", .repeat = true},
    {.name = "add-header", .argument = "LINE", .help = "one more header field, beside ours of that name", .repeat = true},
    {.name = "h-NAME", .argument = "VALUE", .help = "the same as --header 'NAME: VALUE'"},
    {.name = "attach", .argument = "FILE", .help = "attach a file", .repeat = true},
    {.name = "attach-type", .argument = "TYPE", .help = "of the next --attach; default by its name", .repeat = true},
    {.name = "attach-name", .argument = "NAME", .help = "of the next --attach; default that of the file", .repeat = true},
    {.name = "data", .argument = "FILE", .help = "the whole message as it is: no header is added; - is standard input"},
    {.name = "binary", .help = "BODY=BINARYMIME: octets as they are, line ends too, in chunks"},
    {.name = "dump", .help = "print the message and send nothing"},

    {.group = "Session", .name = "pipeline", .help = "send commands in groups where the server allows it; default one by one"},
    {.name = "bdat", .argument = "[SIZE]", .help = "send the message in chunks (of SIZE octets; default 65536) where the server allows it"},
    {.name = "quit-after", .argument = "STAGE", .help = "QUIT behind connect, banner, ehlo, tls, auth, mail, rcpt, data or dot"},
    {.name = "drop-after", .argument = "STAGE", .help = "the same, but hang up without QUIT"},
    {.name = "repeat", .argument = "N", .help = "send so many messages, and tell what became of them"},
    {.name = "parallel", .argument = "N", .help = "over so many connections at the same time, at most 100"},
    {.name = "reuse", .help = "message after message over a connection; default each over its own"},
    {.name = "misbehave", .argument = "NAME|all|list", .help = "make this mistake on purpose, and judge the answer by the RFC"},

    {.group = "Output", .name = "quiet", .help = "the results alone, not the conversation"},
    {.name = "json", .help = "print the conversation and the result as one JSON object"},
    {.name = "lang", .argument = "en|vi", .help = "the language of the explanations"},
    {.name = NULL},
};
/* clang-format on */

const struct cli_option *cmd_send_options(void) { return send_options; }
