/* Base64 in both alphabets, padded (RFC 4648 sections 4 and 5). */
#include "port.h"

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* The input may lie in the room of the output as long as it ends where the output ends: a group of
 * three is read before the four characters in its place are written. */
static void encode(const char *alphabet, const uint8_t *data, size_t length, char *text) {
    uint32_t bits;
    for (; length >= 3; length -= 3, data += 3, text += 4) {
        bits = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
        text[0] = alphabet[bits >> 18];
        text[1] = alphabet[bits >> 12 & 63];
        text[2] = alphabet[bits >> 6 & 63];
        text[3] = alphabet[bits & 63];
    }
    if (length) {
        const int two = length > 1;
        bits = (uint32_t)data[0] << 16 | (two ? (uint32_t)data[1] << 8 : 0);
        text[0] = alphabet[bits >> 18];
        text[1] = alphabet[bits >> 12 & 63];
        text[2] = two ? alphabet[bits >> 6 & 63] : '=';
        text[3] = '=';
    }
}

void ws_base64_encode(const uint8_t *data, size_t length, char *text) {
    encode(ALPHABET "+/", data, length, text);
}

void ws_base64url_encode(const uint8_t *data, size_t length, char *text) {
    encode(ALPHABET "-_", data, length, text);
}

/* The six bits of a character, or 64 for one outside the alphabet. */
static uint32_t value_of(char character, uint32_t plus, uint32_t slash) {
    const uint32_t c = (uint8_t)character;
    if (c - 'A' < 26) {
        return c - 'A';
    }
    if (c - 'a' < 26) {
        return c - 'a' + 26;
    }
    if (c - '0' < 10) {
        return c - '0' + 52;
    }
    return c == plus ? 62 : c == slash ? 63 : 64;
}

static int decode(uint32_t plus, uint32_t slash, const char *text, size_t length, uint8_t *data,
                  size_t *written) {
    size_t padding = 0, whole, i;
    uint32_t a, b, c, d, outside = 0;
    *written = 0;
    if (length % 4) {
        return 0;
    }
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=') {
        padding++;
    }
    whole = length - (padding ? 4 : 0);
    for (i = 0; i < whole; i += 4, data += 3) {
        a = value_of(text[i], plus, slash);
        b = value_of(text[i + 1], plus, slash);
        c = value_of(text[i + 2], plus, slash);
        d = value_of(text[i + 3], plus, slash);
        outside |= a | b | c | d;
        data[0] = (uint8_t)(a << 2 | b >> 4);
        data[1] = (uint8_t)(b << 4 | c >> 2);
        data[2] = (uint8_t)(c << 6 | d);
    }
    if (padding) {
        a = value_of(text[whole], plus, slash);
        b = value_of(text[whole + 1], plus, slash);
        c = padding == 1 ? value_of(text[whole + 2], plus, slash) : 0;
        outside |= a | b | c;
        if (padding == 1 ? c & 3 : b & 15) {
            return 0;
        }
        data[0] = (uint8_t)(a << 2 | b >> 4);
        if (padding == 1) {
            data[1] = (uint8_t)(b << 4 | c >> 2);
        }
    }
    if (outside & 64) {
        return 0;
    }
    *written = length / 4 * 3 - padding;
    return 1;
}

int ws_base64_decode(const char *text, size_t length, uint8_t *data, size_t *written) {
    return decode('+', '/', text, length, data, written);
}

int ws_base64url_decode(const char *text, size_t length, uint8_t *data, size_t *written) {
    return decode('-', '_', text, length, data, written);
}
