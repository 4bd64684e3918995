#include "base/view.h"
#include "cli/options.h"
#include "cli/sendmail/sendmail.h"
#include "os/file.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { HOST_MAX = 256 };
static const char usual[] = "/etc/sallyport/sallyport.conf";

/*
 * The configuration, or NULL. One that was named must be there; the usual one need not, and need not be
 * readable: the data folder may be named in another way.
 */
static int read_config(const struct sendmail *o, struct config **config_out, int *why_out)
{
    const char *named = o->config ? o->config : getenv("SALLYPORT_CONFIG");
    const char *path = named && *named ? named : usual;
    struct sp_buf text, error;
    sp_buf_init(&text, &os_heap, CONFIG_TEXT_MAX);
    sp_buf_init(&error, &os_heap, 65536);
    int code = EX_OK;
    char *whole = realpath(path, NULL);
    *why_out = 0;
    if (!whole || os_file_read(AT_FDCWD, whole, &text) != SP_OK) {
        *why_out = errno;
        if (path == named)
            code = cli_fault(o->command, errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %s", path,
                             strerror(errno));
    } else if (config_parse(whole, sp_buf_view(&text), &error, config_out) != SP_OK) {
        code = cli_fault(o->command, EX_CONFIG, "the configuration is faulty: %.*s", (int)error.len,
                         (const char *)error.p);
    }
    free(whole);
    sp_buf_fini(&text);
    sp_buf_fini(&error);
    return code;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int fault_nowhere(const struct sendmail *o, int why)
{
    if (why == EACCES)
        return cli_fault(
            o->command, EX_NOPERM,
            "%s cannot be read, so that the server's data folder is not known: let everybody read it (it "
            "holds no secrets), or name the folder with --data or in SALLYPORT_DATA",
            usual);
    return cli_fault(
        o->command, EX_CONFIG,
        "no server's data folder is known: there is no %s, and no folder sallyport-data here; --data DIR or "
        "SALLYPORT_DATA names one",
        usual);
}

static void take_hostname(struct sendmail_place *place, const struct config *c)
{
    char own[HOST_MAX] = "";
    if (!c && gethostname(own, sizeof own - 1) == 0 && own[0])
        place->hostname = os_text(sp_view_of(own));
    else
        place->hostname = os_text(sp_view_of(c ? c->hostname : "localhost"));
}

int sendmail_find(const struct sendmail *o, struct sendmail_place *place_out)
{
    enum { MESSAGE_OCTETS = 50 << 20, FREE_OCTETS = 16 << 20 };
    struct config *c = NULL;
    int why = 0, code = read_config(o, &c, &why);
    const char *named = o->data ? o->data : getenv("SALLYPORT_DATA");
    const char *data = named && *named               ? named
                       : c                           ? c->data
                       : is_folder("sallyport-data") ? "sallyport-data"
                                                     : NULL;
    if (code == EX_OK && !data)
        code = fault_nowhere(o, why);
    if (code == EX_OK) {
        *place_out = (struct sendmail_place){.data = os_text(sp_view_of(data)),
                                             .message_octets = c ? c->limits.message_octets : MESSAGE_OCTETS,
                                             .free_octets = c ? c->limits.free_octets : FREE_OCTETS};
        take_hostname(place_out, c);
    }
    config_free(c);
    return code;
}

void sendmail_place_fini(struct sendmail_place *place)
{
    free(place->data);
    free(place->hostname);
}
