"""RocketMQ's wire format in C; documented in the pure twin."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_IsContiguous, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next, PyDict_SetItem
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.memoryview cimport PyMemoryView_FromObject, PyMemoryView_GET_BUFFER
from cpython.object cimport PyObject
from libc.stdint cimport INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    str PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    int PyUnicode_KIND(object text)
    const void *PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    long PyLong_AsLongAndOverflow(object number, int *overflow) except? -1
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1
    char *PyByteArray_AS_STRING(object array)

cdef enum:
    STACK_FIELDS = 32
    STACK_BYTES = 4096
    FREE_ROOM = 65536
    BASE_SIZE = 131072
    KEEP_SIZE = 1048576
    OK = 0
    NULL_POINTER = 1


cdef object _integer(object value, str name, object low, object high):
    raise ValueError(f"{name} must be within {low}..{high}, not {int(value)}")


cdef inline int32_t _int32(object value, str name, int32_t low, int32_t high) except? -1:
    cdef int overflow = 0
    cdef long number = PyLong_AsLongAndOverflow(value, &overflow)
    if overflow or number < low or number > high:
        _integer(value, name, low, high)
    return <int32_t>number


cdef inline ws_text_t _given(object value, str name) except *:
    cdef ws_text_t text
    cdef Py_ssize_t size
    text.start = _text(value, name, &size)
    text.length = size
    return text


cdef inline const uint8_t *_text(object value, str name, Py_ssize_t *size) except NULL:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return <const uint8_t *>PyUnicode_AsUTF8AndSize(value, size)


cdef inline str _lenient(const uint8_t *start, size_t length):
    return PyUnicode_DecodeUTF8(<const char *>start, length, "replace")


cdef object _fail(int error, str what=""):
    if error == WS_ERR_MEMORY:
        raise MemoryError
    cdef str sentence = ws_error_text(error).decode("ascii")
    if error == WS_ERR_VALUE_SEPARATOR:
        sentence = sentence.replace("property value", what, 1)
    elif error == WS_ERR_PROPERTIES_LIMIT:
        sentence = f"{what}: {sentence}"
    raise ValueError(sentence)


# ---- the life of an outgoing message ----


@cython.final
@cython.freelist(64)
cdef class MessageHandle:
    """A message under construction. Only the `message_*` functions look inside."""

    cdef ws_message_t message
    cdef object body
    cdef Py_ssize_t body_length
    cdef bint alive

    def __init__(self):
        raise TypeError("use message_create()")

    def __dealloc__(self):
        if self.message.text is not NULL:
            ws_message_end(&self.message)


cdef inline bint _living(object message) except -1:
    if type(message) is MessageHandle:
        return (<MessageHandle>message).alive
    if message is None:
        return False
    raise TypeError(f"message must be a MessageHandle, not {type(message).__name__}")


def message_create(topic):
    """Return a new message; None means that the topic is set later."""
    cdef MessageHandle handle = MessageHandle.__new__(MessageHandle)
    ws_message_start(&handle.message)
    handle.alive = True
    if topic is not None:
        _set_topic(handle, topic)
    return handle


def message_destroy(message):
    """Let go of all that the message holds. The second time returns 1."""
    if not _living(message):
        return NULL_POINTER
    return _destroy(<MessageHandle>message)


cdef int _destroy(MessageHandle handle) except -1:
    with cython.critical_section(handle):
        if not handle.alive:
            return NULL_POINTER
        handle.alive = False
        ws_message_end(&handle.message)
        handle.body = None
        handle.body_length = 0
    return OK


def message_is_alive(message):
    """Tell whether the handle is there and not destroyed."""
    return _living(message)


cdef int _set_topic(MessageHandle handle, object topic) except -1:
    cdef Py_ssize_t size
    cdef const uint8_t *text = _text(topic, "topic", &size)
    cdef int error
    with cython.critical_section(handle):
        error = ws_message_set_topic(&handle.message, text, size)
    if error:
        _fail(error)
    return OK


def message_set_topic(message, topic):
    """Set the topic."""
    if not _living(message) or topic is None:
        return NULL_POINTER
    return _set_topic(<MessageHandle>message, topic)


cdef int _put(MessageHandle handle, const char *name, Py_ssize_t name_size, object value,
              str what) except -1:
    cdef Py_ssize_t size
    cdef const uint8_t *text = _text(value, what, &size)
    cdef int error
    with cython.critical_section(handle):
        error = ws_message_set_property(&handle.message, <const uint8_t *>name, name_size, text,
                                        size)
    if error:
        _fail(error, what)
    return OK


def message_set_tags(message, tags):
    """Set the tag, the property TAGS."""
    if not _living(message) or tags is None:
        return NULL_POINTER
    return _put(<MessageHandle>message, "TAGS", 4, tags, "tags")


def message_set_keys(message, keys):
    """Set the keys, separated by spaces: the property KEYS."""
    if not _living(message) or keys is None:
        return NULL_POINTER
    return _put(<MessageHandle>message, "KEYS", 4, keys, "keys")


def message_set_property(message, name, value):
    """Set one property."""
    if not _living(message) or name is None or value is None:
        return NULL_POINTER
    cdef Py_ssize_t size
    cdef const uint8_t *text = _text(name, "property name", &size)
    if ws_has_separator(text, size):
        _fail(WS_ERR_NAME_SEPARATOR)
    if not size:
        _fail(WS_ERR_NAME_EMPTY)
    return _put(<MessageHandle>message, <const char *>text, size, value, "property value")


def message_set_delay_level(message, level):
    """Set the delay level, the property DELAY."""
    if not _living(message) or level is None:
        return NULL_POINTER
    cdef int32_t number = _int32(level, "level", INT32_MIN, INT32_MAX)
    return _put(<MessageHandle>message, "DELAY", 5, str(number), "level")


cdef object _held(object body, Py_ssize_t *size):
    cdef Py_buffer *view
    if isinstance(body, str):
        body = (<str>body).encode("utf-8")
    if type(body) is bytes:
        size[0] = PyBytes_GET_SIZE(body)
        return body
    body = PyMemoryView_FromObject(body)
    view = PyMemoryView_GET_BUFFER(body)
    if not PyBuffer_IsContiguous(view, b"C"):
        raise BufferError("the buffer is not C-contiguous")
    size[0] = view.len
    return body


def message_set_body(message, body):
    """Hold the body; a buffer is not copied, a str is encoded as UTF-8."""
    if not _living(message) or body is None:
        return NULL_POINTER
    cdef Py_ssize_t size
    cdef object held = _held(body, &size)
    cdef MessageHandle handle = <MessageHandle>message
    with cython.critical_section(handle):
        handle.body = held
        handle.body_length = size
    return OK


def message_set_body_length(message, body, length):
    """Hold the first `length` bytes of the body."""
    if not _living(message) or body is None:
        return NULL_POINTER
    cdef Py_ssize_t size
    cdef object held = _held(body, &size)
    cdef int32_t count = _int32(length, "length", 0, <int32_t>min(size, INT32_MAX))
    cdef MessageHandle handle = <MessageHandle>message
    with cython.critical_section(handle):
        handle.body = held
        handle.body_length = count
    return OK


def message_get_topic(message):
    """Return the topic, or ""."""
    if not _living(message):
        return ""
    cdef MessageHandle handle = <MessageHandle>message
    cdef ws_slice_t slice
    with cython.critical_section(handle):
        slice = ws_message_topic(&handle.message)
        return _lenient(slice.start, slice.length)


cdef object _get(MessageHandle handle, const char *name, Py_ssize_t size):
    cdef ws_slice_t slice, value
    with cython.critical_section(handle):
        slice = ws_message_properties(&handle.message)
        if not ws_properties_find(slice.start, slice.length, <const uint8_t *>name, size, &value):
            return ""
        return _lenient(value.start, value.length)


def message_get_tags(message):
    """Return the property TAGS, or ""."""
    return _get(<MessageHandle>message, "TAGS", 4) if _living(message) else ""


def message_get_keys(message):
    """Return the property KEYS, or ""."""
    return _get(<MessageHandle>message, "KEYS", 4) if _living(message) else ""


def message_get_property(message, name):
    """Return one property, or ""."""
    if not _living(message) or name is None:
        return ""
    cdef Py_ssize_t size
    cdef const uint8_t *text = _text(name, "property name", &size)
    return _get(<MessageHandle>message, <const char *>text, size)


def message_get_properties(message):
    """Return a new dict of all properties, TAGS, KEYS and DELAY among them."""
    if not _living(message):
        return {}
    cdef MessageHandle handle = <MessageHandle>message
    cdef ws_slice_t slice
    with cython.critical_section(handle):
        slice = ws_message_properties(&handle.message)
        return _properties(slice.start, slice.length)


def message_get_body(message):
    """Return the body; the very object where bytes were set, a copy otherwise."""
    if not _living(message):
        return b""
    cdef MessageHandle handle = <MessageHandle>message
    with cython.critical_section(handle):
        if handle.body is None:
            return b""
        if type(handle.body) is bytes:
            if handle.body_length == PyBytes_GET_SIZE(handle.body):
                return handle.body
            return PyBytes_FromStringAndSize(PyBytes_AS_STRING(handle.body), handle.body_length)
        return PyBytes_FromStringAndSize(
            <char *>PyMemoryView_GET_BUFFER(handle.body).buf, handle.body_length
        )


# ---- properties, tags and batches ----


cdef dict _properties(const uint8_t *data, size_t length):
    cdef dict found = {}
    cdef size_t position = 0
    cdef ws_slice_t name, value
    while ws_properties_next(data, length, &position, &name, &value) == WS_FIELD:
        found[_lenient(name.start, name.length)] = _lenient(value.start, value.length)
    return found


def encode_properties(properties):
    """Return the wire form of a message's properties, in the dict's order."""
    if not isinstance(properties, dict):
        raise TypeError(f"properties must be a dict, not {type(properties).__name__}")
    cdef ws_field_t room[STACK_FIELDS]
    cdef ws_field_t *fields = room
    cdef Py_ssize_t count = len(<dict>properties), position = 0, index = 0, size = 0
    cdef bytes encoded
    with cython.critical_section(properties):
        try:
            if count > STACK_FIELDS:
                fields = <ws_field_t *>PyMem_Malloc(count * sizeof(ws_field_t))
                if fields is NULL:
                    raise MemoryError
            size = _gather(<dict>properties, fields, count, True)
            if size > WS_PROPERTIES_LIMIT:
                raise ValueError(
                    f"properties take {size} bytes; the limit is {WS_PROPERTIES_LIMIT}"
                )
            encoded = PyBytes_FromStringAndSize(NULL, size)
            ws_properties_encode(fields, count, <uint8_t *>PyBytes_AS_STRING(encoded))
        finally:
            if fields is not room:
                PyMem_Free(fields)
    return encoded


cdef Py_ssize_t _gather(dict texts, ws_field_t *fields, Py_ssize_t room,
                        bint as_properties) except -1:
    """Point `fields` at the dict's UTF-8; returns the size of the properties they make."""
    cdef PyObject *name = NULL
    cdef PyObject *value = NULL
    cdef Py_ssize_t position = 0, index = 0, size = 0, length
    while index < room and PyDict_Next(texts, &position, &name, &value):
        fields[index].name = _text(
            <object>name, "property name" if as_properties else "ext_fields name", &length
        )
        fields[index].name_length = length
        size += length
        if as_properties:
            if ws_has_separator(fields[index].name, length):
                _fail(WS_ERR_NAME_SEPARATOR)
            if not length:
                _fail(WS_ERR_NAME_EMPTY)
        if not isinstance(<object>value, str):
            raise TypeError(
                f"the value of {<object>name!r} must be a str, not {type(<object>value).__name__}"
            )
        fields[index].value = _text(<object>value, "value", &length)
        fields[index].value_length = length
        size += length + 2
        if as_properties and ws_has_separator(fields[index].value, length):
            _fail(WS_ERR_VALUE_SEPARATOR, "property value")
        index += 1
    return size


