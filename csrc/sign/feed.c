/* HMACs fed in parts. */
#include "sign/feed.h"

void ws_feed_schedule(ws_feed_t *feed, const ws_hmac_schedule_t *schedule, uint32_t words) {
    memcpy(feed->hash.state, schedule->inner, sizeof feed->hash.state);
    memcpy(feed->outer, schedule->outer, sizeof feed->outer);
    feed->hash.length = WS_SHA_BLOCK;
    feed->hash.words = words;
    feed->fill = 0;
}

void ws_feed_key(ws_feed_t *feed, ws_text_t key, uint32_t words) {
    ws_hmac_schedule_t schedule;
    ws_hmac_schedule(key.start, key.length, words, &schedule);
    ws_feed_schedule(feed, &schedule, words);
    ws_wipe(&schedule, sizeof schedule);
}

void ws_feed_more(ws_feed_t *feed, const uint8_t *data, size_t length) {
    ws_hash_update(&feed->hash, feed->room, feed->fill);
    ws_hash_update(&feed->hash, data, length);
    feed->fill = 0;
}

void ws_feed_end(ws_feed_t *feed, uint8_t *digest) {
    uint8_t inner[WS_SHA256_SIZE];
    const uint32_t words = feed->hash.words;
    ws_hash_update(&feed->hash, feed->room, feed->fill);
    ws_hash_digest(&feed->hash, inner);
    (words == WS_SHA1_WORDS ? ws_sha1_end : ws_sha256_end)(feed->outer, inner, words * 4,
                                                           WS_SHA_BLOCK, digest);
    ws_wipe(&feed->hash, sizeof feed->hash);
    ws_wipe(feed->outer, sizeof feed->outer);
    ws_wipe(inner, sizeof inner);
}
