/* What the entry points of this folder share. Each file holds one LLVMFuzzerTestOneInput: link it
 * with the C files of csrc/rocketmq, csrc/digest/crc32.c, and libFuzzer or, without one, driver.c.
 * Include paths: csrc and this folder. */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdlib.h>

#include "port.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte of a slice, so that a sanitizer sees one that points outside its input. */
static inline void touch(const ws_slice_t *slice) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < slice->length; i++) sum = (uint8_t)(sum + slice->start[i]);
}

static inline void touch_text(const ws_slice_t *slice) {
    touch(slice);
    if (!slice->start || !slice->escaped) return;
    uint8_t *text = malloc(slice->length ? slice->length : 1);
    if (!text) abort();
    ws_slice_t plain = {text, ws_json_unescape(slice, text), 0};
    if (plain.length > slice->length) abort();
    touch(&plain);
    free(text);
}

/* Decodes one frame to its end. */
static inline void read_frame(const uint8_t *frame, size_t length) {
    ws_reader_t reader;
    ws_slice_t name, value;
    int outcome = ws_reader_open(&reader, frame, length);
    while (outcome >= 0 && outcome != WS_END) {
        outcome = ws_reader_next(&reader, &name, &value);
        if (outcome == WS_FIELD) {
            touch_text(&name);
            touch_text(&value);
        }
    }
    if (outcome < 0) {
        if (!ws_error_text(outcome)[0]) abort();
        return;
    }
    touch_text(&reader.remark);
    touch(&reader.body);
}

/* Decodes `data` as the header of a frame of the given type. */
static inline void read_header(const uint8_t *data, size_t size, uint32_t type) {
    if (size > 0xFFFFFF) return;
    uint8_t *frame = malloc(size + WS_FRAME_HEAD);
    if (!frame) abort();
    ws_store32be(frame, (uint32_t)(size + 4));
    ws_store32be(frame + 4, type << 24 | (uint32_t)size);
    if (size) memcpy(frame + WS_FRAME_HEAD, data, size);
    read_frame(frame, size + WS_FRAME_HEAD);
    free(frame);
}

#endif
