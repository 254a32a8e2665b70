/* SHA-1 of inputs of any lengths side by side: a lane that is done takes the next input. */
#include "digest/digest.h"

typedef struct {
    uint32_t states[5][WS_LANES];
    const uint8_t *at[WS_LANES];
    size_t left[WS_LANES];   /* blocks at `at` */
    size_t tail[WS_LANES];   /* blocks in `last` that come after those */
    size_t input[WS_LANES];
    uint32_t slot[WS_LANES]; /* whose `last` it is: it stays while lanes move */
    uint8_t last[WS_LANES][2 * WS_SHA_BLOCK];
} work_t;

static void take(work_t *work, size_t lane, const uint32_t begin[5], uint64_t before,
                 const ws_input_t *input) {
    const size_t rest = input->length % WS_SHA_BLOCK, whole = input->length - rest;
    size_t word;
    for (word = 0; word < 5; word++) {
        work->states[word][lane] = begin[word];
    }
    work->tail[lane] = ws_sha_tail(work->last[work->slot[lane]], rest ? input->data + whole : NULL,
                                   rest, before + input->length);
    work->at[lane] = input->data;
    work->left[lane] = whole / WS_SHA_BLOCK;
}

/* The lane's blocks have all been seen: goes on to its tail, or returns 0 at the end. */
static int more(work_t *work, size_t lane) {
    work->at[lane] = work->last[work->slot[lane]];
    work->left[lane] = work->tail[lane];
    work->tail[lane] = 0;
    return work->left[lane] != 0;
}

static void move(work_t *work, size_t from, size_t to) {
    const uint32_t slot = work->slot[to];
    size_t word;
    for (word = 0; word < 5; word++) {
        work->states[word][to] = work->states[word][from];
    }
    work->at[to] = work->at[from];
    work->left[to] = work->left[from];
    work->tail[to] = work->tail[from];
    work->input[to] = work->input[from];
    work->slot[to] = work->slot[from];
    work->slot[from] = slot;
}

void ws_sha1_many_from(const uint32_t begin[5], uint64_t before, const ws_input_t *inputs,
                       size_t count, uint8_t *digests) {
    const size_t width = ws_kernels()->plan[0].kernel->width, lanes = WS_LANES / width * width;
    const uint8_t *at[WS_LANES];
    size_t taken = 0, active = 0, lane, word, blocks;
    work_t work;
    for (lane = 0; lane < WS_LANES; lane++) {
        work.slot[lane] = (uint32_t)lane;
    }
    for (;;) {
        for (; active < lanes && taken < count; active++, taken++) {
            work.input[active] = taken;
            take(&work, active, begin, before, &inputs[taken]);
            if (!work.left[active]) {
                more(&work, active);
            }
        }
        if (!active) {
            break;
        }
        blocks = work.left[0];
        for (lane = 0; lane < active; lane++) {
            at[lane] = work.at[lane];
            blocks = work.left[lane] < blocks ? work.left[lane] : blocks;
        }
        ws_sha1_lanes_run(work.states[0], at, active, blocks);
        /* From the last on: lanes that end together need not move. */
        for (lane = active; lane-- > 0;) {
            work.at[lane] += blocks * WS_SHA_BLOCK;
            work.left[lane] -= blocks;
            if (work.left[lane] || more(&work, lane)) {
                continue;
            }
            for (word = 0; word < 5; word++) {
                ws_store32be(digests + work.input[lane] * WS_SHA1_SIZE + 4 * word,
                             work.states[word][lane]);
            }
            if (lane != --active) {
                move(&work, active, lane);
            }
        }
    }
    ws_wipe(&work, sizeof work);
}

void ws_sha1_of_digests(const uint32_t begin[5], uint64_t before, size_t count, uint8_t *digests) {
    const size_t width = ws_kernels()->plan[0].kernel->width, most = WS_LANES / width * width;
    static const uint8_t none[WS_SHA1_SIZE];
    uint8_t last[WS_LANES][WS_SHA_BLOCK], padded[2 * WS_SHA_BLOCK];
    uint32_t states[5][WS_LANES];
    const uint8_t *at[WS_LANES];
    size_t lane, lanes, word;
    if (count == 0) {
        return;
    }
    ws_sha_tail(padded, none, WS_SHA1_SIZE, before + WS_SHA1_SIZE);
    for (lane = 0; lane < WS_LANES; lane++) {
        memcpy(last[lane], padded, WS_SHA_BLOCK);
    }
    for (; count; count -= lanes) {
        lanes = count < most ? count : most;
        for (word = 0; word < 5; word++) {
            for (lane = 0; lane < WS_LANES; lane++) {
                states[word][lane] = begin[word];
            }
        }
        for (lane = 0; lane < lanes; lane++) {
            memcpy(last[lane], digests + lane * WS_SHA1_SIZE, WS_SHA1_SIZE);
            at[lane] = last[lane];
        }
        ws_sha1_lanes_run(states[0], at, lanes, 1);
        for (lane = 0; lane < lanes; lane++, digests += WS_SHA1_SIZE) {
            for (word = 0; word < 5; word++) {
                ws_store32be(digests + 4 * word, states[word][lane]);
            }
        }
    }
    ws_wipe(states, sizeof states);
    ws_wipe(last, sizeof last);
}

void ws_sha1_many(const ws_input_t *inputs, size_t count, uint8_t *digests) {
    uint32_t state[5];
    ws_sha1_begin(state);
    ws_sha1_many_from(state, 0, inputs, count, digests);
}
