/* SHA-256 compression for any CPU. */
#include "cpu/kernels.h"

const WS_ALIGN(16) uint32_t ws_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define SUM0(x) (ROTATE(x, 2) ^ ROTATE(x, 13) ^ ROTATE(x, 22))
#define SUM1(x) (ROTATE(x, 6) ^ ROTATE(x, 11) ^ ROTATE(x, 25))
#define SIGMA0(x) (ROTATE(x, 7) ^ ROTATE(x, 18) ^ (x) >> 3)
#define SIGMA1(x) (ROTATE(x, 17) ^ ROTATE(x, 19) ^ (x) >> 10)

#define LOAD(t) (w[t] = ws_load32be(data + 4 * (t)))
#define EXPAND(t)                                              \
    (w[t] += SIGMA0(w[((t) + 1) & 15]) + w[((t) + 9) & 15] +   \
             SIGMA1(w[((t) + 14) & 15]))

#define ROUND(a, b, c, d, e, f, g, h, word, t)                                      \
    h += SUM1(e) + ((g) ^ ((e) & ((f) ^ (g)))) + ws_sha256_constants[i + (t)] + word(t);      \
    d += h;                                                                         \
    h += SUM0(a) + (((a) & (b)) | ((c) & ((a) | (b))));

/* Eight rounds bring the eight variables back to their places. */
#define EIGHT(word, t)                                  \
    ROUND(a, b, c, d, e, f, g, h, word, t)              \
    ROUND(h, a, b, c, d, e, f, g, word, (t) + 1)        \
    ROUND(g, h, a, b, c, d, e, f, word, (t) + 2)        \
    ROUND(f, g, h, a, b, c, d, e, word, (t) + 3)        \
    ROUND(e, f, g, h, a, b, c, d, word, (t) + 4)        \
    ROUND(d, e, f, g, h, a, b, c, word, (t) + 5)        \
    ROUND(c, d, e, f, g, h, a, b, word, (t) + 6)        \
    ROUND(b, c, d, e, f, g, h, a, word, (t) + 7)

void ws_sha256_portable(uint32_t *state, const uint8_t *data, size_t count) {
    uint32_t a, b, c, d, e, f, g, h, w[16];
    int i;
    for (; count; count--, data += WS_SHA_BLOCK) {
        a = state[0];
        b = state[1];
        c = state[2];
        d = state[3];
        e = state[4];
        f = state[5];
        g = state[6];
        h = state[7];
        i = 0;
        EIGHT(LOAD, 0)
        EIGHT(LOAD, 8)
        for (i = 16; i < 64; i += 16) {
            EIGHT(EXPAND, 0)
            EIGHT(EXPAND, 8)
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}
