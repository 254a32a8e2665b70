/* The C contract of wirespeed. cffi parses this file as it is, so it holds only prototypes,
 * structs, enums and numbers; include it through port.h.
 *
 * Unless a function says otherwise: pointers are borrowed for the time of the call, a length of 0
 * allows a NULL pointer, nothing is allocated, no function fails, and every function may be called
 * from any thread at any time.
 */

/* ---- cpu: which kernels run ---- */

/* The name of the kernel set in use: "avx512", "sha-ni", "avx2", "armv8" or "portable". Static
 * storage, as all names here. */
const char *ws_cpu_path(void);

/* The name of the kernel set at `index` among those this CPU runs, best first; NULL past the end. */
const char *ws_cpu_path_at(int index);

/* Uses the kernel set `name` (NUL-terminated) from now on. 1, or 0 if this CPU does not run it. */
int ws_cpu_set_path(const char *name);

/* Row `index` of the set in use: from `*from` inputs on, `*kernel` hashes them side by side; the
 * first row that fits holds. 1, or 0 past the end. */
int ws_cpu_plan_at(int index, uint32_t *from, const char **kernel);

/* The SHA-1 kernel at `index` among all that this CPU runs, and how many inputs it hashes side by
 * side; NULL past the end. */
const char *ws_sha1_kernel_at(int index, uint32_t *width);

/* ---- digest: SHA-1, SHA-256, block digests, etag, HMAC, CRC-32, CRC-64 ---- */

#define WS_SHA1_SIZE 20
#define WS_SHA256_SIZE 32
#define WS_SHA_BLOCK 64
#define WS_LANES 32
#define WS_ETAG_BLOCK 4194304
#define WS_ETAG_LENGTH 28
#define WS_HMAC_KEYS 64
#define WS_SHA1_WORDS 5
#define WS_SHA256_WORDS 8

/* FIPS 180-4. `digest` has room for 20 (32) bytes. */
void ws_sha1(const uint8_t *data, size_t length, uint8_t *digest);
void ws_sha256(const uint8_t *data, size_t length, uint8_t *digest);

/* A running digest; a copy of the struct is a running digest too. Owned by the caller; one thread
 * at a time. */
typedef struct {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint32_t words;  /* WS_SHA1_WORDS or WS_SHA256_WORDS */
    uint8_t pending[64]; /* the last length % 64 bytes, not in `state` yet */
} ws_hash_t;

/* Starts a digest of nothing; `words` is WS_SHA1_WORDS or WS_SHA256_WORDS. */
void ws_hash_start(ws_hash_t *hash, uint32_t words);

/* Appends bytes. */
void ws_hash_update(ws_hash_t *hash, const uint8_t *data, size_t length);

/* The digest so far, 4 bytes a word. The hash may go on afterwards. */
void ws_hash_digest(const ws_hash_t *hash, uint8_t *digest);

/* The SHA-1 of each `block_size` (> 0) bytes of `data`, the last block perhaps shorter.
 * `digests` has room for 20 bytes a block; no data has no block. */
void ws_sha1_blocks(const uint8_t *data, size_t length, size_t block_size, uint8_t *digests);

/* The running SHA-1 after each `part_size` (> 0, a multiple of 64) bytes of `data`: five words,
 * little-endian, 20 bytes a part; for the last part, perhaps shorter, the digest of all. No data
 * has no part. */
void ws_sha1_states(const uint8_t *data, size_t length, size_t part_size, uint8_t *states);

/* One of many inputs. */
typedef struct {
    const uint8_t *data;
    size_t length;
} ws_input_t;

/* The SHA-1 of each input, side by side whatever their lengths. `digests` has room for 20 bytes an
 * input. */
void ws_sha1_many(const ws_input_t *inputs, size_t count, uint8_t *digests);

/* Inputs of equal length whose SHA-1 runs side by side. Owned by the caller; one thread at a time. */
typedef struct {
    uint32_t state[5][32]; /* word by word, a lane in each column */
    uint64_t length; /* bytes of each lane so far, a multiple of 64 */
    uint32_t count;
    const void *kernel; /* NULL: as the set in use plans */
} ws_sha1_lanes_t;

/* Starts `count` (1 to WS_LANES) empty lanes; `kernel` is an index for ws_sha1_kernel_at, for
 * measuring that kernel, or negative. */
void ws_sha1_lanes_start(ws_sha1_lanes_t *lanes, uint32_t count, int kernel);

