/* The signatures of CMQ, WCS, COS v4 and RocketMQ: HMAC over texts that are fed, not joined. */
#include "encode/encode.h"
#include "sign/feed.h"

#define LITERAL(p, text) (memcpy((p), (text), sizeof(text) - 1), (p) + sizeof(text) - 1)

static char *copy(char *p, ws_text_t text) {
    if (text.length) {
        memcpy(p, text.start, text.length);
    }
    return p + text.length;
}

size_t ws_sign_cmq(ws_text_t method, ws_text_t host, ws_text_t path, ws_field_t *params,
                   size_t count, ws_text_t secret, int sha256, char *signature) {
    ws_feed_t feed;
    uint8_t digest[WS_SHA256_SIZE];
    const size_t size = sha256 ? WS_SHA256_SIZE : WS_SHA1_SIZE;
    size_t i;
    ws_sort_fields(params, count);
    ws_feed_key(&feed, secret, sha256 ? WS_SHA256_WORDS : WS_SHA1_WORDS);
    ws_feed_text(&feed, method);
    ws_feed_text(&feed, host);
    ws_feed_text(&feed, path);
    for (i = 0; i < count; i++) {
        const uint8_t *name = params[i].name, *end = name + params[i].name_length, *found;
        ws_feed_byte(&feed, i ? '&' : '?');
        while (name < end && (found = memchr(name, '_', (size_t)(end - name)))) {
            ws_feed_add(&feed, name, (size_t)(found - name));
            ws_feed_byte(&feed, '.');
            name = found + 1;
        }
        ws_feed_add(&feed, name, (size_t)(end - name));
        ws_feed_byte(&feed, '=');
        ws_feed_add(&feed, params[i].value, params[i].value_length);
    }
    ws_feed_end(&feed, digest);
    ws_base64_encode(digest, size, signature);
    return (size + 2) / 3 * 4;
}

/* WCS signs in a way of its own: the base64url of the hex text of the HMAC. */
static char *wcs_signature(ws_feed_t *feed, char *p) {
    uint8_t digest[WS_SHA1_SIZE];
    char text[2 * WS_SHA1_SIZE];
    ws_feed_end(feed, digest);
    ws_hex_encode(digest, sizeof digest, text);
    ws_base64url_encode((const uint8_t *)text, sizeof text, p);
    return p + WS_WCS_SIGNATURE;
}

size_t ws_sign_wcs_upload(ws_text_t access, ws_text_t secret, ws_text_t policy, char *token) {
    ws_feed_t feed;
    const size_t encoded = (policy.length + 2) / 3 * 4;
    char *signature = copy(token, access), *tail;
    *signature++ = ':';
    tail = signature + WS_WCS_SIGNATURE;
    *tail++ = ':';
    ws_base64url_encode(policy.start, policy.length, tail);
    ws_feed_key(&feed, secret, WS_SHA1_WORDS);
    ws_feed_add(&feed, tail, encoded);
    wcs_signature(&feed, signature);
    return (size_t)(tail - token) + encoded;
}

size_t ws_sign_wcs_manager(ws_text_t access, ws_text_t secret, ws_text_t target, ws_text_t body,
                           char *token) {
    ws_feed_t feed;
    char *p = copy(token, access);
    *p++ = ':';
    ws_feed_key(&feed, secret, WS_SHA1_WORDS);
    ws_feed_text(&feed, target);
    ws_feed_byte(&feed, '\n');
    ws_feed_text(&feed, body);
    return (size_t)(wcs_signature(&feed, p) - token);
}

#define COS_FIXED 128 /* the names, three numbers, the digest, and what base64 adds to a part */

size_t ws_sign_cos_bound(const ws_cos_t *request) {
    const size_t texts = request->appid.length + request->bucket.length +
                         request->secret_id.length + request->fileid.length;
    return (texts + COS_FIXED) / 3 * 4 + 4;
}

size_t ws_sign_cos(const ws_cos_t *request, char *signature) {
    ws_feed_t feed;
    const size_t room = ws_sign_cos_bound(request);
    char *start = signature + WS_SHA1_SIZE, *p = start;
    size_t length;
    p = LITERAL(p, "a=");
    p = copy(p, request->appid);
    p = LITERAL(p, "&k=");
    p = copy(p, request->secret_id);
    p = LITERAL(p, "&e=");
    p += ws_decimal(request->expires, p);
    p = LITERAL(p, "&t=");
    p += ws_decimal(request->now, p);
    p = LITERAL(p, "&r=");
    p += ws_decimal(request->nonce, p);
    p = LITERAL(p, "&f=");
    p = copy(p, request->fileid);
    p = LITERAL(p, "&b=");
    p = copy(p, request->bucket);
    ws_feed_key(&feed, request->secret_key, WS_SHA1_WORDS);
    ws_feed_add(&feed, start, (size_t)(p - start));
    ws_feed_end(&feed, (uint8_t *)signature);
    length = (size_t)(p - signature);
    /* Encoded where it lies: see encode() of base64.c. */
    memmove(signature + room - length, signature, length);
    ws_base64_encode((const uint8_t *)signature + room - length, length, signature);
    return (length + 2) / 3 * 4;
}

void ws_sign_rocketmq(ws_field_t *fields, size_t count, ws_text_t body, ws_text_t secret,
                      char *signature) {
    ws_feed_t feed;
    uint8_t digest[WS_SHA1_SIZE];
    size_t i;
    ws_sort_fields(fields, count);
    ws_feed_key(&feed, secret, WS_SHA1_WORDS);
    for (i = 0; i < count; i++) {
        if (fields[i].name_length != 9 || memcmp(fields[i].name, "Signature", 9) != 0) {
            ws_feed_add(&feed, fields[i].value, fields[i].value_length);
        }
    }
    ws_feed_text(&feed, body);
    ws_feed_end(&feed, digest);
    ws_base64_encode(digest, sizeof digest, signature);
}

int ws_constant_time_equal(ws_text_t a, ws_text_t b) {
    volatile uint8_t difference = 0;
    size_t i;
    if (a.length != b.length) {
        return 0;
    }
    for (i = 0; i < a.length; i++) {
        difference |= (uint8_t)(a.start[i] ^ b.start[i]);
    }
    return difference == 0;
}
