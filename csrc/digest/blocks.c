/* SHA-1 of equal blocks side by side, and the etag made of block digests. */
#include "digest/digest.h"

static void begin(uint32_t states[5][WS_LANES], size_t count) {
    uint32_t state[5];
    size_t word, lane;
    ws_sha1_begin(state);
    for (word = 0; word < 5; word++) {
        for (lane = 0; lane < count; lane++) {
            states[word][lane] = state[word];
        }
    }
}

/* Ends all lanes: each has seen `before` bytes and has `rest` (< 64) more at data[lane]. */
static void end(uint32_t states[5][WS_LANES], const uint8_t **data, size_t count, size_t rest,
                uint64_t before, uint8_t *digests) {
    uint8_t last[WS_LANES][2 * WS_SHA_BLOCK];
    size_t lane, word, blocks = 0;
    for (lane = 0; lane < count; lane++) {
        blocks = ws_sha_tail(last[lane], data[lane], rest, before + rest);
        data[lane] = last[lane];
    }
    ws_sha1_lanes_run(states[0], data, count, blocks);
    for (lane = 0; lane < count; lane++) {
        for (word = 0; word < 5; word++) {
            ws_store32be(digests + lane * WS_SHA1_SIZE + 4 * word, states[word][lane]);
        }
    }
}

void ws_sha1_lanes_start(ws_sha1_lanes_t *lanes, uint32_t count, int kernel) {
    memset(lanes, 0, sizeof *lanes);
    begin(lanes->state, count);
    lanes->count = count;
    lanes->kernel = kernel < 0 ? NULL : ws_lane_kernel(kernel);
}

void ws_sha1_lanes_update(ws_sha1_lanes_t *lanes, const uint8_t *data, size_t piece,
                          size_t stride) {
    const uint8_t *pieces[WS_LANES];
    size_t lane;
    if (!piece) {
        return;
    }
    for (lane = 0; lane < lanes->count; lane++) {
        pieces[lane] = data + lane * stride;
    }
    if (lanes->kernel != NULL) {
        ws_sha1_lanes_run_with((const ws_lane_kernel_t *)lanes->kernel, lanes->state[0], pieces,
                               lanes->count, piece / WS_SHA_BLOCK);
    } else {
        ws_sha1_lanes_run(lanes->state[0], pieces, lanes->count, piece / WS_SHA_BLOCK);
    }
    lanes->length += piece;
}

void ws_sha1_lanes_digests(const ws_sha1_lanes_t *lanes, uint8_t *digests) {
    const uint8_t *nothing[WS_LANES] = {NULL};
    uint32_t states[5][WS_LANES];
    memcpy(states, lanes->state, sizeof states);
    end(states, nothing, lanes->count, 0, lanes->length, digests);
}

/* Whole blocks of 64 bytes at data[lane], `count` each. Where the lanes are powers of two apart they
 * all fall in the same few sets of the first cache, which has not the ways for them: so each lane
 * runs some blocks ahead of the one before it. */
static void run(uint32_t states[5][WS_LANES], const uint8_t **data, size_t lanes, size_t count) {
    enum { STAGGER = 16, WORTH = 2048 };
    ws_compress_t *alone = ws_kernels()->sha1;
    const uint8_t *at[WS_LANES];
    size_t lane, ahead;
    if (lanes < 2 || count < WORTH) {
        ws_sha1_lanes_run(states[0], data, lanes, count);
        return;
    }
    for (lane = 0; lane < lanes; lane++) {
        ahead = lane % STAGGER;
        at[lane] = data[lane] + ahead * WS_SHA_BLOCK;
        ws_one_lane(alone, states[0] + lane, data[lane], ahead);
    }
    ws_sha1_lanes_run(states[0], at, lanes, count - (STAGGER - 1));
    for (lane = 0; lane < lanes; lane++) {
        ahead = lane % STAGGER;
        ws_one_lane(alone, states[0] + lane,
                    data[lane] + (count - (STAGGER - 1) + ahead) * WS_SHA_BLOCK,
                    STAGGER - 1 - ahead);
    }
}

void ws_sha1_blocks(const uint8_t *data, size_t length, size_t block_size, uint8_t *digests) {
    const size_t whole = block_size / WS_SHA_BLOCK * WS_SHA_BLOCK, rest = block_size - whole;
    const size_t width = ws_kernels()->plan[0].kernel->width;
    const uint8_t *blocks[WS_LANES];
    uint32_t states[5][WS_LANES];
    size_t left = length / block_size, lanes, i;
    for (; left; left -= lanes, digests += lanes * WS_SHA1_SIZE) {
        lanes = left < WS_LANES / width * width ? left : WS_LANES / width * width;
        begin(states, lanes);
        for (i = 0; i < lanes; i++, data += block_size) {
            blocks[i] = data;
        }
        if (whole) {
            run(states, blocks, lanes, whole / WS_SHA_BLOCK);
        }
        for (i = 0; i < lanes; i++) {
            blocks[i] = data - (lanes - i) * block_size + whole;
        }
        end(states, blocks, lanes, rest, whole, digests);
    }
    if (length % block_size) {
        ws_sha1(data, length % block_size, digests);
    }
}

void ws_sha1_states(const uint8_t *data, size_t length, size_t part_size, uint8_t *states) {
    uint32_t state[5];
    uint64_t before = 0;
    size_t i;
    if (!length) {
        return;
    }
    ws_sha1_begin(state);
    for (; length > part_size; length -= part_size, data += part_size, before += part_size) {
        ws_kernels()->sha1(state, data, part_size / WS_SHA_BLOCK);
        for (i = 0; i < 5; i++, states += 4) {
            ws_store32le(states, state[i]);
        }
    }
    ws_sha1_end(state, data, length, before, states);
}

void ws_etag_from_blocks(const uint8_t *digests, size_t count, char *text) {
    uint8_t tagged[1 + WS_SHA1_SIZE];
    tagged[0] = count > 1 ? 0x96 : 0x16;
    if (count == 1) {
        memcpy(tagged + 1, digests, WS_SHA1_SIZE);
    } else {
        ws_sha1(digests, count * WS_SHA1_SIZE, tagged + 1);
    }
    ws_base64url_encode(tagged, sizeof tagged, text);
}
