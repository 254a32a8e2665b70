/* SHA-1 and SHA-256 with the cryptography instructions of ARMv8. */
#include "cpu/kernels.h"

#if WS_ARM64

#if defined(_MSC_VER) && !defined(__clang__)
#include <arm64_neon.h>
#else
#include <arm_neon.h>
#endif

#if defined(__clang__)
WS_TARGET_BEGIN("sha2")
#else
WS_TARGET_BEGIN("+crypto")
#endif

/* Each stream S owns abcd##S, the two e's that take turns, and four message registers. */
#define DECLARE(S)                                                                           \
    uint32x4_t abcd##S, saved##S, m0##S, m1##S, m2##S, m3##S;                                \
    uint32_t e##S = WORD(S, 4), f##S = 0, saved_e##S, words##S[4];                           \
    const uint8_t *data##S = data[S];                                                        \
    words##S[0] = WORD(S, 0);                                                                \
    words##S[1] = WORD(S, 1);                                                                \
    words##S[2] = WORD(S, 2);                                                                \
    words##S[3] = WORD(S, 3);                                                                \
    abcd##S = vld1q_u32(words##S);

#define LOAD(m, from) m = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(from)));

#define FIRST(S)                \
    saved##S = abcd##S;         \
    saved_e##S = e##S;          \
    LOAD(m0##S, data##S)        \
    LOAD(m1##S, data##S + 16)   \
    LOAD(m2##S, data##S + 32)   \
    LOAD(m3##S, data##S + 48)   \
    data##S += WS_SHA_BLOCK;

/* Four rounds with the message `now`. */
#define FOUR(S, e_now, e_next, now, function)                            \
    e_next##S = vsha1h_u32(vgetq_lane_u32(abcd##S, 0));                  \
    abcd##S = function(abcd##S, e_now##S, vaddq_u32(now##S, k));

/* And `now` becomes the message that comes four groups later. */
#define FOUR_MORE(S, e_now, e_next, now, next, after, last, function)    \
    FOUR(S, e_now, e_next, now, function)                                \
    now##S = vsha1su1q_u32(vsha1su0q_u32(now##S, next##S, after##S), last##S);

#define LAST(S)                               \
    abcd##S = vaddq_u32(abcd##S, saved##S);   \
    e##S += saved_e##S;

#define STORE(S)                              \
    vst1q_u32(words##S, abcd##S);             \
    WORD(S, 0) = words##S[0];                 \
    WORD(S, 1) = words##S[1];                 \
    WORD(S, 2) = words##S[2];                 \
    WORD(S, 3) = words##S[3];                 \
    WORD(S, 4) = e##S;

#define KERNEL(name, EACH, EACH_FOUR, EACH_MORE)                              \
    void name(uint32_t *states, const uint8_t *const *data, size_t count) {   \
        uint32x4_t k;                                                         \
        EACH(DECLARE)                                                         \
        for (; count; count--) {                                              \
            EACH(FIRST)                                                       \
            k = vdupq_n_u32(0x5a827999);                                      \
            EACH_MORE(e, f, m0, m1, m2, m3, vsha1cq_u32)                      \
            EACH_MORE(f, e, m1, m2, m3, m0, vsha1cq_u32)                      \
            EACH_MORE(e, f, m2, m3, m0, m1, vsha1cq_u32)                      \
            EACH_MORE(f, e, m3, m0, m1, m2, vsha1cq_u32)                      \
            EACH_MORE(e, f, m0, m1, m2, m3, vsha1cq_u32)                      \
            k = vdupq_n_u32(0x6ed9eba1);                                      \
            EACH_MORE(f, e, m1, m2, m3, m0, vsha1pq_u32)                      \
            EACH_MORE(e, f, m2, m3, m0, m1, vsha1pq_u32)                      \
            EACH_MORE(f, e, m3, m0, m1, m2, vsha1pq_u32)                      \
            EACH_MORE(e, f, m0, m1, m2, m3, vsha1pq_u32)                      \
            EACH_MORE(f, e, m1, m2, m3, m0, vsha1pq_u32)                      \
            k = vdupq_n_u32(0x8f1bbcdc);                                      \
            EACH_MORE(e, f, m2, m3, m0, m1, vsha1mq_u32)                      \
            EACH_MORE(f, e, m3, m0, m1, m2, vsha1mq_u32)                      \
            EACH_MORE(e, f, m0, m1, m2, m3, vsha1mq_u32)                      \
            EACH_MORE(f, e, m1, m2, m3, m0, vsha1mq_u32)                      \
            EACH_MORE(e, f, m2, m3, m0, m1, vsha1mq_u32)                      \
            k = vdupq_n_u32(0xca62c1d6);                                      \
            EACH_MORE(f, e, m3, m0, m1, m2, vsha1pq_u32)                      \
            EACH_FOUR(e, f, m0, vsha1pq_u32)                                  \
            EACH_FOUR(f, e, m1, vsha1pq_u32)                                  \
            EACH_FOUR(e, f, m2, vsha1pq_u32)                                  \
            EACH_FOUR(f, e, m3, vsha1pq_u32)                                  \
            EACH(LAST)                                                        \
        }                                                                     \
        EACH(STORE)                                                           \
    }

#define ONE(M) M(0)
#define ONE_FOUR(...) FOUR(0, __VA_ARGS__)
#define ONE_MORE(...) FOUR_MORE(0, __VA_ARGS__)
#define TWO(M) ONE(M) M(1)
#define TWO_FOUR(...) ONE_FOUR(__VA_ARGS__) FOUR(1, __VA_ARGS__)
#define TWO_MORE(...) ONE_MORE(__VA_ARGS__) FOUR_MORE(1, __VA_ARGS__)

#define WORD(S, i) states[(i) * WS_LANES + S]
KERNEL(ws_sha1_armv8_x2, TWO, TWO_FOUR, TWO_MORE)

#undef WORD
#define WORD(S, i) states[i]
static KERNEL(one_stream, ONE, ONE_FOUR, ONE_MORE)

void ws_sha1_armv8(uint32_t *state, const uint8_t *data, size_t count) {
    one_stream(state, &data, count);
}

#define ROUNDS(now, group)                                         \
    sum = vaddq_u32(now, vld1q_u32(ws_sha256_constants + 4 * (group)));      \
    before = abcd;                                                 \
    abcd = vsha256hq_u32(abcd, efgh, sum);                         \
    efgh = vsha256h2q_u32(efgh, before, sum);

#define EXPAND(now, next, after, last) \
    now = vsha256su1q_u32(vsha256su0q_u32(now, next), after, last);

#define SIXTEEN(group)                \
    EXPAND(m0, m1, m2, m3)            \
    ROUNDS(m0, group)                 \
    EXPAND(m1, m2, m3, m0)            \
    ROUNDS(m1, (group) + 1)           \
    EXPAND(m2, m3, m0, m1)            \
    ROUNDS(m2, (group) + 2)           \
    EXPAND(m3, m0, m1, m2)            \
    ROUNDS(m3, (group) + 3)

void ws_sha256_armv8(uint32_t *state, const uint8_t *data, size_t count) {
    uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
    uint32x4_t saved_abcd, saved_efgh, before, sum, m0, m1, m2, m3;
    for (; count; count--, data += WS_SHA_BLOCK) {
        saved_abcd = abcd;
        saved_efgh = efgh;
        LOAD(m0, data)
        LOAD(m1, data + 16)
        LOAD(m2, data + 32)
        LOAD(m3, data + 48)
        ROUNDS(m0, 0)
        ROUNDS(m1, 1)
        ROUNDS(m2, 2)
        ROUNDS(m3, 3)
        SIXTEEN(4)
        SIXTEEN(8)
        SIXTEEN(12)
        abcd = vaddq_u32(abcd, saved_abcd);
        efgh = vaddq_u32(efgh, saved_efgh);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

WS_TARGET_END

#endif
