/* Every fault names its line, what is wrong and what would be right. LEAST has 3 lines, so texts behind it
 * begin in line 4. */
#include "support.h"

#include <stdio.h>

#define LISTENER "listener m { address = \"127.0.0.1:26\"\n"

static void form(void **state)
{
    (void)state;
    FAULT("data\n", "f:4: data: '=' and a value, or '{' of a section, must follow");
    FAULT("data =\nuser = x\n", "f:4: data: a value must follow '='");
    FAULT("data = a b\n",
          "f:4: data: a setting ends with its line, and a text with spaces stands in quotes; found 'b'");
    FAULT("data = \"a\n", "f:4: the text that begins with \" is not closed on its line");
    FAULT("data = \"a\\n\"\n", "f:4: a backslash in a text stands before \" or \\ only");
    FAULT("data = 'a'\n", "f:4: texts stand in double quotes: \"...\"");
    FAULT("data = a;\n", "f:4: ';' means nothing here: settings end with their line");
    FAULT("data = \"a\tb\"\n", "f:4: a text holds the control octet 0x09");
    FAULT("\001\n", "f:4: the control octet 0x01 means nothing here");
    FAULT("}\n", "f:4: a key or a section must stand here, found '}'");
    FAULT("= 5\n", "f:4: a key or a section must stand here, found '='");
    FAULT("\"\" = 5\n", "f:4: a key or a section must stand here, found ''");
    FAULT("limits { , }\n",
          "f:4: a key or '}' must stand here, found ','\nf:4: section limits is not closed: '}' is missing");
    FAULT("limits {\n errors = 5\n", "f:4: section limits is not closed: '}' is missing");
    FAULT("limits {\nqueue {\n}\n",
          "f:5: sections do not nest: is a '}' missing for the section limits of line 4?");
    FAULT(LISTENER "relay-from = { \"::1\"\n \"127.0.0.1\" }\n}\n",
          "f:6: relay-from: a ',' is missing before '127.0.0.1'");
    FAULT(LISTENER "relay-from = {\n \"::1\",\n = }\n}\n",
          "f:7: relay-from: the list that begins in line 5 is not closed with '}', found '='");
}

static void names(void **state)
{
    (void)state;
    FAULT("limit {\n}\n", "f:4: no section is called limit; did you mean limits?; "
                          "allowed: listener, route, domain, rule, dns, limits, users, tokens, srs, queue, "
                          "sessions, tls-reports");
    FAULT("frobnicate {\n a = b\n}\n", "f:4: no section is called frobnicate; "
                                       "allowed: listener, route, domain, rule, dns, limits, users, tokens, "
                                       "srs, queue, sessions, tls-reports");
    FAULT("queue {\n exprie = 5d\n}\n",
          "f:5: queue: no key exprie; did you mean expire?; allowed: "
          "return-to-strangers, retry-first, retry-most, expire, warn-after, back-off-first, back-off-most, "
          "stranger-reports, block-patience, attempts");
    FAULT("tls-reports {\n from = a@x.example\n}\n", "f:4: tls-reports: contact is missing");
    FAULT("tls-reports {\n contact = nobody\n}\n",
          "f:5: tls-reports/contact: is no mail address; allowed: \"postmaster@example.org\"");
    FAULT("tls-reports {\n contact = \"a@x.example\"\n from = \"A <a@x.example>\"\n}\n",
          "f:6: tls-reports/from: is no mail address; allowed: \"postmaster@example.org\"");
    FAULT("message-size = 5M\n",
          "f:4: outside of sections: no key message-size; it is one of section limits");
    FAULT("queue {\n hostname = x\n}\n",
          "f:5: queue: no key hostname; it is one of those outside of all sections");
    FAULT("domain x.example {\n route = hold\n zebra = 1\n}\n",
          "f:6: domain \"x.example\": no key zebra; allowed: route, aliases, catch-all, plus-addresses, "
          "mailboxes");
}

