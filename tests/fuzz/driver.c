/* A small fuzzer for where libFuzzer is not to be had: `driver SECONDS SEED FILE...` runs each file,
 * then mutations of them until the time is over, and prints how many inputs ran. */
#include <stdio.h>
#include <time.h>

#include "harness.h"

#define LARGEST 65536

static uint64_t state;

static uint32_t chance(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) % below);
}

/* Runs a copy of exactly that size, so that a sanitizer sees a read past its end. */
static void run(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static size_t mutate(uint8_t *data, size_t size) {
    static const uint32_t NUMBERS[] = {0, 1, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF,
                                       0x7FFFFFFF, 0x80000000u, 0xFFFFFFFFu};
    size_t at = size ? chance((uint32_t)size) : 0;
    switch (chance(6)) {
    case 0:
        if (size) data[at] = (uint8_t)chance(256);
        return size;
    case 1:
        if (size) data[at] ^= (uint8_t)(1u << chance(8));
        return size;
    case 2:
        if (size - at >= 4)
            ws_store32be(data + at, NUMBERS[chance(sizeof NUMBERS / sizeof *NUMBERS)]);
        return size;
    case 3: return at;
    case 4: {
        size_t count = 1 + chance(16);
        if (at + count > size) return size;
        memmove(data + at, data + at + count, size - at - count);
        return size - count;
    }
    default: {
        size_t count = 1 + chance(16);
        if (at + count > size || size + count > LARGEST) return size;
        memmove(data + at + count, data + at, size - at);
        return size + count;
    }
    }
}

int main(int count, char **arguments) {
    static uint8_t seeds[64][LARGEST], input[LARGEST];
    static size_t sizes[64];
    int files = count - 3 < 64 ? count - 3 : 64;
    if (files < 1) {
        fprintf(stderr, "usage: driver SECONDS SEED FILE...\n");
        return 2;
    }
    for (int i = 0; i < files; i++) {
        FILE *file = fopen(arguments[i + 3], "rb");
        if (!file) {
            perror(arguments[i + 3]);
            return 2;
        }
        sizes[i] = fread(seeds[i], 1, LARGEST, file);
        fclose(file);
        run(seeds[i], sizes[i]);
    }
    state = 0x9E3779B97F4A7C15u ^ strtoull(arguments[2], NULL, 10);
    time_t stop = time(NULL) + atoi(arguments[1]);
    unsigned long long inputs = (unsigned long long)files;
    while (time(NULL) < stop) {
        for (int burst = 0; burst < 1000; burst++, inputs++) {
            int chosen = (int)chance((uint32_t)files);
            size_t size = sizes[chosen];
            memcpy(input, seeds[chosen], size);
            for (uint32_t edits = 1 + chance(5); edits; edits--) size = mutate(input, size);
            run(input, size);
        }
    }
    printf("%llu inputs\n", inputs);
    return 0;
}
