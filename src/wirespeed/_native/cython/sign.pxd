from libc.stdint cimport int64_t, uint8_t

cdef extern from "port.h" nogil:
    enum: WS_SET_UNRESERVED
    enum: WS_SET_PATH
    enum: WS_SET_FORM
    enum: WS_WCS_SIGNATURE
    enum: WS_V4_KEYS

    ctypedef struct ws_text_t:
        const uint8_t *start
        size_t length

    ctypedef struct ws_field_t:
        const uint8_t *name
        size_t name_length
        const uint8_t *value
        size_t value_length

    ctypedef struct ws_cos_t:
        ws_text_t appid
        ws_text_t bucket
        ws_text_t secret_id
        ws_text_t secret_key
        ws_text_t fileid
        int64_t now
        int64_t expires
        int64_t nonce

    ctypedef struct ws_v4_t:
        ws_text_t method
        ws_text_t path
        ws_text_t body
        ws_text_t access_key
        ws_text_t secret_key
        ws_text_t region
        ws_text_t service
        ws_text_t timestamp
        ws_field_t *query
        size_t query_count
        ws_field_t *headers
        size_t header_count

    void ws_base64_encode(const uint8_t *data, size_t length, char *text)
    int ws_base64_decode(const char *text, size_t length, uint8_t *data, size_t *written)
    void ws_hex_encode(const uint8_t *data, size_t length, char *text)
    size_t ws_percent_encode(const uint8_t *data, size_t length, int set, char *text)
    size_t ws_form_bound(const ws_field_t *fields, size_t count)
    size_t ws_form_encode(const ws_field_t *fields, size_t count, char *text)
    size_t ws_json_ascii(const uint8_t *text, size_t length, char *out)
    size_t ws_decimal(int64_t number, char *out)
    size_t ws_canonical_query(ws_field_t *params, size_t count, char *text)
    int ws_headers_sort(ws_field_t *headers, size_t count)
    size_t ws_canonical_headers(const ws_field_t *headers, size_t count, char *text)
    size_t ws_signed_headers(const ws_field_t *headers, size_t count, char *text)
    size_t ws_sign_cmq(ws_text_t method, ws_text_t host, ws_text_t path, ws_field_t *params,
                       size_t count, ws_text_t secret, int sha256, char *signature)
    size_t ws_sign_wcs_upload(ws_text_t access, ws_text_t secret, ws_text_t policy, char *token)
    size_t ws_sign_wcs_manager(ws_text_t access, ws_text_t secret, ws_text_t target,
                               ws_text_t body, char *token)
    size_t ws_sign_cos_bound(const ws_cos_t *request)
    size_t ws_sign_cos(const ws_cos_t *request, char *signature)
    void ws_sign_rocketmq(ws_field_t *fields, size_t count, ws_text_t body, ws_text_t secret,
                          char *signature)
    int ws_v4_timestamp(ws_text_t text)
    size_t ws_sign_v4_bound(const ws_v4_t *request)
    size_t ws_sign_v4(ws_v4_t *request, char *out)
    int ws_constant_time_equal(ws_text_t a, ws_text_t b)
