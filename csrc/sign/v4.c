/* AWS Signature Version 4. Signing keys are kept for a secret, day, region and service, as the
 * states they lead to, under an HMAC of the other three with the secret. The lock
 * is only tried, as in digest/hmac.c. */
#include "encode/encode.h"
#include "sign/feed.h"

#define DAY 8

typedef struct {
    uint8_t id[WS_SHA256_SIZE];
    ws_hmac_schedule_t schedule;
    uint64_t used; /* 0: empty */
} entry_t;

static entry_t table[WS_V4_KEYS];
static uint64_t clock_of_use;
static ws_lock_t lock;

static int recall(const uint8_t *id, ws_hmac_schedule_t *schedule) {
    int i, found = 0;
    if (!ws_lock_try(&lock)) {
        return 0;
    }
    for (i = 0; i < WS_V4_KEYS && !found; i++) {
        if (table[i].used && !memcmp(table[i].id, id, sizeof table[i].id)) {
            *schedule = table[i].schedule;
            table[i].used = ++clock_of_use;
            found = 1;
        }
    }
    ws_lock_release(&lock);
    return found;
}

static void keep(const uint8_t *id, const ws_hmac_schedule_t *schedule) {
    entry_t *oldest = table;
    int i;
    if (!ws_lock_try(&lock)) {
        return;
    }
    for (i = 1; i < WS_V4_KEYS; i++) {
        if (table[i].used < oldest->used) {
            oldest = &table[i];
        }
    }
    ws_wipe(oldest, sizeof *oldest);
    memcpy(oldest->id, id, sizeof oldest->id);
    oldest->schedule = *schedule;
    oldest->used = ++clock_of_use;
    ws_lock_release(&lock);
}

static void feed_sized(ws_feed_t *feed, ws_text_t text) {
    uint8_t size[8];
    ws_store64be(size, text.length);
    ws_feed_add(feed, size, sizeof size);
    ws_feed_text(feed, text);
}

/* Replaces a schedule by that of the key which the HMAC of `text` is. */
static void step(ws_hmac_schedule_t *schedule, ws_text_t text) {
    ws_feed_t feed;
    uint8_t key[WS_SHA256_SIZE];
    ws_feed_schedule(&feed, schedule, WS_SHA256_WORDS);
    ws_feed_text(&feed, text);
    ws_feed_end(&feed, key);
    ws_hmac_schedule_once(key, sizeof key, WS_SHA256_WORDS, schedule);
    ws_wipe(key, sizeof key);
}

static void first_key(ws_text_t secret, ws_hmac_schedule_t *schedule) {
    uint8_t key[WS_SHA_BLOCK];
    ws_hash_t hash;
    if (secret.length + 4 <= sizeof key) {
        memcpy(key, "AWS4", 4);
        if (secret.length) {
            memcpy(key + 4, secret.start, secret.length);
        }
        ws_hmac_schedule_once(key, secret.length + 4, WS_SHA256_WORDS, schedule);
    } else {
        ws_hash_start(&hash, WS_SHA256_WORDS);
        ws_hash_update(&hash, (const uint8_t *)"AWS4", 4);
        ws_hash_update(&hash, secret.start, secret.length);
        ws_hash_digest(&hash, key);
        ws_wipe(&hash, sizeof hash);
        ws_hmac_schedule_once(key, WS_SHA256_SIZE, WS_SHA256_WORDS, schedule);
    }
    ws_wipe(key, sizeof key);
}

static void signing_key(const ws_v4_t *request, ws_text_t day, ws_hmac_schedule_t *schedule) {
    static const char ending[] = "aws4_request";
    const ws_text_t last = {(const uint8_t *)ending, sizeof ending - 1};
    uint8_t id[WS_SHA256_SIZE];
    ws_feed_t feed;
    ws_feed_key(&feed, request->secret_key, WS_SHA256_WORDS);
    feed_sized(&feed, day);
    feed_sized(&feed, request->region);
    feed_sized(&feed, request->service);
    ws_feed_end(&feed, id);
    if (recall(id, schedule)) {
        return;
    }
    first_key(request->secret_key, schedule);
    step(schedule, day);
    step(schedule, request->region);
    step(schedule, request->service);
    step(schedule, last);
    keep(id, schedule);
}

