/* A byte stream cut into frames, each decoded. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    while (size) {
        int64_t frame = ws_frame_size(data, size, WS_FRAME_LIMIT);
        if (frame <= 0 || (uint64_t)frame > size) return 0;
        read_frame(data, (size_t)frame);
        data += frame;
        size -= (size_t)frame;
    }
    return 0;
}
