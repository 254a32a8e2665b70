# Encodings and request signatures; a part of digest.pyx.

cimport cython
from cpython.dict cimport PyDict_Next
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcpy

from wirespeed._native.cython.sign cimport *

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    str PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    bint PyUnicode_IS_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1

cdef enum:
    STACK_FIELDS = 32
    STACK_ROOM = 2048

cdef str TWICE = "headers has a name twice: they must differ in more than case"

ctypedef struct fields_t:
    ws_field_t *items
    size_t count
    size_t size # bytes of all names and values
    ws_field_t room[STACK_FIELDS]

ctypedef struct room_t:
    char *text
    char stack[STACK_ROOM]


cdef inline ws_text_t _text(object value, str name) except *:
    cdef ws_text_t result
    cdef Py_ssize_t size
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    result.start = <const uint8_t *>PyUnicode_AsUTF8AndSize(value, &size)
    result.length = size
    return result


cdef ws_text_t _raw(object value, Py_buffer *view) except *:
    """Point at the bytes of a buffer, held by `view`, or of a str: `view.len` is then -1."""
    cdef ws_text_t result
    view.len = -1
    if isinstance(value, str):
        return _text(value, "text")
    PyObject_GetBuffer(value, view, PyBUF_SIMPLE)
    result.start = <const uint8_t *>view.buf
    result.length = view.len
    return result


cdef inline void _release(Py_buffer *view) noexcept:
    if view.len >= 0:
        PyBuffer_Release(view)


cdef int _fields(object fields, str name, fields_t *into) except -1:
    """Point at the dict's UTF-8. The dict must not change while `into` is used."""
    cdef PyObject *key = NULL
    cdef PyObject *value = NULL
    cdef Py_ssize_t position = 0
    cdef size_t index = 0
    cdef Py_ssize_t count, length = 0
    cdef ws_field_t *item
    into.items = into.room
    into.size = 0
    if not isinstance(fields, dict):
        raise TypeError(f"{name} must be a dict, not {type(fields).__name__}")
    count = len(<dict>fields)
    if count > STACK_FIELDS:
        into.items = <ws_field_t *>PyMem_Malloc(count * sizeof(ws_field_t))
        if into.items is NULL:
            into.items = into.room
            raise MemoryError
    into.count = count
    while index < into.count and PyDict_Next(fields, &position, &key, &value):
        if not isinstance(<object>key, str) or not isinstance(<object>value, str):
            _no_text(<object>key, <object>value, name)
        item = &into.items[index]
        item.name = <const uint8_t *>PyUnicode_AsUTF8AndSize(<object>key, &length)
        item.name_length = length
        into.size += length
        item.value = <const uint8_t *>PyUnicode_AsUTF8AndSize(<object>value, &length)
        item.value_length = length
        into.size += length
        index += 1
    return 0


cdef int _no_text(object key, object value, str name) except -1:
    _text(key, f"a name in {name}")
    _text(value, f"a value in {name}")
    return 0


cdef inline void _drop(fields_t *fields) noexcept:
    if fields.items is not fields.room:
        PyMem_Free(fields.items)


cdef inline int _open(room_t *room, size_t size) except -1:
    room.text = room.stack
    if size > STACK_ROOM:
        room.text = <char *>PyMem_Malloc(size)
        if room.text is NULL:
            room.text = room.stack
            raise MemoryError
    return 0


cdef inline void _close(room_t *room) noexcept:
    if room.text is not room.stack:
        PyMem_Free(room.text)


cdef inline str _written(const char *text, size_t length):
    return PyUnicode_DecodeUTF8(text, length, NULL)


cdef int64_t _count(object value, str name) except -1:
    cdef int overflow = 0
    cdef long long number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow or number < 0:
        raise ValueError(f"{name} must be within 0..{INT64_MAX}, not {PyNumber_Index(value)}")
    return number