/* Appends `piece` (a multiple of 64) bytes to each lane; their pieces begin `stride` bytes apart. */
void ws_sha1_lanes_update(ws_sha1_lanes_t *lanes, const uint8_t *data, size_t piece,
                          size_t stride);

/* The digests so far, 20 bytes a lane. The lanes may go on afterwards. */
void ws_sha1_lanes_digests(const ws_sha1_lanes_t *lanes, uint8_t *digests);

/* The etag of a file of `count` blocks of WS_ETAG_BLOCK bytes with these SHA-1 digests; 0 blocks
 * are the empty file. `text` has room for WS_ETAG_LENGTH characters; no NUL is added. */
void ws_etag_from_blocks(const uint8_t *digests, size_t count, char *text);

/* RFC 2104. The schedules of up to WS_HMAC_KEYS keys are kept, and wiped when they give way. */
void ws_hmac_sha1(const uint8_t *key, size_t key_length, const uint8_t *message, size_t length,
                  uint8_t *digest);
void ws_hmac_sha256(const uint8_t *key, size_t key_length, const uint8_t *message, size_t length,
                    uint8_t *digest);

/* HMAC-SHA1 of each input with one key, side by side. `digests` has room for 20 bytes an input. */
void ws_hmac_sha1_many(const uint8_t *key, size_t key_length, const ws_input_t *inputs,
                       size_t count, uint8_t *digests);

/* The CRC-32 of zlib, and the CRC-64 of xz, continued from `value` (0 to begin). */
uint32_t ws_crc32(const uint8_t *data, size_t length, uint32_t value);
uint64_t ws_crc64(const uint8_t *data, size_t length, uint64_t value);

/* ---- encode: base64 (RFC 4648), hex, percent-encoding (RFC 3986) ---- */

/* What percent-encoding leaves as it is: letters, digits and -._~ in each set; besides, '/' in a
 * path, and in a form a space becomes '+'. */
#define WS_SET_UNRESERVED 0
#define WS_SET_PATH 1
#define WS_SET_FORM 2

/* A text, most often UTF-8. */
typedef struct {
    const uint8_t *start;
    size_t length;
} ws_text_t;

/* One name and value to encode. */
typedef struct {
    const uint8_t *name;
    size_t name_length;
    const uint8_t *value;
    size_t value_length;
} ws_field_t;

/* Base64, padded, in the standard alphabet or the URL-safe one: writes 4 * ((length + 2) / 3)
 * characters to `text`; no NUL is added. */
void ws_base64_encode(const uint8_t *data, size_t length, char *text);
void ws_base64url_encode(const uint8_t *data, size_t length, char *text);

/* Decode exactly what the functions above write. `data` has room for length / 4 * 3 bytes;
 * `*written` is how many came out. 1, or 0 if `text` is anything else. */
int ws_base64_decode(const char *text, size_t length, uint8_t *data, size_t *written);
int ws_base64url_decode(const char *text, size_t length, uint8_t *data, size_t *written);

/* Writes 2 * length lower-case hex digits. */
void ws_hex_encode(const uint8_t *data, size_t length, char *text);

/* Writes at most 3 * length characters and returns how many. `set` is a WS_SET. */
size_t ws_percent_encode(const uint8_t *data, size_t length, int set, char *text);

/* An upper bound of what ws_form_encode and ws_canonical_query write. */
size_t ws_form_bound(const ws_field_t *fields, size_t count);

/* Writes name=value&... as a form; returns the length. */
size_t ws_form_encode(const ws_field_t *fields, size_t count, char *text);

/* Writes ASCII text as a JSON string, at most 6 * length + 2 characters; returns the length. */
size_t ws_json_ascii(const uint8_t *text, size_t length, char *out);

/* Writes a number, at most 20 characters; returns the length. */
size_t ws_decimal(int64_t number, char *out);

/* Sorts `params` in place by their encoded names and writes SigV4's canonical query. */
size_t ws_canonical_query(ws_field_t *params, size_t count, char *text);

/* Sorts headers in place by their lower-case names. 1, or 0 if two names are the same. */
int ws_headers_sort(ws_field_t *headers, size_t count);

/* Write SigV4's canonical headers, at most the sum of both lengths + 2 of each, and the names
 * joined by ';'. Return the length. */
size_t ws_canonical_headers(const ws_field_t *headers, size_t count, char *text);
size_t ws_signed_headers(const ws_field_t *headers, size_t count, char *text);

