/* The body of a pull reply. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t position = 0, inner;
    ws_stored_t message;
    ws_slice_t name, value;
    while (ws_stored_next(data, size, &position, &message) == WS_FIELD) {
        const uint8_t *record = data + message.record;
        ws_slice_t parts[] = {
            {record + message.body, message.body_length, 0},
            {record + message.topic, message.topic_length, 0},
            {record + message.properties, message.properties_length, 0},
            {record + message.born_host, message.sys_flag & 0x10 ? 20 : 8, 0},
            {record + message.store_host, message.sys_flag & 0x20 ? 20 : 8, 0},
        };
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) touch(&parts[i]);
        inner = 0;
        while (ws_properties_next(parts[2].start, parts[2].length, &inner, &name, &value) ==
               WS_FIELD) {
            touch(&name);
            touch(&value);
        }
    }
    if (position > size) abort();
    return 0;
}