def decode_properties(data):
    """Return the properties held by `data`. The last of two equal names wins."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return _properties(<const uint8_t *>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


def tag_hash(tag):
    """Return Java's `String.hashCode` of a tag: what a broker filters by. Signed, 32 bits."""
    if not isinstance(tag, str):
        raise TypeError(f"tag must be a str, not {type(tag).__name__}")
    return ws_tag_hash(PyUnicode_DATA(tag), PyUnicode_GET_LENGTH(tag), PyUnicode_KIND(tag))


def encode_batch(messages):
    """Return the body of a batch send: each message's flag, body and encoded properties."""
    cdef uint8_t *out = NULL
    cdef uint8_t *grown
    cdef size_t used = 0, room = 0, size
    cdef Py_buffer body_view, properties_view
    try:
        for flag, body, properties in messages:
            PyObject_GetBuffer(body, &body_view, PyBUF_SIMPLE)
            try:
                PyObject_GetBuffer(properties, &properties_view, PyBUF_SIMPLE)
                try:
                    if properties_view.len > WS_PROPERTIES_LIMIT:
                        raise ValueError(
                            f"properties take {properties_view.len} bytes; the limit is "
                            f"{WS_PROPERTIES_LIMIT}"
                        )
                    size = ws_batch_part_size(body_view.len, properties_view.len)
                    if used + size > WS_FRAME_LIMIT:
                        raise ValueError(f"the batch passes the limit of {WS_FRAME_LIMIT} bytes")
                    if used + size > room:
                        room = (used + size) * 2
                        grown = <uint8_t *>PyMem_Realloc(out, room)
                        if grown is NULL:
                            raise MemoryError
                        out = grown
                    ws_batch_part(
                        out + used,
                        _int32(flag, "flag", INT32_MIN, INT32_MAX),
                        <const uint8_t *>body_view.buf,
                        body_view.len,
                        <const uint8_t *>properties_view.buf,
                        properties_view.len,
                    )
                    used += size
                finally:
                    PyBuffer_Release(&properties_view)
            finally:
                PyBuffer_Release(&body_view)
        return PyBytes_FromStringAndSize(<char *>out, used) if used else b""
    finally:
        PyMem_Free(out)


include "rocketmq_frames.pxi"
include "rocketmq_stored.pxi"
