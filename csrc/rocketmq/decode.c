/* Frames and their headers, in JSON and in RocketMQ's binary form. */
#include "text.h"

enum { STATE_DONE, STATE_TOP, STATE_FIELDS, STATE_BLOCK };

int64_t ws_frame_size(const uint8_t *data, size_t length, size_t limit) {
    if (length < 4) return 0;
    int64_t size = 4 + (int64_t)ws_load32be(data);
    if ((uint64_t)size > limit) return WS_ERR_FRAME_LIMIT;
    return size < WS_FRAME_HEAD ? WS_ERR_FRAME_LENGTH : size;
}

static int utf8_valid(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        if (end - p >= 8 && !(ws_load64(p) & WS_HIGHS)) {
            p += 8;
            continue;
        }
        uint8_t c = *p++;
        if (c < 0x80) continue;
        int more = c >= 0xC2 && c <= 0xDF ? 1 : (c & 0xF0) == 0xE0 ? 2 : c >= 0xF0 && c <= 0xF4 ? 3 : 0;
        if (!more || end - p < more) return 0;
        uint8_t low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
        uint8_t high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
        if (*p < low || *p > high) return 0;
        for (int i = 1; i < more; i++)
            if ((p[i] & 0xC0) != 0x80) return 0;
        p += more;
    }
    return 1;
}

/* ---- binary ---- */

static int open_binary(ws_reader_t *r) {
    const uint8_t *p = r->at;
    if (r->end - p < 17) return WS_ERR_HEADER_BINARY;
    r->code = (int16_t)ws_load16be(p);
    r->language = p[2];
    r->version = (int16_t)ws_load16be(p + 3);
    r->opaque = (int32_t)ws_load32be(p + 5);
    r->flag = (int32_t)ws_load32be(p + 9);
    uint32_t remark = ws_load32be(p + 13);
    p += 17;
    if (remark > (size_t)(r->end - p)) return WS_ERR_HEADER_BINARY;
    if (remark) {
        r->remark.start = p;
        r->remark.length = remark;
    }
    p += remark;
    if (r->end - p < 4 || ws_load32be(p) != (size_t)(r->end - p - 4)) return WS_ERR_HEADER_BINARY;
    r->at = p + 4;
    r->state = STATE_BLOCK;
    return WS_OK;
}

static int next_binary(ws_reader_t *r, ws_slice_t *name, ws_slice_t *value) {
    const uint8_t *p = r->at;
    if (p == r->end) return WS_END;
    if (r->end - p < 2) return WS_ERR_HEADER_BINARY;
    size_t length = ws_load16be(p);
    p += 2;
    if (length > 32767 || length > (size_t)(r->end - p)) return WS_ERR_HEADER_BINARY;
    name->start = p;
    name->length = length;
    name->escaped = 0;
    p += length;
    if (r->end - p < 4) return WS_ERR_HEADER_BINARY;
    length = ws_load32be(p);
    p += 4;
    if (length > (size_t)(r->end - p)) return WS_ERR_HEADER_BINARY;
    value->start = p;
    value->length = length;
    value->escaped = 0;
    r->at = p + length;
    return WS_FIELD;
}

/* ---- JSON: each scan_ function moves `*at` on and returns WS_OK or an error ---- */

static const uint8_t *skip_space(const uint8_t *p, const uint8_t *end) {
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    return p;
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `*at` is at the opening quote. */
static int scan_string(const uint8_t **at, const uint8_t *end, ws_slice_t *text) {
    const uint8_t *p = *at + 1;
    text->start = p;
    text->escaped = 0;
    for (;;) {
        while (end - p >= 8) {
            uint64_t v = ws_load64(p);
            if (ws_any_equal(v, '"') | ws_any_equal(v, '\\')) break;
            p += 8;
        }
        while (p < end && *p != '"' && *p != '\\') p++;
        if (p == end) return WS_ERR_HEADER_JSON;
        if (*p == '"') break;
        text->escaped = 1;
        if (end - p < 2) return WS_ERR_HEADER_JSON;
        switch (p[1]) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't': p += 2; break;
        case 'u':
            if (end - p < 6) return WS_ERR_HEADER_JSON;
            for (int i = 2; i < 6; i++)
                if (hex_digit(p[i]) < 0) return WS_ERR_HEADER_JSON;
            p += 6;
            break;
        default: return WS_ERR_HEADER_JSON;
        }
    }
    text->length = (size_t)(p - text->start);
    *at = p + 1;
    return WS_OK;
}

static const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end) {
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p;
}

