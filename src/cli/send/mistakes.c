#include "cli/send/mistakes.h"

#define OCTETS(s) SP_LIT_INIT(s)

#define A100                                                                                                 \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A1000 A100 A100 A100 A100 A100 A100 A100 A100 A100 A100

/* A transaction up to DATA, and the sentinel behind the message: a verb that nobody knows. */
#define TO_DATA                                                                                              \
    {OCTETS("MAIL FROM:<%F>\r\n"), 1}, {OCTETS("RCPT TO:<%T>\r\n"), 1}, { OCTETS("DATA\r\n"), 1 }

/* clang-format off */
const struct send_mistake send_mistakes[] = {
    {"early-talk", {"EHLO before the greeting", "gửi EHLO trước lời chào"}, "5321 3.1, 4.3.1", SEND_AT_CONNECT,
     {{OCTETS("EHLO %H\r\n"), 1}}, "554|521|421|550", "220|closed", false},
    {"http", {"an HTTP request instead of EHLO", "một yêu cầu HTTP thay cho EHLO"}, "5321 4.2.4", SEND_AT_BANNER,
     {{OCTETS("GET / HTTP/1.1\r\n"), 1}}, "500|502|421|554|521|closed", "", false},
    {"no-ehlo", {"MAIL without EHLO", "MAIL mà không có EHLO"}, "5321 4.1.4", SEND_AT_BANNER,
     {{OCTETS("MAIL FROM:<%F>\r\n"), 1}}, "503|530", "250", false},
    {"ehlo-without-name", {"EHLO without its argument", "EHLO không có tham số"}, "5321 4.1.1.1, 4.3.2", SEND_AT_BANNER,
     {{OCTETS("EHLO\r\n"), 1}}, "501", "500|504|550", false},
    {"rcpt-before-mail", {"RCPT without MAIL", "RCPT trước MAIL"}, "5321 3.3", SEND_AT_READY,
     {{OCTETS("RCPT TO:<%T>\r\n"), 1}}, "503|530", "", false},
    {"data-before-mail", {"DATA without MAIL", "DATA trước MAIL"}, "5321 3.3, 4.1.1.4", SEND_AT_READY,
     {{OCTETS("DATA\r\n"), 1}}, "503|554|530", "", false},
    {"data-before-rcpt", {"DATA without RCPT", "DATA trước RCPT"}, "5321 3.3", SEND_AT_READY,
     {{OCTETS("MAIL FROM:<%F>\r\n"), 1}, {OCTETS("DATA\r\n"), 1}}, "503|554", "", false},
    {"mail-twice", {"MAIL within a transaction", "MAIL lồng trong một giao dịch"}, "5321 4.1.1.2", SEND_AT_READY,
     {{OCTETS("MAIL FROM:<%F>\r\n"), 1}, {OCTETS("MAIL FROM:<%F>\r\n"), 1}}, "503", "", false},
    {"mail-syntax", {"MAIL with an address that is none", "MAIL với một địa chỉ sai cú pháp"}, "5321 4.1.1.2, 4.3.2", SEND_AT_READY,
     {{OCTETS("MAIL FROM: a b c\r\n"), 1}}, "501", "500|503|530|550|553|555", false},
    {"mail-unknown-parameter", {"MAIL with a parameter that nobody offered", "MAIL với tham số không ai cung cấp"}, "5321 4.1.1.11", SEND_AT_READY,
     {{OCTETS("MAIL FROM:<%F> XYZZY=1\r\n"), 1}}, "555", "501|504|530", false},
    {"mail-eight-bit", {"an address in UTF-8 without SMTPUTF8", "địa chỉ UTF-8 mà không có SMTPUTF8"}, "6531 3.4; 5321 2.4", SEND_AT_READY,
     {{OCTETS("MAIL FROM:<th\xc6\xb0@example.org>\r\n"), 1}}, "550|553|501|500|530", "", false},
    {"rcpt-null", {"RCPT TO:<>", "RCPT TO:<>"}, "5321 4.1.1.3", SEND_AT_READY,
     {{OCTETS("MAIL FROM:<%F>\r\n"), 1}, {OCTETS("RCPT TO:<>\r\n"), 1}}, "501|550|553|555", "", false},
    {"data-with-argument", {"DATA with an argument", "DATA có tham số"}, "5321 4.1.1.4, 4.3.2", SEND_AT_READY,
     {{OCTETS("MAIL FROM:<%F>\r\n"), 1}, {OCTETS("RCPT TO:<%T>\r\n"), 1}, {OCTETS("DATA now\r\n"), 1}}, "501", "500|504", false},
    {"rset-with-argument", {"RSET with an argument", "RSET có tham số"}, "5321 4.1.1.5", SEND_AT_READY,
     {{OCTETS("RSET now\r\n"), 1}}, "501", "500|504|250", false},
    {"quit-with-argument", {"QUIT with an argument", "QUIT có tham số"}, "5321 4.1.1.10", SEND_AT_READY,
     {{OCTETS("QUIT now\r\n"), 1}}, "501", "500|504|221", false},
    {"unknown-verb", {"a command that nobody knows", "một lệnh không ai biết"}, "5321 4.2.4", SEND_AT_READY,
     {{OCTETS("XYZZY\r\n"), 1}}, "500", "502", false},
    {"many-errors", {"ten commands that nobody knows", "mười lệnh không ai biết"}, "5321 4.3.2, 7.8", SEND_AT_READY,
     {{OCTETS("XYZZY 1\r\n"), 1}, {OCTETS("XYZZY 2\r\nXYZZY 3\r\n"), 2}, {OCTETS("XYZZY 4\r\nXYZZY 5\r\nXYZZY 6\r\n"), 3},
      {OCTETS("XYZZY 7\r\nXYZZY 8\r\nXYZZY 9\r\nXYZZY 10\r\n"), 4}}, "500|502|421|closed", "5..", false},
    {"long-line", {"a command line of 2,000 octets", "một dòng lệnh dài 2.000 octet"}, "5321 4.5.3.1.4, 4.5.3.1.9", SEND_AT_READY,
     {{OCTETS("NOOP " A1000 A1000 "\r\n"), 1}}, "500|421|closed", "501|554|250", false},
    {"nul", {"a NUL in a command", "một octet NUL trong lệnh"}, "5321 4.1.2, 2.3.8", SEND_AT_READY,
     {{OCTETS("NOOP a\0b\r\n"), 1}}, "5..|421|closed", "250", false},
    {"bare-lf", {"a command line that ends in LF alone", "một dòng lệnh kết thúc chỉ bằng LF"}, "5321 2.3.8", SEND_AT_READY,
     {{OCTETS("NOOP a\nXYZZY\r\n"), 1}}, "5..|421|closed", "", false},
    {"bare-cr", {"a CR alone within a command", "một CR đơn lẻ trong lệnh"}, "5321 2.3.8", SEND_AT_READY,
     {{OCTETS("NOOP a\rXYZZY\r\n"), 1}}, "5..|421|closed", "250", false},
    {"bare-lf-dot", {"LF.LF as the end of a message, and a second message behind it", "kết thúc thư bằng LF.LF, rồi một thư thứ hai phía sau"}, "5321 2.3.8, 4.1.1.4", SEND_AT_READY,
     {TO_DATA, {OCTETS("Subject: bare LF\r\n\r\ntest\n.\nMAIL FROM:<%F>\r\n.\r\nXYZZY\r\n"), 2}}, "500|502|421|closed", "554|521", false},
    {"bare-cr-dot", {"CR.CR as the end of a message, and a second message behind it", "kết thúc thư bằng CR.CR, rồi một thư thứ hai phía sau"}, "5321 2.3.8, 4.1.1.4", SEND_AT_READY,
     {TO_DATA, {OCTETS("Subject: bare CR\r\n\r\ntest\r.\rMAIL FROM:<%F>\r\n.\r\nXYZZY\r\n"), 2}}, "500|502|421|closed", "554|521", false},
    {"mixed-dot", {"LF.CRLF as the end of a message, and a second message behind it", "kết thúc thư bằng LF.CRLF, rồi một thư thứ hai phía sau"}, "5321 2.3.8, 4.1.1.4", SEND_AT_READY,
     {TO_DATA, {OCTETS("Subject: mixed\r\n\r\ntest\n.\r\nMAIL FROM:<%F>\r\n.\r\nXYZZY\r\n"), 2}}, "500|502|421|closed", "554|521", false},
    {"long-text-line", {"a line of 2,000 octets in a message", "một dòng dài 2.000 octet trong thư"}, "5321 4.5.3.1.6", SEND_AT_READY,
     {TO_DATA, {OCTETS("Subject: long\r\n\r\n" A1000 A1000 "\r\n.\r\n"), 1}}, "250|5..", "", false},
    {"pipelined-after-starttls", {"a command behind STARTTLS, in clear", "một lệnh dạng rõ ngay sau STARTTLS"}, "3207 4, 6; CVE-2011-0411", SEND_AT_CLEAR,
     {{OCTETS("STARTTLS\r\nNOOP\r\n"), 1}}, "5..|421|454|closed", "220", true},
    {"starttls-with-argument", {"STARTTLS with an argument", "STARTTLS có tham số"}, "3207 4", SEND_AT_CLEAR,
     {{OCTETS("STARTTLS now\r\n"), 1}}, "501|502|503|500", "554", false},
    {"auth-unknown-mechanism", {"AUTH with a mechanism that nobody knows", "AUTH với cơ chế không ai biết"}, "4954 4, 6", SEND_AT_READY,
     {{OCTETS("AUTH XYZZY\r\n"), 1}}, "504|530|534|538|502|503|500", "535", false},
    {"auth-bad-base64", {"AUTH PLAIN with an answer that is no base64", "AUTH PLAIN với câu trả lời không phải base64"}, "4954 4", SEND_AT_READY,
     {{OCTETS("AUTH PLAIN *=*\r\n"), 1}}, "501|504|530|534|538|502|503|500", "535", false},
    {"bdat-before-rcpt", {"BDAT without MAIL and RCPT", "BDAT trước MAIL và RCPT"}, "3030 2", SEND_AT_READY,
     {{OCTETS("BDAT 6 LAST\r\nNOOP\r\n"), 1}}, "503|502|500", "501|521|530|551|554", true},
    {"bdat-bad-size", {"BDAT with a size that is no number", "BDAT với kích thước không phải số"}, "3030 2", SEND_AT_READY,
     {{OCTETS("BDAT six\r\n"), 1}}, "501|503|502|500", "521|530", true},
    {"half-command", {"half a command, then nothing more: hang up", "nửa lệnh rồi ngắt kết nối"}, "5321 3.8", SEND_AT_READY,
     {{OCTETS("MAIL FROM:<%F"), 0}}, "", "", true},
    {"half-message", {"half a message, then hang up: nothing may be delivered", "nửa bức thư rồi ngắt kết nối: không được giao gì"}, "5321 3.8, 4.1.1.4", SEND_AT_READY,
     {TO_DATA, {OCTETS("Subject: half a message\r\n\r\nThis may never be deliv"), 0}}, "", "", true},
    {.name = NULL},
};
/* clang-format on */
