/* SHA-1 compression for any CPU. */
#include "cpu/kernels.h"

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define CHOOSE(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define PARITY(b, c, d) ((b) ^ (c) ^ (d))
#define MAJORITY(b, c, d) (((b) & (c)) | ((d) & ((b) | (c))))

#define LOAD(t) (w[t] = ws_load32be(data + 4 * (t)))
#define EXPAND(t)                                                                              \
    (w[(t)&15] = ROTATE(w[((t) + 13) & 15] ^ w[((t) + 8) & 15] ^ w[((t) + 2) & 15] ^ w[(t)&15], 1))

#define ROUND(a, b, c, d, e, f, k, word)                \
    e += ROTATE(a, 5) + f(b, c, d) + (uint32_t)(k) + (word); \
    b = ROTATE(b, 30);

/* Five rounds bring the five variables back to their places. */
#define FIVE(f, k, word, t)                    \
    ROUND(a, b, c, d, e, f, k, word(t))        \
    ROUND(e, a, b, c, d, f, k, word((t) + 1))  \
    ROUND(d, e, a, b, c, f, k, word((t) + 2))  \
    ROUND(c, d, e, a, b, f, k, word((t) + 3))  \
    ROUND(b, c, d, e, a, f, k, word((t) + 4))

void ws_sha1_portable(uint32_t *state, const uint8_t *data, size_t count) {
    uint32_t a, b, c, d, e, w[16];
    for (; count; count--, data += WS_SHA_BLOCK) {
        a = state[0];
        b = state[1];
        c = state[2];
        d = state[3];
        e = state[4];
        FIVE(CHOOSE, 0x5a827999, LOAD, 0)
        FIVE(CHOOSE, 0x5a827999, LOAD, 5)
        FIVE(CHOOSE, 0x5a827999, LOAD, 10)
        ROUND(a, b, c, d, e, CHOOSE, 0x5a827999, LOAD(15))
        ROUND(e, a, b, c, d, CHOOSE, 0x5a827999, EXPAND(16))
        ROUND(d, e, a, b, c, CHOOSE, 0x5a827999, EXPAND(17))
        ROUND(c, d, e, a, b, CHOOSE, 0x5a827999, EXPAND(18))
        ROUND(b, c, d, e, a, CHOOSE, 0x5a827999, EXPAND(19))
        FIVE(PARITY, 0x6ed9eba1, EXPAND, 20)
        FIVE(PARITY, 0x6ed9eba1, EXPAND, 25)
        FIVE(PARITY, 0x6ed9eba1, EXPAND, 30)
        FIVE(PARITY, 0x6ed9eba1, EXPAND, 35)
        FIVE(MAJORITY, 0x8f1bbcdc, EXPAND, 40)
        FIVE(MAJORITY, 0x8f1bbcdc, EXPAND, 45)
        FIVE(MAJORITY, 0x8f1bbcdc, EXPAND, 50)
        FIVE(MAJORITY, 0x8f1bbcdc, EXPAND, 55)
        FIVE(PARITY, 0xca62c1d6, EXPAND, 60)
        FIVE(PARITY, 0xca62c1d6, EXPAND, 65)
        FIVE(PARITY, 0xca62c1d6, EXPAND, 70)
        FIVE(PARITY, 0xca62c1d6, EXPAND, 75)
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
    }
}
