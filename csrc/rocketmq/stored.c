/* Messages as a broker stores and returns them. */
#include "../port.h"

#define MAGIC_V1 0xDAA320A7u
#define MAGIC_V2 0xDAA320ABu
#define MAGIC_BLANK 0xCBD43194u
#define BORN_HOST_V6 0x10
#define STORE_HOST_V6 0x20
#define UNTIL_BORN_HOST 48
#define SMALLEST 91 /* all fixed fields, IPv4, nothing in the body, the topic and the properties */

static int decode(const uint8_t *p, ws_stored_t *m) {
    uint32_t at = UNTIL_BORN_HOST, room;
    if (m->size < SMALLEST) return WS_ERR_STORED_LENGTH;
    m->body_crc = ws_load32be(p + 8);
    m->queue_id = (int32_t)ws_load32be(p + 12);
    m->flag = (int32_t)ws_load32be(p + 16);
    m->queue_offset = (int64_t)ws_load64be(p + 20);
    m->physical_offset = (int64_t)ws_load64be(p + 28);
    m->sys_flag = (int32_t)ws_load32be(p + 36);
    m->born_timestamp = (int64_t)ws_load64be(p + 40);
    uint32_t born = m->sys_flag & BORN_HOST_V6 ? 20 : 8;
    uint32_t store = m->sys_flag & STORE_HOST_V6 ? 20 : 8;
    if (m->size < SMALLEST - 16 + born + store) return WS_ERR_STORED_LENGTH;
    m->born_host = at;
    at += born;
    m->store_timestamp = (int64_t)ws_load64be(p + at);
    at += 8;
    m->store_host = at;
    at += store;
    m->reconsume_times = (int32_t)ws_load32be(p + at);
    m->prepared_transaction_offset = (int64_t)ws_load64be(p + at + 4);
    m->body_length = ws_load32be(p + at + 12);
    at += 16;
    m->body = at;
    room = m->size - at;
    if (m->body_length > room) return WS_ERR_STORED_LENGTH;
    at += m->body_length;
    room -= m->body_length;
    uint32_t prefix = ws_load32be(p + 4) == MAGIC_V1 ? 1 : 2;
    if (room < prefix) return WS_ERR_STORED_LENGTH;
    m->topic_length = prefix == 1 ? p[at] : ws_load16be(p + at);
    at += prefix;
    room -= prefix;
    m->topic = at;
    if (m->topic_length > room) return WS_ERR_STORED_LENGTH;
    at += m->topic_length;
    room -= m->topic_length;
    if (room < 2) return WS_ERR_STORED_LENGTH;
    m->properties_length = ws_load16be(p + at);
    m->properties = at + 2;
    if (m->properties_length > room - 2) return WS_ERR_STORED_LENGTH;
    m->crc_ok = (ws_crc32(p + m->body, m->body_length, 0) & 0x7FFFFFFF) == m->body_crc;
    return WS_FIELD;
}

int ws_stored_next(const uint8_t *data, size_t length, size_t *position, ws_stored_t *message) {
    while (*position < length) {
        size_t room = length - *position;
        const uint8_t *p = data + *position;
        if (room < 8) return WS_ERR_STORED_LENGTH;
        uint32_t size = ws_load32be(p), magic = ws_load32be(p + 4);
        if (size < 8 || size > room) return WS_ERR_STORED_LENGTH;
        if (magic == MAGIC_V1 || magic == MAGIC_V2) {
            message->record = *position;
            message->size = size;
            int outcome = decode(p, message);
            if (outcome == WS_FIELD) *position += size;
            return outcome;
        }
        if (magic != MAGIC_BLANK) return WS_ERR_STORED_MAGIC;
        *position += size;
    }
    return WS_END;
}
