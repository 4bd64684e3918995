/* Why something waits, in words: the rules of `sallyport queue why`, and what stands beside them. */
#ifndef CLI_QUEUE_RULES_H
#define CLI_QUEUE_RULES_H

#include "ipc/ipc.h"
#include "reference/reference.h"

#include <stdio.h>

/* NAME of IPC_QUEUE_RULES, why it waits (English, Vietnamese), what changes that (the same; empty: nothing). */
#define QUEUE_RULES(X)                                                                                       \
    X(DONE, "it is finished", "đã xong", "", "")                                                             \
    X(ATTEMPT, "an attempt is under way", "đang được gửi", "its end", "lần gửi này kết thúc")                \
    X(NEXT, "it is due, and nothing is in its way", "đã tới lượt, không gì cản trở",                         \
      "it is tried in a moment", "sẽ được gửi ngay")                                                         \
    X(HELD, "it is held until somebody decides", "được giữ lại cho tới khi có người quyết định",             \
      "queue release, queue remove", "queue release, queue remove")                                          \
    X(UNRETURNED,                                                                                            \
      "it was refused, and its sender, who may be forged, is not told; it goes when its time is over",       \
      "bị từ chối, và không báo cho người gửi vì địa chỉ có thể bị giả mạo; hết hạn thì bị bỏ",              \
      "queue bounce, queue release, queue remove", "queue bounce, queue release, queue remove")              \
    X(SENDER, "its sender wants it sent later (FUTURERELEASE)", "người gửi muốn gửi sau (FUTURERELEASE)",    \
      "that time, or queue retry", "tới lúc đó, hoặc queue retry")                                           \
    X(TIME, "the last attempt failed, and it has a pause before the next",                                   \
      "lần gửi trước không thành, đang nghỉ trước lần sau", "that time, or queue retry",                     \
      "tới lúc đó, hoặc queue retry")                                                                        \
    X(DNS, "the DNS gave no usable answer at the last attempt",                                              \
      "lần gửi trước DNS không cho câu trả lời dùng được",                                                   \
      "an answer: check the domain's name servers and this server's resolver; then that time, or queue "     \
      "retry",                                                                                               \
      "có câu trả lời: hãy kiểm tra name server của tên miền và resolver của server này; rồi tới lúc đó, "   \
      "hoặc queue retry")                                                                                    \
    X(TLS, "the TLS that its destination's policy asks for was not to be had at the last attempt",           \
      "lần gửi trước không có được TLS mà chính sách của nơi nhận đòi hỏi",                                  \
      "a certificate or a policy that fits; then that time, or queue retry",                                 \
      "chứng chỉ hoặc chính sách phù hợp; rồi tới lúc đó, hoặc queue retry")                                 \
    X(SUSPENDED, "its destination is suspended by an operator", "nơi nhận đang bị người vận hành tạm ngưng", \
      "queue resume", "queue resume")                                                                        \
    X(BACK_OFF, "its destination was in trouble, and nothing is sent there for a while",                     \
      "nơi nhận gặp trục trặc, tạm thời không gửi gì tới đó",                                                \
      "that time, or queue retry; one message then finds out for all",                                       \
      "tới lúc đó, hoặc queue retry; khi ấy một thư đi thử cho tất cả")                                      \
    X(CONCURRENCY, "as many attempts as its destination may have are under way",                             \
      "số lần gửi cùng lúc tới nơi nhận đã đủ mức cho phép",                                                 \
      "the end of one of them; the number grows with success",                                               \
      "một trong các lần đó kết thúc; mức cho phép tăng theo thành công")                                    \
    X(RATE, "its destination has got its number of messages for now", "nơi nhận tạm thời đã nhận đủ số thư", \
      "that time; the key rate of its route", "tới lúc đó; khóa rate của route")                             \
    X(SHARE, "others to the same destination are before it", "thư khác tới cùng nơi nhận đứng trước",        \
      "their end", "các thư đó xong")                                                                        \
    X(TOTAL, "as many attempts as the queue makes at once are under way",                                    \
      "số lần gửi cùng lúc của hàng đợi đã đủ mức", "the end of one of them; the key attempts of queue",     \
      "một trong các lần đó kết thúc; khóa attempts của queue")                                              \
    X(PROCESS, "no delivery process takes it at the moment", "hiện không tiến trình gửi nào nhận thư này",   \
      "the server's log has the reason", "nhật ký của server ghi lý do")                                     \
    X(ROUTE, "its route is no longer in the configuration", "route của thư không còn trong cấu hình",        \
      "add the route again, or queue redirect", "thêm lại route, hoặc queue redirect")                       \
    X(STOPPED, "no server is running in this folder", "không server nào đang chạy trong thư mục này",        \
      "start it", "khởi động server")

/* What stands beside a rule. NAME, English, Vietnamese. */
#define QUEUE_WORDS(X)                                                                                       \
    X(UNTIL, "until", "tới")                                                                                 \
    X(NOW, "now", "bây giờ")                                                                                 \
    X(IN, "in", "còn")                                                                                       \
    X(SECONDS, "s", "giây")                                                                                  \
    X(MINUTES, "min", "phút")                                                                                \
    X(HOURS, "h", "giờ")                                                                                     \
    X(CHANGES, "what changes it", "điều gì thay đổi")                                                        \
    X(LAST_ATTEMPT, "last attempt", "lần gửi cuối")                                                          \
    X(SO_FAR, "so far", "lần cho tới nay")                                                                   \
    X(SAID, "said", "nói")                                                                                   \
    X(MEANS, "it means", "nghĩa là")                                                                         \
    X(THEREFORE, "therefore", "vì vậy")                                                                      \
    X(DESTINATION, "destination", "nơi nhận")                                                                \
    X(SERVERS, "servers", "các server")                                                                      \
    X(UNDER_WAY, "under way", "đang gửi")                                                                    \
    X(CONNECTION, "connection allowed", "kết nối được phép")                                                 \
    X(CONNECTIONS, "connections allowed", "kết nối được phép")                                               \
    X(TROUBLE, "trouble in a row", "trục trặc liên tiếp")                                                    \
    X(TROUBLES, "troubles in a row", "trục trặc liên tiếp")                                                  \
    X(LAST_TOOK, "last took mail", "lần cuối nhận thư")                                                      \
    X(IT_SAID, "it said", "đã nói")                                                                          \
    X(SLOWED_BY, "slowed by", "chậm lại vì")                                                                 \
    X(TALK_OWN, "the last conversation, with this message, ended",                                           \
      "cuộc hội thoại gần nhất, với thư này, kết thúc lúc")                                                  \
    X(TALK_OTHER, "the last conversation, with another message, ended",                                      \
      "cuộc hội thoại gần nhất, với thư khác, kết thúc lúc")                                                 \
    X(AS_ABOVE, "as above", "như trên")

#define X(n, ...) QUEUE_WORD_##n,
enum queue_word { QUEUE_WORDS(X) QUEUE_WORD_N };
#undef X

const char *queue_word(enum queue_word w, enum reference_lang lang);
/* "back-off": the same in all languages. */
const char *queue_rule_word(enum ipc_queue_rule rule);
const char *queue_rule_because(enum ipc_queue_rule rule, enum reference_lang lang);
/* "": nothing changes it. */
const char *queue_rule_change(enum ipc_queue_rule rule, enum reference_lang lang);

/* "in 3 min", for a time to come; rounded to what people say. */
void queue_print_in(uint64_t ms, enum reference_lang lang, FILE *to);
/* The first column of a line below a rule. */
void queue_print_label(enum queue_word w, enum reference_lang lang, FILE *to);

#endif
