/* The two states that an HMAC key leads to; `words` is 5 for SHA-1 and 8 for SHA-256. */
#ifndef WS_HMAC_H
#define WS_HMAC_H

#include "digest/digest.h"

/* As secret as the key: whoever holds one wipes it. */
typedef struct {
    uint32_t inner[8];
    uint32_t outer[8];
} ws_hmac_schedule_t;

/* The schedule of a key, from the cache where it is known, kept there otherwise. */
void ws_hmac_schedule(const uint8_t *key, size_t key_length, uint32_t words,
                      ws_hmac_schedule_t *schedule);

/* The same for a key that is used once: the cache is left alone. */
void ws_hmac_schedule_once(const uint8_t *key, size_t key_length, uint32_t words,
                           ws_hmac_schedule_t *schedule);

#endif