static void repetitions(void **state)
{
    (void)state;
    FAULT("hostname = x\n", "f:4: hostname is repeated; it stands in line 1 already");
    FAULT("limits {\n errors = 5\n errors = 6\n}\n",
          "f:6: limits/errors is repeated; it stands in line 5 already");
    FAULT("limits {\n}\nlimits {\n}\n", "f:6: limits is repeated; it stands in line 4 already");
    FAULT("listener l { address = \"127.0.0.1:9\" }\n",
          "f:4: listener \"l\" is repeated; it stands in line 3 already");
    FAULT("domain a.example { route = hold }\ndomain A.Example { route = hold }\n",
          "f:5: domain \"A.Example\" is repeated; it stands in line 4 already");
}

static void titles(void **state)
{
    (void)state;
    FAULT("route {\n kind = hold }\n", "f:4: route: a title is missing: route \"...\" { with the name that "
                                       "domain, rule and default-route use");
    FAULT("limits all {\n}\n", "f:4: limits has no title; it stands once: limits {");
    FAULT("route \"a b\" { kind = hold }\n",
          "f:4: route: 'a b' is not a name; allowed: 1 to 64 letters, digits, '.', '-' and '_'");
    FAULT("route hold { kind = relay\n host = x }\n",
          "f:4: route \"hold\" always exists; give this one another name");
    FAULT("domain \"a b\" { route = hold }\n", "f:4: domain: 'a b' is not a domain name; allowed: labels of "
                                               "letters, digits and hyphens with dots between "
                                               "(mail.example.org); others in their xn-- form");
}

static void numbers(void **state)
{
    (void)state;
    FAULT("limits {\n message-size = 5\n}\n",
          "f:5: limits/message-size: '5' is out of range; allowed: 64K to 2G (octets, or with K, M, G)");
    FAULT("limits {\n message-size = 3G\n}\n",
          "f:5: limits/message-size: '3G' is out of range; allowed: 64K to 2G (octets, or with K, M, G)");
    FAULT("limits {\n message-size = 99999999999999999999G\n}\n",
          "f:5: limits/message-size: '99999999999999999999G' is out of range; allowed: 64K to 2G (octets, or "
          "with K, M, G)");
    FAULT("limits {\n message-size = many\n}\n",
          "f:5: limits/message-size: 'many' is not a number; allowed: 64K to 2G (octets, or with K, M, G)");
    FAULT("limits {\n message-size = 5T\n}\n",
          "f:5: limits/message-size: '5T' has an unknown unit; allowed: 64K to 2G (octets, or with K, M, G)");
    FAULT("limits {\n errors = -1\n}\n", "f:5: limits/errors: '-1' is not a number; allowed: 3 to 1000");
    FAULT("limits {\n errors = \"\"\n}\n", "f:5: limits/errors: '' is not a number; allowed: 3 to 1000");
    FAULT("queue {\n expire = 5\n}\n",
          "f:5: queue/expire: '5' has no unit; allowed: 10s to 30d (a number with s, m, h or d)");
    FAULT("queue {\n expire = 1w\n}\n",
          "f:5: queue/expire: '1w' has an unknown unit; allowed: 10s to 30d (a number with s, m, h or d)");
    FAULT("route r {\n kind = relay\n host = x\n port = 70000\n}\n",
          "f:7: route \"r\"/port: '70000' is out of range; allowed: 1 to 65535");
    FAULT("smtpd-processes = 64\n", "f:4: smtpd-processes: '64' is out of range; allowed: 0 to 62");
}