/* ---- sign: from a request's parts to the text that proves who sent it ----
 *
 * Schedules of secrets come from the cache of the HMAC functions. What a secret led to is wiped
 * from temporary memory. Fields given without `const` are sorted in place. No NUL is added.
 */

#define WS_WCS_SIGNATURE 56
#define WS_V4_KEYS 16

/* CMQ: writes 28 characters, or 44 with `sha256`, and returns which. */
size_t ws_sign_cmq(ws_text_t method, ws_text_t host, ws_text_t path, ws_field_t *params,
                   size_t count, ws_text_t secret, int sha256, char *signature);

/* WCS: write the access key, ':' and WS_WCS_SIGNATURE characters, and for an upload ':' and the
 * policy in base64url; return the length. */
size_t ws_sign_wcs_upload(ws_text_t access, ws_text_t secret, ws_text_t policy, char *token);
size_t ws_sign_wcs_manager(ws_text_t access, ws_text_t secret, ws_text_t target, ws_text_t body,
                           char *token);

/* What a COS v4 signature covers; `fileid` is percent-encoded already, `expires` 0 for one use. */
typedef struct {
    ws_text_t appid;
    ws_text_t bucket;
    ws_text_t secret_id;
    ws_text_t secret_key;
    ws_text_t fileid;
    int64_t now;
    int64_t expires;
    int64_t nonce;
} ws_cos_t;

/* COS v4: writes the signature into the room of ws_sign_cos_bound; returns its length. */
size_t ws_sign_cos_bound(const ws_cos_t *request);
size_t ws_sign_cos(const ws_cos_t *request, char *signature);

/* RocketMQ: writes 28 characters. A field named Signature is passed over. */
void ws_sign_rocketmq(ws_field_t *fields, size_t count, ws_text_t body, ws_text_t secret,
                      char *signature);

/* A request to sign with AWS Signature Version 4: `path` as it is sent, `query` and `headers`
 * (those to be signed) not encoded, `timestamp` as in 20150101T000000Z. */
typedef struct {
    ws_text_t method;
    ws_text_t path;
    ws_text_t body;
    ws_text_t access_key;
    ws_text_t secret_key;
    ws_text_t region;
    ws_text_t service;
    ws_text_t timestamp;
    ws_field_t *query;
    size_t query_count;
    ws_field_t *headers;
    size_t header_count;
} ws_v4_t;

/* 1 if the text is eight digits, T, six digits, Z. */
int ws_v4_timestamp(ws_text_t text);

/* Writes the value of the Authorization header into the room of ws_sign_v4_bound and returns its
 * length, or 0 if two headers have the same name. The timestamp has been checked. The keys derived
 * for up to WS_V4_KEYS secrets, days, regions and services are kept, and wiped when they give
 * way. */
size_t ws_sign_v4_bound(const ws_v4_t *request);
size_t ws_sign_v4(ws_v4_t *request, char *out);

/* 1 if both are equal, else 0, in a time that depends on the lengths alone. */
int ws_constant_time_equal(ws_text_t a, ws_text_t b);

/* ---- rocketmq: messages, frames, headers, properties, stored messages, batches ----
 *
 * Parsers take bytes of any content and read none beyond the length given. Their slices point into
 * the input and live as long as it does. Texts are UTF-8. All numbers on the wire are big-endian.
 */

#define WS_FRAME_LIMIT 16777216
#define WS_FRAME_HEAD 8
#define WS_PROPERTIES_LIMIT 32767
#define WS_JSON_DEPTH 32
#define WS_MESSAGE_ROOM 200
#define WS_LANGUAGES 14

/* What the functions below return; ws_error_text has a sentence for each negative one. */
#define WS_OK 0
#define WS_END 1
#define WS_FIELD 2
#define WS_FIELDS_BEGIN 3
#define WS_ERR_MEMORY -1
#define WS_ERR_NAME_EMPTY -2
#define WS_ERR_NAME_SEPARATOR -3
#define WS_ERR_VALUE_SEPARATOR -4
#define WS_ERR_PROPERTIES_LIMIT -5
#define WS_ERR_TOPIC_LIMIT -6
#define WS_ERR_FRAME_LIMIT -7
#define WS_ERR_FRAME_LENGTH -8
#define WS_ERR_HEADER_LENGTH -9
#define WS_ERR_HEADER_TYPE -10
#define WS_ERR_HEADER_BINARY -11
#define WS_ERR_HEADER_JSON -12
#define WS_ERR_HEADER_DEPTH -13
#define WS_ERR_HEADER_VALUE -14
#define WS_ERR_HEADER_UTF8 -15
#define WS_ERR_NAME_LIMIT -16
#define WS_ERR_STORED_LENGTH -17
#define WS_ERR_STORED_MAGIC -18

