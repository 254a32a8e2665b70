/* SHA-1 of 16 streams side by side with AVX-512, and of two such groups in turn. */
#include "cpu/kernels.h"

#if WS_X86

#include <immintrin.h>

#include "digest/sha1_vector.h"

WS_TARGET_BEGIN("avx512f,avx512bw")

typedef __m512i vector_t;

#define PREFETCH 256 /* bytes ahead in each stream */

#define ADD(x, y) _mm512_add_epi32(x, y)
#define XOR(x, y) _mm512_xor_si512(x, y)
#define XOR3(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define ROTATE(x, n) _mm512_rol_epi32(x, n)
#define CHOOSE(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xca)
#define MAJORITY(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xe8)
#define SPLAT(number) k = _mm512_set1_epi32((int)(number));

/* Rows are streams, then words: a 16 x 16 transposition in steps of 32, 64 and 128 bits. */
#define ROW(i)                                                                               \
    r[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(data[i] + offset), big_endian);            \
    _mm_prefetch((const char *)((uintptr_t)data[i] + offset + PREFETCH), _MM_HINT_T0);
#define PAIR(i)                                        \
    s[i] = _mm512_unpacklo_epi32(r[i], r[(i) + 1]);    \
    s[(i) + 1] = _mm512_unpackhi_epi32(r[i], r[(i) + 1]);
#define QUAD(i)                                                      \
    r[i] = _mm512_unpacklo_epi64(s[i], s[(i) + 2]);                  \
    r[(i) + 1] = _mm512_unpackhi_epi64(s[i], s[(i) + 2]);            \
    r[(i) + 2] = _mm512_unpacklo_epi64(s[(i) + 1], s[(i) + 3]);      \
    r[(i) + 3] = _mm512_unpackhi_epi64(s[(i) + 1], s[(i) + 3]);
#define COLUMN(i)                                                    \
    s[0] = _mm512_shuffle_i32x4(r[i], r[4 + (i)], 0x44);             \
    s[1] = _mm512_shuffle_i32x4(r[i], r[4 + (i)], 0xee);             \
    s[2] = _mm512_shuffle_i32x4(r[8 + (i)], r[12 + (i)], 0x44);      \
    s[3] = _mm512_shuffle_i32x4(r[8 + (i)], r[12 + (i)], 0xee);      \
    w[(i) * step] = _mm512_shuffle_i32x4(s[0], s[2], 0x88);          \
    w[(4 + (i)) * step] = _mm512_shuffle_i32x4(s[0], s[2], 0xdd);    \
    w[(8 + (i)) * step] = _mm512_shuffle_i32x4(s[1], s[3], 0x88);    \
    w[(12 + (i)) * step] = _mm512_shuffle_i32x4(s[1], s[3], 0xdd);

WS_INLINE void load(vector_t *w, size_t step, const uint8_t *const *data, size_t offset) {
    const vector_t big_endian = _mm512_broadcast_i32x4(
        _mm_set_epi64x((int64_t)0x0c0d0e0f08090a0b, (int64_t)0x0405060700010203));
    vector_t r[16], s[16];
    ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7)
    ROW(8) ROW(9) ROW(10) ROW(11) ROW(12) ROW(13) ROW(14) ROW(15)
    PAIR(0) PAIR(2) PAIR(4) PAIR(6) PAIR(8) PAIR(10) PAIR(12) PAIR(14)
    QUAD(0) QUAD(4) QUAD(8) QUAD(12)
    COLUMN(0) COLUMN(1) COLUMN(2) COLUMN(3)
}

#define STATE(i) (states + (i) * WS_LANES)

void ws_sha1_avx512_x16(uint32_t *states, const uint8_t *const *data, size_t count) {
    vector_t a = _mm512_loadu_si512(STATE(0)), b = _mm512_loadu_si512(STATE(1));
    vector_t c = _mm512_loadu_si512(STATE(2)), d = _mm512_loadu_si512(STATE(3));
    vector_t e = _mm512_loadu_si512(STATE(4)), before[5], w[16], k;
    size_t offset;
    for (offset = 0; offset < count * WS_SHA_BLOCK; offset += WS_SHA_BLOCK) {
        load(w, 1, data, offset);
        before[0] = a;
        before[1] = b;
        before[2] = c;
        before[3] = d;
        before[4] = e;
        EIGHTY
        a = ADD(a, before[0]);
        b = ADD(b, before[1]);
        c = ADD(c, before[2]);
        d = ADD(d, before[3]);
        e = ADD(e, before[4]);
    }
    _mm512_storeu_si512(STATE(0), a);
    _mm512_storeu_si512(STATE(1), b);
    _mm512_storeu_si512(STATE(2), c);
    _mm512_storeu_si512(STATE(3), d);
    _mm512_storeu_si512(STATE(4), e);
}

/* Two groups S hide each other's latency. Their rounds are looped over in fives, with all 80 words
 * in memory and the last three, x##S y##S z##S, in registers: unrolled, they are slower on Zen 5. */
