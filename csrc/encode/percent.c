/* Hex, percent-encoding (RFC 3986) and the texts that are made of it: forms, canonical queries,
 * paths and headers. */
#include "encode/encode.h"

static const char LOWER[] = "0123456789abcdef";
static const char UPPER[] = "0123456789ABCDEF";

void ws_hex_encode(const uint8_t *data, size_t length, char *text) {
    size_t i;
    for (i = 0; i < length; i++) {
        text[2 * i] = LOWER[data[i] >> 4];
        text[2 * i + 1] = LOWER[data[i] & 15];
    }
}

/* Bits of the character class: 1 unreserved in RFC 3986, 2 white space in ASCII. */
#define U 1
#define S 2
static const uint8_t CLASS[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, S, S, S, S, S, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    S, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, U, U, 0, U, U, U, U, U, U, U, U, U, U, 0, 0, 0, 0, 0, 0,
    0, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, 0, 0, 0, 0, U,
    0, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, 0, 0, 0, U, 0,
};

size_t ws_percent_encode(const uint8_t *data, size_t length, int set, char *text) {
    char *p = text;
    size_t i;
    for (i = 0; i < length; i++) {
        const uint8_t c = data[i];
        if (CLASS[c] == U || (c == '/' && set == WS_SET_PATH)) {
            *p++ = (char)c;
        } else if (c == ' ' && set == WS_SET_FORM) {
            *p++ = '+';
        } else {
            p[0] = '%';
            p[1] = UPPER[c >> 4];
            p[2] = UPPER[c & 15];
            p += 3;
        }
    }
    return (size_t)(p - text);
}

static size_t write_pairs(const ws_field_t *fields, size_t count, int set, char *text) {
    char *p = text;
    size_t i;
    for (i = 0; i < count; i++) {
        if (i) {
            *p++ = '&';
        }
        p += ws_percent_encode(fields[i].name, fields[i].name_length, set, p);
        *p++ = '=';
        p += ws_percent_encode(fields[i].value, fields[i].value_length, set, p);
    }
    return (size_t)(p - text);
}

size_t ws_form_bound(const ws_field_t *fields, size_t count) {
    size_t bound = 0, i;
    for (i = 0; i < count; i++) {
        bound += 3 * (fields[i].name_length + fields[i].value_length) + 2;
    }
    return bound;
}

size_t ws_form_encode(const ws_field_t *fields, size_t count, char *text) {
    return write_pairs(fields, count, WS_SET_FORM, text);
}

/* Compares names in plain byte order. */
static int order(const ws_field_t *a, const ws_field_t *b) {
    const size_t shared = a->name_length < b->name_length ? a->name_length : b->name_length;
    int first;
    if (shared && a->name[0] != b->name[0]) {
        return (int)a->name[0] - (int)b->name[0];
    }
    first = shared ? memcmp(a->name, b->name, shared) : 0;
    return first ? first : a->name_length < b->name_length ? -1 : a->name_length > b->name_length;
}

/* Compares names as they are once percent-encoded: '%' comes before every unreserved character. */
static int encoded_order(const ws_field_t *a, const ws_field_t *b) {
    const size_t shared = a->name_length < b->name_length ? a->name_length : b->name_length;
    size_t i = 0;
    while (i < shared && a->name[i] == b->name[i]) {
        i++;
    }
    if (i == shared) {
        return a->name_length < b->name_length ? -1 : a->name_length > b->name_length;
    }
    if ((CLASS[a->name[i]] == U) == (CLASS[b->name[i]] == U)) {
        return (int)a->name[i] - (int)b->name[i];
    }
    return CLASS[a->name[i]] == U ? 1 : -1;
}

static uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static int lower_order(const ws_field_t *a, const ws_field_t *b) {
    const size_t shared = a->name_length < b->name_length ? a->name_length : b->name_length;
    size_t i;
    for (i = 0; i < shared; i++) {
        const int difference = (int)lower(a->name[i]) - (int)lower(b->name[i]);
        if (difference) {
            return difference;
        }
    }
    return a->name_length < b->name_length ? -1 : a->name_length > b->name_length;
}

/* Shell's sort: an insertion sort for the few fields of a real request, and never quadratic. */
static void sort(ws_field_t *fields, size_t count,
                 int (*compare)(const ws_field_t *, const ws_field_t *)) {
    static const size_t gaps[] = {1391376, 463792, 198768, 86961, 33936, 13776, 4592, 1968,
                                  861,     336,    112,    48,    21,    7,     3,    1};
    size_t step, i, j;
    ws_field_t moved;
    for (step = 0; step < sizeof gaps / sizeof *gaps; step++) {
        const size_t gap = count > 16 ? gaps[step] : 1;
        for (i = gap; i < count; i++) {
            if (compare(&fields[i - gap], &fields[i]) <= 0) {
                continue;
            }
            moved = fields[i];
            for (j = i; j >= gap && compare(&fields[j - gap], &moved) > 0; j -= gap) {
                fields[j] = fields[j - gap];
            }
            fields[j] = moved;
        }
        if (gap == 1) {
            return;
        }
    }
}

void ws_sort_fields(ws_field_t *fields, size_t count) {
    sort(fields, count, order);
}

size_t ws_canonical_query(ws_field_t *params, size_t count, char *text) {
    sort(params, count, encoded_order);
    return write_pairs(params, count, WS_SET_UNRESERVED, text);
}

size_t ws_canonical_path(const uint8_t *path, size_t length, char *text) {
    char *p = text;
    size_t at = 0;
    while (at < length) {
        size_t end = at;
        while (end < length && path[end] != '/') {
            end++;
        }
        if (end - at == 2 && path[at] == '.' && path[at + 1] == '.') {
            while (p > text && *--p != '/') {
            }
        } else if (end > at && !(end - at == 1 && path[at] == '.')) {
            *p++ = '/';
            p += ws_percent_encode(path + at, end - at, WS_SET_UNRESERVED, p);
        }
        at = end + 1;
    }
    if (p == text || (length && path[length - 1] == '/')) {
        *p++ = '/';
    }
    return (size_t)(p - text);
}

int ws_headers_sort(ws_field_t *headers, size_t count) {
    size_t i;
    sort(headers, count, lower_order);
    for (i = 1; i < count; i++) {
        if (!lower_order(&headers[i - 1], &headers[i])) {
            return 0;
        }
    }
    return 1;
}

size_t ws_canonical_headers(const ws_field_t *headers, size_t count, char *text) {
    char *p = text, *value;
    size_t i, j;
    for (i = 0; i < count; i++) {
        for (j = 0; j < headers[i].name_length; j++) {
            *p++ = (char)lower(headers[i].name[j]);
        }
        *p++ = ':';
        value = p;
        for (j = 0; j < headers[i].value_length; j++) {
            const uint8_t c = headers[i].value[j];
            if (CLASS[c] != S) {
                *p++ = (char)c;
            } else if (p > value && p[-1] != ' ') {
                *p++ = ' ';
            }
        }
        if (p > value && p[-1] == ' ') {
            p--;
        }
        *p++ = '\n';
    }
    return (size_t)(p - text);
}

size_t ws_signed_headers(const ws_field_t *headers, size_t count, char *text) {
    char *p = text;
    size_t i, j;
    for (i = 0; i < count; i++) {
        if (i) {
            *p++ = ';';
        }
        for (j = 0; j < headers[i].name_length; j++) {
            *p++ = (char)lower(headers[i].name[j]);
        }
    }
    return (size_t)(p - text);
}
