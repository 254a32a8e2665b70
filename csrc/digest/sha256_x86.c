/* SHA-256 with the SHA instructions of x86. */
#include "cpu/kernels.h"

#if WS_X86

#include <immintrin.h>

WS_TARGET_BEGIN("sha,sse4.1,ssse3")

/* Four rounds with the message `now`. */
#define FOUR(now, group)                                                                         \
    sum = _mm_add_epi32(now, _mm_load_si128((const __m128i *)&ws_sha256_constants[4 * (group)]));          \
    cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);                                               \
    abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));

/* Replaces the oldest message `now` by the one that comes four groups later. */
#define EXPAND(now, next, after, last)                                                           \
    now = _mm_sha256msg2_epu32(                                                                  \
        _mm_add_epi32(_mm_sha256msg1_epu32(now, next), _mm_alignr_epi8(last, after, 4)), last);

#define LOAD(m, offset)                                                                          \
    m = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + (offset))), big_endian);

#define SIXTEEN(group)                    \
    EXPAND(m0, m1, m2, m3)                \
    FOUR(m0, group)                       \
    EXPAND(m1, m2, m3, m0)                \
    FOUR(m1, (group) + 1)                 \
    EXPAND(m2, m3, m0, m1)                \
    FOUR(m2, (group) + 2)                 \
    EXPAND(m3, m0, m1, m2)                \
    FOUR(m3, (group) + 3)

void ws_sha256_sha_ni(uint32_t *state, const uint8_t *data, size_t count) {
    const __m128i big_endian =
        _mm_set_epi64x((int64_t)0x0c0d0e0f08090a0b, (int64_t)0x0405060700010203);
    __m128i abef, cdgh, saved_abef, saved_cdgh, m0, m1, m2, m3, sum;
    m0 = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    m1 = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    abef = _mm_alignr_epi8(m0, m1, 8);
    cdgh = _mm_blend_epi16(m1, m0, 0xf0);
    for (; count; count--, data += WS_SHA_BLOCK) {
        saved_abef = abef;
        saved_cdgh = cdgh;
        LOAD(m0, 0)
        FOUR(m0, 0)
        LOAD(m1, 16)
        FOUR(m1, 1)
        LOAD(m2, 32)
        FOUR(m2, 2)
        LOAD(m3, 48)
        FOUR(m3, 3)
        SIXTEEN(4)
        SIXTEEN(8)
        SIXTEEN(12)
        abef = _mm_add_epi32(abef, saved_abef);
        cdgh = _mm_add_epi32(cdgh, saved_cdgh);
    }
    m0 = _mm_shuffle_epi32(abef, 0x1b);
    m1 = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(m0, m1, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(m1, m0, 8));
}

WS_TARGET_END

#endif