static void values(void **state)
{
    (void)state;
    FAULT(LISTENER "tls = maybe\n}\n",
          "f:5: listener \"m\"/tls: 'maybe' is not one of the words; allowed: off starttls implicit");
    FAULT(LISTENER "auth-in-clear = true\n}\n",
          "f:5: listener \"m\"/auth-in-clear: 'true' is neither; allowed: yes, no");
    FAULT(LISTENER "tls = { off }\n}\n", "f:5: listener \"m\"/tls: takes one value, not a list");
    FAULT("user = \"\"\n", "f:4: user: '' is empty; allowed: a text");
    FAULT("data = \"\"\n", "f:4: data: '' is empty; allowed: a path; a relative one starts from the folder "
                           "of the configuration file");
    FAULT("listener m {\n address = \"localhost:25\"\n}\n",
          "f:5: listener \"m\"/address: 'localhost:25' is not a numeric address with a port; allowed: "
          "\"192.0.2.1:25\", "
          "\"[2001:db8::1]:25\", \"0.0.0.0:25\", \"[::]:25\"");
    FAULT("listener m {\n address = \"127.0.0.1:99999\"\n}\n",
          "f:5: listener \"m\"/address: '127.0.0.1:99999' is not a numeric address with a port; allowed: "
          "\"192.0.2.1:25\", \"[2001:db8::1]:25\", \"0.0.0.0:25\", \"[::]:25\"");
    FAULT("route r {\n kind = relay\n host = \"a:25\"\n}\n",
          "f:6: route \"r\"/host: 'a:25' is neither a host name nor an address; allowed: smtp.example.org, "
          "192.0.2.1, "
          "\"2001:db8::1\"; the port stands in a key of its own");
    FAULT("route r {\n kind = maildir\n path = \"/a/%u\"\n}\n",
          "f:6: route \"r\"/path: '/a/%u' has an unknown placeholder; allowed: %d (domain), %l (local part), "
          "%% (a percent sign)");
    FAULT("route r {\n kind = maildir\n path = \"/a/%\"\n}\n",
          "f:6: route \"r\"/path: '/a/%' has an unknown placeholder; allowed: %d (domain), %l (local part), "
          "%% (a percent sign)");
    FAULT("domain a.example {\n route = hold\n mailboxes = { a, \"b@c\" }\n}\n",
          "f:6: domain \"a.example\"/mailboxes: 'b@c' is not a local part; allowed: 1 to 64 ASCII octets, "
          "what stands "
          "before the @: alice, first.last");
    FAULT("domain a.example {\n route = hold\n mailboxes = { }\n}\n",
          "f:6: domain \"a.example\"/mailboxes: the list is empty; leave the key out instead");
    FAULT("domain a.example {\n route = elsewhere\n}\nroute r { kind = hold }\n",
          "f:5: domain \"a.example\"/route: no route is called 'elsewhere'; allowed: hold, discard, mx, r");
}

static void host_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"-a",  "a-",      "a..b", ".a",   "a.",
                                      "a_b", "1.2.3.4", "a.-b", "a-.b", "[1.2.3.4]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[200], expected[300];
        snprintf(text, sizeof text,
                 "default-route = hold\nlistener l { address = \"127.0.0.1:1\" }\nhostname = \"%s\"\n",
                 bad[i]);
        snprintf(expected, sizeof expected,
                 "f:3: hostname: '%s' is not a domain name; allowed: labels of letters, digits and hyphens "
                 "with dots "
                 "between (mail.example.org); others in their xn-- form\n",
                 bad[i]);
        parse_faults(text, expected);
    }
}

static void open_relays(void **state)
{
    (void)state;
    static const char *const wide[] = {"0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1",
                                       "2000::/3",  "::/6", "0.0.0.0/7"};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        char text[300], expected[300];
        snprintf(text, sizeof text, LEAST LISTENER "relay-from = { \"127.0.0.1\",\n \"%s\" }\n}\n", wide[i]);
        snprintf(expected, sizeof expected,
                 "f:6: listener \"m\"/relay-from: '%s' would make an open relay, which others abuse within "
                 "hours; allowed: "
                 "the networks of your own machines, at widest /8 (IPv4) or /7 (IPv6)\n",
                 wide[i]);
        parse_faults(text, expected);
    }
    FAULT(LISTENER "relay-from = \"192.0.2.1/24\"\n}\n",
          "f:5: listener \"m\"/relay-from: '192.0.2.1/24' has a prefix out of range, or bits set behind it; "
          "allowed: "
          "\"192.0.2.0/24\", \"2001:db8::/32\", with zeros behind the prefix");
    FAULT("listener x {\naddress = \"[::1]:25\"\nprotocol = lmtp\n}\n",
          "f:6: listener \"x\"/protocol: port 25 is for SMTP; allowed: lmtp on any other port");
    FAULT(LISTENER "relay-from = everyone\n}\n", "f:5: listener \"m\"/relay-from: 'everyone' is not a "
                                                 "network; allowed: \"192.0.2.0/24\", \"2001:db8::/32\", or "
                                                 "one address");
}