/* A sentence for an error above, without a full stop. Static storage. */
const char *ws_error_text(int error);

/* Bytes within an input. `escaped`: a JSON string that holds backslashes, for ws_json_unescape. */
typedef struct {
    const uint8_t *start;
    size_t length;
    int escaped;
} ws_slice_t;

/* An outgoing message: its topic, then its properties in wire form, in one piece of memory that is
 * inside the struct while it is small. The body stays with the caller. Begin with ws_message_start,
 * finish with ws_message_end; the struct must not be moved in between. One thread at a time. */
typedef struct {
    uint8_t *text;
    uint32_t topic_length;
    uint32_t properties_length;
    uint32_t capacity;
    uint8_t room[200];
} ws_message_t;

void ws_message_start(ws_message_t *message);

/* Frees what the message allocated and makes it empty; it may be used again. */
void ws_message_end(ws_message_t *message);

/* Copies the topic. WS_OK, WS_ERR_TOPIC_LIMIT or WS_ERR_MEMORY; after an error nothing changed. */
int ws_message_set_topic(ws_message_t *message, const uint8_t *topic, size_t length);

/* Copies a property, in the place of an earlier one of that name. WS_OK, WS_ERR_NAME_EMPTY,
 * WS_ERR_NAME_SEPARATOR, WS_ERR_VALUE_SEPARATOR, WS_ERR_PROPERTIES_LIMIT or WS_ERR_MEMORY; after
 * an error nothing changed. */
int ws_message_set_property(ws_message_t *message, const uint8_t *name, size_t name_length,
                            const uint8_t *value, size_t value_length);

/* The topic; good until the next change of the message. */
ws_slice_t ws_message_topic(const ws_message_t *message);

/* The properties in wire form; good until the next change of the message. */
ws_slice_t ws_message_properties(const ws_message_t *message);

/* 1 if the text holds 0x01 or 0x02, else 0. */
int ws_has_separator(const uint8_t *text, size_t length);

/* Writes `count` properties to `out`, which has room for the sum of both lengths + 2 of each.
 * The caller has checked the names, the values and the sum. Returns the bytes written. */
size_t ws_properties_encode(const ws_field_t *fields, size_t count, uint8_t *out);

/* The next property at or after `*position`, which moves on: WS_FIELD or WS_END. Entries without a
 * name or without a separator are passed over. */
int ws_properties_next(const uint8_t *data, size_t length, size_t *position, ws_slice_t *name,
                       ws_slice_t *value);

/* The value of the last property of that name: 1, or 0 if there is none. */
int ws_properties_find(const uint8_t *data, size_t length, const uint8_t *name, size_t name_length,
                       ws_slice_t *value);

/* Java's String.hashCode of `count` characters of `width` bytes each (1 Latin-1, 2 UTF-16 units,
 * 4 code points), in this machine's byte order. */
int32_t ws_tag_hash(const void *characters, size_t count, int width);

/* A frame's header to encode; `remark` NULL leaves it out, `fields` NULL leaves out extFields. */
typedef struct {
    int32_t code;
    int32_t language; /* 0 to WS_LANGUAGES - 1 */
    int32_t version;
    int32_t opaque;
    int32_t flag;
    const uint8_t *remark;
    size_t remark_length;
    const ws_field_t *fields;
    size_t count;
} ws_header_t;

/* An upper bound of the bytes that ws_header_encode writes for `header`. */
size_t ws_header_bound(const ws_header_t *header);

/* Writes a frame's length, header length and type, and header. `out` has room for
 * ws_header_bound bytes. The bytes written, or WS_ERR_FRAME_LIMIT, or for a binary header
 * WS_ERR_NAME_LIMIT (a name over 32,767 bytes; a code that is no int16 is the caller's error). */
int ws_header_encode(const ws_header_t *header, size_t body_length, int binary, uint8_t *out);

