/* The rounds of SHA-1 on vectors with a stream in each lane, all 16 words of the message in
 * registers or nearly. The file that includes this defines ADD, XOR, XOR3, ROTATE, CHOOSE and
 * MAJORITY, has a to e, k and w[16] in scope, and SPLAT(number) sets k.
 *
 * The addition of the rotated `a` comes last: all else of a round is ready before `a` is.
 */
#ifndef WS_SHA1_VECTOR_H
#define WS_SHA1_VECTOR_H

#define ROUND(a, b, c, d, e, function, word)                  \
    e = ADD(ADD(e, ADD(word, k)), function(b, c, d));         \
    WS_OPAQUE(e);                                             \
    e = ADD(e, ROTATE(a, 5));                                 \
    b = ROTATE(b, 30);

#define GIVEN(a, b, c, d, e, function, t) ROUND(a, b, c, d, e, function, w[t])

#define EXPANDED(a, b, c, d, e, function, t)                                                  \
    w[(t)&15] = ROTATE(XOR(XOR3(w[((t) + 13) & 15], w[((t) + 8) & 15], w[((t) + 2) & 15]),    \
                           w[(t)&15]), 1);                                                    \
    ROUND(a, b, c, d, e, function, w[(t)&15])

/* Five rounds bring the five variables back to their places. */
#define FIVE(word, function, t)               \
    word(a, b, c, d, e, function, t)          \
    word(e, a, b, c, d, function, (t) + 1)    \
    word(d, e, a, b, c, function, (t) + 2)    \
    word(c, d, e, a, b, function, (t) + 3)    \
    word(b, c, d, e, a, function, (t) + 4)

#define TWENTY(number, function, t)           \
    SPLAT(number)                             \
    FIVE(EXPANDED, function, t)               \
    FIVE(EXPANDED, function, (t) + 5)         \
    FIVE(EXPANDED, function, (t) + 10)        \
    FIVE(EXPANDED, function, (t) + 15)

#define EIGHTY                                        \
    SPLAT(0x5a827999)                                 \
    FIVE(GIVEN, CHOOSE, 0)                            \
    FIVE(GIVEN, CHOOSE, 5)                            \
    FIVE(GIVEN, CHOOSE, 10)                           \
    GIVEN(a, b, c, d, e, CHOOSE, 15)                  \
    EXPANDED(e, a, b, c, d, CHOOSE, 16)               \
    EXPANDED(d, e, a, b, c, CHOOSE, 17)               \
    EXPANDED(c, d, e, a, b, CHOOSE, 18)               \
    EXPANDED(b, c, d, e, a, CHOOSE, 19)               \
    TWENTY(0x6ed9eba1, XOR3, 20)                      \
    TWENTY(0x8f1bbcdc, MAJORITY, 40)                  \
    TWENTY(0xca62c1d6, XOR3, 60)

#endif
