/* CRC-64/XZ (reflected 0xC96C5795D7870F42), eight bytes a step; long inputs in three interleaved
 * strands, each taking every third word.
 */
#include "digest/crc_table.h"
#include "port.h"

#define STRIDE 24

/* near_tables[n] and far_tables[n]: the effect of a byte with n, and with n + 16, bytes after it. */
static const uint64_t near_tables[8][256] = {
    TABLE(0xb32e4cbe03a75f6fu, 0xf4843657a840a05bu, 0x7bd0c384ff8f5e33u, 0xf7a18709ff1ebc66u, 0x7d9ba13851336649u, 0xfb374270a266cc92u, 0x64b62bcaebc387a1u, 0xc96c5795d7870f42u),
    TABLE(0x54e979925cd0f10du, 0xa9d2f324b9a1e21au, 0xc17d4962dc4ddab1u, 0x10223dee1795abe7u, 0x20447bdc2f2b57ceu, 0x4088f7b85e56af9cu, 0x8111ef70bcad5f38u, 0x90fb71cad654a0f5u),
    TABLE(0x3f0be14a916a6dcbu, 0x7e17c29522d4db96u, 0xfc2f852a45a9b72cu, 0x6a87a57f245d70ddu, 0xd50f4afe48bae1bau, 0x38c63ad73e7bddf1u, 0x718c75ae7cf7bbe2u, 0xe318eb5cf9ef77c4u),
    TABLE(0x1dee8a5e222ca1dcu, 0x3bdd14bc445943b8u, 0x77ba297888b28770u, 0xef7452f111650ee0u, 0x4c300ac98dc40345u, 0x986015931b88068au, 0xa218840d981e1391u, 0xd6e9a7309f3239a7u),
    TABLE(0x5c2d776033c4205eu, 0xb85aeec0678840bcu, 0xe26d72ab601e9ffdu, 0x56024a7d6f33217fu, 0xac0494fade6642feu, 0xcad186de13c29b79u, 0x077ba297888b2877u, 0x0ef7452f111650eeu),
    TABLE(0x6184d55f721267c6u, 0xc309aabee424cf8cu, 0x14cbfa566747819du, 0x2997f4acce8f033au, 0x532fe9599d1e0674u, 0xa65fd2b33a3c0ce8u, 0xde670a4ddb760755u, 0x2e16bbb019e2102fu),
    TABLE(0x22ef0d5934f964ecu, 0x45de1ab269f2c9d8u, 0x8bbc3564d3e593b0u, 0x85a0c5e208c539e5u, 0x999924efbe846d4fu, 0xa1eae6f4d206c41bu, 0xd10d62c20b0396b3u, 0x30c26aafb90933e3u),
    TABLE(0xdabe95afc7875f40u, 0x27a584742000a005u, 0x4f4b08e84001400au, 0x9e9611d080028014u, 0xaff48c8aaf0b1eadu, 0xcd31b63ef11823dfu, 0x08bbc3564d3e593bu, 0x117786ac9a7cb276u),
};
static const uint64_t far_tables[8][256] = {
    TABLE(0x2ddda07ff6672378u, 0x5bbb40ffecce46f0u, 0xb77681ffd99c8de0u, 0xfc35acd41c370545u, 0x6ab3f6839760140fu, 0xd567ed072ec0281eu, 0x38177525f28e4eb9u, 0x702eea4be51c9d72u),
    TABLE(0x1596922b987ef63fu, 0x2b2d245730fdec7eu, 0x565a48ae61fbd8fcu, 0xacb4915cc3f7b1f8u, 0xcbb18d9228e17d75u, 0x05bbb40ffecce46fu, 0x0b77681ffd99c8deu, 0x16eed03ffb3391bcu),
    TABLE(0x4d624bbe73bbc94cu, 0x9ac4977ce7779298u, 0xa75181d261e13bb5u, 0xdc7bac8f6ccc69efu, 0x2a2ff6357696cd5bu, 0x545fec6aed2d9ab6u, 0xa8bfd8d5da5b356cu, 0xc3a71e801bb8745du),
    TABLE(0xe88a0d0c5521de3du, 0x43ccb533054da2ffu, 0x87996a660a9b45feu, 0x9dea7be7ba389579u, 0xa90c58e4db7f3477u, 0xc0c01ee219f0766bu, 0x135892ef9ceef253u, 0x26b125df39dde4a6u),
    TABLE(0xb91b6176fc36363fu, 0xe0ee6dc6576272fbu, 0x530474a701cafb73u, 0xa608e94e0395f6e6u, 0xdec97db7a825f349u, 0x2f4a5444ff45f817u, 0x5e94a889fe8bf02eu, 0xbd295113fd17e05cu),
    TABLE(0x4dcec64d2edf818cu, 0x9b9d8c9a5dbf0318u, 0xa5e3b61f147018b5u, 0xd91fc31587ee2fefu, 0x20e72900a0d2415bu, 0x41ce520141a482b6u, 0x839ca4028349056cu, 0x95e1e72ea99c145du),
    TABLE(0x4550ddde9a383296u, 0x8aa1bbbd3470652cu, 0x879bd851c7eed4ddu, 0x9def1f8820d3b73fu, 0xa906903beea970fbu, 0xc0d58f5c725cff73u, 0x1373b1934bb7e063u, 0x26e76326976fc0c6u),
    TABLE(0x3be653a30fe1af51u, 0x77cca7461fc35ea2u, 0xef994e8c3f86bd44u, 0x4dea3233d003640du, 0x9bd46467a006c81au, 0xa57067e4ef038eb1u, 0xd83860e2710903e7u, 0x22a86eef4d1c194bu),
};

WS_INLINE uint64_t mix(const uint64_t tables[8][256], uint64_t crc, const uint8_t *data) {
    const uint64_t word = crc ^ ((uint64_t)ws_load32le(data + 4) << 32 | ws_load32le(data));
    return tables[7][word & 255] ^ tables[6][word >> 8 & 255] ^ tables[5][word >> 16 & 255] ^
           tables[4][word >> 24 & 255] ^ tables[3][word >> 32 & 255] ^
           tables[2][word >> 40 & 255] ^ tables[1][word >> 48 & 255] ^ tables[0][word >> 56];
}

uint64_t ws_crc64(const uint8_t *data, size_t length, uint64_t value) {
    uint64_t crc = ~value, b = 0, c = 0;
    if (length >= 2 * STRIDE) {
        for (; length >= 2 * STRIDE; length -= STRIDE, data += STRIDE) {
            crc = mix(far_tables, crc, data);
            b = mix(far_tables, b, data + 8);
            c = mix(far_tables, c, data + 16);
        }
        crc = mix(near_tables, crc, data);
        crc = mix(near_tables, crc ^ b, data + 8);
        crc = mix(near_tables, crc ^ c, data + 16);
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
