/* The pieces that the two files which write headers share. Each returns where it stopped. */
#ifndef WS_ROCKETMQ_WRITE_H
#define WS_ROCKETMQ_WRITE_H

#include "../port.h"

#define WS_LITERAL(p, text) (memcpy((p), (text), sizeof(text) - 1), (p) + sizeof(text) - 1)
#define WS_JSON_END ",\"serializeTypeCurrentRPC\":\"JSON\"}"

uint8_t *ws_write_number(uint8_t *p, int64_t number);

/* A JSON string: at most 6 * length + 2 bytes. */
uint8_t *ws_write_string(uint8_t *p, const uint8_t *text, size_t length);

/* A length of four bytes, and the bytes. */
uint8_t *ws_write_sized(uint8_t *p, const uint8_t *text, size_t length);

/* A header up to its remark. */
uint8_t *ws_write_json_start(uint8_t *p, int32_t code, int32_t language, int32_t version,
                             int32_t opaque, int32_t flag);
uint8_t *ws_write_binary_start(uint8_t *p, int32_t code, int32_t language, int32_t version,
                               int32_t opaque, int32_t flag);

/* Writes the lengths before a header that lies at out + WS_FRAME_HEAD and ends at `end`: the bytes
 * of both, or WS_ERR_FRAME_LIMIT. */
int ws_close_head(uint8_t *out, const uint8_t *end, size_t body_length, int binary);

#endif