static void listener_rules(void **state)
{
    (void)state;
    FAULT("listener m {\n}\n", "f:4: listener \"m\": address is missing");
    FAULT("listener m { address = \"0.0.0.0:25\"\n auth = offered\n auth-in-clear = yes\n}\n",
          "f:6: listener \"m\"/auth-in-clear: anybody on the way could read the passwords; allowed: yes on a "
          "loopback "
          "address (127.0.0.0/8, ::1) only; elsewhere use tls");
    FAULT(LISTENER "tls = off\nauth = required\n}\n",
          "f:6: listener \"m\"/auth: AUTH would never be offered, since this listener has no TLS; allowed: "
          "tls = starttls "
          "or implicit, or auth-in-clear = yes on a loopback address");
    FAULT(LISTENER "auth-in-clear = yes\n}\n", "f:5: listener \"m\"/auth-in-clear: has no effect with auth = "
                                               "off; allowed: with auth = offered or required");
    FAULT(LISTENER "tls = off\nrequire-tls = yes\n}\n",
          "f:6: listener \"m\"/require-tls: nobody could fulfil it with tls = off; allowed: with tls = "
          "starttls or implicit");
    FAULT("listener m { address = \"127.0.0.1:2525\" }\n",
          "f:4: listener \"m\"/address: listener \"l\" has this address already");
}

#define TRUSTED "listener m { address = \"127.0.0.1:26\"\nauth = required\n"
#define ALL_MECHANISMS                                                                                       \
    "EXTERNAL, SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, OAUTHBEARER, "    \
    "XOAUTH2, "                                                                                              \
    "PLAIN, LOGIN"

static void mechanisms(void **state)
{
    (void)state;
    FAULT(TRUSTED "mechanisms = { SCRAM-SHA-265, PLAIN }\n}\n",
          "f:6: listener \"m\"/mechanisms: 'SCRAM-SHA-265' is not a mechanism; did you mean SCRAM-SHA-256?; "
          "allowed: " ALL_MECHANISMS);
    FAULT(TRUSTED "mechanisms = { PLAIN,\n NTLM }\n}\n",
          "f:7: listener \"m\"/mechanisms: 'NTLM' is not a mechanism; allowed: " ALL_MECHANISMS);
    FAULT(TRUSTED "mechanisms = { PLAIN,\n LOGIN,\n plain }\n}\n",
          "f:8: listener \"m\"/mechanisms: plain stands twice");
    FAULT(TRUSTED "mechanisms = { }\n}\n",
          "f:6: listener \"m\"/mechanisms: the list is empty; leave the key out instead");
    FAULT(TRUSTED "mechanisms = { XOAUTH2, LOGIN }\n}\n",
          "f:6: listener \"m\"/mechanisms: XOAUTH2 takes tokens, and nobody is named whose tokens are good; "
          "allowed: with a section tokens");
    FAULT(
        TRUSTED "mechanisms = { PLAIN, SCRAM-SHA-1 }\n}\nusers {\nsource = password-file\npath = /d\n}\n",
        "f:6: listener \"m\"/mechanisms: SCRAM-SHA-1 needs verifiers, which only users { source = built-in } "
        "has; allowed: PLAIN, LOGIN");
    FAULT(TRUSTED "mechanisms = { SCRAM-SHA-1-PLUS }\n}\nusers {\nsource = dovecot\npath = /d\n}\n",
          "f:6: listener \"m\"/mechanisms: SCRAM-SHA-1-PLUS is bound to a TLS connection, which is here and "
          "not in "
          "Dovecot; allowed: without -PLUS");
    FAULT(TRUSTED "tls = off\nauth-in-clear = yes\nmechanisms = { PLAIN, SCRAM-SHA-1-PLUS }\n}\n",
          "f:8: listener \"m\"/mechanisms: SCRAM-SHA-1-PLUS works over TLS alone, and this listener "
          "has "
          "tls = off; allowed: with tls = starttls or implicit");
    FAULT(TRUSTED "auth-in-clear = yes\nmechanisms = { SCRAM-SHA-1-PLUS }\n}\n",
          "f:7: listener \"m\"/mechanisms: none of these can be used without TLS, so auth-in-clear = yes has "
          "no "
          "effect");
    FAULT(LISTENER "mechanisms = { PLAIN }\n}\n",
          "f:5: listener \"m\"/mechanisms: has no effect with auth = off; allowed: with auth = offered or "
          "required");
}