/* `*whole` is set to whether the number has neither fraction nor exponent. */
static int scan_number(const uint8_t **at, const uint8_t *end, ws_slice_t *text, int *whole) {
    const uint8_t *p = *at, *digits;
    text->start = p;
    text->escaped = 0;
    *whole = 1;
    if (p < end && *p == '-') p++;
    digits = p;
    p = skip_digits(p, end);
    if (p == digits || (*digits == '0' && p - digits > 1)) return WS_ERR_HEADER_JSON;
    if (p < end && *p == '.') {
        *whole = 0;
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits) return WS_ERR_HEADER_JSON;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        *whole = 0;
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits) return WS_ERR_HEADER_JSON;
    }
    text->length = (size_t)(p - text->start);
    *at = p;
    return WS_OK;
}

static int scan_word(const uint8_t **at, const uint8_t *end, const char *word, size_t length) {
    if ((size_t)(end - *at) < length || memcmp(*at, word, length)) return WS_ERR_HEADER_JSON;
    *at += length;
    return WS_OK;
}

/* A string, number, true, false or null; `*kind` is its first byte, '0' for any number. */
static int scan_scalar(const uint8_t **at, const uint8_t *end, ws_slice_t *text, int *kind) {
    int whole;
    if (*at == end) return WS_ERR_HEADER_JSON;
    text->start = *at;
    text->escaped = 0;
    *kind = **at;
    switch (**at) {
    case '"': return scan_string(at, end, text);
    case 't': text->length = 4; return scan_word(at, end, "true", 4);
    case 'f': text->length = 5; return scan_word(at, end, "false", 5);
    case 'n': text->length = 4; return scan_word(at, end, "null", 4);
    default: *kind = '0'; return scan_number(at, end, text, &whole);
    }
}

/* Passes over a value of any kind inside `depth` containers. */
static int skip_value(const uint8_t **at, const uint8_t *end, int depth) {
    ws_slice_t text;
    int kind, error;
    if (*at == end) return WS_ERR_HEADER_JSON;
    if (**at != '{' && **at != '[') return scan_scalar(at, end, &text, &kind);
    uint8_t open = **at, close = open == '{' ? '}' : ']';
    if (depth >= WS_JSON_DEPTH) return WS_ERR_HEADER_DEPTH;
    *at = skip_space(*at + 1, end);
    if (*at < end && **at == close) {
        (*at)++;
        return WS_OK;
    }
    for (;;) {
        if (open == '{') {
            if (*at == end || **at != '"') return WS_ERR_HEADER_JSON;
            if ((error = scan_string(at, end, &text))) return error;
            *at = skip_space(*at, end);
            if (*at == end || **at != ':') return WS_ERR_HEADER_JSON;
            *at = skip_space(*at + 1, end);
        }
        if ((error = skip_value(at, end, depth + 1))) return error;
        *at = skip_space(*at, end);
        if (*at == end) return WS_ERR_HEADER_JSON;
        if (**at == close) {
            (*at)++;
            return WS_OK;
        }
        if (**at != ',') return WS_ERR_HEADER_JSON;
        *at = skip_space(*at + 1, end);
    }
}

static int scan_integer(const uint8_t **at, const uint8_t *end, int32_t *number) {
    ws_slice_t text;
    int whole, error;
    if (*at == end || (**at != '-' && (**at < '0' || **at > '9'))) {
        error = skip_value(at, end, 1);
        return error ? error : WS_ERR_HEADER_VALUE;
    }
    if ((error = scan_number(at, end, &text, &whole))) return error;
    if (!whole || text.length > 11) return WS_ERR_HEADER_VALUE;
    int negative = text.start[0] == '-';
    int64_t value = 0;
    for (size_t i = (size_t)negative; i < text.length; i++) value = value * 10 + (text.start[i] - '0');
    if (negative) value = -value;
    if (value < INT32_MIN || value > INT32_MAX) return WS_ERR_HEADER_VALUE;
    *number = (int32_t)value;
    return WS_OK;
}

static int is(const ws_slice_t *text, const char *word, size_t length) {
    return text->length == length && !memcmp(text->start, word, length);
}

static int32_t language_of(const ws_slice_t *text) {
    static const struct {
        const char *name;
        size_t length;
    } NAMES[WS_LANGUAGES] = {
        {"JAVA", 4}, {"CPP", 3},   {"DOTNET", 6}, {"PYTHON", 6}, {"DELPHI", 6},
        {"ERLANG", 6}, {"RUBY", 4}, {"OTHER", 5},  {"HTTP", 4},   {"GO", 2},
        {"PHP", 3},  {"OMS", 3},   {"RUST", 4},   {"NODE_JS", 7},
    };
    for (int32_t i = 0; i < WS_LANGUAGES; i++)
        if (is(text, NAMES[i].name, NAMES[i].length)) return i;
    return 7;
}

