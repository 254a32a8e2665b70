/* SHA-1 with the SHA instructions of x86: one stream, and streams interleaved to hide latency. */
#include "cpu/kernels.h"

#if WS_X86

#include <immintrin.h>

WS_TARGET_BEGIN("sha,sse4.1,ssse3")

/* Each stream S owns abcd##S, the two e's that take turns, and four message registers.
 *
 * FOUR runs four rounds: `now` is their message, `next`, `after` and `last` the three that follow
 * in the ring, brought one step further. What the last rounds prepare in vain, the compiler drops.
 */
#define FOUR(S, e_now, e_next, now, next, after, last, function)             \
    e_now##S = _mm_sha1nexte_epu32(e_now##S, now##S);                        \
    e_next##S = abcd##S;                                                     \
    next##S = _mm_sha1msg2_epu32(next##S, now##S);                           \
    abcd##S = _mm_sha1rnds4_epu32(abcd##S, e_now##S, function);              \
    last##S = _mm_sha1msg1_epu32(last##S, now##S);                           \
    after##S = _mm_xor_si128(after##S, now##S);

#define DECLARE(S)                                                                             \
    __m128i abcd##S, e##S, f##S, m0##S, m1##S, m2##S, m3##S, saved_abcd##S, saved_e##S;        \
    const uint8_t *data##S = data[S];                                                          \
    READ(S)                                                                                    \
    e##S = _mm_set_epi32((int)WORD(S, 4), 0, 0, 0);

#define LOAD(S, m, offset)                                                                     \
    m##S = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data##S + (offset))), big_endian);

#define FIRST(S)                                                \
    saved_abcd##S = abcd##S;                                    \
    saved_e##S = e##S;                                          \
    LOAD(S, m0, 0)                                              \
    e##S = _mm_add_epi32(e##S, m0##S);                          \
    f##S = abcd##S;                                             \
    abcd##S = _mm_sha1rnds4_epu32(abcd##S, e##S, 0);

#define SECOND(S)                                               \
    LOAD(S, m1, 16)                                             \
    f##S = _mm_sha1nexte_epu32(f##S, m1##S);                    \
    e##S = abcd##S;                                             \
    abcd##S = _mm_sha1rnds4_epu32(abcd##S, f##S, 0);            \
    m0##S = _mm_sha1msg1_epu32(m0##S, m1##S);

#define THIRD(S)                                                \
    LOAD(S, m2, 32)                                             \
    e##S = _mm_sha1nexte_epu32(e##S, m2##S);                    \
    f##S = abcd##S;                                             \
    abcd##S = _mm_sha1rnds4_epu32(abcd##S, e##S, 0);            \
    m1##S = _mm_sha1msg1_epu32(m1##S, m2##S);                   \
    m0##S = _mm_xor_si128(m0##S, m2##S);

#define FOURTH(S)                                               \
    LOAD(S, m3, 48)                                             \
    FOUR(S, f, e, m3, m0, m1, m2, 0)

#define LAST(S)                                                 \
    e##S = _mm_sha1nexte_epu32(e##S, saved_e##S);               \
    abcd##S = _mm_add_epi32(abcd##S, saved_abcd##S);            \
    data##S += WS_SHA_BLOCK;