static void client_certificates(void **state)
{
    (void)state;
    FAULT(TRUSTED "mechanisms = { EXTERNAL }\n}\n",
          "f:6: listener \"m\"/mechanisms: EXTERNAL needs client-ca, the authorities that sign the "
          "certificates of "
          "clients; allowed: with client-ca");
    FAULT(TRUSTED "client-name = dns\n}\n",
          "f:6: listener \"m\"/client-name: has no effect without client-ca");
    FAULT(TRUSTED "client-ca = x\nclient-name = cn\n}\n",
          "f:7: listener \"m\"/client-name: 'cn' is not one of the words; allowed: email dns common-name");
    FAULT(
        TRUSTED "client-ca = x\ntls = off\nauth-in-clear = yes\n}\n",
        "f:6: listener \"m\"/client-ca: nobody could show a certificate with tls = off; allowed: with tls = "
        "starttls or implicit");
    FAULT(LISTENER "client-ca = x\n}\n", "f:5: listener \"m\"/client-ca: has no effect with auth = off; "
                                         "allowed: with auth = offered or required");
    FAULT(TRUSTED "client-ca = x\nmechanisms = { PLAIN }\n}\n",
          "f:6: listener \"m\"/client-ca: has no effect, since mechanisms does not name EXTERNAL");
    FAULT(TRUSTED "client-ca = x\n}\nusers {\nsource = dovecot\npath = /d\n}\n",
          "f:6: listener \"m\"/client-ca: Dovecot's socket does not say whether a user exists; allowed: with "
          "users "
          "{ source = built-in } or password-file");
}

#define RELAY "route r { kind = relay\n host = smtp.example.net\n"

