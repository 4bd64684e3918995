/* What the files that show a session share: the words, and how lines and JSON are written. */
#ifndef CLI_SEND_WORDS_H
#define CLI_SEND_WORDS_H

#include <jansson.h>
#include <stdio.h>

#include "cli/send/send.h"

struct send_show {
    const struct send_plan *plan;
    json_t *root, *talk, *recipients; /* NULL without --json */
    bool dim;                         /* explanations stand back, on a terminal */
    uint64_t began_ms;
    FILE *results; /* lines to print behind the conversation */
    char *results_text;
    size_t results_len;
};

/* NAME, English, Vietnamese. */
#define SEND_WORDS(X)                                                                                        \
    X(CONNECTING, "connecting to", "đang kết nối tới")                                                       \
    X(CONNECTED, "connected", "đã kết nối")                                                                  \
    X(VERIFIED, "certificate verified", "chứng chỉ đã được xác minh")                                        \
    X(UNVERIFIED, "certificate not verified", "chứng chỉ không được xác minh")                               \
    X(MESSAGE, "message", "thư")                                                                             \
    X(MORE, "more lines", "dòng nữa")                                                                        \
    X(DELIVERED, "accepted", "đã nhận")                                                                      \
    X(RETRY, "not now", "chưa được")                                                                         \
    X(BOUNCE, "refused", "bị từ chối")                                                                       \
    X(UNKNOWN, "unknown", "không rõ")                                                                        \
    X(UNKNOWN_MEANS, "the server may or may not have the message",                                           \
      "server có thể đã nhận hoặc chưa nhận thư")                                                            \
    X(STOPPED, "not refused; stopped before the message", "không bị từ chối; dừng trước khi gửi thư")        \
    X(ENDED, "ended there, as was wanted", "đã dừng ở đó như mong muốn")                                     \
    X(MESSAGES, "messages", "thư")                                                                           \
    X(CONNECTIONS, "connections", "kết nối")                                                                 \
    X(PER_SECOND, "a second", "mỗi giây")                                                                    \
    X(EACH_TOOK, "each took", "mỗi thư mất")                                                                 \
    X(NO_CONNECTION, "without a session", "không có phiên")                                                  \
    X(NOT_SENT, "nothing was sent", "chưa gửi gì")                                                           \
    X(HELLO, "The server greets you and lists what it can do.",                                              \
      "Server chào bạn và liệt kê những gì nó hỗ trợ.")                                                      \
    X(USER_NAME, "user name", "tên người dùng")                                                              \
    X(PASSWORD, "password", "mật khẩu")                                                                      \
    X(BOTH, "user name and password", "tên người dùng và mật khẩu")                                          \
    X(SCRAM_FIRST, "user name and a nonce", "tên người dùng và một nonce")                                   \
    X(SCRAM_FINAL, "proof of the password", "bằng chứng về mật khẩu")                                        \
    X(SCRAM_END, "nothing: the server has proved that it knows the password",                                \
      "không gì cả: server đã chứng minh rằng nó biết mật khẩu")                                             \
    X(OCTETS, "octets", "octet")                                                                             \
    X(SECRET, "secret", "bí mật")                                                                            \
    X(HINT_VERIFY, "--ca-file trusts its authority, --insecure goes on without",                             \
      "--ca-file để tin cơ quan cấp chứng chỉ, --insecure để tiếp tục mà không xác minh")

#define X(n, en, vi) SEND_WORD_##n,
enum send_word { SEND_WORDS(X) SEND_WORD_N };
#undef X

extern const struct reference_text send_words[SEND_WORD_N];

const char *send_word(const struct send_plan *p, enum send_word w);

/* Printable ASCII and UTF-8 pass; the rest would speak to the terminal. */
void send_write_clean(FILE *to, struct sp_view v);

/* A JSON string of octets that may be no UTF-8. */
json_t *send_json_text(struct sp_view v);

#endif
