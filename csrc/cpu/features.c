/* What this CPU and its operating system offer. */
#include "cpu/kernels.h"

#if WS_X86 && !defined(_MSC_VER)
#include <cpuid.h>
#endif
#if WS_ARM64 && defined(_WIN32)
#include <windows.h>
#elif WS_ARM64 && defined(__linux__)
#include <sys/auxv.h>
#endif

#if WS_X86
enum { EAX, EBX, ECX, EDX };

#define SSSE3 ((uint32_t)1 << 9)    /* leaf 1, ECX */
#define SSE41 ((uint32_t)1 << 19)   /* leaf 1, ECX */
#define OSXSAVE ((uint32_t)1 << 27) /* leaf 1, ECX */
#define AVX2 ((uint32_t)1 << 5)     /* leaf 7, EBX */
#define AVX512F ((uint32_t)1 << 16) /* leaf 7, EBX */
#define SHA ((uint32_t)1 << 29)     /* leaf 7, EBX */
#define AVX512BW ((uint32_t)1 << 30) /* leaf 7, EBX */
#define YMM_SAVED 0x06u
#define ZMM_SAVED 0xe6u

static int leaf(uint32_t number, uint32_t registers[4]) {
#if defined(_MSC_VER)
    int values[4];
    int i;
    __cpuid(values, 0);
    if ((uint32_t)values[0] < number) {
        return 0;
    }
    __cpuidex(values, (int)number, 0);
    for (i = 0; i < 4; i++) {
        registers[i] = (uint32_t)values[i];
    }
    return 1;
#else
    return __get_cpuid_count(number, 0, &registers[EAX], &registers[EBX], &registers[ECX],
                             &registers[EDX]);
#endif
}

/* Leaf 1's ECX and leaf 7's EBX have all these bits, and the system saves these registers. */
static int has(uint32_t one, uint32_t seven, uint32_t saved) {
    uint32_t first[4], seventh[4];
    if (!leaf(1, first) || !leaf(7, seventh)) {
        return 0;
    }
    return (first[ECX] & one) == one && (seventh[EBX] & seven) == seven &&
           (saved == 0 || (ws_saved_states() & saved) == saved);
}

int ws_cpu_has_sha_ni(void) {
    return has(SSSE3 | SSE41, SHA, 0);
}

int ws_cpu_has_avx2(void) {
    return has(OSXSAVE, AVX2, YMM_SAVED);
}

int ws_cpu_has_avx512(void) {
    return has(OSXSAVE, AVX2 | AVX512F | AVX512BW, ZMM_SAVED);
}

int ws_cpu_has_wide_pipes(void) {
    const uint32_t amd = 0x68747541; /* "Auth", as of AuthenticAMD */
    uint32_t vendor[4], version[4];
    return ws_cpu_has_avx512() && leaf(0, vendor) && vendor[EBX] == amd && leaf(1, version) &&
           (version[EAX] >> 8 & 15) + (version[EAX] >> 20 & 255) >= 0x1a;
}
#else
int ws_cpu_has_sha_ni(void) {
    return 0;
}

int ws_cpu_has_avx2(void) {
    return 0;
}

int ws_cpu_has_avx512(void) {
    return 0;
}

int ws_cpu_has_wide_pipes(void) {
    return 0;
}
#endif

int ws_cpu_has_armv8_sha(void) {
#if !WS_ARM64
    return 0;
#elif defined(__APPLE__) || (defined(__ARM_FEATURE_SHA2) && !defined(__linux__))
    return 1;
#elif defined(_WIN32)
    return IsProcessorFeaturePresent(30) != 0; /* PF_ARM_V8_CRYPTO_INSTRUCTIONS_AVAILABLE */
#elif defined(__linux__)
    const unsigned long both = 3ul << 5; /* HWCAP_SHA1 and HWCAP_SHA2 */
    return (getauxval(AT_HWCAP) & both) == both;
#else
    return 0;
#endif
}
