/* HMACs fed in parts, so that no text has to be joined to be signed. */
#ifndef WS_FEED_H
#define WS_FEED_H

#include "digest/hmac.h"

#define WS_FEED_ROOM 512

/* `hash` and `outer` are as secret as the key until the HMAC has ended; small parts gather in
 * `room`. */
typedef struct {
    ws_hash_t hash;
    uint32_t outer[8];
    size_t fill;
    uint8_t room[WS_FEED_ROOM];
} ws_feed_t;

/* Begins an HMAC with a schedule, or with a key and its schedule from the cache. */
void ws_feed_schedule(ws_feed_t *feed, const ws_hmac_schedule_t *schedule, uint32_t words);
void ws_feed_key(ws_feed_t *feed, ws_text_t key, uint32_t words);

/* Writes the HMAC and wipes what the key led to. */
void ws_feed_end(ws_feed_t *feed, uint8_t *digest);

/* Appends a part for which there may be no room. */
void ws_feed_more(ws_feed_t *feed, const uint8_t *data, size_t length);

WS_INLINE void ws_feed_add(ws_feed_t *feed, const void *data, size_t length) {
    if (length > WS_FEED_ROOM - feed->fill) {
        ws_feed_more(feed, (const uint8_t *)data, length);
    } else if (length) {
        memcpy(feed->room + feed->fill, data, length);
        feed->fill += length;
    }
}

WS_INLINE void ws_feed_text(ws_feed_t *feed, ws_text_t text) {
    ws_feed_add(feed, text.start, text.length);
}

WS_INLINE void ws_feed_byte(ws_feed_t *feed, char byte) {
    ws_feed_add(feed, &byte, 1);
}

#endif
