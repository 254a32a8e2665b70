/* JSON strings of plain text, as Python's json module writes them, and numbers. */
#include "port.h"

size_t ws_json_ascii(const uint8_t *text, size_t length, char *out) {
    static const char HEX[] = "0123456789abcdef", NAMES[] = "btnvfr"; /* of 8 to 13 */
    char *p = out;
    size_t i;
    *p++ = '"';
    for (i = 0; i < length; i++) {
        const uint8_t c = text[i];
        if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
            *p++ = (char)c;
            continue;
        }
        *p++ = '\\';
        if (c == '"' || c == '\\') {
            *p++ = (char)c;
        } else if (c >= 8 && c <= 13 && c != 11) {
            *p++ = NAMES[c - 8];
        } else {
            p[0] = 'u';
            p[1] = '0';
            p[2] = '0';
            p[3] = HEX[c >> 4];
            p[4] = HEX[c & 15];
            p += 5;
        }
    }
    *p++ = '"';
    return (size_t)(p - out);
}

size_t ws_decimal(int64_t number, char *out) {
    char digits[20], *p = out;
    int count = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    if (number < 0) {
        *p++ = '-';
    }
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    while (count) {
        *p++ = digits[--count];
    }
    return (size_t)(p - out);
}
