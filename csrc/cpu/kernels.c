/* The kernels, the table of CPU families, and the choice among them.
 *
 * A family is a row of `families`: the first whose CPU this is runs by default. Its plan says which
 * kernel serves how many lanes; `wirespeed doctor --measure` tells whether the plan fits a CPU.
 * Measured: on Zen 4, x16 passes SHA-NI from 11 lanes, and 2x16 passes x16 in the cache only; on
 * Zen 5, x16 passes SHA-NI from 7, and 2x16 passes x16 with the rest on SHA-NI from 21. The others
 * are not measured yet.
 */
#include "cpu/kernels.h"

static int always(void) {
    return 1;
}

#if WS_X86
static int avx512_and_sha_ni(void) {
    return ws_cpu_has_avx512() && ws_cpu_has_sha_ni();
}

static int wide_pipes_and_sha_ni(void) {
    return ws_cpu_has_wide_pipes() && ws_cpu_has_sha_ni();
}
#endif

static void portable_x1(uint32_t *states, const uint8_t *const *data, size_t count) {
    ws_one_lane(ws_sha1_portable, states, data[0], count);
}

#if WS_X86
static void sha_ni_x1(uint32_t *states, const uint8_t *const *data, size_t count) {
    ws_one_lane(ws_sha1_sha_ni, states, data[0], count);
}
#endif

#if WS_ARM64
static void armv8_x1(uint32_t *states, const uint8_t *const *data, size_t count) {
    ws_one_lane(ws_sha1_armv8, states, data[0], count);
}
#endif

enum {
    PORTABLE,
#if WS_X86
    SHA_NI,
    SHA_NI_X2,
    SHA_NI_X3,
    SHA_NI_X4,
    SHA_NI_X6,
    AVX2_X8,
    AVX512_X16,
    AVX512_2X16,
#endif
#if WS_ARM64
    ARMV8,
    ARMV8_X2,
#endif
    KERNELS
};

static const ws_lane_kernel_t kernels[KERNELS] = {
    {"portable", 1, portable_x1, always},
#if WS_X86
    {"sha-ni", 1, sha_ni_x1, ws_cpu_has_sha_ni},
    {"sha-ni x2", 2, ws_sha1_sha_ni_x2, ws_cpu_has_sha_ni},
    {"sha-ni x3", 3, ws_sha1_sha_ni_x3, ws_cpu_has_sha_ni},
    {"sha-ni x4", 4, ws_sha1_sha_ni_x4, ws_cpu_has_sha_ni},
    {"sha-ni x6", 6, ws_sha1_sha_ni_x6, ws_cpu_has_sha_ni},
    {"avx2 x8", 8, ws_sha1_avx2_x8, ws_cpu_has_avx2},
    {"avx512 x16", 16, ws_sha1_avx512_x16, ws_cpu_has_avx512},
    {"avx512 2x16", 32, ws_sha1_avx512_2x16, ws_cpu_has_avx512},
#endif
#if WS_ARM64
    {"armv8", 1, armv8_x1, ws_cpu_has_armv8_sha},
    {"armv8 x2", 2, ws_sha1_armv8_x2, ws_cpu_has_armv8_sha},
#endif
};

#define K(name) &kernels[name]
#define SHA_NI_PLAN \
    {5, K(SHA_NI_X6)}, {4, K(SHA_NI_X4)}, {3, K(SHA_NI_X3)}, {2, K(SHA_NI_X2)}, {1, K(SHA_NI)}

static const struct {
    ws_kernels_t kernels;
    int (*runs)(void);
} families[] = {
#if WS_X86
    {{"avx512", ws_sha1_sha_ni, ws_sha256_sha_ni,
      {{21, K(AVX512_2X16)}, {7, K(AVX512_X16)}, SHA_NI_PLAN}}, wide_pipes_and_sha_ni},
    {{"avx512", ws_sha1_sha_ni, ws_sha256_sha_ni, {{11, K(AVX512_X16)}, SHA_NI_PLAN}},
     avx512_and_sha_ni},
    {{"avx512", ws_sha1_portable, ws_sha256_portable,
      {{9, K(AVX512_X16)}, {2, K(AVX2_X8)}, {1, K(PORTABLE)}}}, ws_cpu_has_avx512},
    {{"sha-ni", ws_sha1_sha_ni, ws_sha256_sha_ni, {SHA_NI_PLAN}}, ws_cpu_has_sha_ni},
    {{"avx2", ws_sha1_portable, ws_sha256_portable, {{2, K(AVX2_X8)}, {1, K(PORTABLE)}}},
     ws_cpu_has_avx2},
#endif
#if WS_ARM64
    {{"armv8", ws_sha1_armv8, ws_sha256_armv8, {{2, K(ARMV8_X2)}, {1, K(ARMV8)}}},
     ws_cpu_has_armv8_sha},
#endif
    {{"portable", ws_sha1_portable, ws_sha256_portable, {{1, K(PORTABLE)}}}, always},
};