static void route_rules(void **state)
{
    (void)state;
    FAULT("route r {\n}\n", "f:4: route \"r\": kind is missing");
    FAULT("route r { kind = relay }\n",
          "f:4: route \"r\"/host: is missing: kind = relay needs the server's name or address");
    FAULT("route r { kind = maildir }\n",
          "f:4: route \"r\"/path: is missing: kind = maildir needs the folder, such as \"/var/mail/%d/%l\"");
    FAULT("route r { kind = hold\n host = x\n}\n", "f:5: route \"r\"/host: belongs to kind = relay or lmtp");
    FAULT(RELAY "path = x\n}\n", "f:6: route \"r\"/path: belongs to kind = maildir");
    FAULT(RELAY "tls = verified\nuser = x\n}\n",
          "f:7: route \"r\"/user: needs password-file, or certificate-file to log in by EXTERNAL");
    FAULT(RELAY "tls = verified\npassword-file = x\n}\n",
          "f:7: route \"r\"/password-file: user and password-file go together");
    FAULT(RELAY "user = x\npassword-file = y\n}\n",
          "f:6: route \"r\"/user: the password could be read on the way; allowed: with tls = verified");
    FAULT(RELAY "tls = off\nimplicit-tls = yes\n}\n", "f:7: route \"r\"/implicit-tls: contradicts tls = off");
    FAULT(RELAY "tls = verified\nuser = x\ncertificate-file = y\n}\n",
          "f:8: route \"r\"/certificate-file: certificate-file and key-file go together");
    FAULT(RELAY "tls = verified\nkey-file = y\n}\n",
          "f:7: route \"r\"/key-file: certificate-file and key-file go together");
    FAULT(RELAY "tls = off\ncertificate-file = y\nkey-file = y\n}\n",
          "f:7: route \"r\"/certificate-file: has no effect with tls = off");
    FAULT(RELAY "min-mechanism = PLAIN\n}\n", "f:6: route \"r\"/min-mechanism: has no effect without user");
    FAULT(RELAY "tls = verified\nuser = x\npassword-file = y\nmin-mechanism = XOAUTH2\n}\n",
          "f:9: route \"r\"/min-mechanism: XOAUTH2 takes a token, and a route logs in with a password; "
          "allowed: "
          "SCRAM-SHA-256, PLAIN and the others for passwords");
    FAULT("route r { kind = hold\n min-mechanism = PLAIN\n}\n",
          "f:5: route \"r\"/min-mechanism: belongs to kind = relay");
    FAULT(RELAY "ca-file = x\n}\n", "f:6: route \"r\"/ca-file: has no effect unless tls = verified");
    FAULT("route l { kind = lmtp }\n",
          "f:4: route \"l\"/host: is missing: kind = lmtp needs the server's host or socket");
    FAULT("route l { kind = lmtp\n host = x\n socket = y\n}\n",
          "f:6: route \"l\"/socket: a route has one server: host or socket");
    FAULT("route l { kind = lmtp\n socket = y\n tls = verified\n}\n",
          "f:6: route \"l\"/tls: nobody is on the way to a Unix socket; allowed: leave the key out");
    FAULT("route l { kind = mx\n host = x\n}\n", "f:5: route \"l\"/host: belongs to kind = relay or lmtp");
    FAULT("route mx { kind = hold }\n", "f:4: route \"mx\" is of kind mx; give this one another name");
    FAULT("route none { kind = hold }\n",
          "f:4: route \"none\" means no route where routes are named; give this one another name");
}

static void whole(void **state)
{
    (void)state;
    parse_faults("",
                 "f:1: no listener: nobody could connect; write listener \"smtp\" { address = \"...\" }\n");
    parse_faults(
        "default-route = none\nlistener l { address = \"127.0.0.1:1\" }\n",
        "f:1: default-route: neither a domain nor a rule nor a default route: every recipient would be "
        "refused\n");
    parse_faults(
        LEAST "rule a { to = { \"a b\" }\n route = x\n}\n",
        "f:4: rule \"a\"/to: 'a b' is no pattern of addresses; allowed: example.org, \"*.example.org\", "
        "\"alice@example.org\", \"sales-*@example.org\", \"<>\" (the empty sender)\n"
        "f:5: rule \"a\"/route: no route is called 'x'; allowed: hold, discard, mx\n");
    FAULT("dns { dnssec = off\n trust-anchor = x\n}\n",
          "f:5: dns/trust-anchor: has no effect with dnssec = off");
    FAULT("dns { servers = { \"localhost\" }\n}\n",
          "f:4: dns/servers: 'localhost' is not a numeric address with a port; allowed: \"192.0.2.1:25\", "
          "\"[2001:db8::1]:25\", \"0.0.0.0:25\", \"[::]:25\"");
    FAULT("tls-key = x\n", "f:4: tls-key: tls-certificate and tls-key go together");
    FAULT("queue {\n retry-first = 2h\n retry-most = 1h\n}\n",
          "f:6: queue/retry-most: is less than retry-first");
    FAULT("queue {\n retry-first = 2h\n expire = 1h\n}\n",
          "f:6: queue/expire: is less than retry-first: nothing would be tried again");
}

