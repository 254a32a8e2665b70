/* SHA-1 of eight streams side by side with AVX2. */
#include "cpu/kernels.h"

#if WS_X86

#include <immintrin.h>

#include "digest/sha1_vector.h"

WS_TARGET_BEGIN("avx2")

typedef __m256i vector_t;

#define PREFETCH 256 /* bytes ahead in each stream */

#define ADD(x, y) _mm256_add_epi32(x, y)
#define XOR(x, y) _mm256_xor_si256(x, y)
#define XOR3(x, y, z) XOR(x, XOR(y, z))
#define ROTATE(x, n) _mm256_or_si256(_mm256_slli_epi32(x, n), _mm256_srli_epi32(x, 32 - (n)))
#define CHOOSE(x, y, z) XOR(z, _mm256_and_si256(x, XOR(y, z)))
#define MAJORITY(x, y, z) \
    _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)))
#define SPLAT(number) k = _mm256_set1_epi32((int)(number));

WS_INLINE vector_t halves(const uint8_t *low, const uint8_t *high) {
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
        _mm_loadu_si128((const __m128i *)high), 1);
}

/* Four words of eight streams: a 4 x 4 transposition in each half. */
#define WORDS(at)                                                                           \
    r0 = _mm256_shuffle_epi8(halves(data[0] + (at), data[4] + (at)), big_endian);           \
    r1 = _mm256_shuffle_epi8(halves(data[1] + (at), data[5] + (at)), big_endian);           \
    r2 = _mm256_shuffle_epi8(halves(data[2] + (at), data[6] + (at)), big_endian);           \
    r3 = _mm256_shuffle_epi8(halves(data[3] + (at), data[7] + (at)), big_endian);           \
    s0 = _mm256_unpacklo_epi32(r0, r1);                                                     \
    s1 = _mm256_unpackhi_epi32(r0, r1);                                                     \
    s2 = _mm256_unpacklo_epi32(r2, r3);                                                     \
    s3 = _mm256_unpackhi_epi32(r2, r3);                                                     \
    w[(at) / 4] = _mm256_unpacklo_epi64(s0, s2);                                            \
    w[(at) / 4 + 1] = _mm256_unpackhi_epi64(s0, s2);                                        \
    w[(at) / 4 + 2] = _mm256_unpacklo_epi64(s1, s3);                                        \
    w[(at) / 4 + 3] = _mm256_unpackhi_epi64(s1, s3);

WS_INLINE void load(vector_t w[16], const uint8_t *const *streams, size_t offset) {
    const vector_t big_endian = _mm256_set_epi64x(
        (int64_t)0x0c0d0e0f08090a0b, (int64_t)0x0405060700010203,
        (int64_t)0x0c0d0e0f08090a0b, (int64_t)0x0405060700010203);
    const uint8_t *data[8];
    vector_t r0, r1, r2, r3, s0, s1, s2, s3;
    int i;
    for (i = 0; i < 8; i++) {
        data[i] = streams[i] + offset;
        _mm_prefetch((const char *)((uintptr_t)data[i] + PREFETCH), _MM_HINT_T0);
    }
    WORDS(0)
    WORDS(16)
    WORDS(32)
    WORDS(48)
}

#define STATE(i) ((vector_t *)(states + (i) * WS_LANES))

void ws_sha1_avx2_x8(uint32_t *states, const uint8_t *const *data, size_t count) {
    vector_t a = _mm256_loadu_si256(STATE(0)), b = _mm256_loadu_si256(STATE(1));
    vector_t c = _mm256_loadu_si256(STATE(2)), d = _mm256_loadu_si256(STATE(3));
    vector_t e = _mm256_loadu_si256(STATE(4)), before[5], w[16], k;
    size_t offset;
    for (offset = 0; offset < count * WS_SHA_BLOCK; offset += WS_SHA_BLOCK) {
        load(w, data, offset);
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
    _mm256_storeu_si256(STATE(0), a);
    _mm256_storeu_si256(STATE(1), b);
    _mm256_storeu_si256(STATE(2), c);
    _mm256_storeu_si256(STATE(3), d);
    _mm256_storeu_si256(STATE(4), e);
}

WS_TARGET_END

#endif
