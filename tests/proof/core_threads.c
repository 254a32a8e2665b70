/* What threads share in the core, built with -fsanitize=thread. Eight threads sign with more keys than
 * the caches hold and hash blocks side by side, as a parallel etag does, and compare with known
 * answers, while another keeps changing the kernels in use. What one evicts, none may read. */
#include <pthread.h>
#include <stdio.h>

#include "port.h"

enum { THREADS = 8, KEYS = 2 * WS_HMAC_KEYS, ROUNDS = 200, BLOCK = 512, BLOCKS = WS_LANES + 5 };

static uint8_t file[BLOCKS * BLOCK], wanted_blocks[BLOCKS * WS_SHA1_SIZE];
static const void *volatile done;
static uint8_t wanted[KEYS][WS_SHA1_SIZE];
static char wanted_v4[KEYS][64];

static size_t key_of(int number, uint8_t *key) {
    return (size_t)snprintf((char *)key, 32, "secret %d", number);
}

/* One request, signed on a day of its own. */
static void sign_v4(int number, char *signature) {
    char stamp[32], room[512];
    snprintf(stamp, sizeof stamp, "2015%02d%02dT000000Z", number / 28 % 12 + 1, number % 28 + 1);
    ws_text_t text = {(const uint8_t *)"text", 4}, moment = {(const uint8_t *)stamp, 16};
    ws_v4_t request = {text, text, text, text, text, text, text, moment, NULL, 0, NULL, 0};
    memcpy(signature, room + ws_sign_v4(&request, room) - 64, 64);
}

static int hash_blocks(void) {
    uint8_t digests[sizeof wanted_blocks];
    ws_sha1_lanes_t lanes;
    ws_sha1_blocks(file, sizeof file, BLOCK, digests);
    ws_sha1_lanes_start(&lanes, WS_LANES, -1);
    ws_sha1_lanes_update(&lanes, file, BLOCK / 2, BLOCK);
    ws_sha1_lanes_update(&lanes, file + BLOCK / 2, BLOCK / 2, BLOCK);
    if (memcmp(digests, wanted_blocks, sizeof digests) != 0) {
        return 0;
    }
    ws_sha1_lanes_digests(&lanes, digests);
    return memcmp(digests, wanted_blocks, WS_LANES * WS_SHA1_SIZE) == 0;
}

static void *change_kernels(void *unused) {
    const char *name;
    (void)unused;
    for (int i = 0; !ws_pointer_load(&done); i = name ? i + 1 : 0) {
        name = ws_cpu_path_at(i);
        if (name != NULL && !ws_cpu_set_path(name)) {
            return file;
        }
    }
    return NULL;
}

static void *sign(void *argument) {
    int first = *(const int *)argument;
    for (int i = 0; i < ROUNDS * KEYS; i++) {
        int number = (first + i * (first % 2 ? 1 : 7)) % KEYS;
        uint8_t key[32];
        uint8_t digest[WS_SHA256_SIZE];
        size_t length = key_of(number, key);
        ws_hmac_sha1(key, length, (const uint8_t *)"message", 7, digest);
        if (memcmp(digest, wanted[number], WS_SHA1_SIZE) != 0) {
            return argument;
        }
        ws_hmac_sha256(key, length, (const uint8_t *)"message", 7, digest);
        char signature[64];
        sign_v4(number, signature);
        if (memcmp(signature, wanted_v4[number], sizeof signature) != 0) {
            return argument;
        }
        if (i % KEYS == 0 && !hash_blocks()) {
            return argument;
        }
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS], changer;
    void *changed;
    int first[THREADS];
    int wrong = 0;
    for (int number = 0; number < KEYS; number++) {
        uint8_t key[32];
        size_t length = key_of(number, key);
        ws_hmac_sha1(key, length, (const uint8_t *)"message", 7, wanted[number]);
        sign_v4(number, wanted_v4[number]);
    }
    for (size_t i = 0; i < sizeof file; i++) {
        file[i] = (uint8_t)(i * i >> 3);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        ws_sha1(file + i * BLOCK, BLOCK, wanted_blocks + i * WS_SHA1_SIZE);
    }
    if (pthread_create(&changer, NULL, change_kernels, NULL) != 0) {
        return 2;
    }
    for (int i = 0; i < THREADS; i++) {
        first[i] = i * 17;
        if (pthread_create(&threads[i], NULL, sign, &first[i]) != 0) {
            return 2;
        }
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        wrong += result != NULL;
    }
    ws_pointer_store(&done, file);
    pthread_join(changer, &changed);
    wrong += changed != NULL;
    printf("%d of %d threads saw a wrong answer\n", wrong, THREADS + 1);
    return wrong != 0;
}
