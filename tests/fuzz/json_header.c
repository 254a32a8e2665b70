/* A header in JSON. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_header(data, size, 0);
    return 0;
}
