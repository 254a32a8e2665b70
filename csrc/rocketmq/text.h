/* Eight bytes at a time: the scans that the codecs of this folder share. */
#ifndef WS_ROCKETMQ_TEXT_H
#define WS_ROCKETMQ_TEXT_H

#include "../port.h"

#define WS_ONES UINT64_C(0x0101010101010101)
#define WS_HIGHS UINT64_C(0x8080808080808080)

WS_INLINE uint64_t ws_load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* Nonzero if any byte of `v` is zero. */
WS_INLINE uint64_t ws_any_zero(uint64_t v) {
    return (v - WS_ONES) & ~v & WS_HIGHS;
}

/* Nonzero if any byte of `v` is `byte`. */
WS_INLINE uint64_t ws_any_equal(uint64_t v, uint8_t byte) {
    return ws_any_zero(v ^ (WS_ONES * byte));
}

/* Nonzero if any byte of `v` is below `byte` (at most 128). */
WS_INLINE uint64_t ws_any_below(uint64_t v, uint8_t byte) {
    return (v - WS_ONES * byte) & ~v & WS_HIGHS;
}

#endif
