/* What this room offers to the signatures beside the contract. */
#ifndef WS_ENCODE_H
#define WS_ENCODE_H

#include "port.h"

/* Sorts fields by name, in byte order. */
void ws_sort_fields(ws_field_t *fields, size_t count);

/* SigV4's canonical URI of a path as it is sent: dot segments and doubled slashes removed, then
 * percent-encoded once more. Writes at most 3 * length + 1 characters. */
size_t ws_canonical_path(const uint8_t *path, size_t length, char *text);

#endif
