/*
 * Dates and times of the matching language: PS3.5 6.2 (DA, TM, DT) as text that compares in order, and
 * dates relative to today.
 */
#include "dicom/match_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool digits(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

static int number(const char *text, size_t length)
{
    int value = 0;

    while (length--)
        value = value * 10 + *text++ - '0';
    return value;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* YYYY, YYYYMM or YYYYMMDD, filled up to eight digits. */
static bool date_key(const char *text, size_t length, bool last, char key[9])
{
    int year, month, day;

    if ((length != 4 && length != 6 && length != 8) || !digits(text, length))
        return false;
    year = number(text, 4);
    month = length >= 6 ? number(text + 4, 2) : last ? 12 : 1;
    if (month < 1 || month > 12)
        return false;
    day = length == 8 ? number(text + 6, 2) : last ? days_in(year, month) : 1;
    if (day < 1 || day > days_in(year, month))
        return false;
    memcpy(key, text, 4);
    key[4] = (char)('0' + month / 10);
    key[5] = (char)('0' + month % 10);
    key[6] = (char)('0' + day / 10);
    key[7] = (char)('0' + day % 10);
    key[8] = '\0';
    return true;
}

/* HH, HHMM, HHMMSS, HHMMSS.F to .FFFFFF; HH:MM:SS as ACR-NEMA wrote it. */
static bool clock_key(const char *text, size_t length, bool last, char key[14])
{
    static const int limit[] = {23, 59, 60}; /* 60: a leap second */
    char plain[16];
    size_t n = 0, fraction;

    for (size_t i = 0; i < length && n < sizeof plain; i++)
        if (text[i] != ':' || i == 0 || i + 1 == length)
            plain[n++] = text[i];
    fraction = n > 6 ? n - 7 : 0;
    if (n != 2 && n != 4 && n != 6 && (n < 8 || n > 13 || plain[6] != '.'))
        return false;
    if (!digits(plain, n < 6 ? n : 6) || !digits(plain + 7, fraction))
        return false;
    memcpy(key, last ? "235959.999999" : "000000.000000", 14);
    for (size_t i = 0; i < 3 && i * 2 < n; i++) {
        if (number(plain + i * 2, 2) > limit[i])
            return false;
        memcpy(key + i * 2, plain + i * 2, 2);
    }
    memcpy(key + 7, plain + 7, fraction);
    return true;
}

/* The offset at the end of a DT, "+0100", in seconds; its length, or 0. */
static size_t zone_of(const char *text, size_t length, long *seconds)
{
    const char *sign;
    int hours;

    if (length < 9)
        return 0;
    sign = text + length - 5;
    if ((*sign != '+' && *sign != '-') || !digits(sign + 1, 4))
        return 0;
    hours = number(sign + 1, 2);
    if (hours > 14 || number(sign + 3, 2) > 59)
        return 0;
    *seconds = (hours * 3600L + number(sign + 3, 2) * 60L) * (*sign == '-' ? -1 : 1);
    return 5;
}

/* From the clock of the zone to local time, in place. */
static void to_local(char key[24], long zone)
{
    struct tm fields = {
        .tm_year = number(key, 4) - 1900,
        .tm_mon = number(key + 4, 2) - 1,
        .tm_mday = number(key + 6, 2),
        .tm_hour = number(key + 8, 2),
        .tm_min = number(key + 10, 2),
        .tm_sec = number(key + 12, 2),
    };
    time_t moment = timegm(&fields) - zone;
    char text[32];

    if (localtime_r(&moment, &fields) && strftime(text, sizeof text, "%Y%m%d%H%M%S", &fields) == 14)
        memcpy(key, text, 14);
}

static bool moment_key(const char *text, size_t length, bool last, char key[24])
{
    long zone = 0;
    size_t zone_length = zone_of(text, length, &zone);
    size_t date;

    length -= zone_length;
    date = length < 8 ? length : 8;
    if (!date_key(text, date, last, key))
        return false;
    if (length > 8) {
        if (!clock_key(text + 8, length - 8, last, key + 8))
            return false;
    } else {
        memcpy(key + 8, last ? "235959.999999" : "000000.000000", 14);
    }
    if (zone_length)
        to_local(key, zone);
    return true;
}

bool time_key(vr_t vr, const char *text, size_t length, bool last, bool lenient, char key[24])
{
    char plain[9];

    while (length && text[length - 1] == ' ')
        length--;
    while (length && *text == ' ')
        text++, length--;
    if (vr == VR_TM)
        return clock_key(text, length, last, key);
    /* 2024.01.31 and 2024-01-31 */
    if (length == 10 && (text[4] == '.' || text[4] == '-') && text[7] == text[4]) {
        memcpy(plain, text, 4);
        memcpy(plain + 4, text + 5, 2);
        memcpy(plain + 6, text + 8, 2);
        text = plain;
        length = 8;
    }
    if (vr == VR_DT)
        return moment_key(text, length, last, key);
    return (lenient || length == 8) && date_key(text, length, last, key);
}

/* A '-' that begins a time zone, or stands within 2024-01-31, separates nothing. */
const char *time_dash(vr_t vr, const char *text, size_t length)
{
    const char *end = text + length;

    if (vr != VR_TM && length >= 10 && digits(text, 4) && text[4] == '-' && digits(text + 5, 2) &&
        text[7] == '-' && digits(text + 8, 2) && (length == 10 || text[10] == '-'))
        return length == 10 ? NULL : text + 10;
    for (const char *at = text; at < end; at++) {
        long zone;

        if (*at != '-')
            continue;
        if (vr == VR_DT && end - at >= 5 && (end - at == 5 || at[5] == '-') &&
            zone_of(text, (size_t)(at + 5 - text), &zone) && digits(text, 4) && at - text >= 8 &&
            number(at + 1, 4) <= 1400)
            continue;
        return at;
    }
    return NULL;
}

bool relative_date(const char *text, size_t length, char date[9])
{
    time_t now = time(NULL);
    struct tm day;
    size_t count = length ? length - 1 : 0;
    int amount, months, last;

    if (!localtime_r(&now, &day))
        return false;
    day.tm_hour = 12; /* clear of summer time's hour */
    if (length == 5 && memcmp(text, "today", 5) == 0) {
        /* as it is */
    } else if (length == 9 && memcmp(text, "yesterday", 9) == 0) {
        day.tm_mday--;
    } else if (count && count <= 6 && digits(text, count)) {
        amount = number(text, count);
        switch (text[count]) {
        case 'd':
            day.tm_mday -= amount;
            break;
        case 'w':
            day.tm_mday -= amount * 7;
            break;
        case 'm':
        case 'y':
            if (amount > 12000)
                return false;
            months = (day.tm_year + 1900) * 12 + day.tm_mon;
            months -= text[count] == 'y' ? amount * 12 : amount;
            if (months < 12)
                return false;
            day.tm_year = months / 12 - 1900;
            day.tm_mon = months % 12;
            /* One month before 31 March is the last day of February. */
            last = days_in(months / 12, day.tm_mon + 1);
            if (day.tm_mday > last)
                day.tm_mday = last;
            break;
        default:
            return false;
        }
    } else {
        return false;
    }
    day.tm_isdst = -1;
    if (mktime(&day) == (time_t)-1 || day.tm_year < -1899)
        return false;
    return strftime(date, 9, "%Y%m%d", &day) == 8;
}