#define STORE(S)                                                                               \
    WRITE(S)                                                                                   \
    WORD(S, 4) = (uint32_t)_mm_extract_epi32(e##S, 3);

#define KERNEL(name, EACH, EACH_FOUR)                                                          \
    void name(uint32_t *states, const uint8_t *const *data, size_t count) {                    \
        const __m128i big_endian =                                                             \
            _mm_set_epi64x((int64_t)0x0001020304050607, (int64_t)0x08090a0b0c0d0e0f);          \
        EACH(DECLARE)                                                                          \
        for (; count; count--) {                                                               \
            EACH(FIRST)                                                                        \
            EACH(SECOND)                                                                       \
            EACH(THIRD)                                                                        \
            EACH(FOURTH)                                                                       \
            EACH_FOUR(e, f, m0, m1, m2, m3, 0)                                                 \
            EACH_FOUR(f, e, m1, m2, m3, m0, 1)                                                 \
            EACH_FOUR(e, f, m2, m3, m0, m1, 1)                                                 \
            EACH_FOUR(f, e, m3, m0, m1, m2, 1)                                                 \
            EACH_FOUR(e, f, m0, m1, m2, m3, 1)                                                 \
            EACH_FOUR(f, e, m1, m2, m3, m0, 1)                                                 \
            EACH_FOUR(e, f, m2, m3, m0, m1, 2)                                                 \
            EACH_FOUR(f, e, m3, m0, m1, m2, 2)                                                 \
            EACH_FOUR(e, f, m0, m1, m2, m3, 2)                                                 \
            EACH_FOUR(f, e, m1, m2, m3, m0, 2)                                                 \
            EACH_FOUR(e, f, m2, m3, m0, m1, 2)                                                 \
            EACH_FOUR(f, e, m3, m0, m1, m2, 3)                                                 \
            EACH_FOUR(e, f, m0, m1, m2, m3, 3)                                                 \
            EACH_FOUR(f, e, m1, m2, m3, m0, 3)                                                 \
            EACH_FOUR(e, f, m2, m3, m0, m1, 3)                                                 \
            EACH_FOUR(f, e, m3, m0, m1, m2, 3)                                                 \
            EACH(LAST)                                                                         \
        }                                                                                      \
        EACH(STORE)                                                                            \
    }

#define ONE(M) M(0)
#define ONE_FOUR(...) FOUR(0, __VA_ARGS__)
#define TWO(M) ONE(M) M(1)
#define TWO_FOUR(...) ONE_FOUR(__VA_ARGS__) FOUR(1, __VA_ARGS__)
#define THREE(M) TWO(M) M(2)
#define THREE_FOUR(...) TWO_FOUR(__VA_ARGS__) FOUR(2, __VA_ARGS__)
#define QUAD(M) THREE(M) M(3)
#define QUAD_FOUR(...) THREE_FOUR(__VA_ARGS__) FOUR(3, __VA_ARGS__)
#define SIX(M) QUAD(M) M(4) M(5)
#define SIX_FOUR(...) QUAD_FOUR(__VA_ARGS__) FOUR(4, __VA_ARGS__) FOUR(5, __VA_ARGS__)

#define WORD(S, i) states[(i) * WS_LANES + S]
#define READ(S)                                                                                \
    abcd##S = _mm_set_epi32((int)WORD(S, 0), (int)WORD(S, 1), (int)WORD(S, 2),                 \
                            (int)WORD(S, 3));
#define WRITE(S)                                              \
    WORD(S, 0) = (uint32_t)_mm_extract_epi32(abcd##S, 3);     \
    WORD(S, 1) = (uint32_t)_mm_extract_epi32(abcd##S, 2);     \
    WORD(S, 2) = (uint32_t)_mm_extract_epi32(abcd##S, 1);     \
    WORD(S, 3) = (uint32_t)_mm_extract_epi32(abcd##S, 0);
KERNEL(ws_sha1_sha_ni_x2, TWO, TWO_FOUR)
KERNEL(ws_sha1_sha_ni_x3, THREE, THREE_FOUR)
KERNEL(ws_sha1_sha_ni_x4, QUAD, QUAD_FOUR)
KERNEL(ws_sha1_sha_ni_x6, SIX, SIX_FOUR)

#undef WORD
#undef READ
#undef WRITE
#define WORD(S, i) states[i]
#define READ(S) abcd##S = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)states), 0x1b);
#define WRITE(S) _mm_storeu_si128((__m128i *)states, _mm_shuffle_epi32(abcd##S, 0x1b));
static KERNEL(one_stream, ONE, ONE_FOUR)

void ws_sha1_sha_ni(uint32_t *state, const uint8_t *data, size_t count) {
    one_stream(state, &data, count);
}

WS_TARGET_END

#endif
