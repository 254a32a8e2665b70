/* A send request of any texts keeps to its bound, and its frame can be read. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 8) return 0;
    int32_t number;
    memcpy(&number, data, sizeof number);
    int64_t time = (int64_t)ws_load64be(data);
    ws_text_t first = {data, size / 2}, rest = {data + size / 2, size - size / 2};
    ws_send_t send = {first, rest, rest, first, time, number, number, number, number, number,
                      number & 1, number & 2, 3, 399, number, number};
    for (int binary = 0; binary < 2; binary++) {
        size_t bound = ws_send_bound(&send);
        uint8_t *out = malloc(bound), *frame;
        if (!out) abort();
        int written = ws_send_encode(&send, 0, binary, out);
        if (written < 0 || (size_t)written > bound) abort();
        frame = malloc((size_t)written);
        if (!frame) abort();
        memcpy(frame, out, (size_t)written);
        if (ws_frame_size(frame, 4, WS_FRAME_LIMIT) != written) abort();
        read_frame(frame, (size_t)written);
        free(frame);
        free(out);
    }
    return 0;
}
