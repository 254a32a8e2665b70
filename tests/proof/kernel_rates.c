/* The rate of every SHA-1 kernel that this CPU runs, as one compiler made it: a line each, its name,
 * then GB/s of one core. Not a judge: what it prints is for a person to compare. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "port.h"

enum { PIECE = 16384, STRIDE = PIECE + 64, ROUNDS = 5, TURNS = 20 };

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(void) {
    uint8_t *data = calloc(WS_LANES, STRIDE);
    uint32_t width;
    const char *name;
    int kernel;
    if (data == NULL) {
        return 2;
    }
    for (kernel = 0; (name = ws_sha1_kernel_at(kernel, &width)) != NULL; kernel++) {
        double best = 1e9;
        ws_sha1_lanes_t lanes;
        ws_sha1_lanes_start(&lanes, width, kernel);
        for (int round = 0; round < ROUNDS; round++) {
            double start = seconds();
            for (int turn = 0; turn < TURNS; turn++) {
                ws_sha1_lanes_update(&lanes, data, PIECE, STRIDE);
            }
            double took = seconds() - start;
            best = took < best ? took : best;
        }
        printf("%-12s %.2f\n", name, 1e-9 * width * PIECE * TURNS / best);
    }
    free(data);
    return 0;
}
