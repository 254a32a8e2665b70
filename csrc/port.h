/* What differs between compilers and machines, and the one inclusion of wirespeed.h.
 *
 * The C here is the part of C11 that MSVC takes: no variable-length arrays, no stdatomic.h,
 * no bare long; GNU attributes and builtins appear in this file only.
 */
#ifndef WS_PORT_H
#define WS_PORT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#include <intrin.h>
#define WS_INLINE static __forceinline
#define WS_ALIGN(n) __declspec(align(n))
#else
#define WS_INLINE static inline __attribute__((always_inline, unused))
#define WS_ALIGN(n) __attribute__((aligned(n)))
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define WS_X86 1
#else
#define WS_X86 0
#endif

/* AArch64 whose compiler offers the SHA intrinsics to a target region. */
#if defined(_M_ARM64) || (defined(__AARCH64EL__) && (!defined(__clang__) || \
                                                     __clang_major__ >= 16 || \
                                                     defined(__ARM_FEATURE_SHA2)))
#define WS_ARM64 1
#else
#define WS_ARM64 0
#endif

/* Keeps gcc from reordering the additions behind a value that other lanes wait for, and from
 * carrying what was stored over into the next turn of a loop, for which it has no registers. */
#if defined(__GNUC__) && !defined(__clang__) && WS_X86
#define WS_OPAQUE(vector) __asm__("" : "+v"(vector))
#define WS_FENCE() __asm__ __volatile__("" : : : "memory")
#else
#define WS_OPAQUE(vector) ((void)0)
#define WS_FENCE() ((void)0)
#endif

/* WS_TARGET_BEGIN("sha,sse4.1") ... WS_TARGET_END: functions between may use those instructions.
 * MSVC lets every function use every intrinsic. */
#define WS_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define WS_TARGET_BEGIN(features) \
    WS_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define WS_TARGET_END WS_PRAGMA(clang attribute pop)
#elif defined(__GNUC__)
#define WS_TARGET_BEGIN(features) WS_PRAGMA(GCC push_options) WS_PRAGMA(GCC target(features))
#define WS_TARGET_END WS_PRAGMA(GCC pop_options)
#else
#define WS_TARGET_BEGIN(features)
#define WS_TARGET_END
#endif

/* The register states that the operating system saves (XCR0); the CPU must have OSXSAVE. */
#if WS_X86
WS_INLINE uint64_t ws_saved_states(void) {
#if defined(_MSC_VER)
    return _xgetbv(0);
#else
    uint32_t low, high;
    __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
#endif
}
#endif

/* A lock that is only ever tried: whoever does not get it does without what it guards. */
typedef volatile int32_t ws_lock_t;

#if defined(_MSC_VER)
WS_INLINE int ws_lock_try(ws_lock_t *lock) {
    return _InterlockedExchange((volatile long *)lock, 1) == 0;
}
WS_INLINE void ws_lock_release(ws_lock_t *lock) {
    _InterlockedExchange((volatile long *)lock, 0);
}
WS_INLINE const void *ws_pointer_load(const void *const volatile *place) {
    return _InterlockedCompareExchangePointer((void *volatile *)place, NULL, NULL);
}
WS_INLINE void ws_pointer_store(const void *volatile *place, const void *value) {
    _InterlockedExchangePointer((void *volatile *)place, (void *)value);
}
#else
WS_INLINE int ws_lock_try(ws_lock_t *lock) {
    return __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) == 0;
}
WS_INLINE void ws_lock_release(ws_lock_t *lock) {
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}
WS_INLINE const void *ws_pointer_load(const void *const volatile *place) {
    return __atomic_load_n(place, __ATOMIC_ACQUIRE);
}
WS_INLINE void ws_pointer_store(const void *volatile *place, const void *value) {
    __atomic_store_n(place, value, __ATOMIC_RELEASE);
}
#endif

/* Overwrites memory in a way that the optimiser keeps. */
WS_INLINE void ws_wipe(void *memory, size_t length) {
#if defined(_MSC_VER)
    volatile uint8_t *bytes = (volatile uint8_t *)memory;
    while (length--) {
        *bytes++ = 0;
    }
#else
    memset(memory, 0, length);
    __asm__ __volatile__("" : : "r"(memory) : "memory");
#endif
}

/* Unaligned big-endian and little-endian access. */
WS_INLINE uint16_t ws_load16be(const uint8_t *p) {
    return (uint16_t)((uint16_t)p[0] << 8 | p[1]);
}
WS_INLINE uint32_t ws_load32be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
WS_INLINE uint64_t ws_load64be(const uint8_t *p) {
    return (uint64_t)ws_load32be(p) << 32 | ws_load32be(p + 4);
}
WS_INLINE uint32_t ws_load32le(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}
WS_INLINE void ws_store16be(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
WS_INLINE void ws_store32be(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}
WS_INLINE void ws_store32le(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}
WS_INLINE void ws_store64be(uint8_t *p, uint64_t v) {
    ws_store32be(p, (uint32_t)(v >> 32));
    ws_store32be(p + 4, (uint32_t)v);
}

/* Symbols stay inside the extension that contains them. */
#if defined(__GNUC__) || defined(__clang__)
#pragma GCC visibility push(hidden)
#endif
#include "wirespeed.h"
#if defined(__GNUC__) || defined(__clang__)
#pragma GCC visibility pop
#endif

#endif
