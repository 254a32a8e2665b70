/* Encodings and signatures of any text keep to their bounds. The input is fields, each a name ended
 * by 0x01 and a value ended by 0x02; the first value is also the path, the body and the secret. */
#include "harness.h"

#define MOST 64

static char *room(size_t size) {
    char *text = malloc(size ? size : 1);
    if (!text) abort();
    return text;
}

static void within(size_t written, size_t bound) {
    if (written > bound) abort();
}

static void encodings(ws_field_t *fields, size_t count, const uint8_t *data, size_t size) {
    char *text = room(6 * size + 2);
    for (int set = WS_SET_UNRESERVED; set <= WS_SET_FORM; set++)
        within(ws_percent_encode(data, size, set, text), 3 * size);
    ws_hex_encode(data, size, text);
    within(ws_json_ascii(data, size, text), 6 * size + 2);
    free(text);
    size_t bound = ws_form_bound(fields, count), headers = 0;
    text = room(bound);
    within(ws_form_encode(fields, count, text), bound);
    within(ws_canonical_query(fields, count, text), bound);
    free(text);
    for (size_t i = 0; i < count; i++) headers += fields[i].name_length + fields[i].value_length + 2;
    text = room(headers);
    ws_headers_sort(fields, count);
    within(ws_canonical_headers(fields, count, text), headers);
    within(ws_signed_headers(fields, count, text), headers);
    free(text);
}

static void signatures(ws_field_t *fields, size_t count, ws_text_t any) {
    static const char stamp[] = "20150830T123600Z";
    char fixed[44];
    within(ws_sign_cmq(any, any, any, fields, count, any, (int)(any.length & 1), fixed), 44);
    ws_sign_rocketmq(fields, count, any, any, fixed);
    char *token = room(any.length + WS_WCS_SIGNATURE + 2 + (any.length + 2) / 3 * 4);
    ws_sign_wcs_upload(any, any, any, token);
    ws_sign_wcs_manager(any, any, any, any, token);
    free(token);
    ws_cos_t cos = {any, any, any, any, any, INT64_MAX, INT64_MAX, INT64_MAX};
    char *signature = room(ws_sign_cos_bound(&cos));
    within(ws_sign_cos(&cos, signature), ws_sign_cos_bound(&cos));
    free(signature);
    ws_text_t moment = {(const uint8_t *)stamp, sizeof stamp - 1};
    ws_field_t query[MOST];
    if (count) memcpy(query, fields, count * sizeof *query);
    ws_v4_t request = {any, any, any, any, any, any, any, moment, query, count, fields, count};
    if (!ws_v4_timestamp(moment)) abort();
    char *header = room(ws_sign_v4_bound(&request));
    within(ws_sign_v4(&request, header), ws_sign_v4_bound(&request));
    free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ws_field_t fields[MOST];
    ws_slice_t name, value;
    ws_text_t any = {data, size};
    size_t position = 0, count = 0;
    while (count < MOST && ws_properties_next(data, size, &position, &name, &value) == WS_FIELD) {
        if (!count) any = (ws_text_t){value.start, value.length};
        fields[count++] = (ws_field_t){name.start, name.length, value.start, value.length};
    }
    encodings(fields, count, data, size);
    signatures(fields, count, any);
    ws_v4_timestamp((ws_text_t){data, size});
    if (!ws_constant_time_equal(any, any)) abort();
    return 0;
}
