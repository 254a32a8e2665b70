/* Known answers for every room of csrc, on every CPU path of the machine that runs it.
 * Prints "ok N checks" and returns 0, or names what differs and returns 1. Arguments are CPU paths
 * that this machine must have. */
#include <stdio.h>
#include <stdlib.h>

#include "port.h"

static int checks;
static int failures;

static void check(const char *what, const void *got, const void *wanted, size_t length) {
    checks++;
    if (memcmp(got, wanted, length) != 0) {
        failures++;
        printf("%s differs on the path %s\n", what, ws_cpu_path());
    }
}

static void check_number(const char *what, int64_t got, int64_t wanted) {
    checks++;
    if (got != wanted) {
        failures++;
        printf("%s is %lld, not %lld, on the path %s\n", what, (long long)got, (long long)wanted,
               ws_cpu_path());
    }
}

static void check_hex(const char *what, const uint8_t *got, const char *wanted) {
    static const char digits[] = "0123456789abcdef";
    char text[2 * WS_SHA256_SIZE];
    size_t size = strlen(wanted) / 2;
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[got[i] >> 4];
        text[2 * i + 1] = digits[got[i] & 15];
    }
    check(what, text, wanted, 2 * size);
}

static const uint8_t *bytes(const char *text) {
    return (const uint8_t *)text;
}

