/* The kernels, the table of CPU families, and which row of it runs. */
#ifndef WS_KERNELS_H
#define WS_KERNELS_H

#include "port.h"

/* SHA compression over `count` blocks of 64 bytes; `state` has 5 (8) words. */
typedef void ws_compress_t(uint32_t *state, const uint8_t *data, size_t count);

/* SHA-1 compression of as many streams as the kernel is wide: word i of stream s is at
 * states[i * WS_LANES + s], its `count` blocks of 64 bytes at data[s]. */
typedef void ws_compress_lanes_t(uint32_t *states, const uint8_t *const *data, size_t count);

typedef struct {
    const char *name;
    uint32_t width;
    ws_compress_lanes_t *run;
    int (*runs)(void); /* on this CPU */
} ws_lane_kernel_t;

/* From this many lanes on, this kernel. */
typedef struct {
    uint32_t from;
    const ws_lane_kernel_t *kernel;
} ws_plan_t;

#define WS_PLAN_ROWS 8

typedef struct {
    const char *name;
    ws_compress_t *sha1;
    ws_compress_t *sha256;
    ws_plan_t plan[WS_PLAN_ROWS]; /* the widest first, the last from 1 */
} ws_kernels_t;

/* The set in use. */
const ws_kernels_t *ws_kernels(void);

/* SHA-1 compression of `lanes` (1 to WS_LANES) streams, laid out as for a kernel. The columns and
 * pointers behind them, up to WS_LANES, are overwritten. */
void ws_sha1_lanes_run(uint32_t *states, const uint8_t **data, size_t lanes, size_t count);

/* The kernel `index` among those that run here, or NULL. */
const ws_lane_kernel_t *ws_lane_kernel(int index);

/* As ws_sha1_lanes_run, with this kernel wherever it fits. */
void ws_sha1_lanes_run_with(const ws_lane_kernel_t *kernel, uint32_t *states, const uint8_t **data,
                            size_t lanes, size_t count);

/* What this CPU and its operating system offer. */
int ws_cpu_has_sha_ni(void);
int ws_cpu_has_avx2(void);
int ws_cpu_has_avx512(void); /* F and BW */
int ws_cpu_has_wide_pipes(void); /* AVX-512 in full width on four pipes: Zen 5 and later */
int ws_cpu_has_armv8_sha(void);

WS_INLINE void ws_one_lane(ws_compress_t *compress, uint32_t *states, const uint8_t *data,
                           size_t count) {
    uint32_t state[5];
    int i;
    for (i = 0; i < 5; i++) {
        state[i] = states[i * WS_LANES];
    }
    compress(state, data, count);
    for (i = 0; i < 5; i++) {
        states[i * WS_LANES] = state[i];
    }
}

/* The round constants of SHA-256, aligned to 16 bytes. */
extern const uint32_t ws_sha256_constants[64];

ws_compress_t ws_sha1_portable;
ws_compress_t ws_sha256_portable;
#if WS_X86
ws_compress_t ws_sha1_sha_ni;
ws_compress_t ws_sha256_sha_ni;
ws_compress_lanes_t ws_sha1_sha_ni_x2;
ws_compress_lanes_t ws_sha1_sha_ni_x3;
ws_compress_lanes_t ws_sha1_sha_ni_x4;
ws_compress_lanes_t ws_sha1_sha_ni_x6;
ws_compress_lanes_t ws_sha1_avx2_x8;
ws_compress_lanes_t ws_sha1_avx512_x16;
ws_compress_lanes_t ws_sha1_avx512_2x16;
#endif
#if WS_ARM64
ws_compress_t ws_sha1_armv8;
ws_compress_t ws_sha256_armv8;
ws_compress_lanes_t ws_sha1_armv8_x2;
#endif

#endif
