/* CRC-32 (reflected 0xEDB88320), eight bytes a step; long inputs in five interleaved strands, each
 * taking every fifth word, so that five table look-ups are under way at once.
 */
#include "digest/crc_table.h"
#include "port.h"

#define STRIDE 40

/* near_tables[n] and far_tables[n]: the effect of a byte with n, and with n + 32, bytes after it. */
static const uint32_t near_tables[8][256] = {
    TABLE(0x77073096u, 0xee0e612cu, 0x076dc419u, 0x0edb8832u, 0x1db71064u, 0x3b6e20c8u, 0x76dc4190u, 0xedb88320u),
    TABLE(0x191b3141u, 0x32366282u, 0x646cc504u, 0xc8d98a08u, 0x4ac21251u, 0x958424a2u, 0xf0794f05u, 0x3b83984bu),
    TABLE(0x01c26a37u, 0x0384d46eu, 0x0709a8dcu, 0x0e1351b8u, 0x1c26a370u, 0x384d46e0u, 0x709a8dc0u, 0xe1351b80u),
    TABLE(0xb8bc6765u, 0xaa09c88bu, 0x8f629757u, 0xc5b428efu, 0x5019579fu, 0xa032af3eu, 0x9b14583du, 0xed59b63bu),
    TABLE(0x3d6029b0u, 0x7ac05360u, 0xf580a6c0u, 0x30704bc1u, 0x60e09782u, 0xc1c12f04u, 0x58f35849u, 0xb1e6b092u),
    TABLE(0xcb5cd3a5u, 0x4dc8a10bu, 0x9b914216u, 0xec53826du, 0x03d6029bu, 0x07ac0536u, 0x0f580a6cu, 0x1eb014d8u),
    TABLE(0xa6770bb4u, 0x979f1129u, 0xf44f2413u, 0x33ef4e67u, 0x67de9cceu, 0xcfbd399cu, 0x440b7579u, 0x8816eaf2u),
    TABLE(0xccaa009eu, 0x4225077du, 0x844a0efau, 0xd3e51bb5u, 0x7cbb312bu, 0xf9766256u, 0x299dc2edu, 0x533b85dau),
};
static const uint32_t far_tables[8][256] = {
    TABLE(0x36f290f3u, 0x6de521e6u, 0xdbca43ccu, 0x6ce581d9u, 0xd9cb03b2u, 0x68e70125u, 0xd1ce024au, 0x78ed02d5u),
    TABLE(0x24825136u, 0x4904a26cu, 0x920944d8u, 0xff638ff1u, 0x25b619a3u, 0x4b6c3346u, 0x96d8668cu, 0xf6c1cb59u),
    TABLE(0xcf9e17c8u, 0x444d29d1u, 0x889a53a2u, 0xca45a105u, 0x4ffa444bu, 0x9ff48896u, 0xe498176du, 0x1241289bu),
    TABLE(0x9570d495u, 0xf190af6bu, 0x38505897u, 0x70a0b12eu, 0xe141625cu, 0x19f3c2f9u, 0x33e785f2u, 0x67cf0be4u),
    TABLE(0x80f0171fu, 0xda91287fu, 0x6e5356bfu, 0xdca6ad7eu, 0x623c5cbdu, 0xc478b97au, 0x538074b5u, 0xa700e96au),
    TABLE(0x8d88fde2u, 0xc060fd85u, 0x5bb0fd4bu, 0xb761fa96u, 0xb5b2f36du, 0xb014e09bu, 0xbb58c777u, 0xadc088afu),
    TABLE(0x4e890ba9u, 0x9d121752u, 0xe15528e5u, 0x19db578bu, 0x33b6af16u, 0x676d5e2cu, 0xcedabc58u, 0x46c47ef1u),
    TABLE(0xaf449247u, 0x85f822cfu, 0xd08143dfu, 0x7a7381ffu, 0xf4e703feu, 0x32bf01bdu, 0x657e037au, 0xcafc06f4u),
};

WS_INLINE uint32_t mix(const uint32_t tables[8][256], uint32_t crc, const uint8_t *data) {
    const uint32_t low = crc ^ ws_load32le(data), high = ws_load32le(data + 4);
    return tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^
           tables[4][low >> 24] ^ tables[3][high & 255] ^ tables[2][high >> 8 & 255] ^
           tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
}

uint32_t ws_crc32(const uint8_t *data, size_t length, uint32_t value) {
    uint32_t crc = ~value, b = 0, c = 0, d = 0, e = 0;
    if (length >= 2 * STRIDE) {
        for (; length >= 2 * STRIDE; length -= STRIDE, data += STRIDE) {
            crc = mix(far_tables, crc, data);
            b = mix(far_tables, b, data + 8);
            c = mix(far_tables, c, data + 16);
            d = mix(far_tables, d, data + 24);
            e = mix(far_tables, e, data + 32);
        }
        crc = mix(near_tables, crc, data);
        crc = mix(near_tables, crc ^ b, data + 8);
        crc = mix(near_tables, crc ^ c, data + 16);
        crc = mix(near_tables, crc ^ d, data + 24);
        crc = mix(near_tables, crc ^ e, data + 32);
        length -= STRIDE;
        data += STRIDE;
    }
    for (; length >= 8; length -= 8, data += 8) {
        crc = mix(near_tables, crc, data);
    }
    for (; length; length--, data++) {
        crc = crc >> 8 ^ near_tables[0][(crc ^ *data) & 255];
    }
    return ~crc;
}
