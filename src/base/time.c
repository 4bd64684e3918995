#include "base/time.h"

#include "base/view.h"

/* Days since 1970-01-01 of a date, with years that start in March. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned yoe = (unsigned)(year - era * 400);
    unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

struct sp_civil sp_civil_of(int64_t wall_ms)
{
    int64_t days = wall_ms / 86400000;
    unsigned ms = (unsigned)(wall_ms % 86400000);
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    unsigned month = mp < 10 ? mp + 3 : mp - 9;
    return (struct sp_civil){
        .year = (int)(era * 400) + (int)yoe + (month <= 2),
        .month = month,
        .day = doy - (153 * mp + 2) / 5 + 1,
        .weekday = (unsigned)((days + 4) % 7),
        .hour = ms / 3600000,
        .minute = ms / 60000 % 60,
        .second = ms / 1000 % 60,
        .ms = ms % 1000,
    };
}

int64_t sp_civil_to_ms(const struct sp_civil *c)
{
    int64_t seconds = days_of(c->year, c->month, c->day) * 86400 + (int64_t)c->hour * 3600 +
                      (int64_t)c->minute * 60 + (int64_t)c->second;
    return seconds * 1000 + (int64_t)c->ms;
}

static void add_clock(struct sp_buf *b, const struct sp_civil *c)
{
    sp_buf_add_dec_pad(b, c->hour, 2);
    sp_buf_add_u8(b, ':');
    sp_buf_add_dec_pad(b, c->minute, 2);
    sp_buf_add_u8(b, ':');
    sp_buf_add_dec_pad(b, c->second, 2);
}

int sp_buf_add_rfc3339(struct sp_buf *b, int64_t wall_ms, bool with_ms)
{
    struct sp_civil c = sp_civil_of(wall_ms);
    sp_buf_add_dec_pad(b, (uint64_t)c.year, 4);
    sp_buf_add_u8(b, '-');
    sp_buf_add_dec_pad(b, c.month, 2);
    sp_buf_add_u8(b, '-');
    sp_buf_add_dec_pad(b, c.day, 2);
    sp_buf_add_u8(b, 'T');
    add_clock(b, &c);
    if (with_ms) {
        sp_buf_add_u8(b, '.');
        sp_buf_add_dec_pad(b, c.ms, 3);
    }
    return sp_buf_add_u8(b, 'Z');
}

int sp_buf_add_rfc5322(struct sp_buf *b, int64_t wall_ms)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct sp_civil c = sp_civil_of(wall_ms);
    sp_buf_add_str(b, days[c.weekday]);
    sp_buf_add_str(b, ", ");
    sp_buf_add_dec(b, c.day);
    sp_buf_add_u8(b, ' ');
    sp_buf_add_str(b, months[c.month - 1]);
    sp_buf_add_u8(b, ' ');
    sp_buf_add_dec_pad(b, (uint64_t)c.year, 4);
    sp_buf_add_u8(b, ' ');
    add_clock(b, &c);
    return sp_buf_add_str(b, " +0000");
}

/* --- reading ------------------------------------------------------------------------------ */

/* n digits at *at, then `behind` unless it is 0. */
static bool take_digits(struct sp_view text, size_t *at, size_t n, uint8_t behind, unsigned *n_out)
{
    *n_out = 0;
    for (; n > 0; n--, ++*at) {
        if (*at >= text.len || !sp_ascii_digit(text.p[*at]))
            return false;
        *n_out = *n_out * 10 + (unsigned)(text.p[*at] - '0');
    }
    if (behind == 0)
        return true;
    return *at < text.len && sp_ascii_upper(text.p[(*at)++]) == behind;
}

/* [ "." 1*DIGIT ], as milliseconds */
static bool take_fraction(struct sp_view text, size_t *at, unsigned *ms_out)
{
    static const unsigned weights[] = {100, 10, 1};
    size_t n = 0;
    *ms_out = 0;
    if (*at >= text.len || text.p[*at] != '.')
        return true;
    for (++*at; *at < text.len && sp_ascii_digit(text.p[*at]); ++*at, n++)
        *ms_out += n < 3 ? weights[n] * (unsigned)(text.p[*at] - '0') : 0;
    return n > 0;
}

/* time-offset = "Z" / ("+" / "-") hour ":" minute ; minutes east of UTC */
static bool take_offset(struct sp_view text, size_t *at, int *minutes_out)
{
    unsigned hour, minute;
    if (*at >= text.len)
        return false;
    uint8_t sign = sp_ascii_upper(text.p[(*at)++]);
    *minutes_out = 0;
    if (sign == 'Z')
        return true;
    if ((sign != '+' && sign != '-') || !take_digits(text, at, 2, ':', &hour) ||
        !take_digits(text, at, 2, 0, &minute) || hour > 23 || minute > 59)
        return false;
    *minutes_out = (sign == '-' ? -1 : 1) * (int)(hour * 60 + minute);
    return true;
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

int sp_rfc3339_parse(struct sp_view text, int64_t *wall_ms_out)
{
    struct sp_civil c = {0};
    unsigned year;
    size_t at = 0;
    int east;
    if (!take_digits(text, &at, 4, '-', &year) || !take_digits(text, &at, 2, '-', &c.month) ||
        !take_digits(text, &at, 2, 'T', &c.day) || !take_digits(text, &at, 2, ':', &c.hour) ||
        !take_digits(text, &at, 2, ':', &c.minute) || !take_digits(text, &at, 2, 0, &c.second) ||
        !take_fraction(text, &at, &c.ms) || !take_offset(text, &at, &east) || at != text.len)
        return SP_ERR_SYNTAX;
    if (year < 1970 || c.month < 1 || c.month > 12 || c.day < 1 || c.day > month_days(year, c.month) ||
        c.hour > 23 || c.minute > 59 || c.second > 60)
        return SP_ERR_RANGE;
    c.year = (int)year;
    bool leap_second = c.second == 60;
    c.second -= leap_second ? 1u : 0u;
    int64_t ms = sp_civil_to_ms(&c) + (leap_second ? 1000 : 0) - (int64_t)east * 60000;
    if (ms < 0)
        return SP_ERR_RANGE;
    *wall_ms_out = ms;
    return SP_OK;
}