/* A request to store one message (SEND_MESSAGE_V2), or a batch of them (SEND_BATCH_MESSAGE). */
typedef struct {
    ws_text_t group;
    ws_text_t topic;
    ws_text_t properties; /* in wire form, UTF-8 */
    ws_text_t broker;
    int64_t born_timestamp;
    int32_t queue_id;
    int32_t sys_flag;
    int32_t message_flag;
    int32_t reconsume_times;
    int32_t max_reconsume_times;
    int32_t has_max_reconsume_times; /* 0: the field is left out */
    int32_t batch;
    int32_t language;
    int32_t version;
    int32_t opaque;
    int32_t flag;
} ws_send_t;

/* An upper bound of the bytes that ws_send_encode writes for `send`. */
size_t ws_send_bound(const ws_send_t *send);

/* As ws_header_encode, with the fields of a send request. */
int ws_send_encode(const ws_send_t *send, size_t body_length, int binary, uint8_t *out);

/* The size of the frame that begins at `data`, its length bytes included; 0 while `length` < 4;
 * WS_ERR_FRAME_LIMIT when it passes `limit`, WS_ERR_FRAME_LENGTH when it is under 8 bytes. */
int64_t ws_frame_size(const uint8_t *data, size_t length, size_t limit);

/* A frame being decoded. Begin with ws_reader_open, call ws_reader_next until WS_END; then the
 * numbers, `remark` (start NULL when absent) and `body` are set. One thread at a time. */
typedef struct {
    int32_t code;
    int32_t language;
    int32_t version;
    int32_t opaque;
    int32_t flag;
    int binary;
    ws_slice_t remark;
    ws_slice_t body;
    const uint8_t *at;  /* the next byte of the header */
    const uint8_t *end; /* of the header */
    int state;
} ws_reader_t;

/* Opens one whole frame. WS_OK, WS_ERR_FRAME_LENGTH, WS_ERR_HEADER_LENGTH, WS_ERR_HEADER_TYPE,
 * WS_ERR_HEADER_BINARY, WS_ERR_HEADER_JSON or WS_ERR_HEADER_UTF8. */
int ws_reader_open(ws_reader_t *reader, const uint8_t *frame, size_t length);

/* WS_FIELD: the next of the header's fields; `value->start` is NULL for a JSON null. Later ones of
 * the same name win. WS_FIELDS_BEGIN: forget the fields so far. WS_END: all is read. Or a
 * WS_ERR_HEADER error, after which the reader is of no use. The texts of a binary header are not
 * checked to be UTF-8, those of a JSON header are. */
int ws_reader_next(ws_reader_t *reader, ws_slice_t *name, ws_slice_t *value);

/* Writes the UTF-8 text of an escaped slice, never longer than the slice, and returns its length.
 * A surrogate that stands alone becomes U+FFFD. */
size_t ws_json_unescape(const ws_slice_t *slice, uint8_t *out);

/* A message of a pull reply; offsets count from the record's first byte. */
typedef struct {
    size_t record; /* where in the input the record begins */
    uint32_t size;
    uint32_t body_crc;
    int32_t crc_ok;
    int32_t queue_id;
    int32_t flag;
    int32_t sys_flag;
    int32_t reconsume_times;
    int64_t queue_offset;
    int64_t physical_offset;
    int64_t born_timestamp;
    int64_t store_timestamp;
    int64_t prepared_transaction_offset;
    uint32_t born_host; /* 4 bytes, or 16 with sys_flag 0x10, then a port of 4 */
    uint32_t store_host; /* 4 bytes, or 16 with sys_flag 0x20, then a port of 4 */
    uint32_t body;
    uint32_t body_length;
    uint32_t topic;
    uint32_t topic_length;
    uint32_t properties;
    uint32_t properties_length;
} ws_stored_t;

/* Decodes the record at `*position`, which moves on; fillers are passed over. WS_FIELD, WS_END,
 * WS_ERR_STORED_LENGTH or WS_ERR_STORED_MAGIC; after an error `*position` is where it is. */
int ws_stored_next(const uint8_t *data, size_t length, size_t *position, ws_stored_t *message);

/* Bytes that ws_batch_part writes. */
size_t ws_batch_part_size(size_t body_length, size_t properties_length);

/* Writes one part of a batch body and returns its size. `properties_length` is at most
 * WS_PROPERTIES_LIMIT, and the size at most WS_FRAME_LIMIT. */
size_t ws_batch_part(uint8_t *out, int32_t flag, const uint8_t *body, size_t body_length,
                     const uint8_t *properties, size_t properties_length);
