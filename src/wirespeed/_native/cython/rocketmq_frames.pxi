# Frames and headers; a part of rocketmq.pyx.


def encode_header(code, opaque, flag, ext_fields, body_length, *, binary=False, language=3,
                  version=513, remark=None):
    """Return the head of a frame: total length, header length and type, header."""
    cdef ws_header_t header
    cdef ws_field_t room[STACK_FIELDS]
    cdef ws_field_t *fields = room
    cdef int32_t body_size
    cdef Py_ssize_t length = 0
    cdef bint as_binary
    header.code = _int32(code, "code", INT32_MIN, INT32_MAX)
    header.opaque = _int32(opaque, "opaque", INT32_MIN, INT32_MAX)
    header.flag = _int32(flag, "flag", INT32_MIN, INT32_MAX)
    body_size = _int32(body_length, "body_length", 0, WS_FRAME_LIMIT)
    header.language = _int32(language, "language", 0, WS_LANGUAGES - 1)
    header.version = _int32(version, "version", 0, 32767)
    header.remark = NULL
    header.fields = NULL
    header.count = 0
    if ext_fields is not None and not isinstance(ext_fields, dict):
        raise TypeError(f"ext_fields must be a dict or None, not {type(ext_fields).__name__}")
    if remark is not None:
        header.remark = _text(remark, "remark", &length)
    header.remark_length = length
    as_binary = binary
    if ext_fields is None:
        return _encode(&header, body_size, as_binary)
    with cython.critical_section(ext_fields):
        header.count = len(<dict>ext_fields)
        try:
            if header.count > STACK_FIELDS:
                fields = <ws_field_t *>PyMem_Malloc(header.count * sizeof(ws_field_t))
                if fields is NULL:
                    raise MemoryError
            _gather(<dict>ext_fields, fields, header.count, False)
            header.fields = fields
            return _encode(&header, body_size, as_binary)
        finally:
            if fields is not room:
                PyMem_Free(fields)


cdef bytes _encode(const ws_header_t *header, size_t body_length, bint binary):
    cdef uint8_t room[STACK_BYTES]
    cdef uint8_t *out = room
    cdef size_t bound = ws_header_bound(header)
    cdef int written
    if binary and not -32768 <= header.code <= 32767:
        _integer(header.code, "code of a binary header", -32768, 32767)
    if bound > STACK_BYTES:
        out = <uint8_t *>PyMem_Malloc(bound)
        if out is NULL:
            raise MemoryError
    try:
        written = ws_header_encode(header, body_length, binary, out)
        if written < 0:
            _fail(written)
        return PyBytes_FromStringAndSize(<char *>out, written)
    finally:
        if out is not room:
            PyMem_Free(out)


def encode_send(parts, body, opaque, flag, binary=False, language=3, version=513, join=16384):
    """Return a whole send request; a body longer than `join` bytes is left to the caller."""
    cdef ws_send_t send
    cdef Py_buffer view
    cdef int32_t joined
    cdef int overflow = 0
    cdef bint as_binary = binary
    if type(parts) is not tuple or len(<tuple>parts) != 11:
        raise TypeError("parts must be a tuple of 11")
    group, topic, properties, broker_name, queue_id, sys_flag, born_timestamp, message_flag, \
        reconsume_times, max_reconsume_times, batch = <tuple>parts
    send.group = _given(group, "group")
    send.topic = _given(topic, "topic")
    send.properties = _given(properties, "properties")
    send.broker = _given(broker_name, "broker_name")
    send.queue_id = _int32(queue_id, "queue_id", INT32_MIN, INT32_MAX)
    send.sys_flag = _int32(sys_flag, "sys_flag", INT32_MIN, INT32_MAX)
    send.born_timestamp = PyLong_AsLongLongAndOverflow(born_timestamp, &overflow)
    if overflow:
        _integer(born_timestamp, "born_timestamp", INT64_MIN, INT64_MAX)
    send.message_flag = _int32(message_flag, "message_flag", INT32_MIN, INT32_MAX)
    send.reconsume_times = _int32(reconsume_times, "reconsume_times", INT32_MIN, INT32_MAX)
    send.has_max_reconsume_times = max_reconsume_times is not None
    send.max_reconsume_times = 0
    if max_reconsume_times is not None:
        send.max_reconsume_times = _int32(
            max_reconsume_times, "max_reconsume_times", INT32_MIN, INT32_MAX
        )
    send.batch = bool(batch)
    send.opaque = _int32(opaque, "opaque", INT32_MIN, INT32_MAX)
    send.flag = _int32(flag, "flag", INT32_MIN, INT32_MAX)
    send.language = _int32(language, "language", 0, WS_LANGUAGES - 1)
    send.version = _int32(version, "version", 0, 32767)
    joined = _int32(join, "join", 0, WS_FRAME_LIMIT)
    PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
    try:
        return _encode_send(&send, &view, as_binary, view.len <= joined)
    finally:
        PyBuffer_Release(&view)


