#include "cli/secret.h"

#include "base/view.h"
#include "cli/options.h"
#include "os/file.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

static void init(struct sp_buf *b)
{
    sp_buf_init(b, &os_heap, CLI_SECRET_MAX);
    (void)sp_buf_reserve(b, CLI_SECRET_MAX); /* so that growing leaves no copy behind; failure sticks */
}

/* --- a pipe or a file --------------------------------------------------------------------- */

/* Up to the end of the input; 0, EFBIG, or why it cannot be read. */
static int read_all(int fd, struct sp_buf *out) { return os_file_read_open(fd, out) == SP_OK ? 0 : errno; }

static int read_line_of_input(const char *command, struct sp_buf *out)
{
    int fault = read_all(STDIN_FILENO, out);
    if (fault == EFBIG)
        return cli_fault(command, EX_DATAERR,
                         "standard input holds more than a password of at most 1,024 octets");
    if (fault)
        return cli_fault(command, EX_NOINPUT, "cannot read standard input: %s", strerror(fault));
    size_t end = sp_view_find(sp_buf_view(out), '\n', 0);
    if (end + 1 < out->len)
        return cli_fault(command, EX_DATAERR,
                         "standard input has more than one line; give the password alone");
    out->len = end < out->len ? end : out->len;
    if (out->len && end == out->len && out->p[out->len - 1] == '\r')
        out->len--;
    return EX_OK;
}

/* --- the terminal -------------------------------------------------------------------------- */

static volatile sig_atomic_t caught;

static void note_signal(int number) { caught = number; }

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { SIGNAL_N = sizeof signals / sizeof *signals };

static void write_text(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        return; /* a prompt that cannot be shown: the answer may still come */
}

/* A line without its end; false: an interrupt, the end of input, or too long. */
static bool read_line(int fd, struct sp_buf *out)
{
    char c = 0;
    while (!caught) {
        ssize_t n = read(fd, &c, 1);
        if (n == 1 && c == '\n')
            return true;
        if (n == 1 && sp_buf_add_u8(out, (uint8_t)c) == SP_OK)
            continue;
        if (n == 1 || n == 0 || errno != EINTR)
            return false;
    }
    return false;
}

/* A terminal that does not show what is typed, and how it was before. */
struct quiet {
    int tty;
    struct termios before;
    struct sigaction old[SIGNAL_N];
};

static void end_quiet(struct quiet *q)
{
    (void)tcsetattr(q->tty, TCSADRAIN, &q->before); /* nothing more can be done for it */
    for (size_t i = 0; i < SIGNAL_N; i++)
        sigaction(signals[i], &q->old[i], NULL);
    close(q->tty);
}

/* false: there is no terminal, or it cannot be silenced. */
static bool begin_quiet(struct quiet *q)
{
    struct sigaction act = {.sa_handler = note_signal};
    struct termios t;
    q->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (q->tty < 0)
        return false;
    if (tcgetattr(q->tty, &q->before) != 0) {
        close(q->tty);
        return false;
    }
    caught = 0;
    for (size_t i = 0; i < SIGNAL_N; i++)
        sigaction(signals[i], &act, &q->old[i]);
    t = q->before;
    t.c_lflag &= ~(tcflag_t)ECHO;
    t.c_lflag |= ICANON | ISIG;
    if (tcsetattr(q->tty, TCSAFLUSH, &t) == 0)
        return true;
    end_quiet(q);
    return false;
}

/* Ends the program by the signal that came while somebody typed. */
static void heed_signal(struct sp_buf *secret)
{
    if (!caught)
        return;
    sp_buf_fini_secret(secret);
    raise(caught);
}

static bool ask(int tty, const char *prompt, struct sp_buf *out)
{
    write_text(tty, prompt);
    bool done = read_line(tty, out);
    write_text(tty, "\n");
    return done;
}

static int ask_twice(const char *command, const char *name, struct sp_buf *out)
{
    char prompt[320];
    struct sp_buf again;
    struct quiet quiet;
    int code = EX_OK;
    if (!begin_quiet(&quiet))
        return cli_fault(command, EX_NOINPUT,
                         "there is no terminal to ask at; give the password on standard input");
    (void)snprintf(prompt, sizeof prompt, "New password for %s: ", name); /* cut when the name is long */
    init(&again);
    bool given = ask(quiet.tty, prompt, out) && ask(quiet.tty, "The same again: ", &again);
    end_quiet(&quiet);
    if (given && !sp_view_eq_secret(sp_buf_view(out), sp_buf_view(&again)))
        code = cli_fault(command, EX_DATAERR, "the two passwords differ; nothing was changed");
    sp_buf_fini_secret(&again);
    heed_signal(out);
    return given ? code : cli_fault(command, EX_NOINPUT, "no password was given; nothing was changed");
}

int cli_read_new_password(const char *command, const char *name, struct sp_buf *secret_out)
{
    init(secret_out);
    return isatty(STDIN_FILENO) ? ask_twice(command, name, secret_out)
                                : read_line_of_input(command, secret_out);
}

int cli_ask_password(const char *command, const char *prompt, struct sp_buf *secret_out)
{
    struct quiet quiet;
    init(secret_out);
    if (!begin_quiet(&quiet))
        return cli_fault(command, EX_NOINPUT, "there is no terminal to ask for the password at");
    bool given = ask(quiet.tty, prompt, secret_out);
    end_quiet(&quiet);
    heed_signal(secret_out);
    return given ? EX_OK : cli_fault(command, EX_NOINPUT, "no password was given");
}

int cli_read_password_file(const char *command, const char *path, struct sp_buf *secret_out)
{
    init(secret_out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fault(command, EX_NOINPUT, "cannot read the password file %s: %s", path, strerror(errno));
    int fault = read_all(fd, secret_out);
    close(fd);
    if (fault && fault != EFBIG)
        return cli_fault(command, EX_NOINPUT, "cannot read the password file %s: %s", path, strerror(fault));
    size_t end = sp_view_find(sp_buf_view(secret_out), '\n', 0);
    if (fault && end == secret_out->len)
        return cli_fault(command, EX_DATAERR, "%s: its first line is too long for a password", path);
    secret_out->len = end;
    if (end > 0 && secret_out->p[end - 1] == '\r')
        secret_out->len--;
    return secret_out->len > 0 ? EX_OK : cli_fault(command, EX_DATAERR, "%s: its first line is empty", path);
}
