/* Properties, `name 01 value 02` repeated, and the hash that brokers filter tags by. */
#include "text.h"

#define NAME_ENDS 0x01
#define VALUE_ENDS 0x02

int ws_has_separator(const uint8_t *text, size_t length) {
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t v = ws_load64(text + i);
        if (ws_any_equal(v, NAME_ENDS) | ws_any_equal(v, VALUE_ENDS)) return 1;
    }
    for (; i < length; i++)
        if (text[i] == NAME_ENDS || text[i] == VALUE_ENDS) return 1;
    return 0;
}

size_t ws_properties_encode(const ws_field_t *fields, size_t count, uint8_t *out) {
    uint8_t *p = out;
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name_length) memcpy(p, fields[i].name, fields[i].name_length);
        p += fields[i].name_length;
        *p++ = NAME_ENDS;
        if (fields[i].value_length) memcpy(p, fields[i].value, fields[i].value_length);
        p += fields[i].value_length;
        *p++ = VALUE_ENDS;
    }
    return (size_t)(p - out);
}

int ws_properties_next(const uint8_t *data, size_t length, size_t *position, ws_slice_t *name,
                       ws_slice_t *value) {
    size_t at = *position;
    while (at < length) {
        const uint8_t *entry = data + at;
        const uint8_t *end = memchr(entry, VALUE_ENDS, length - at);
        if (!end) end = data + length;
        at = (size_t)(end - data) + 1;
        if (end == entry) continue;
        const uint8_t *middle = memchr(entry, NAME_ENDS, (size_t)(end - entry));
        if (!middle || middle == entry) continue;
        *position = at < length ? at : length;
        name->start = entry;
        name->length = (size_t)(middle - entry);
        name->escaped = 0;
        value->start = middle + 1;
        value->length = (size_t)(end - middle - 1);
        value->escaped = 0;
        return WS_FIELD;
    }
    *position = length;
    return WS_END;
}

int ws_properties_find(const uint8_t *data, size_t length, const uint8_t *name, size_t name_length,
                       ws_slice_t *value) {
    size_t position = 0;
    ws_slice_t entry_name, entry_value;
    int found = 0;
    while (ws_properties_next(data, length, &position, &entry_name, &entry_value) == WS_FIELD) {
        if (entry_name.length == name_length && !memcmp(entry_name.start, name, name_length)) {
            *value = entry_value;
            found = 1;
        }
    }
    return found;
}

int32_t ws_tag_hash(const void *characters, size_t count, int width) {
    uint32_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        if (width == 1) {
            hash = hash * 31 + ((const uint8_t *)characters)[i];
        } else if (width == 2) {
            hash = hash * 31 + ((const uint16_t *)characters)[i];
        } else {
            uint32_t point = ((const uint32_t *)characters)[i];
            if (point >= 0x10000) {
                hash = hash * 31 + (0xD7C0 + (point >> 10));
                point = 0xDC00 + (point & 0x3FF);
            }
            hash = hash * 31 + point;
        }
    }
    int32_t value;
    memcpy(&value, &hash, sizeof value);
    return value;
}
