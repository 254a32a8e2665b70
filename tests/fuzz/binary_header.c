/* A header in RocketMQ's binary form. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_header(data, size, 1);
    return 0;
}