/* The longest escaped text that may spell a word of ours, in which each letter takes six bytes. */
#define SHORT_TEXT 96

/* Unescapes a short text into `room`; one that is longer is none of our words and stays. */
static void settle(ws_slice_t *text, uint8_t room[SHORT_TEXT]) {
    if (!text->escaped || text->length > SHORT_TEXT) return;
    text->length = ws_json_unescape(text, room);
    text->start = room;
    text->escaped = 0;
}

static int scan_language(const uint8_t **at, const uint8_t *end, int32_t *language) {
    ws_slice_t text;
    uint8_t room[SHORT_TEXT];
    int kind, error;
    if (*at < end && (**at == '-' || (**at >= '0' && **at <= '9')))
        return scan_integer(at, end, language);
    if (*at < end && (**at == '{' || **at == '[')) return WS_ERR_HEADER_VALUE;
    if ((error = scan_scalar(at, end, &text, &kind))) return error;
    if (kind == 'n') {
        *language = 0;
        return WS_OK;
    }
    if (kind != '"') return WS_ERR_HEADER_VALUE;
    settle(&text, room);
    *language = language_of(&text);
    return WS_OK;
}

static int scan_remark(const uint8_t **at, const uint8_t *end, ws_slice_t *remark) {
    ws_slice_t text;
    int kind, error;
    if (*at < end && (**at == '{' || **at == '[')) return WS_ERR_HEADER_VALUE;
    if ((error = scan_scalar(at, end, &text, &kind))) return error;
    if (kind != '"' && kind != 'n') return WS_ERR_HEADER_VALUE;
    if (kind == 'n') memset(&text, 0, sizeof text);
    *remark = text;
    return WS_OK;
}

/* After a value: a comma is passed over; the closing brace is left. */
static int scan_separator(ws_reader_t *r) {
    r->at = skip_space(r->at, r->end);
    if (r->at == r->end) return WS_ERR_HEADER_JSON;
    if (*r->at == '}') return WS_OK;
    if (*r->at != ',') return WS_ERR_HEADER_JSON;
    r->at = skip_space(r->at + 1, r->end);
    return r->at < r->end && *r->at == '"' ? WS_OK : WS_ERR_HEADER_JSON;
}

static int scan_name(ws_reader_t *r, ws_slice_t *name) {
    int error;
    if (r->at == r->end || *r->at != '"') return WS_ERR_HEADER_JSON;
    if ((error = scan_string(&r->at, r->end, name))) return error;
    r->at = skip_space(r->at, r->end);
    if (r->at == r->end || *r->at != ':') return WS_ERR_HEADER_JSON;
    r->at = skip_space(r->at + 1, r->end);
    return WS_OK;
}

/* Reads top-level members up to an extFields object or the end of the header. */
static int next_top(ws_reader_t *r) {
    ws_slice_t name;
    uint8_t room[SHORT_TEXT];
    int error;
    for (;;) {
        if (r->at < r->end && *r->at == '}') {
            r->at = skip_space(r->at + 1, r->end);
            r->state = STATE_DONE;
            return r->at == r->end ? WS_END : WS_ERR_HEADER_JSON;
        }
        if ((error = scan_name(r, &name))) return error;
        settle(&name, room);
        if (is(&name, "code", 4)) {
            error = scan_integer(&r->at, r->end, &r->code);
        } else if (is(&name, "opaque", 6)) {
            error = scan_integer(&r->at, r->end, &r->opaque);
        } else if (is(&name, "flag", 4)) {
            error = scan_integer(&r->at, r->end, &r->flag);
        } else if (is(&name, "version", 7)) {
            error = scan_integer(&r->at, r->end, &r->version);
        } else if (is(&name, "language", 8)) {
            error = scan_language(&r->at, r->end, &r->language);
        } else if (is(&name, "remark", 6)) {
            error = scan_remark(&r->at, r->end, &r->remark);
        } else if (is(&name, "extFields", 9)) {
            if (r->at < r->end && *r->at == '{') {
                r->at = skip_space(r->at + 1, r->end);
                r->state = STATE_FIELDS;
                return WS_FIELDS_BEGIN;
            }
            if ((error = scan_word(&r->at, r->end, "null", 4))) return WS_ERR_HEADER_VALUE;
            if ((error = scan_separator(r))) return error;
            return WS_FIELDS_BEGIN;
        } else {
            error = skip_value(&r->at, r->end, 1);
        }
        if (error || (error = scan_separator(r))) return error;
    }
}

