/* Tables of a reflected CRC. A table is linear in its index, so it is given by its entries at the
 * powers of two, and the preprocessor writes out the rest. */
#ifndef WS_CRC_TABLE_H
#define WS_CRC_TABLE_H

#define AT(i, a, b, c, d, e, f, g, h) \
    (((i)&1 ? a : 0) ^ ((i)&2 ? b : 0) ^ ((i)&4 ? c : 0) ^ ((i)&8 ? d : 0) ^ ((i)&16 ? e : 0) ^ \
     ((i)&32 ? f : 0) ^ ((i)&64 ? g : 0) ^ ((i)&128 ? h : 0))
#define AT4(i, a, b, c, d, e, f, g, h) \
    AT(i, a, b, c, d, e, f, g, h), AT((i) + 1, a, b, c, d, e, f, g, h), \
        AT((i) + 2, a, b, c, d, e, f, g, h), AT((i) + 3, a, b, c, d, e, f, g, h)
#define AT16(i, a, b, c, d, e, f, g, h) \
    AT4(i, a, b, c, d, e, f, g, h), AT4((i) + 4, a, b, c, d, e, f, g, h), \
        AT4((i) + 8, a, b, c, d, e, f, g, h), AT4((i) + 12, a, b, c, d, e, f, g, h)
#define AT64(i, a, b, c, d, e, f, g, h) \
    AT16(i, a, b, c, d, e, f, g, h), AT16((i) + 16, a, b, c, d, e, f, g, h), \
        AT16((i) + 32, a, b, c, d, e, f, g, h), AT16((i) + 48, a, b, c, d, e, f, g, h)
#define TABLE(a, b, c, d, e, f, g, h) \
    {AT64(0, a, b, c, d, e, f, g, h), AT64(64, a, b, c, d, e, f, g, h), \
     AT64(128, a, b, c, d, e, f, g, h), AT64(192, a, b, c, d, e, f, g, h)}

#endif
