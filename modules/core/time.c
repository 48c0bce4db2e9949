/* SPDX-License-Identifier: Apache-2.0 */
#include "ehealth/codec.h"

#include <apr_strings.h>

#define US APR_INT64_C(1000000)
#define DAY_S APR_INT64_C(86400)

/*
 * Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back. Not gmtime/timegm: those are neither
 * uniform over platforms before 1970 nor strict about what they take.
 */
static apr_int64_t days_from_civil(int y, int m, int d)
{
    apr_int64_t era, yoe, doy, doe;

    if (m <= 2) y--;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int *y, int *m, int *d, apr_int64_t days)
{
    apr_int64_t era, doe, yoe, doy, mp;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = days - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = (int)(yoe + era * 400 + (*m <= 2));
}

static char *format(apr_pool_t *p, apr_time_t t, int with_us)
{
    apr_int64_t us = t % US, s = t / US, sod, days;
    int y, m, d;

    if (us < 0) us += US, s--;
    sod = s % DAY_S;
    days = s / DAY_S;
    if (sod < 0) sod += DAY_S, days--;
    civil_from_days(&y, &m, &d, days);
    if (with_us) {
        return apr_psprintf(p, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", y, m, d, (int)(sod / 3600), (int)(sod / 60 % 60),
                            (int)(sod % 60), (int)us);
    }
    return apr_psprintf(p, "%04d-%02d-%02dT%02d:%02d:%02dZ", y, m, d, (int)(sod / 3600), (int)(sod / 60 % 60),
                        (int)(sod % 60));
}

char *eh_time_rfc3339(apr_pool_t *p, apr_time_t t) { return format(p, t, 0); }

char *eh_time_rfc3339_us(apr_pool_t *p, apr_time_t t) { return format(p, t, 1); }

/** Exactly n digits, then the character next (0: any); moves *s behind both. */
static int digits(int *out, const char **s, int n, char next)
{
    int i;

    *out = 0;
    for (i = 0; i < n; i++) {
        if ((*s)[i] < '0' || (*s)[i] > '9') return 0;
        *out = *out * 10 + ((*s)[i] - '0');
    }
    *s += n;
    if (!next) return 1;
    return *(*s)++ == next;
}

static int days_in_month(int y, int m)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[m - 1] + (m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
}

/** ".123456789" at *s, when there: microseconds, what is finer is cut off. */
static int fraction(apr_int64_t *us, const char **s)
{
    apr_int64_t unit = US / 10;
    int n = 0;

    *us = 0;
    if (**s != '.') return 1;
    for ((*s)++; **s >= '0' && **s <= '9' && n < 9; (*s)++, n++) {
        *us += (**s - '0') * unit;
        unit /= 10;
    }
    return n > 0;
}

/** "Z" or "±hh:mm", and the end of the text. */
static int offset(int *minutes, const char *s)
{
    int sign, h, m;

    *minutes = 0;
    if (s[0] == 'Z') return s[1] == '\0';
    if (s[0] != '+' && s[0] != '-') return 0;
    sign = *s++ == '-' ? -1 : 1;
    if (!digits(&h, &s, 2, ':') || !digits(&m, &s, 2, '\0') || h > 23 || m > 59 || *s) return 0;
    *minutes = sign * (h * 60 + m);
    return 1;
}

apr_status_t eh_time_parse(apr_time_t *pt, const char *s)
{
    int y, mo, d, h, mi, sec, off;
    apr_int64_t us;

    if (!digits(&y, &s, 4, '-') || !digits(&mo, &s, 2, '-') || !digits(&d, &s, 2, 'T') || !digits(&h, &s, 2, ':') ||
        !digits(&mi, &s, 2, ':') || !digits(&sec, &s, 2, '\0') || !fraction(&us, &s) || !offset(&off, s))
        return APR_EINVAL;
    if (mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo) || h > 23 || mi > 59 || sec > 59) return APR_EINVAL;
    *pt = ((days_from_civil(y, mo, d) * DAY_S + h * 3600 + mi * 60 + sec) - off * 60) * US + us;
    return APR_SUCCESS;
}
