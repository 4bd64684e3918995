#include "book.h"

#include "base/view.h"

static bool is_in(int code, const int *codes)
{
    for (; *codes; codes++)
        if (*codes == code)
            return true;
    return false;
}

static const struct {
    const char *input;
    const int *codes;
} book[] = {
#define ANSWERS(input, ...) {input, (const int[]){__VA_ARGS__, 0}},
#define ANSWERS_ANY(...)
#define NEVER_530(...)
#include "rfc_codes.def"
#undef ANSWERS
#undef ANSWERS_ANY
#undef NEVER_530
};

static const int any[] = {
#define ANSWERS(...)
#define ANSWERS_ANY(...) __VA_ARGS__, 0
#define NEVER_530(...)
#include "rfc_codes.def"
#undef ANSWERS
#undef ANSWERS_ANY
#undef NEVER_530
};

static const char *const never_530[] = {
#define ANSWERS(...)
#define ANSWERS_ANY(...)
#define NEVER_530(...) __VA_ARGS__
#include "rfc_codes.def"
#undef ANSWERS
#undef ANSWERS_ANY
#undef NEVER_530
};

bool book_allows(const char *input, int code)
{
    if (code == 530)
        for (size_t i = 0; i < sizeof(never_530) / sizeof(never_530[0]); i++)
            if (strcmp(never_530[i], input) == 0)
                return false;
    for (size_t i = 0; i < sizeof(book) / sizeof(book[0]); i++)
        if (strcmp(book[i].input, input) == 0 && is_in(code, book[i].codes))
            return true;
    return is_in(code, any);
}

static size_t line_len(struct sp_view out)
{
    size_t lf = sp_view_find(out, '\n', 0);
    return lf < out.len ? lf + 1 : 0;
}

size_t book_reply_len(struct sp_view out)
{
    for (size_t at = 0;;) {
        struct sp_view rest = sp_view_from(out, at);
        size_t n = line_len(rest);
        if (n == 0)
            return 0;
        at += n;
        if (n < 4 || rest.p[3] != '-')
            return at;
    }
}

int book_code(struct sp_view reply)
{
    uint64_t n;
    return sp_view_u64(sp_view_sub(reply, 0, 3), 999, &n) == SP_OK ? (int)n : 0;
}

struct sp_view book_reason(struct sp_view reply)
{
    size_t open = reply.len;
    while (open > 0 && reply.p[open - 1] != '[')
        open--;
    if (open == 0 || !sp_view_ends(reply, SP_LIT("]\r\n")))
        return (struct sp_view){0};
    return sp_view_sub(reply, open, reply.len - open - 3);
}

static bool is_reason(struct sp_view id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!(id.p[i] >= 'a' && id.p[i] <= 'z') && !sp_ascii_digit(id.p[i]) && id.p[i] != '-')
            return false;
    return id.len > 0;
}

/* class "." subject "." detail, and a space (RFC 2034 3, RFC 3463 2). */
static bool has_enhanced(struct sp_view text, int code)
{
    size_t i = 0;
    for (int part = 0; part < 3; part++) {
        size_t start = i;
        while (i < text.len && sp_ascii_digit(text.p[i]))
            i++;
        if (i == start || i - start > 3 || i == text.len || text.p[i] != (part < 2 ? '.' : ' '))
            return false;
        i++;
    }
    return text.p[0] == '0' + code / 100;
}

/* No enhanced code: greeting (XCLIENT brings a new one), 334, 354, and all that answers EHLO, HELO and LHLO
 * (RFC 2034 4). */
static bool wants_enhanced(const char *input, int code)
{
    return code / 100 != 3 && strcmp(input, "connect") != 0 && strcmp(input, "EHLO") != 0 &&
           strcmp(input, "HELO") != 0 && strcmp(input, "LHLO") != 0 &&
           !(strcmp(input, "XCLIENT") == 0 && code == 220);
}

static const char *line_fault(const char *input, struct sp_view line, int code)
{
    size_t max = code == 334 ? 12288 : 512;
    if (line.len > max)
        return "a line is over 512 octets (334: 12,288)";
    if (!sp_view_ends(line, SP_LIT("\r\n")) || line.len < 6 || book_code(line) != code)
        return "a line is not CODE, space or hyphen, text, CRLF, with one code in all lines";
    if (line.p[3] != ' ' && line.p[3] != '-')
        return "no space or hyphen behind the code";
    for (size_t i = 0; i < line.len - 2; i++)
        if (line.p[i] < 32 || line.p[i] > 126)
            return "an octet is not printable ASCII";
    bool enhanced = has_enhanced(sp_view_from(line, 4), code);
    /* 421 answers no command, and 500 a line that is not yet one */
    bool either = code == 421 || (code == 500 && !wants_enhanced(input, code));
    if (!either && enhanced != wants_enhanced(input, code))
        return "an enhanced code where none belongs, or none where one does";
    return NULL;
}

const char *book_fault(const char *input, struct sp_view reply)
{
    int code = book_code(reply);
    if (code < 200 || code > 599)
        return "no code";
    if (!book_allows(input, code))
        return "a code that the law book does not allow for this input";
    for (size_t at = 0; at < reply.len;) {
        size_t n = line_len(sp_view_from(reply, at));
        const char *fault = line_fault(input, sp_view_sub(reply, at, n), code);
        if (fault)
            return fault;
        at += n;
    }
    if ((code >= 400) != is_reason(book_reason(reply)))
        return "a refusal without a reason id, or a reason id without a refusal";
    return NULL;
}
