/* The head of a frame, in JSON and in RocketMQ's binary form, and the parts of a batch. */
#include "text.h"
#include "write.h"

static const char *const LANGUAGES[WS_LANGUAGES] = {
    "JAVA",  "CPP",  "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY",
    "OTHER", "HTTP", "GO",     "PHP",    "OMS",    "RUST",   "NODE_JS",
};

/* Enough for the fixed parts of either header: names, numbers, punctuation. */
#define FIXED_BOUND 256

size_t ws_header_bound(const ws_header_t *header) {
    size_t bound = WS_FRAME_HEAD + FIXED_BOUND + 6 * header->remark_length;
    for (size_t i = 0; i < header->count; i++)
        bound += 6 * (header->fields[i].name_length + header->fields[i].value_length) + 6;
    return bound;
}

uint8_t *ws_write_number(uint8_t *p, int64_t number) {
    uint8_t digits[20];
    int count = 0;
    uint64_t rest = number < 0 ? 0u - (uint64_t)number : (uint64_t)number;
    if (number < 0) *p++ = '-';
    do {
        digits[count++] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    while (count) *p++ = digits[--count];
    return p;
}

static uint8_t *write_escape(uint8_t *p, uint8_t c) {
    static const char HEX[] = "0123456789abcdef";
    *p++ = '\\';
    switch (c) {
    case '"':
    case '\\': *p++ = c; break;
    case '\b': *p++ = 'b'; break;
    case '\f': *p++ = 'f'; break;
    case '\n': *p++ = 'n'; break;
    case '\r': *p++ = 'r'; break;
    case '\t': *p++ = 't'; break;
    default:
        p = WS_LITERAL(p, "u00");
        *p++ = (uint8_t)HEX[c >> 4];
        *p++ = (uint8_t)HEX[c & 15];
    }
    return p;
}

uint8_t *ws_write_string(uint8_t *p, const uint8_t *text, size_t length) {
    size_t i = 0;
    *p++ = '"';
    while (i < length) {
        if (i + 8 <= length) {
            uint64_t v = ws_load64(text + i);
            if (!(ws_any_below(v, 0x20) | ws_any_equal(v, '"') | ws_any_equal(v, '\\'))) {
                memcpy(p, &v, 8);
                p += 8;
                i += 8;
                continue;
            }
        }
        size_t stop = i + 8 < length ? i + 8 : length;
        for (; i < stop; i++) {
            uint8_t c = text[i];
            if (c < 0x20 || c == '"' || c == '\\')
                p = write_escape(p, c);
            else
                *p++ = c;
        }
    }
    *p++ = '"';
    return p;
}

uint8_t *ws_write_json_start(uint8_t *p, int32_t code, int32_t language, int32_t version,
                             int32_t opaque, int32_t flag) {
    const char *name = LANGUAGES[language];
    size_t name_length = strlen(name);
    p = WS_LITERAL(p, "{\"code\":");
    p = ws_write_number(p, code);
    p = WS_LITERAL(p, ",\"language\":\"");
    memcpy(p, name, name_length);
    p += name_length;
    p = WS_LITERAL(p, "\",\"version\":");
    p = ws_write_number(p, version);
    p = WS_LITERAL(p, ",\"opaque\":");
    p = ws_write_number(p, opaque);
    p = WS_LITERAL(p, ",\"flag\":");
    return ws_write_number(p, flag);
}

static uint8_t *write_json(const ws_header_t *header, uint8_t *p) {
    p = ws_write_json_start(p, header->code, header->language, header->version, header->opaque,
                            header->flag);
    if (header->remark) {
        p = WS_LITERAL(p, ",\"remark\":");
        p = ws_write_string(p, header->remark, header->remark_length);
    }
    if (header->fields) {
        p = WS_LITERAL(p, ",\"extFields\":{");
        for (size_t i = 0; i < header->count; i++) {
            if (i) *p++ = ',';
            p = ws_write_string(p, header->fields[i].name, header->fields[i].name_length);
            *p++ = ':';
            p = ws_write_string(p, header->fields[i].value, header->fields[i].value_length);
        }
        *p++ = '}';
    }
    return WS_LITERAL(p, WS_JSON_END);
}

uint8_t *ws_write_sized(uint8_t *p, const uint8_t *text, size_t length) {
    ws_store32be(p, (uint32_t)length);
    if (length) memcpy(p + 4, text, length);
    return p + 4 + length;
}

uint8_t *ws_write_binary_start(uint8_t *p, int32_t code, int32_t language, int32_t version,
                               int32_t opaque, int32_t flag) {
    ws_store16be(p, (uint16_t)code);
    p[2] = (uint8_t)language;
    ws_store16be(p + 3, (uint16_t)version);
    ws_store32be(p + 5, (uint32_t)opaque);
    ws_store32be(p + 9, (uint32_t)flag);
    return p + 13;
}

static uint8_t *write_binary(const ws_header_t *header, uint8_t *p) {
    p = ws_write_binary_start(p, header->code, header->language, header->version, header->opaque,
                              header->flag);
    p = ws_write_sized(p, header->remark, header->remark_length);
    uint8_t *block = p;
    p += 4;
    for (size_t i = 0; i < header->count; i++) {
        const ws_field_t *field = &header->fields[i];
        ws_store16be(p, (uint16_t)field->name_length);
        if (field->name_length) memcpy(p + 2, field->name, field->name_length);
        p = ws_write_sized(p + 2 + field->name_length, field->value, field->value_length);
    }
    ws_store32be(block, (uint32_t)(p - block - 4));
    return p;
}

int ws_close_head(uint8_t *out, const uint8_t *end, size_t body_length, int binary) {
    size_t length = (size_t)(end - out) - WS_FRAME_HEAD;
    if (length > WS_FRAME_LIMIT || WS_FRAME_HEAD + length + body_length > WS_FRAME_LIMIT)
        return WS_ERR_FRAME_LIMIT;
    ws_store32be(out, (uint32_t)(4 + length + body_length));
    ws_store32be(out + 4, (uint32_t)length | (binary ? 1u << 24 : 0));
    return (int)(end - out);
}

int ws_header_encode(const ws_header_t *header, size_t body_length, int binary, uint8_t *out) {
    if (body_length > WS_FRAME_LIMIT) return WS_ERR_FRAME_LIMIT;
    if (binary)
        for (size_t i = 0; i < header->count; i++)
            if (header->fields[i].name_length > 32767) return WS_ERR_NAME_LIMIT;
    uint8_t *start = out + WS_FRAME_HEAD;
    uint8_t *end = binary ? write_binary(header, start) : write_json(header, start);
    return ws_close_head(out, end, body_length, binary);
}

#define PART_HEAD 20

size_t ws_batch_part_size(size_t body_length, size_t properties_length) {
    return PART_HEAD + body_length + 2 + properties_length;
}

size_t ws_batch_part(uint8_t *out, int32_t flag, const uint8_t *body, size_t body_length,
                     const uint8_t *properties, size_t properties_length) {
    size_t size = ws_batch_part_size(body_length, properties_length);
    ws_store32be(out, (uint32_t)size);
    ws_store32be(out + 4, 0);
    ws_store32be(out + 8, 0);
    ws_store32be(out + 12, (uint32_t)flag);
    uint8_t *p = ws_write_sized(out + 16, body, body_length);
    ws_store16be(p, (uint16_t)properties_length);
    if (properties_length) memcpy(p + 2, properties, properties_length);
    return size;
}
