/* Properties: what is read can be set on a message and encoded again. */
#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ws_message_t message;
    ws_slice_t name, value, held;
    size_t position = 0;
    ws_message_start(&message);
    if (size && ws_message_set_topic(&message, data, data[0] < size ? data[0] : size)) abort();
    while (ws_properties_next(data, size, &position, &name, &value) == WS_FIELD) {
        touch(&name);
        touch(&value);
        if (!ws_properties_find(data, size, name.start, name.length, &held)) abort();
        int error = ws_message_set_property(&message, name.start, name.length, value.start,
                                            value.length);
        if (error && error != WS_ERR_VALUE_SEPARATOR && error != WS_ERR_PROPERTIES_LIMIT) abort();
        if (error) continue;
        ws_slice_t all = ws_message_properties(&message);
        if (all.length > WS_PROPERTIES_LIMIT) abort();
        if (!ws_properties_find(all.start, all.length, name.start, name.length, &held)) abort();
        if (held.length != value.length || memcmp(held.start, value.start, held.length)) abort();
    }
    ws_slice_t topic = ws_message_topic(&message);
    if (topic.length && memcmp(topic.start, data, topic.length)) abort();
    ws_message_end(&message);
    return 0;
}
