/* The life of an outgoing message: topic and properties in one piece of memory. */
#include <stdlib.h>

#include "../port.h"

void ws_message_start(ws_message_t *message) {
    message->text = message->room;
    message->topic_length = 0;
    message->properties_length = 0;
    message->capacity = WS_MESSAGE_ROOM;
}

void ws_message_end(ws_message_t *message) {
    if (message->text != message->room) free(message->text);
    ws_message_start(message);
}

/* Puts `size` bytes in the place of `old` bytes at `at` and moves what follows; the new bytes are
 * the caller's to fill. */
static int message_open(ws_message_t *message, size_t at, size_t old, size_t size) {
    size_t used = (size_t)message->topic_length + message->properties_length;
    size_t needed = used - old + size;
    if (needed > message->capacity) {
        size_t capacity = needed + needed / 2;
        uint8_t *text = malloc(capacity);
        if (!text) return WS_ERR_MEMORY;
        memcpy(text, message->text, used);
        if (message->text != message->room) free(message->text);
        message->text = text;
        message->capacity = (uint32_t)capacity;
    }
    if (old != size && used != at + old)
        memmove(message->text + at + size, message->text + at + old, used - at - old);
    return WS_OK;
}

int ws_message_set_topic(ws_message_t *message, const uint8_t *topic, size_t length) {
    if (length > WS_PROPERTIES_LIMIT) return WS_ERR_TOPIC_LIMIT;
    int error = message_open(message, 0, message->topic_length, length);
    if (error) return error;
    if (length) memcpy(message->text, topic, length);
    message->topic_length = (uint32_t)length;
    return WS_OK;
}

int ws_message_set_property(ws_message_t *message, const uint8_t *name, size_t name_length,
                            const uint8_t *value, size_t value_length) {
    if (ws_has_separator(name, name_length)) return WS_ERR_NAME_SEPARATOR;
    if (!name_length) return WS_ERR_NAME_EMPTY;
    if (ws_has_separator(value, value_length)) return WS_ERR_VALUE_SEPARATOR;
    if (name_length > WS_PROPERTIES_LIMIT || value_length > WS_PROPERTIES_LIMIT)
        return WS_ERR_PROPERTIES_LIMIT;
    const uint8_t *properties = message->text + message->topic_length;
    size_t at = message->properties_length, old = 0, size = name_length + value_length + 2;
    ws_slice_t held;
    if (at && ws_properties_find(properties, at, name, name_length, &held)) {
        old = name_length + held.length + 2;
        at = (size_t)(held.start - properties) - name_length - 1;
    }
    if (message->properties_length - old + size > WS_PROPERTIES_LIMIT)
        return WS_ERR_PROPERTIES_LIMIT;
    at += message->topic_length;
    int error = message_open(message, at, old, size);
    if (error) return error;
    ws_field_t field = {name, name_length, value, value_length};
    ws_properties_encode(&field, 1, message->text + at);
    message->properties_length = (uint32_t)(message->properties_length - old + size);
    return WS_OK;
}

ws_slice_t ws_message_topic(const ws_message_t *message) {
    ws_slice_t slice = {message->text, message->topic_length, 0};
    return slice;
}

ws_slice_t ws_message_properties(const ws_message_t *message) {
    ws_slice_t slice = {message->text + message->topic_length, message->properties_length, 0};
    return slice;
}
