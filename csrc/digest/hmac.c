/* HMAC (RFC 2104) with the states of the last keys kept, so that a known key costs no set-up.
 *
 * The keys lie in sets of four; within a set the one not used for longest gives way. The lock is
 * only tried: whoever does not get it computes the schedule anew, so no thread ever waits, and a
 * fork while it is held costs speed, not progress.
 */
#include "digest/hmac.h"

#define WAYS 4
#define SETS (WS_HMAC_KEYS / WAYS)

typedef struct {
    uint8_t key[WS_SHA_BLOCK]; /* padded, or hashed and padded where it was longer */
    ws_hmac_schedule_t schedule;
    uint64_t hash;
    uint64_t used; /* 0: empty */
    uint32_t words; /* 5: SHA-1; 8: SHA-256 */
} entry_t;

static entry_t table[SETS][WAYS];
static uint64_t clock_of_use;
static ws_lock_t lock;

static uint64_t hash_of(const uint8_t key[WS_SHA_BLOCK], uint32_t words) {
    uint64_t hash = 0x9e3779b97f4a7c15u ^ words;
    int i;
    for (i = 0; i < WS_SHA_BLOCK; i += 8) {
        hash = (hash ^ ws_load64be(key + i)) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return hash;
}

static int same(const uint8_t *a, const uint8_t *b) {
    uint8_t difference = 0;
    int i;
    for (i = 0; i < WS_SHA_BLOCK; i++) {
        difference |= (uint8_t)(a[i] ^ b[i]);
    }
    return difference == 0;
}

static int recall(const uint8_t *key, uint32_t words, uint64_t hash,
                  ws_hmac_schedule_t *schedule) {
    entry_t *set = table[hash % SETS];
    int way, found = 0;
    if (!ws_lock_try(&lock)) {
        return 0;
    }
    for (way = 0; way < WAYS; way++) {
        if (set[way].used && set[way].hash == hash && set[way].words == words &&
            same(set[way].key, key)) {
            *schedule = set[way].schedule;
            set[way].used = ++clock_of_use;
            found = 1;
            break;
        }
    }
    ws_lock_release(&lock);
    return found;
}

static void keep(const uint8_t *key, uint32_t words, uint64_t hash,
                 const ws_hmac_schedule_t *schedule) {
    entry_t *set = table[hash % SETS], *oldest = set;
    int way;
    if (!ws_lock_try(&lock)) {
        return;
    }
    for (way = 1; way < WAYS; way++) {
        if (set[way].used < oldest->used) {
            oldest = &set[way];
        }
    }
    ws_wipe(oldest, sizeof *oldest);
    memcpy(oldest->key, key, WS_SHA_BLOCK);
    oldest->schedule = *schedule;
    oldest->hash = hash;
    oldest->words = words;
    oldest->used = ++clock_of_use;
    ws_lock_release(&lock);
}

static void pad(const uint8_t *key, size_t key_length, uint32_t words,
                uint8_t padded[WS_SHA_BLOCK]) {
    memset(padded, 0, WS_SHA_BLOCK);
    if (key_length > WS_SHA_BLOCK) {
        (words == 5 ? ws_sha1 : ws_sha256)(key, key_length, padded);
    } else if (key_length) {
        memcpy(padded, key, key_length);
    }
}

static void compute(const uint8_t padded[WS_SHA_BLOCK], uint32_t words,
                    ws_hmac_schedule_t *schedule) {
    const ws_kernels_t *kernels = ws_kernels();
    uint8_t masked[WS_SHA_BLOCK];
    int i;
    if (words == 5) {
        ws_sha1_begin(schedule->inner);
        ws_sha1_begin(schedule->outer);
    } else {
        ws_sha256_begin(schedule->inner);
        ws_sha256_begin(schedule->outer);
    }
    for (i = 0; i < WS_SHA_BLOCK; i++) {
        masked[i] = padded[i] ^ 0x36;
    }
    (words == 5 ? kernels->sha1 : kernels->sha256)(schedule->inner, masked, 1);
    for (i = 0; i < WS_SHA_BLOCK; i++) {
        masked[i] = padded[i] ^ 0x5c;
    }
    (words == 5 ? kernels->sha1 : kernels->sha256)(schedule->outer, masked, 1);
    ws_wipe(masked, sizeof masked);
}

void ws_hmac_schedule(const uint8_t *key, size_t key_length, uint32_t words,
                      ws_hmac_schedule_t *schedule) {
    uint8_t padded[WS_SHA_BLOCK];
    uint64_t hash;
    pad(key, key_length, words, padded);
    hash = hash_of(padded, words);
    if (!recall(padded, words, hash, schedule)) {
        compute(padded, words, schedule);
        keep(padded, words, hash, schedule);
    }
    ws_wipe(padded, sizeof padded);
}

void ws_hmac_schedule_once(const uint8_t *key, size_t key_length, uint32_t words,
                           ws_hmac_schedule_t *schedule) {
    uint8_t padded[WS_SHA_BLOCK];
    pad(key, key_length, words, padded);
    compute(padded, words, schedule);
    ws_wipe(padded, sizeof padded);
}

void ws_hmac_sha1(const uint8_t *key, size_t key_length, const uint8_t *message, size_t length,
                  uint8_t *digest) {
    ws_hmac_schedule_t schedule;
    uint8_t inner[WS_SHA1_SIZE];
    ws_hmac_schedule(key, key_length, 5, &schedule);
    ws_sha1_end(schedule.inner, message, length, WS_SHA_BLOCK, inner);
    ws_sha1_end(schedule.outer, inner, sizeof inner, WS_SHA_BLOCK, digest);
    ws_wipe(&schedule, sizeof schedule);
}

void ws_hmac_sha256(const uint8_t *key, size_t key_length, const uint8_t *message, size_t length,
                    uint8_t *digest) {
    ws_hmac_schedule_t schedule;
    uint8_t inner[WS_SHA256_SIZE];
    ws_hmac_schedule(key, key_length, 8, &schedule);
    ws_sha256_end(schedule.inner, message, length, WS_SHA_BLOCK, inner);
    ws_sha256_end(schedule.outer, inner, sizeof inner, WS_SHA_BLOCK, digest);
    ws_wipe(&schedule, sizeof schedule);
}

void ws_hmac_sha1_many(const uint8_t *key, size_t key_length, const ws_input_t *inputs,
                       size_t count, uint8_t *digests) {
    ws_hmac_schedule_t schedule;
    ws_hmac_schedule(key, key_length, 5, &schedule);
    ws_sha1_many_from(schedule.inner, WS_SHA_BLOCK, inputs, count, digests);
    ws_sha1_of_digests(schedule.outer, WS_SHA_BLOCK, count, digests);
    ws_wipe(&schedule, sizeof schedule);
}