/* FIPS 180-4, RFC 2202 and RFC 4231. */
static void digests(void) {
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t digest[WS_SHA256_SIZE];
    uint8_t *million = malloc(1000000);
    ws_sha1(NULL, 0, digest);
    check_hex("sha1 of nothing", digest, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    ws_sha1(bytes("abc"), 3, digest);
    check_hex("sha1 of abc", digest, "a9993e364706816aba3e25717850c26c9cd0d89d");
    ws_sha1(bytes(two), 56, digest);
    check_hex("sha1 of two blocks", digest, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    ws_sha256(bytes("abc"), 3, digest);
    check_hex("sha256 of abc", digest,
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    memset(million, 'a', 1000000);
    ws_sha1(million, 1000000, digest);
    check_hex("sha1 of a million", digest, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    ws_sha256(million, 1000000, digest);
    check_hex("sha256 of a million", digest,
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
    ws_hmac_sha1(bytes("Jefe"), 4, bytes("what do ya want for nothing?"), 28, digest);
    check_hex("hmac-sha1", digest, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    ws_hmac_sha256(bytes("Jefe"), 4, bytes("what do ya want for nothing?"), 28, digest);
    check_hex("hmac-sha256", digest,
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_number("crc32", ws_crc32(bytes("123456789"), 9, 0), 0xCBF43926);
    check_number("crc32 in two", ws_crc32(bytes("56789"), 5, ws_crc32(bytes("1234"), 4, 0)),
                 0xCBF43926);
}

static uint8_t *noise(size_t size) {
    uint8_t *data = malloc(size);
    uint32_t random = 2463534242u;
    for (size_t i = 0; i < size; i++) {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        data[i] = (uint8_t)random;
    }
    return data;
}

/* Blocks side by side give what they give alone. */
static void blocks(void) {
    enum { SIZE = 100000, BLOCK = 4096, COUNT = (SIZE + BLOCK - 1) / BLOCK };
    uint8_t *data = noise(SIZE);
    uint8_t digests[COUNT * WS_SHA1_SIZE];
    ws_sha1_blocks(data, SIZE, BLOCK, digests);
    for (size_t i = 0; i < COUNT; i++) {
        uint8_t alone[WS_SHA1_SIZE];
        size_t left = SIZE - i * BLOCK;
        ws_sha1(data + i * BLOCK, left < BLOCK ? left : BLOCK, alone);
        check("a block's sha1", digests + i * WS_SHA1_SIZE, alone, WS_SHA1_SIZE);
    }
    free(data);
}

/* Every number of lanes, on every kernel and as planned (-1). */
static void lanes(void) {
    enum { PIECE = 128 };
    uint8_t *data = noise(2 * WS_LANES * PIECE);
    uint8_t digests[WS_LANES * WS_SHA1_SIZE];
    uint8_t alone[WS_LANES][WS_SHA1_SIZE];
    uint32_t width;
    ws_hash_t hash;
    for (int kernel = -1; kernel < 0 || ws_sha1_kernel_at(kernel, &width) != NULL; kernel++) {
        for (uint32_t count = 1; count <= WS_LANES; count++) {
            /* Exactly the lanes' bytes, so that a sanitizer sees reads behind them. */
            uint8_t *exact = malloc(count * PIECE);
            ws_sha1_lanes_t some;
            memcpy(exact, data, count * PIECE);
            ws_sha1_lanes_start(&some, count, kernel);
            ws_sha1_lanes_update(&some, exact, PIECE, PIECE);
            ws_sha1_lanes_update(&some, data + PIECE, 64, 2 * PIECE);
            ws_sha1_lanes_digests(&some, digests);
            for (uint32_t i = 0; i < count; i++) {
                ws_hash_start(&hash, WS_SHA1_WORDS);
                ws_hash_update(&hash, data + i * PIECE, PIECE - 3);
                ws_hash_update(&hash, data + (i + 1) * PIECE - 3, 3);
                ws_hash_update(&hash, data + PIECE + (size_t)i * 2 * PIECE, 64);
                ws_hash_digest(&hash, alone[i]);
            }
            check("a lane's sha1", digests, alone, count * WS_SHA1_SIZE);
            free(exact);
        }
    }
    free(data);
}

/* Many inputs of any lengths, and a message taken in parts. */
static void many(void) {
    enum { COUNT = 300 };
    uint8_t *data = noise(COUNT * 3);
    uint8_t *digests = malloc(COUNT * WS_SHA1_SIZE);
    uint8_t alone[WS_SHA256_SIZE];
    ws_input_t inputs[COUNT];
    ws_hash_t hash;
    for (size_t i = 0; i < COUNT; i++) {
        inputs[i].data = data + i;
        inputs[i].length = i * 7 % 300;
    }
    ws_sha1_many(inputs, COUNT, digests);
    for (size_t i = 0; i < COUNT; i++) {
        ws_sha1(inputs[i].data, inputs[i].length, alone);
        check("one of many", digests + i * WS_SHA1_SIZE, alone, WS_SHA1_SIZE);
    }
    ws_hmac_sha1_many(bytes("key"), 3, inputs, COUNT, digests);
    for (size_t i = 0; i < COUNT; i++) {
        ws_hmac_sha1(bytes("key"), 3, inputs[i].data, inputs[i].length, alone);
        check("one hmac of many", digests + i * WS_SHA1_SIZE, alone, WS_SHA1_SIZE);
    }
    ws_hash_start(&hash, WS_SHA256_WORDS);
    for (size_t i = 0, step = 0; i + step <= COUNT * 3; i += step, step++) {
        ws_hash_update(&hash, data + i, step);
        ws_hash_digest(&hash, digests);
        ws_sha256(data, i + step, alone);
        check("sha256 in parts", digests, alone, WS_SHA256_SIZE);
    }
    memset(data, 0, 65);
    ws_sha1_states(data, 65, 64, digests);
    check_hex("a running state", digests, "e504b492ed8c58564ecd1a6c683f05bf933af709");
    ws_sha1(data, 65, alone);
    check("the last state", digests + WS_SHA1_SIZE, alone, WS_SHA1_SIZE);
    check_number("crc64", (int64_t)ws_crc64(bytes("123456789"), 9, 0),
                 (int64_t)0x995DC9BBDF1939FA);
    free(digests);
    free(data);
}

static void texts(void) {
    char text[64];
    uint8_t data[16];
    size_t written = 0;
    ws_etag_from_blocks(NULL, 0, text);
    check("etag of the empty file", text, "Fto5o-5ea0sNMlW_75VgGJCv2AcJ", WS_ETAG_LENGTH);
    ws_base64url_encode(bytes("\xfb\xff\xfe!"), 4, text);
    check("base64url", text, "-__-IQ==", 8);
    check_number("base64url decode", ws_base64url_decode("-__-IQ==", 8, data, &written), 1);
    check_number("base64url decoded length", (int64_t)written, 4);
    check("base64url decoded", data, "\xfb\xff\xfe!", 4);
    check_number("base64url of rubbish", ws_base64url_decode("a+b=", 4, data, &written), 0);
}

static ws_text_t text_of(const char *text) {
    return (ws_text_t){bytes(text), strlen(text)};
}

static ws_field_t field_of(const char *name, const char *value) {
    return (ws_field_t){bytes(name), strlen(name), bytes(value), strlen(value)};
}

/* Signatures that the services' own SDKs give. */
static void signatures(void) {
    ws_field_t params[] = {
        field_of("queueName", "test_1"),       field_of("msgBody", "hello world&x=1"),
        field_of("delaySeconds", "0"),         field_of("Action", "SendMessage"),
        field_of("Nonce", "1"),                field_of("RequestClient", "SDK_Python_1.3"),
        field_of("SecretId", "sid"),           field_of("Timestamp", "1500000000"),
        field_of("SignatureMethod", "HmacSHA1"),
    };
    ws_field_t headers[] = {
        field_of("X-Amz-Date", "20150101T000000Z"),
        field_of("Host", "queue.amazonaws.com"),
    };
    char room[512];
    ws_cos_t cos = {text_of("10001"), text_of("bkt"), text_of("sid"), text_of("skey"),
                    text_of("/10001/bkt/dir/a%20b.txt"), 1500000000, 1500000300, 123456789};
    ws_v4_t request = {text_of("POST"), text_of("/"),
                       text_of("Action=ListQueues&Version=2012-11-05"), text_of("AKID"),
                       text_of("SECRET"), text_of("us-east-1"), text_of("sqs"),
                       text_of("20150101T000000Z"), NULL, 0, headers, 2};
    check_number("cmq's length",
                 (int64_t)ws_sign_cmq(text_of("POST"), text_of("cmq-queue-gz.api.qcloud.com"),
                                      text_of("/v2/index.php"), params, 9, text_of("skey"), 0, room),
                 28);
    check("cmq", room, "JvBLT9b78I+h2HVj9ok3Dpw3pQQ=", 28);
    ws_sign_wcs_upload(text_of("1234"), text_of("qwer"), text_of("{\"scope\": \"test\"}"), room);
    check("wcs upload", room,
          "1234:OWE0NTdhNDk4MzJiZGIwODlkMWFiYmFmMGRjNjIzMThlOWEyZGUxMg==:eyJzY29wZSI6ICJ0ZXN0In0=",
          86);
    ws_sign_wcs_manager(text_of("1234"), text_of("qwer"), text_of("/list?bucket=test"),
                        text_of(""), room);
    check("wcs manager", room, "1234:ZjE3NTA4Mjg1NGMyOTg4ZjNlODRlOWI3M2JhYTA3ZWVjZTM4NzM3ZA==",
          61);
    check_number("cos's length", (int64_t)ws_sign_cos(&cos, room), 140);
    check("cos", room,
          "kiNy+lRr44q9ZDwgIjfq1coyjbhhPTEwMDAxJms9c2lkJmU9MTUwMDAwMDMwMCZ0PTE1MDAwMDAwMDAmcj0xMjM0"
          "NTY3ODkmZj0vMTAwMDEvYmt0L2Rpci9hJTIwYi50eHQmYj1ia3Q=",
          140);
    for (int known = 0; known < 2; known++) {
        size_t length = ws_sign_v4(&request, room);
        check("sigv4", room + length - 64,
              "24f8eaa098cdfca061b4217ca91098f4d42efab044b43e26299acd65c677a862", 64);
    }
}

static void headers(int binary) {
    static const ws_field_t fields[] = {
        {(const uint8_t *)"topic", 5, (const uint8_t *)"T \"1\"", 5},
        {(const uint8_t *)"queueId", 7, (const uint8_t *)"-1", 2},
    };
    ws_header_t header = {310, 3, 513, 7, 0, NULL, 0, fields, 2};
    uint8_t *frame = malloc(ws_header_bound(&header) + 4);
    int64_t size = ws_header_encode(&header, 4, binary, frame);
    ws_reader_t reader;
    ws_slice_t name, value;
    int seen = 0;
    int found;
    memcpy(frame + size, "body", 4);
    check_number("frame size", ws_frame_size(frame, (size_t)size, WS_FRAME_LIMIT), size + 4);
    check_number("open", ws_reader_open(&reader, frame, (size_t)size + 4), WS_OK);
    while ((found = ws_reader_next(&reader, &name, &value)) != WS_END && found >= 0) {
        if (found == WS_FIELD) {
            uint8_t plain[16];
            size_t length = value.length;
            if (value.escaped) {
                length = ws_json_unescape(&value, plain);
            } else {
                memcpy(plain, value.start, length);
            }
            check_number("value length", (int64_t)length, (int64_t)fields[seen].value_length);
            check("name", name.start, fields[seen].name, fields[seen].name_length);
            check("value", plain, fields[seen].value, fields[seen].value_length);
            seen++;
        }
    }
    check_number("fields", seen, 2);
    check_number("code", reader.code, 310);
    check_number("opaque", reader.opaque, 7);
    check("body", reader.body.start, "body", 4);
    check_number("cut frame", ws_reader_open(&reader, frame, (size_t)size - 1) < 0, 1);
    free(frame);
}

static void messages(void) {
    ws_message_t message;
    ws_slice_t value;
    ws_slice_t properties;
    ws_message_start(&message);
    check_number("set topic", ws_message_set_topic(&message, bytes("T"), 1), WS_OK);
    check_number("set", ws_message_set_property(&message, bytes("TAGS"), 4, bytes("a"), 1), WS_OK);
    check_number("set again", ws_message_set_property(&message, bytes("TAGS"), 4, bytes("bc"), 2),
                 WS_OK);
    check_number("separator", ws_message_set_property(&message, bytes("k"), 1, bytes("\x01"), 1),
                 WS_ERR_VALUE_SEPARATOR);
    properties = ws_message_properties(&message);
    check_number("find", ws_properties_find(properties.start, properties.length, bytes("TAGS"), 4,
                                            &value), 1);
    check("found", value.start, "bc", 2);
    ws_message_end(&message);
    check_number("tag hash", ws_tag_hash("TagA", 4, 1), 2598919);
}

int main(int count, char **wanted) {
    for (int i = 1; i < count; i++) {
        check_number(wanted[i], ws_cpu_set_path(wanted[i]), 1);
    }
    for (int i = 0; ws_cpu_path_at(i) != NULL; i++) {
        check_number("choosing a path", ws_cpu_set_path(ws_cpu_path_at(i)), 1);
        digests();
        blocks();
        lanes();
        many();
        signatures();
    }
    texts();
    headers(0);
    headers(1);
    messages();
    if (failures == 0) {
        printf("ok %d checks\n", checks);
    }
    return failures != 0;
}
