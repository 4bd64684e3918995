/* Run a command line as the program would, and keep what it writes. */
#ifndef TESTS_CLI_CAPTURE_H
#define TESTS_CLI_CAPTURE_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"

static char captured[1 << 18];

/* Send one of our streams to a file; gives a descriptor of that file. */
static int capture_start(int fd, FILE *stream, int *saved_out)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stream);
    *saved_out = dup(fd);
    assert_true(dup2(fileno(file), fd) == fd);
    int copy = dup(fileno(file));
    fclose(file);
    return copy;
}

static void capture_end(int fd, FILE *stream, int saved, int copy)
{
    fflush(stream);
    assert_true(dup2(saved, fd) == fd);
    close(saved);
    ssize_t n = pread(copy, captured, sizeof captured - 1, 0);
    assert_true(n >= 0 && (size_t)n < sizeof captured - 1);
    captured[n] = '\0';
    close(copy);
}

/* The exit code; `captured` holds what went to the stream. */
static int run(int fd, FILE *stream, const char *const *words)
{
    char *argv[16] = {(char *)"sallyport"};
    int argc = 1, saved, copy = capture_start(fd, stream, &saved);
    for (; *words; words++)
        argv[argc++] = (char *)*words;
    int code = cli_run(argc, argv);
    capture_end(fd, stream, saved, copy);
    return code;
}

#define RUN(fd, stream, ...) run(fd, stream, (const char *const[]){__VA_ARGS__, NULL})
#define OUT(...) RUN(1, stdout, __VA_ARGS__)
#define ERR(...) RUN(2, stderr, __VA_ARGS__)

#endif
