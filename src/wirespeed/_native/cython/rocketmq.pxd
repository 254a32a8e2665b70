from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from wirespeed._native.cython.sign cimport ws_field_t, ws_text_t

cdef extern from "port.h" nogil:
    enum: WS_FRAME_LIMIT
    enum: WS_FRAME_HEAD
    enum: WS_PROPERTIES_LIMIT
    enum: WS_JSON_DEPTH
    enum: WS_MESSAGE_ROOM
    enum: WS_LANGUAGES
    enum: WS_OK
    enum: WS_END
    enum: WS_FIELD
    enum: WS_FIELDS_BEGIN
    enum: WS_ERR_MEMORY
    enum: WS_ERR_NAME_EMPTY
    enum: WS_ERR_NAME_SEPARATOR
    enum: WS_ERR_VALUE_SEPARATOR
    enum: WS_ERR_PROPERTIES_LIMIT
    enum: WS_ERR_TOPIC_LIMIT
    enum: WS_ERR_FRAME_LIMIT
    enum: WS_ERR_FRAME_LENGTH
    enum: WS_ERR_HEADER_LENGTH
    enum: WS_ERR_HEADER_TYPE
    enum: WS_ERR_HEADER_BINARY
    enum: WS_ERR_HEADER_JSON
    enum: WS_ERR_HEADER_DEPTH
    enum: WS_ERR_HEADER_VALUE
    enum: WS_ERR_HEADER_UTF8
    enum: WS_ERR_NAME_LIMIT
    enum: WS_ERR_STORED_LENGTH
    enum: WS_ERR_STORED_MAGIC

    ctypedef struct ws_slice_t:
        const uint8_t *start
        size_t length
        int escaped

    ctypedef struct ws_message_t:
        uint8_t *text
        uint32_t topic_length
        uint32_t properties_length
        uint32_t capacity
        uint8_t room[200]

    ctypedef struct ws_header_t:
        int32_t code
        int32_t language
        int32_t version
        int32_t opaque
        int32_t flag
        const uint8_t *remark
        size_t remark_length
        const ws_field_t *fields
        size_t count

    ctypedef struct ws_send_t:
        ws_text_t group
        ws_text_t topic
        ws_text_t properties
        ws_text_t broker
        int64_t born_timestamp
        int32_t queue_id
        int32_t sys_flag
        int32_t message_flag
        int32_t reconsume_times
        int32_t max_reconsume_times
        int32_t has_max_reconsume_times
        int32_t batch
        int32_t language
        int32_t version
        int32_t opaque
        int32_t flag

    ctypedef struct ws_reader_t:
        int32_t code
        int32_t language
        int32_t version
        int32_t opaque
        int32_t flag
        int binary
        ws_slice_t remark
        ws_slice_t body
        const uint8_t *at
        const uint8_t *end
        int state

    ctypedef struct ws_stored_t:
        size_t record
        uint32_t size
        uint32_t body_crc
        int32_t crc_ok
        int32_t queue_id
        int32_t flag
        int32_t sys_flag
        int32_t reconsume_times
        int64_t queue_offset
        int64_t physical_offset
        int64_t born_timestamp
        int64_t store_timestamp
        int64_t prepared_transaction_offset
        uint32_t born_host
        uint32_t store_host
        uint32_t body
        uint32_t body_length
        uint32_t topic
        uint32_t topic_length
        uint32_t properties
        uint32_t properties_length

    const char *ws_error_text(int error)
    void ws_message_start(ws_message_t *message)
    void ws_message_end(ws_message_t *message)
    int ws_message_set_topic(ws_message_t *message, const uint8_t *topic, size_t length)
    int ws_message_set_property(ws_message_t *message, const uint8_t *name, size_t name_length,
                                const uint8_t *value, size_t value_length)
    ws_slice_t ws_message_topic(const ws_message_t *message)
    ws_slice_t ws_message_properties(const ws_message_t *message)
    int ws_has_separator(const uint8_t *text, size_t length)
    size_t ws_properties_encode(const ws_field_t *fields, size_t count, uint8_t *out)
    int ws_properties_next(const uint8_t *data, size_t length, size_t *position, ws_slice_t *name,
                           ws_slice_t *value)
    int ws_properties_find(const uint8_t *data, size_t length, const uint8_t *name,
                           size_t name_length, ws_slice_t *value)
    int32_t ws_tag_hash(const void *characters, size_t count, int width)
    size_t ws_header_bound(const ws_header_t *header)
    int ws_header_encode(const ws_header_t *header, size_t body_length, int binary, uint8_t *out)
    size_t ws_send_bound(const ws_send_t *send)
    int ws_send_encode(const ws_send_t *send, size_t body_length, int binary, uint8_t *out)
    int64_t ws_frame_size(const uint8_t *data, size_t length, size_t limit)
    int ws_reader_open(ws_reader_t *reader, const uint8_t *frame, size_t length)
    int ws_reader_next(ws_reader_t *reader, ws_slice_t *name, ws_slice_t *value)
    size_t ws_json_unescape(const ws_slice_t *slice, uint8_t *out)
    int ws_stored_next(const uint8_t *data, size_t length, size_t *position, ws_stored_t *message)
    size_t ws_batch_part_size(size_t body_length, size_t properties_length)
    size_t ws_batch_part(uint8_t *out, int32_t flag, const uint8_t *body, size_t body_length,
                         const uint8_t *properties, size_t properties_length)
