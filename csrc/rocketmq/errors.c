/* A sentence for each error of this folder. */
#include "../port.h"

const char *ws_error_text(int error) {
    switch (error) {
    case WS_ERR_MEMORY: return "out of memory";
    case WS_ERR_NAME_EMPTY: return "property name must not be empty";
    case WS_ERR_NAME_SEPARATOR:
        return "property name must not contain the control characters 0x01 and 0x02";
    case WS_ERR_VALUE_SEPARATOR:
        return "property value must not contain the control characters 0x01 and 0x02";
    case WS_ERR_PROPERTIES_LIMIT: return "properties must not pass 32767 bytes";
    case WS_ERR_TOPIC_LIMIT: return "topic must not pass 32767 bytes";
    case WS_ERR_FRAME_LIMIT: return "the frame passes the limit of 16777216 bytes";
    case WS_ERR_FRAME_LENGTH: return "the frame's length is broken";
    case WS_ERR_HEADER_LENGTH: return "the header is longer than its frame";
    case WS_ERR_HEADER_TYPE: return "the header's type is unknown";
    case WS_ERR_HEADER_BINARY: return "a length in the binary header is broken";
    case WS_ERR_HEADER_JSON: return "the header is no well-formed JSON object";
    case WS_ERR_HEADER_DEPTH: return "the header is nested too deeply";
    case WS_ERR_HEADER_VALUE: return "a value of the header has the wrong type or size";
    case WS_ERR_HEADER_UTF8: return "the header is not UTF-8";
    case WS_ERR_NAME_LIMIT: return "ext_fields name must not pass 32767 bytes";
    case WS_ERR_STORED_LENGTH: return "a message is cut off or a length in it is broken";
    case WS_ERR_STORED_MAGIC: return "a message has an unknown magic number";
    default: return "unknown error";
    }
}