def base64_encode(data):
    """Return `data` in the standard base64 alphabet (RFC 4648 section 4), padded with `=`."""
    cdef _Held held = _Held(data)
    cdef size_t length = held.view.len
    cdef bytes text
    if length > <size_t>(PY_SSIZE_T_MAX // 4 * 3 - 3):
        raise MemoryError()
    text = _room((length + 2) // 3 * 4)
    ws_base64_encode(<const uint8_t *>held.view.buf, length, <char *>_bytes(text))
    return text.decode("ascii")


def base64_decode(text):
    """Return the bytes that `base64_encode` made `text` from; ValueError for anything else."""
    cdef Py_buffer view
    cdef ws_text_t source = _raw(text, &view)
    cdef bytes room
    cdef size_t written = 0
    cdef int right
    try:
        room = _room(source.length // 4 * 3)
        right = ws_base64_decode(<const char *>source.start, source.length, _bytes(room), &written)
    finally:
        _release(&view)
    if not right:
        raise ValueError("text is not base64: a character or the padding is wrong")
    return room if written == <size_t>len(room) else room[:written]


def percent_encode(data, style="unreserved"):
    """Return text (in UTF-8) or bytes percent-encoded, with upper-case hex digits."""
    cdef Py_buffer view
    cdef ws_text_t source
    cdef room_t room
    cdef int which
    if style == "unreserved":
        which = WS_SET_UNRESERVED
    elif style == "path":
        which = WS_SET_PATH
    elif style == "form":
        which = WS_SET_FORM
    else:
        raise ValueError(f"style is {style!r}: it must be one of unreserved, path, form")
    source = _raw(data, &view)
    try:
        _open(&room, 3 * source.length)
        try:
            return _written(
                room.text, ws_percent_encode(source.start, source.length, which, room.text)
            )
        finally:
            _close(&room)
    finally:
        _release(&view)


ctypedef size_t (*encoder_t)(ws_field_t *, size_t, char *) noexcept nogil


cdef size_t _form(ws_field_t *fields, size_t count, char *text) noexcept nogil:
    return ws_form_encode(fields, count, text)


cdef str _encoded(encoder_t function, object params):
    cdef fields_t fields
    cdef room_t room
    with cython.critical_section(params):
        try:
            _fields(params, "params", &fields)
            _open(&room, ws_form_bound(fields.items, fields.count))
            try:
                return _written(room.text, function(fields.items, fields.count, room.text))
            finally:
                _close(&room)
        finally:
            _drop(&fields)


def form_encode(params):
    """Return `name=value&...` as `application/x-www-form-urlencoded`, in the dict's order."""
    return _encoded(_form, params)


def canonical_query(params):
    """Return SigV4's canonical query: names and values encoded, sorted by encoded name."""
    return _encoded(ws_canonical_query, params)


def canonical_headers(headers):
    """Return SigV4's canonical headers, a line each, and their names joined by `;`."""
    cdef fields_t fields
    cdef room_t room
    with cython.critical_section(headers):
        try:
            _fields(headers, "headers", &fields)
            if not ws_headers_sort(fields.items, fields.count):
                raise ValueError(TWICE)
            _open(&room, fields.size + 2 * fields.count)
            try:
                lines = _written(
                    room.text, ws_canonical_headers(fields.items, fields.count, room.text)
                )
                return lines, _written(
                    room.text, ws_signed_headers(fields.items, fields.count, room.text)
                )
            finally:
                _close(&room)
        finally:
            _drop(&fields)


def sign_cmq(method, host, path, params, secret_key, sha256):
    """Return the `Signature` of a CMQ request: base64 of the HMAC."""
    cdef ws_text_t verb = _text(method, "method")
    cdef ws_text_t server = _text(host, "host")
    cdef ws_text_t place = _text(path, "path")
    cdef ws_text_t secret = _text(secret_key, "secret_key")
    cdef bint longer = sha256
    cdef fields_t fields
    cdef char signature[44]
    with cython.critical_section(params):
        try:
            _fields(params, "params", &fields)
            return PyUnicode_DecodeASCII(
                signature,
                ws_sign_cmq(
                    verb, server, place, fields.items, fields.count, secret, longer, signature
                ),
                NULL,
            )
        finally:
            _drop(&fields)


cdef object _json(dict policy):
    """Return what `json.dumps` writes; at once where all is ASCII text and small numbers."""
    cdef PyObject *key = NULL
    cdef PyObject *value = NULL
    cdef Py_ssize_t position = 0, length = 0
    cdef size_t bound = 2, written = 1
    cdef int overflow = 0
    cdef const char *text
    cdef long long number
    cdef room_t room
    with cython.critical_section(policy):
        while PyDict_Next(policy, &position, &key, &value):
            if type(<object>key) is not str or not PyUnicode_IS_ASCII(<object>key):
                return _dumps(policy)
            bound += 6 * PyUnicode_GET_LENGTH(<object>key) + 26
            if type(<object>value) is str and PyUnicode_IS_ASCII(<object>value):
                bound += 6 * PyUnicode_GET_LENGTH(<object>value)
            elif type(<object>value) is not int:
                return _dumps(policy)
            else:
                PyLong_AsLongLongAndOverflow(<object>value, &overflow)
                if overflow:
                    return _dumps(policy)
        _open(&room, bound)
        try:
            room.text[0] = b"{"
            position = 0
            while PyDict_Next(policy, &position, &key, &value):
                if written > 1:
                    memcpy(room.text + written, b", ", 2)
                    written += 2
                text = PyUnicode_AsUTF8AndSize(<object>key, &length)
                written += ws_json_ascii(<const uint8_t *>text, length, room.text + written)
                memcpy(room.text + written, b": ", 2)
                written += 2
                if type(<object>value) is str:
                    text = PyUnicode_AsUTF8AndSize(<object>value, &length)
                    written += ws_json_ascii(<const uint8_t *>text, length, room.text + written)
                else:
                    number = PyLong_AsLongLongAndOverflow(<object>value, &overflow)
                    written += ws_decimal(number, room.text + written)
            room.text[written] = b"}"
            return PyBytes_FromStringAndSize(room.text, written + 1)
        finally:
            _close(&room)


cdef object _dumps(object policy):
    from json import dumps

    return dumps(policy)


def sign_wcs_upload(access_key, secret_key, policy):
    """Return WCS's token of an upload policy: the access key, the signature and the policy."""
    cdef ws_text_t access = _text(access_key, "access_key")
    cdef ws_text_t secret = _text(secret_key, "secret_key")
    cdef Py_buffer view
    cdef ws_text_t source
    cdef room_t room
    if isinstance(policy, dict):
        policy = _json(policy) if type(policy) is dict else _dumps(policy)
    source = _raw(policy, &view)
    try:
        _open(&room, access.length + WS_WCS_SIGNATURE + 2 + (source.length + 2) // 3 * 4)
        try:
            return _written(room.text, ws_sign_wcs_upload(access, secret, source, room.text))
        finally:
            _close(&room)
    finally:
        _release(&view)


def sign_wcs_manager(access_key, secret_key, target, body=b""):
    """Return WCS's token of a management request: the access key and the signature."""
    cdef ws_text_t access = _text(access_key, "access_key")
    cdef ws_text_t secret = _text(secret_key, "secret_key")
    cdef Py_buffer target_view, body_view
    cdef ws_text_t asked, sent
    cdef room_t room
    cdef size_t length
    asked = _raw(target, &target_view)
    try:
        sent = _raw(body, &body_view)
        try:
            _open(&room, access.length + WS_WCS_SIGNATURE + 1)
            try:
                if sent.length < GIL_FREE_FROM:
                    length = ws_sign_wcs_manager(access, secret, asked, sent, room.text)
                else:
                    with nogil:
                        length = ws_sign_wcs_manager(access, secret, asked, sent, room.text)
                return _written(room.text, length)
            finally:
                _close(&room)
        finally:
            _release(&body_view)
    finally:
        _release(&target_view)


def sign_cos(appid, bucket, secret_id, secret_key, now, expires, nonce, fileid):
    """Return a COS v4 signature: base64 of the HMAC-SHA1 of its fields, and of the fields."""
    cdef ws_cos_t request
    cdef room_t room
    request.now = _count(now, "now")
    request.expires = _count(expires, "expires")
    request.nonce = _count(nonce, "nonce")
    request.appid = _text(appid, "appid")
    request.bucket = _text(bucket, "bucket")
    request.secret_id = _text(secret_id, "secret_id")
    request.secret_key = _text(secret_key, "secret_key")
    request.fileid = _text(fileid, "fileid")
    _open(&room, ws_sign_cos_bound(&request))
    try:
        return _written(room.text, ws_sign_cos(&request, room.text))
    finally:
        _close(&room)


def sign_v4(method, path, query, headers, body, access_key, secret_key, region, service, timestamp):
    """Return the `Authorization` header of AWS Signature Version 4."""
    cdef ws_v4_t request
    cdef Py_buffer view
    cdef bint large
    request.timestamp = _text(timestamp, "timestamp")
    if not ws_v4_timestamp(request.timestamp):
        raise ValueError(f"timestamp is {timestamp!r}: it must be as in 20150101T000000Z")
    request.method = _text(method, "method")
    request.path = _text(path, "path")
    request.access_key = _text(access_key, "access_key")
    request.secret_key = _text(secret_key, "secret_key")
    request.region = _text(region, "region")
    request.service = _text(service, "service")
    PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
    try:
        request.body.start = <const uint8_t *>view.buf
        request.body.length = view.len
        large = view.len >= GIL_FREE_FROM
        if large and isinstance(query, dict) and isinstance(headers, dict):
            # What the pointers point to must not change while other threads run.
            query, headers = dict(<dict>query), dict(<dict>headers)
        with cython.critical_section(query, headers):
            return _sign_v4(&request, query, headers, large)
    finally:
        PyBuffer_Release(&view)


cdef str _sign_v4(ws_v4_t *request, object query, object headers, bint large):
    cdef fields_t query_fields, header_fields
    cdef room_t room
    cdef size_t length
    try:
        _fields(query, "query", &query_fields)
        try:
            _fields(headers, "headers", &header_fields)
            request.query = query_fields.items
            request.query_count = query_fields.count
            request.headers = header_fields.items
            request.header_count = header_fields.count
            _open(&room, ws_sign_v4_bound(request))
            try:
                if large:
                    with nogil:
                        length = ws_sign_v4(request, room.text)
                else:
                    length = ws_sign_v4(request, room.text)
                if not length:
                    raise ValueError(TWICE)
                return _written(room.text, length)
            finally:
                _close(&room)
        finally:
            _drop(&header_fields)
    finally:
        _drop(&query_fields)


def sign_rocketmq(fields, body, secret_key):
    """Return a RocketMQ request's `Signature`: base64 of the HMAC-SHA1."""
    cdef ws_text_t secret = _text(secret_key, "secret_key")
    cdef ws_text_t sent
    cdef Py_buffer view
    cdef fields_t found
    cdef char signature[28]
    PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
    try:
        sent.start = <const uint8_t *>view.buf
        sent.length = view.len
        if view.len >= GIL_FREE_FROM and isinstance(fields, dict):
            # What the pointers point to must not change while other threads run.
            fields = dict(<dict>fields)
        with cython.critical_section(fields):
            try:
                _fields(fields, "fields", &found)
                if view.len < GIL_FREE_FROM:
                    ws_sign_rocketmq(found.items, found.count, sent, secret, signature)
                else:
                    with nogil:
                        ws_sign_rocketmq(found.items, found.count, sent, secret, signature)
            finally:
                _drop(&found)
    finally:
        PyBuffer_Release(&view)
    return PyUnicode_DecodeASCII(signature, 28, NULL)


def constant_time_equal(a, b):
    """Tell whether two texts or buffers hold the same bytes, in a time that tells nothing more."""
    cdef Py_buffer a_view, b_view
    cdef ws_text_t left = _raw(a, &a_view)
    cdef ws_text_t right
    try:
        right = _raw(b, &b_view)
        try:
            return bool(ws_constant_time_equal(left, right))
        finally:
            _release(&b_view)
    finally:
        _release(&a_view)
