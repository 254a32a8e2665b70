/* A whole send request: the header that ws_header_encode would write of its fields, in one pass. */
#include "write.h"

#define SEND_MESSAGE_V2 310
#define SEND_BATCH_MESSAGE 320
#define FIXED_BOUND 768 /* names, numbers and punctuation of either header */

size_t ws_send_bound(const ws_send_t *send) {
    return WS_FRAME_HEAD + FIXED_BOUND + 6 * (send->group.length + send->topic.length +
                                              send->properties.length + send->broker.length);
}

static int code_of(const ws_send_t *send) {
    return send->batch ? SEND_BATCH_MESSAGE : SEND_MESSAGE_V2;
}

static uint8_t *json_text(uint8_t *p, ws_text_t text) {
    return ws_write_string(p, text.start, text.length);
}

static uint8_t *json_number(uint8_t *p, int64_t number) {
    *p++ = '"';
    p = ws_write_number(p, number);
    *p++ = '"';
    return p;
}

static uint8_t *write_json(const ws_send_t *send, uint8_t *p) {
    p = ws_write_json_start(p, code_of(send), send->language, send->version, send->opaque,
                            send->flag);
    p = WS_LITERAL(p, ",\"extFields\":{\"a\":");
    p = json_text(p, send->group);
    p = WS_LITERAL(p, ",\"b\":");
    p = json_text(p, send->topic);
    p = WS_LITERAL(p, ",\"c\":\"TBW102\",\"d\":\"4\",\"e\":");
    p = json_number(p, send->queue_id);
    p = WS_LITERAL(p, ",\"f\":");
    p = json_number(p, send->sys_flag);
    p = WS_LITERAL(p, ",\"g\":");
    p = json_number(p, send->born_timestamp);
    p = WS_LITERAL(p, ",\"h\":");
    p = json_number(p, send->message_flag);
    p = WS_LITERAL(p, ",\"i\":");
    p = json_text(p, send->properties);
    p = WS_LITERAL(p, ",\"j\":");
    p = json_number(p, send->reconsume_times);
    p = WS_LITERAL(p, ",\"k\":\"false\",\"m\":");
    p = send->batch ? WS_LITERAL(p, "\"true\"") : WS_LITERAL(p, "\"false\"");
    p = WS_LITERAL(p, ",\"n\":");
    p = json_text(p, send->broker);
    if (send->has_max_reconsume_times) {
        p = WS_LITERAL(p, ",\"l\":");
        p = json_number(p, send->max_reconsume_times);
    }
    return WS_LITERAL(p, "}" WS_JSON_END);
}

/* The name of a field of one letter. */
static uint8_t *binary_name(uint8_t *p, char name) {
    p[0] = 0;
    p[1] = 1;
    p[2] = (uint8_t)name;
    return p + 3;
}

static uint8_t *binary_bytes(uint8_t *p, char name, const void *text, size_t length) {
    return ws_write_sized(binary_name(p, name), (const uint8_t *)text, length);
}

static uint8_t *binary_number(uint8_t *p, char name, int64_t number) {
    uint8_t *size = binary_name(p, name), *end = ws_write_number(size + 4, number);
    ws_store32be(size, (uint32_t)(end - size - 4));
    return end;
}

static uint8_t *write_binary(const ws_send_t *send, uint8_t *p) {
    p = ws_write_binary_start(p, code_of(send), send->language, send->version, send->opaque,
                              send->flag);
    p = ws_write_sized(p, NULL, 0);
    uint8_t *block = p;
    p += 4;
    p = binary_bytes(p, 'a', send->group.start, send->group.length);
    p = binary_bytes(p, 'b', send->topic.start, send->topic.length);
    p = binary_bytes(p, 'c', "TBW102", 6);
    p = binary_bytes(p, 'd', "4", 1);
    p = binary_number(p, 'e', send->queue_id);
    p = binary_number(p, 'f', send->sys_flag);
    p = binary_number(p, 'g', send->born_timestamp);
    p = binary_number(p, 'h', send->message_flag);
    p = binary_bytes(p, 'i', send->properties.start, send->properties.length);
    p = binary_number(p, 'j', send->reconsume_times);
    p = binary_bytes(p, 'k', "false", 5);
    p = send->batch ? binary_bytes(p, 'm', "true", 4) : binary_bytes(p, 'm', "false", 5);
    p = binary_bytes(p, 'n', send->broker.start, send->broker.length);
    if (send->has_max_reconsume_times) p = binary_number(p, 'l', send->max_reconsume_times);
    ws_store32be(block, (uint32_t)(p - block - 4));
    return p;
}

int ws_send_encode(const ws_send_t *send, size_t body_length, int binary, uint8_t *out) {
    if (body_length > WS_FRAME_LIMIT) return WS_ERR_FRAME_LIMIT;
    uint8_t *start = out + WS_FRAME_HEAD;
    uint8_t *end = binary ? write_binary(send, start) : write_json(send, start);
    return ws_close_head(out, end, body_length, binary);
}