cdef bytes _encode_send(const ws_send_t *send, const Py_buffer *body, bint binary, bint whole):
    cdef uint8_t room[STACK_BYTES]
    cdef uint8_t *out = room
    cdef size_t bound = ws_send_bound(send)
    cdef int written
    cdef bytes request
    if bound > STACK_BYTES:
        out = <uint8_t *>PyMem_Malloc(bound)
        if out is NULL:
            raise MemoryError
    try:
        written = ws_send_encode(send, body.len, binary, out)
        if written < 0:
            _fail(written)
        if not whole or not body.len:
            return PyBytes_FromStringAndSize(<char *>out, written)
        request = PyBytes_FromStringAndSize(NULL, written + body.len)
        memcpy(PyBytes_AS_STRING(request), out, written)
        memcpy(PyBytes_AS_STRING(request) + written, body.buf, body.len)
        return request
    finally:
        if out is not room:
            PyMem_Free(out)


cdef inline str _slice_text(const ws_slice_t *slice):
    if slice.escaped:
        return _escaped_text(slice)
    return PyUnicode_DecodeUTF8(<const char *>slice.start, slice.length, NULL)


cdef str _escaped_text(const ws_slice_t *slice):
    cdef uint8_t room[512]
    cdef uint8_t *out = room
    if slice.length > sizeof(room):
        out = <uint8_t *>PyMem_Malloc(slice.length)
        if out is NULL:
            raise MemoryError
    try:
        return PyUnicode_DecodeUTF8(<const char *>out, ws_json_unescape(slice, out), NULL)
    finally:
        if out is not room:
            PyMem_Free(out)


cdef tuple _decode(const uint8_t *frame, size_t length):
    cdef ws_reader_t reader
    cdef ws_slice_t name, value
    cdef dict fields = {}
    cdef int outcome = ws_reader_open(&reader, frame, length)
    while outcome >= 0:
        outcome = ws_reader_next(&reader, &name, &value)
        if outcome == WS_FIELD:
            if value.start is NULL:
                fields.pop(_slice_text(&name), None)
            else:
                PyDict_SetItem(fields, _slice_text(&name), _slice_text(&value))
        elif outcome == WS_FIELDS_BEGIN:
            if fields:
                fields = {}
        elif outcome == WS_END:
            return (
                reader.code,
                reader.language,
                reader.version,
                reader.opaque,
                reader.flag,
                None if reader.remark.start is NULL else _slice_text(&reader.remark),
                fields,
                PyBytes_FromStringAndSize(<const char *>reader.body.start, reader.body.length),
            )
    _fail(outcome)


def decode_header(frame):
    """Return (code, language, version, opaque, flag, remark, ext_fields, body) of a whole frame."""
    cdef Py_buffer view
    PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE)
    try:
        return _decode(<const uint8_t *>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


@cython.final
cdef class FrameSplitter:
    """Collects received bytes and gives back whole frames. For one thread at a time."""

    cdef object store
    cdef object view
    cdef Py_ssize_t size
    cdef Py_ssize_t start
    cdef Py_ssize_t end
    cdef int32_t limit
    cdef bint failed

    def __init__(self, limit=WS_FRAME_LIMIT):
        self.limit = _int32(limit, "limit", 8, INT32_MAX)
        self.start = self.end = 0
        self.failed = False
        self._open(BASE_SIZE)

    @property
    def pending(self):
        """Bytes of the frame that is not yet complete."""
        return self.end - self.start

    cdef int _open(self, Py_ssize_t size) except -1:
        self.store = bytearray(size)
        self.view = PyMemoryView_FromObject(self.store)
        self.size = size
        return 0

    cdef int _check(self) except -1:
        if self.failed:
            raise ValueError("the splitter failed on an earlier frame")
        return 0

    def buffer(self):
        """Return a writable view: what the pending frame lacks, or at least 64 KiB."""
        cdef Py_ssize_t pending, needed = FREE_ROOM
        cdef object old
        with cython.critical_section(self):
            self._check()
            pending = self.end - self.start
            if not pending:
                self.start = self.end = 0
                if self.size > KEEP_SIZE:
                    self._open(BASE_SIZE)
                return self.view
            if pending >= 4:
                needed = max(needed, self._frame_size() - pending)
            if self.size - self.end < needed:
                old = self.store
                self._open(max(<Py_ssize_t>BASE_SIZE, pending + needed))
                memcpy(PyByteArray_AS_STRING(self.store), PyByteArray_AS_STRING(old) + self.start,
                       pending)
                self.start = 0
                self.end = pending
            return self.view[self.end:]

    cdef int64_t _frame_size(self):
        return ws_frame_size(<const uint8_t *>PyByteArray_AS_STRING(self.store) + self.start,
                             self.end - self.start, self.limit)

    def received(self, count):
        """Take `count` bytes just written into `buffer()`; return the frames they completed."""
        cdef int64_t size
        cdef list frames = []
        with cython.critical_section(self):
            self._check()
            self.end += _int32(count, "count", 0, <int32_t>(self.size - self.end))
            try:
                while True:
                    size = self._frame_size()
                    if size == WS_ERR_FRAME_LIMIT:
                        raise ValueError(f"a frame passes the limit of {self.limit} bytes")
                    if size < 0:
                        _fail(<int>size)
                    if not size or size > self.end - self.start:
                        return frames
                    frames.append(_decode(
                        <const uint8_t *>PyByteArray_AS_STRING(self.store) + self.start, size
                    ))
                    self.start += size
            except ValueError:
                self.failed = True
                raise