static size_t headers_bound(const ws_v4_t *request) {
    size_t bound = 0, i;
    for (i = 0; i < request->header_count; i++) {
        bound += request->headers[i].name_length + request->headers[i].value_length + 2;
    }
    return bound;
}

size_t ws_sign_v4_bound(const ws_v4_t *request) {
    const size_t headers = headers_bound(request);
    const size_t path = 3 * request->path.length + 1;
    const size_t query = ws_form_bound(request->query, request->query_count);
    size_t bound = 256 + request->access_key.length + request->region.length +
                   request->service.length + headers;
    bound = bound > path ? bound : path;
    return bound > query ? bound : query;
}

#define APPEND(p, text) (memcpy((p), (text), sizeof(text) - 1), (p) + sizeof(text) - 1)

static char *append(char *p, ws_text_t text) {
    if (text.length) {
        memcpy(p, text.start, text.length);
    }
    return p + text.length;
}

int ws_v4_timestamp(ws_text_t text) {
    size_t i;
    if (text.length != 16 || text.start[8] != 'T' || text.start[15] != 'Z') {
        return 0;
    }
    for (i = 0; i < 15; i++) {
        if (i != 8 && (text.start[i] < '0' || text.start[i] > '9')) {
            return 0;
        }
    }
    return 1;
}

static void add_line(ws_hash_t *hash, const char *text, size_t length) {
    ws_hash_update(hash, (const uint8_t *)"\n", 1);
    ws_hash_update(hash, (const uint8_t *)text, length);
}

size_t ws_sign_v4(ws_v4_t *request, char *out) {
    const ws_text_t day = {request->timestamp.start, DAY};
    ws_hmac_schedule_t schedule;
    ws_feed_t feed;
    ws_hash_t hash;
    uint8_t digest[WS_SHA256_SIZE];
    char hex[2 * WS_SHA256_SIZE], *p, *scope, *scope_end;
    if (!ws_headers_sort(request->headers, request->header_count)) {
        return 0;
    }
    /* `out` holds each part of the canonical request in turn, then the result. */
    ws_sha256(request->body.start, request->body.length, digest);
    ws_hex_encode(digest, sizeof digest, hex);
    ws_hash_start(&hash, WS_SHA256_WORDS);
    ws_hash_update(&hash, request->method.start, request->method.length);
    add_line(&hash, out, ws_canonical_path(request->path.start, request->path.length, out));
    add_line(&hash, out, ws_canonical_query(request->query, request->query_count, out));
    add_line(&hash, out, ws_canonical_headers(request->headers, request->header_count, out));
    add_line(&hash, out, ws_signed_headers(request->headers, request->header_count, out));
    add_line(&hash, hex, sizeof hex);
    ws_hash_digest(&hash, digest);
    ws_hex_encode(digest, sizeof digest, hex);

    p = APPEND(out, "AWS4-HMAC-SHA256 Credential=");
    p = append(p, request->access_key);
    *p++ = '/';
    scope = p;
    p = append(p, day);
    *p++ = '/';
    p = append(p, request->region);
    *p++ = '/';
    p = append(p, request->service);
    p = APPEND(p, "/aws4_request");
    scope_end = p;
    p = APPEND(p, ", SignedHeaders=");
    p += ws_signed_headers(request->headers, request->header_count, p);
    p = APPEND(p, ", Signature=");

    signing_key(request, day, &schedule);
    ws_feed_schedule(&feed, &schedule, WS_SHA256_WORDS);
    ws_wipe(&schedule, sizeof schedule);
    ws_feed_add(&feed, "AWS4-HMAC-SHA256\n", 17);
    ws_feed_text(&feed, request->timestamp);
    ws_feed_byte(&feed, '\n');
    ws_feed_add(&feed, scope, (size_t)(scope_end - scope));
    ws_feed_byte(&feed, '\n');
    ws_feed_add(&feed, hex, sizeof hex);
    ws_feed_end(&feed, digest);
    ws_hex_encode(digest, sizeof digest, p);
    return (size_t)(p - out) + 2 * WS_SHA256_SIZE;
}