static void senders_of_forwarded_mail(void **state)
{
    (void)state;
    FAULT("srs {\n domain = a.example\n}\n",
          "f:4: srs: secret-file is missing\n"
          "f:5: srs/domain: 'a.example' is no domain of this server, so bounces to it would be refused; "
          "allowed: a "
          "domain with a section of its own: domain \"a.example\" { route = ... }");
#define SRS                                                                                                  \
    "domain c.example { route = hold }\ndomain b.example { route = hold }\ndomain a.example { route = hold " \
    "}\nsrs {\n domain = \"A.example\"\n secret-file = x\n "
    FAULT(SRS "max-age = 50h\n}\nqueue {\n expire = 1d\n}\n",
          "f:10: srs/max-age: addresses hold a day, not a time; allowed: whole days, such as 21d");
    FAULT(SRS "max-age = 5d\n}\n", "f:10: srs/max-age: is not more than queue/expire: bounces of mail that "
                                   "waited here would be refused");
    FAULT(SRS "hash-length = 3\n}\n", "f:10: srs/hash-length: '3' is out of range; allowed: 4 to 20");
#undef SRS
}

static void all_faults_are_told_in_the_order_of_their_lines(void **state)
{
    (void)state;
    parse_faults(
        "listener l { address = nowhere\n tls = no\n}\nuser = \"\"\nfoo = 1\nfoo = 2\ndefault-route = x\n",
        "f:1: listener \"l\"/address: 'nowhere' is not a numeric address with a port; allowed: "
        "\"192.0.2.1:25\", "
        "\"[2001:db8::1]:25\", \"0.0.0.0:25\", \"[::]:25\"\n"
        "f:2: listener \"l\"/tls: 'no' is not one of the words; allowed: off starttls implicit\n"
        "f:4: user: '' is empty; allowed: a text\n"
        "f:5: outside of sections: no key foo; allowed: hostname, data, user, maildrop, tls-certificate, "
        "tls-key, "
        "default-route, smtpd-processes, auth-processes, delivery-processes\n"
        "f:6: outside of sections: no key foo; allowed: hostname, data, user, maildrop, tls-certificate, "
        "tls-key, "
        "default-route, smtpd-processes, auth-processes, delivery-processes\n"
        "f:7: default-route: no route is called 'x'; allowed: hold, discard, mx\n");
}

static void a_flood_of_faults_is_cut(void **state)
{
    (void)state;
    struct sp_buf text, error;
    struct config *c = NULL;
    sp_buf_init(&text, &os_heap, 1 << 20);
    sp_buf_init(&error, &os_heap, 1 << 20);
    for (unsigned i = 0; i < 1000; i++)
        sp_buf_add_str(&text, "}\n");
    assert_int_equal(config_parse("f", sp_buf_view(&text), &error, &c), SP_ERR_SYNTAX);
    size_t lines = 0;
    for (size_t i = 0; i < error.len; i++)
        lines += error.p[i] == '\n';
    assert_int_equal(lines, 51);
    assert_true(sp_view_ends(sp_buf_view(&error), SP_LIT("f:50: and 951 faults more\n")));
    sp_buf_fini(&text);
    sp_buf_fini(&error);
}

static void a_nul_is_a_fault(void **state)
{
    (void)state;
    static const char text[] = LEAST "data = a\0b\n";
    struct sp_buf error;
    struct config *c = NULL;
    sp_buf_init(&error, &os_heap, 1 << 20);
    assert_int_equal(config_parse("f", sp_view_make(text, sizeof text - 1), &error, &c), SP_ERR_SYNTAX);
    assert_true(
        sp_view_starts(sp_buf_view(&error), SP_LIT("f:4: the control octet 0x00 means nothing here\n")));
    sp_buf_fini(&error);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(form),
    cmocka_unit_test(names),
    cmocka_unit_test(repetitions),
    cmocka_unit_test(titles),
    cmocka_unit_test(numbers),
    cmocka_unit_test(values),
    cmocka_unit_test(host_names),
    cmocka_unit_test(open_relays),
    cmocka_unit_test(listener_rules),
    cmocka_unit_test(mechanisms),
    cmocka_unit_test(client_certificates),
    cmocka_unit_test(route_rules),
    cmocka_unit_test(whole),
    cmocka_unit_test(senders_of_forwarded_mail),
    cmocka_unit_test(all_faults_are_told_in_the_order_of_their_lines),
    cmocka_unit_test(a_flood_of_faults_is_cut),
    cmocka_unit_test(a_nul_is_a_fault),
};

TAP_MAIN(tests)
