/* Eight threads sign with more keys than the key cache holds, each with answers of its own to
 * compare: what one thread evicts, another must not read. Built with -fsanitize=thread. */
#include <pthread.h>
#include <stdio.h>

#include "port.h"

enum { THREADS = 8, KEYS = 2 * WS_HMAC_KEYS, ROUNDS = 200 };

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
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    int first[THREADS];
    int wrong = 0;
    for (int number = 0; number < KEYS; number++) {
        uint8_t key[32];
        size_t length = key_of(number, key);
        ws_hmac_sha1(key, length, (const uint8_t *)"message", 7, wanted[number]);
        sign_v4(number, wanted_v4[number]);
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
    printf("%d of %d threads saw a wrong signature\n", wrong, THREADS);
    return wrong != 0;
}
