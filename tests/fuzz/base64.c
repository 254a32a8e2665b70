/* Base64: whatever is accepted is exactly what the encoder writes. */
#include "harness.h"

typedef int decode_t(const char *text, size_t length, uint8_t *data, size_t *written);
typedef void encode_t(const uint8_t *data, size_t length, char *text);

static void both_ways(decode_t *decode, encode_t *encode, const uint8_t *text, size_t size) {
    size_t written = 0;
    uint8_t *data = malloc(size / 4 * 3 + 1);
    char *again = malloc(size + 1);
    if (!data || !again) abort();
    if (decode((const char *)text, size, data, &written)) {
        if ((written + 2) / 3 * 4 != size) abort();
        encode(data, written, again);
        if (size && memcmp(again, text, size)) abort();
    } else if (written) {
        abort();
    }
    free(data);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    both_ways(ws_base64_decode, ws_base64_encode, data, size);
    both_ways(ws_base64url_decode, ws_base64url_encode, data, size);
    return 0;
}