#undef ROUND
#undef GIVEN
#undef EXPANDED
#undef FIVE
#undef TWENTY

#define BOTH(M, ...) M(0, __VA_ARGS__) M(1, __VA_ARGS__)

#define ROUND(S, a, b, c, d, e, function, word)                               \
    e##S = ADD(ADD(e##S, ADD(word, k)), function(b##S, c##S, d##S));          \
    WS_OPAQUE(e##S);                                                          \
    e##S = ADD(e##S, ROTATE(a##S, 5));                                        \
    b##S = ROTATE(b##S, 30);

#define GIVEN(S, a, b, c, d, e, function, t) ROUND(S, a, b, c, d, e, function, w[t][S])

/* Word t - 3, in the register `third`, becomes word t. */
#define EXPANDED(S, a, b, c, d, e, function, t, third)                                         \
    third##S = ROTATE(XOR(XOR3(third##S, w[(t)-8][S], w[(t)-14][S]), w[(t)-16][S]), 1);        \
    w[t][S] = third##S;                                                                        \
    ROUND(S, a, b, c, d, e, function, third##S)

#define TURN(S, first, second, third) \
    swap = first##S;                  \
    first##S = second##S;             \
    second##S = third##S;             \
    third##S = swap;

#define TWENTY(number, function, begin)                           \
    SPLAT(number)                                                 \
    for (t = (begin); t < (begin) + 20; t += 5) {                 \
        WS_FENCE();                                               \
        BOTH(EXPANDED, a, b, c, d, e, function, t, x)             \
        BOTH(EXPANDED, e, a, b, c, d, function, t + 1, y)         \
        BOTH(EXPANDED, d, e, a, b, c, function, t + 2, z)         \
        BOTH(EXPANDED, c, d, e, a, b, function, t + 3, x)         \
        BOTH(EXPANDED, b, c, d, e, a, function, t + 4, y)         \
        BOTH(TURN, x, z, y)                                       \
    }

#define BEGIN(S, ...)           \
    a##S = states_of[0][S];     \
    b##S = states_of[1][S];     \
    c##S = states_of[2][S];     \
    d##S = states_of[3][S];     \
    e##S = states_of[4][S];

#define LAST_WORDS(S, ...) \
    x##S = w[13][S];       \
    y##S = w[14][S];       \
    z##S = w[15][S];

#define END(S, ...)                                \
    states_of[0][S] = ADD(states_of[0][S], a##S);  \
    states_of[1][S] = ADD(states_of[1][S], b##S);  \
    states_of[2][S] = ADD(states_of[2][S], c##S);  \
    states_of[3][S] = ADD(states_of[3][S], d##S);  \
    states_of[4][S] = ADD(states_of[4][S], e##S);

void ws_sha1_avx512_2x16(uint32_t *states, const uint8_t *const *data, size_t count) {
    vector_t w[80][2], states_of[5][2], k, swap;
    vector_t a0, b0, c0, d0, e0, x0, y0, z0, a1, b1, c1, d1, e1, x1, y1, z1;
    size_t offset;
    int i, t;
    for (i = 0; i < 5; i++) {
        states_of[i][0] = _mm512_loadu_si512(STATE(i));
        states_of[i][1] = _mm512_loadu_si512(STATE(i) + 16);
    }
    for (offset = 0; offset < count * WS_SHA_BLOCK; offset += WS_SHA_BLOCK) {
        load(&w[0][0], 2, data, offset);
        load(&w[0][1], 2, data + 16, offset);
        BOTH(BEGIN, )
        SPLAT(0x5a827999)
        for (t = 0; t < 15; t += 5) {
            WS_FENCE();
            BOTH(GIVEN, a, b, c, d, e, CHOOSE, t)
            BOTH(GIVEN, e, a, b, c, d, CHOOSE, t + 1)
            BOTH(GIVEN, d, e, a, b, c, CHOOSE, t + 2)
            BOTH(GIVEN, c, d, e, a, b, CHOOSE, t + 3)
            BOTH(GIVEN, b, c, d, e, a, CHOOSE, t + 4)
        }
        BOTH(LAST_WORDS, )
        BOTH(GIVEN, a, b, c, d, e, CHOOSE, 15)
        BOTH(EXPANDED, e, a, b, c, d, CHOOSE, 16, x)
        BOTH(EXPANDED, d, e, a, b, c, CHOOSE, 17, y)
        BOTH(EXPANDED, c, d, e, a, b, CHOOSE, 18, z)
        BOTH(EXPANDED, b, c, d, e, a, CHOOSE, 19, x)
        BOTH(TURN, x, y, z)
        TWENTY(0x6ed9eba1, XOR3, 20)
        TWENTY(0x8f1bbcdc, MAJORITY, 40)
        TWENTY(0xca62c1d6, XOR3, 60)
        BOTH(END, )
    }
    for (i = 0; i < 5; i++) {
        _mm512_storeu_si512(STATE(i), states_of[i][0]);
        _mm512_storeu_si512(STATE(i) + 16, states_of[i][1]);
    }
}

WS_TARGET_END

#endif