#define FAMILIES ((int)(sizeof families / sizeof families[0]))

static const void *volatile chosen;

/* A family that runs here and is not hidden by an earlier one of its name. */
static int offered(int row) {
    int earlier;
    if (!families[row].runs()) {
        return 0;
    }
    for (earlier = 0; earlier < row; earlier++) {
        if (strcmp(families[earlier].kernels.name, families[row].kernels.name) == 0 &&
            families[earlier].runs()) {
            return 0;
        }
    }
    return 1;
}

const ws_kernels_t *ws_kernels(void) {
    const ws_kernels_t *set = (const ws_kernels_t *)ws_pointer_load(&chosen);
    int row = 0;
    if (set == NULL) {
        while (!families[row].runs()) {
            row++;
        }
        set = &families[row].kernels;
        ws_pointer_store(&chosen, set);
    }
    return set;
}

const char *ws_cpu_path(void) {
    return ws_kernels()->name;
}

const char *ws_cpu_path_at(int index) {
    int row;
    for (row = 0; row < FAMILIES; row++) {
        if (offered(row) && index-- == 0) {
            return families[row].kernels.name;
        }
    }
    return NULL;
}

int ws_cpu_set_path(const char *name) {
    int row;
    for (row = 0; row < FAMILIES; row++) {
        if (strcmp(name, families[row].kernels.name) == 0 && offered(row)) {
            ws_pointer_store(&chosen, &families[row].kernels);
            return 1;
        }
    }
    return 0;
}

int ws_cpu_plan_at(int index, uint32_t *from, const char **kernel) {
    const ws_plan_t *plan = ws_kernels()->plan;
    int last = 0;
    while (plan[last].from > 1) {
        last++;
    }
    if (index < 0 || index > last) {
        return 0;
    }
    *from = plan[index].from;
    *kernel = plan[index].kernel->name;
    return 1;
}

const ws_lane_kernel_t *ws_lane_kernel(int index) {
    int i;
    for (i = 0; i < KERNELS; i++) {
        if (kernels[i].runs() && index-- == 0) {
            return &kernels[i];
        }
    }
    return NULL;
}

const char *ws_sha1_kernel_at(int index, uint32_t *width) {
    const ws_lane_kernel_t *kernel = ws_lane_kernel(index);
    if (kernel == NULL) {
        return NULL;
    }
    *width = kernel->width;
    return kernel->name;
}

void ws_sha1_lanes_run(uint32_t *states, const uint8_t **data, size_t lanes, size_t count) {
    const ws_plan_t *plan = ws_kernels()->plan;
    size_t i, width;
    while (lanes) {
        while (lanes < plan->from) {
            plan++;
        }
        width = plan->kernel->width;
        for (i = lanes; i < width; i++) {
            data[i] = data[0];
        }
        plan->kernel->run(states, data, count);
        if (lanes <= width) {
            return;
        }
        states += width;
        data += width;
        lanes -= width;
    }
}

void ws_sha1_lanes_run_with(const ws_lane_kernel_t *kernel, uint32_t *states, const uint8_t **data,
                            size_t lanes, size_t count) {
    size_t at = 0, i;
    for (; at < lanes && at + kernel->width <= WS_LANES; at += kernel->width) {
        for (i = lanes; i < at + kernel->width; i++) {
            data[i] = data[at];
        }
        kernel->run(states + at, data + at, count);
    }
    for (; at < lanes; at++) {
        ws_one_lane(ws_kernels()->sha1, states + at, data[at], count);
    }
}