static int next_field(ws_reader_t *r, ws_slice_t *name, ws_slice_t *value) {
    int kind, error;
    if (r->at < r->end && *r->at == '}') {
        r->at++;
        r->state = STATE_TOP;
        if ((error = scan_separator(r))) return error;
        return next_top(r);
    }
    if ((error = scan_name(r, name))) return error;
    if (r->at < r->end && (*r->at == '{' || *r->at == '[')) return WS_ERR_HEADER_VALUE;
    if ((error = scan_scalar(&r->at, r->end, value, &kind))) return error;
    if (kind == 'n') memset(value, 0, sizeof *value);
    if ((error = scan_separator(r))) return error;
    return WS_FIELD;
}

size_t ws_json_unescape(const ws_slice_t *slice, uint8_t *out) {
    const uint8_t *p = slice->start, *end = p + slice->length;
    uint8_t *o = out;
    while (p < end) {
        if (*p != '\\') {
            *o++ = *p++;
            continue;
        }
        uint8_t c = p[1];
        p += 2;
        switch (c) {
        case 'b': *o++ = '\b'; continue;
        case 'f': *o++ = '\f'; continue;
        case 'n': *o++ = '\n'; continue;
        case 'r': *o++ = '\r'; continue;
        case 't': *o++ = '\t'; continue;
        case 'u': break;
        default: *o++ = c; continue;
        }
        uint32_t point = 0;
        for (int i = 0; i < 4; i++) point = point << 4 | (uint32_t)hex_digit(*p++);
        if ((point & 0xFC00) == 0xD800 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
            uint32_t low = 0;
            for (int i = 2; i < 6; i++) low = low << 4 | (uint32_t)hex_digit(p[i]);
            if ((low & 0xFC00) == 0xDC00) {
                point = 0x10000 + ((point & 0x3FF) << 10 | (low & 0x3FF));
                p += 6;
            }
        }
        if ((point & 0xFFFFF800) == 0xD800) point = 0xFFFD;
        if (point < 0x80) {
            *o++ = (uint8_t)point;
        } else if (point < 0x800) {
            *o++ = (uint8_t)(0xC0 | point >> 6);
            *o++ = (uint8_t)(0x80 | (point & 0x3F));
        } else if (point < 0x10000) {
            *o++ = (uint8_t)(0xE0 | point >> 12);
            *o++ = (uint8_t)(0x80 | (point >> 6 & 0x3F));
            *o++ = (uint8_t)(0x80 | (point & 0x3F));
        } else {
            *o++ = (uint8_t)(0xF0 | point >> 18);
            *o++ = (uint8_t)(0x80 | (point >> 12 & 0x3F));
            *o++ = (uint8_t)(0x80 | (point >> 6 & 0x3F));
            *o++ = (uint8_t)(0x80 | (point & 0x3F));
        }
    }
    return (size_t)(o - out);
}

static int open_json(ws_reader_t *r) {
    if (!utf8_valid(r->at, r->end)) return WS_ERR_HEADER_UTF8;
    r->at = skip_space(r->at, r->end);
    if (r->at == r->end || *r->at != '{') return WS_ERR_HEADER_JSON;
    r->at = skip_space(r->at + 1, r->end);
    r->state = STATE_TOP;
    return WS_OK;
}

int ws_reader_open(ws_reader_t *r, const uint8_t *frame, size_t length) {
    memset(r, 0, sizeof *r);
    if (length < WS_FRAME_HEAD || ws_load32be(frame) != length - 4) return WS_ERR_FRAME_LENGTH;
    uint32_t marked = ws_load32be(frame + 4);
    size_t header_length = marked & 0xFFFFFF;
    if (header_length > length - WS_FRAME_HEAD) return WS_ERR_HEADER_LENGTH;
    r->at = frame + WS_FRAME_HEAD;
    r->end = r->at + header_length;
    r->body.start = r->end;
    r->body.length = length - WS_FRAME_HEAD - header_length;
    r->binary = (int)(marked >> 24);
    if (r->binary == 1) return open_binary(r);
    return r->binary ? WS_ERR_HEADER_TYPE : open_json(r);
}

int ws_reader_next(ws_reader_t *r, ws_slice_t *name, ws_slice_t *value) {
    switch (r->state) {
    case STATE_BLOCK: return next_binary(r, name, value);
    case STATE_TOP: return next_top(r);
    case STATE_FIELDS: return next_field(r, name, value);
    default: return WS_END;
    }
}
