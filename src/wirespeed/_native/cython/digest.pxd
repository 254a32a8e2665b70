from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "port.h" nogil:
    enum: WS_SHA1_SIZE
    enum: WS_SHA256_SIZE
    enum: WS_SHA_BLOCK
    enum: WS_LANES
    enum: WS_ETAG_BLOCK
    enum: WS_ETAG_LENGTH
    enum: WS_HMAC_KEYS
    enum: WS_SHA1_WORDS
    enum: WS_SHA256_WORDS

    ctypedef struct ws_hash_t:
        uint32_t state[8]
        uint64_t length
        uint32_t words
        uint8_t pending[64]

    ctypedef struct ws_input_t:
        const uint8_t *data
        size_t length

    ctypedef struct ws_sha1_lanes_t:
        uint32_t state[5][32]
        uint64_t length
        uint32_t count
        const void *kernel

    const char *ws_cpu_path()
    const char *ws_cpu_path_at(int index)
    int ws_cpu_set_path(const char *name)
    int ws_cpu_plan_at(int index, uint32_t *first, const char **kernel)
    const char *ws_sha1_kernel_at(int index, uint32_t *width)

    void ws_sha1(const uint8_t *data, size_t length, uint8_t *digest)
    void ws_sha256(const uint8_t *data, size_t length, uint8_t *digest)
    void ws_hash_start(ws_hash_t *hash, uint32_t words)
    void ws_hash_update(ws_hash_t *hash, const uint8_t *data, size_t length)
    void ws_hash_digest(const ws_hash_t *hash, uint8_t *digest)
    void ws_sha1_blocks(const uint8_t *data, size_t length, size_t block_size, uint8_t *digests)
    void ws_sha1_states(const uint8_t *data, size_t length, size_t part_size, uint8_t *states)
    void ws_sha1_many(const ws_input_t *inputs, size_t count, uint8_t *digests)
    void ws_sha1_lanes_start(ws_sha1_lanes_t *lanes, uint32_t count, int kernel)
    void ws_sha1_lanes_update(ws_sha1_lanes_t *lanes, const uint8_t *data, size_t piece,
                              size_t stride)
    void ws_sha1_lanes_digests(const ws_sha1_lanes_t *lanes, uint8_t *digests)
    void ws_etag_from_blocks(const uint8_t *digests, size_t count, char *text)
    void ws_hmac_sha1(const uint8_t *key, size_t key_length, const uint8_t *message,
                      size_t length, uint8_t *digest)
    void ws_hmac_sha256(const uint8_t *key, size_t key_length, const uint8_t *message,
                        size_t length, uint8_t *digest)
    void ws_hmac_sha1_many(const uint8_t *key, size_t key_length, const ws_input_t *inputs,
                           size_t count, uint8_t *digests)
    uint32_t ws_crc32(const uint8_t *data, size_t length, uint32_t value)
    uint64_t ws_crc64(const uint8_t *data, size_t length, uint64_t value)

    void ws_base64url_encode(const uint8_t *data, size_t length, char *text)
    int ws_base64url_decode(const char *text, size_t length, uint8_t *data, size_t *written)
