/* SHA-1 and SHA-256 over the kernel in use: initial states and padding (FIPS 180-4). */
#include "digest/digest.h"

void ws_sha1_begin(uint32_t state[5]) {
    static const uint32_t initial[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    memcpy(state, initial, sizeof initial);
}

void ws_sha256_begin(uint32_t state[8]) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(state, initial, sizeof initial);
}

size_t ws_sha_tail(uint8_t last[2 * WS_SHA_BLOCK], const uint8_t *rest, size_t length,
                   uint64_t total) {
    const size_t padded = length < WS_SHA_BLOCK - 8 ? WS_SHA_BLOCK : 2 * WS_SHA_BLOCK;
    memset(last, 0, 2 * WS_SHA_BLOCK);
    if (length) {
        memcpy(last, rest, length);
    }
    last[length] = 0x80;
    ws_store64be(last + padded - 8, total * 8);
    return padded / WS_SHA_BLOCK;
}

static void end(ws_compress_t *compress, uint32_t *state, size_t words, const uint8_t *tail,
                size_t length, uint64_t before, uint8_t *digest) {
    uint8_t last[2 * WS_SHA_BLOCK];
    const size_t whole = length / WS_SHA_BLOCK, rest = length % WS_SHA_BLOCK;
    size_t i;
    if (whole) {
        compress(state, tail, whole);
    }
    compress(state, last, ws_sha_tail(last, rest ? tail + length - rest : NULL, rest,
                                      before + length));
    for (i = 0; i < words; i++) {
        ws_store32be(digest + 4 * i, state[i]);
    }
}

void ws_sha1_end(uint32_t state[5], const uint8_t *tail, size_t length, uint64_t before,
                 uint8_t *digest) {
    end(ws_kernels()->sha1, state, 5, tail, length, before, digest);
}

void ws_sha256_end(uint32_t state[8], const uint8_t *tail, size_t length, uint64_t before,
                   uint8_t *digest) {
    end(ws_kernels()->sha256, state, 8, tail, length, before, digest);
}

void ws_sha1(const uint8_t *data, size_t length, uint8_t *digest) {
    uint32_t state[5];
    ws_sha1_begin(state);
    ws_sha1_end(state, data, length, 0, digest);
}

void ws_sha256(const uint8_t *data, size_t length, uint8_t *digest) {
    uint32_t state[8];
    ws_sha256_begin(state);
    ws_sha256_end(state, data, length, 0, digest);
}

static ws_compress_t *compress_of(const ws_hash_t *hash) {
    return hash->words == WS_SHA1_WORDS ? ws_kernels()->sha1 : ws_kernels()->sha256;
}

void ws_hash_start(ws_hash_t *hash, uint32_t words) {
    memset(hash, 0, sizeof *hash);
    hash->words = words;
    if (words == WS_SHA1_WORDS) {
        ws_sha1_begin(hash->state);
    } else {
        ws_sha256_begin(hash->state);
    }
}

void ws_hash_update(ws_hash_t *hash, const uint8_t *data, size_t length) {
    const size_t pending = (size_t)(hash->length % WS_SHA_BLOCK), room = WS_SHA_BLOCK - pending;
    hash->length += length;
    if (pending) {
        if (length < room) {
            if (length) {
                memcpy(hash->pending + pending, data, length);
            }
            return;
        }
        memcpy(hash->pending + pending, data, room);
        compress_of(hash)(hash->state, hash->pending, 1);
        data += room;
        length -= room;
    }
    if (length >= WS_SHA_BLOCK) {
        compress_of(hash)(hash->state, data, length / WS_SHA_BLOCK);
        data += length / WS_SHA_BLOCK * WS_SHA_BLOCK;
        length %= WS_SHA_BLOCK;
    }
    if (length) {
        memcpy(hash->pending, data, length);
    }
}

void ws_hash_digest(const ws_hash_t *hash, uint8_t *digest) {
    const size_t pending = (size_t)(hash->length % WS_SHA_BLOCK);
    uint32_t state[8];
    memcpy(state, hash->state, sizeof state);
    end(compress_of(hash), state, hash->words, hash->pending, pending, hash->length - pending,
        digest);
}
