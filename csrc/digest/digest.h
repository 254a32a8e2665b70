/* What the files of this room share. */
#ifndef WS_DIGEST_H
#define WS_DIGEST_H

#include "cpu/kernels.h"

void ws_sha1_begin(uint32_t state[5]);
void ws_sha256_begin(uint32_t state[8]);

/* Ends a running digest: `tail` is what follows the `before` bytes (a multiple of 64) that the
 * state has seen. */
void ws_sha1_end(uint32_t state[5], const uint8_t *tail, size_t length, uint64_t before,
                 uint8_t *digest);
void ws_sha256_end(uint32_t state[8], const uint8_t *tail, size_t length, uint64_t before,
                   uint8_t *digest);

/* Writes the padding of a message of `total` bytes behind its last `length` (< 64) bytes, `rest`;
 * returns how many blocks of `last` are then to be compressed. */
size_t ws_sha_tail(uint8_t last[2 * WS_SHA_BLOCK], const uint8_t *rest, size_t length,
                   uint64_t total);

/* The SHA-1 of each input, continued from `begin`, which has seen `before` bytes (a multiple of
 * 64). */
void ws_sha1_many_from(const uint32_t begin[5], uint64_t before, const ws_input_t *inputs,
                       size_t count, uint8_t *digests);

/* Replaces each of `count` SHA-1 digests by the SHA-1 of it, continued in the same way. */
void ws_sha1_of_digests(const uint32_t begin[5], uint64_t before, size_t count, uint8_t *digests);

#endif
