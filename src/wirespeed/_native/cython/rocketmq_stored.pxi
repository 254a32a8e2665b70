# Stored messages; a part of rocketmq.pyx.


@cython.final
@cython.freelist(256)
@cython.no_gc
cdef class StoredMessage:
    """One message of a pull reply. Read-only; its texts are made when they are asked for."""

    cdef ws_stored_t stored
    cdef bytes data
    cdef dict cached

    def __init__(self):
        raise TypeError("use decode_messages()")

    def __repr__(self):
        return (
            f"<StoredMessage {self.topic!r} queue {self.queue_id} offset {self.queue_offset}, "
            f"{self.stored.body_length} bytes>"
        )

    cdef const uint8_t *_at(self, uint32_t offset) noexcept:
        return <const uint8_t *>PyBytes_AS_STRING(self.data) + self.stored.record + offset

    cdef str _host(self, uint32_t offset, bint v6):
        cdef const uint8_t *p = self._at(offset)
        cdef uint32_t port
        if v6:
            from ipaddress import IPv6Address

            port = _big_endian(p + 16)
            return f"[{IPv6Address(p[:16])}]:{<int32_t>port}"
        port = _big_endian(p + 4)
        return f"{p[0]}.{p[1]}.{p[2]}.{p[3]}:{<int32_t>port}"

    @property
    def topic(self):
        """The topic as stored."""
        return _lenient(self._at(self.stored.topic), self.stored.topic_length)

    @property
    def queue_id(self):
        """The queue within the topic."""
        return self.stored.queue_id

    @property
    def queue_offset(self):
        """Where in the queue the message is."""
        return self.stored.queue_offset

    @property
    def physical_offset(self):
        """Where in the broker's commit log the message is."""
        return self.stored.physical_offset

    @property
    def flag(self):
        """The sender's own int."""
        return self.stored.flag

    @property
    def sys_flag(self):
        """Compression and transaction bits."""
        return self.stored.sys_flag

    @property
    def born_timestamp(self):
        """When it was sent, in milliseconds since 1970."""
        return self.stored.born_timestamp

    @property
    def born_host(self):
        """The sender's "address:port"."""
        return self._host(self.stored.born_host, self.stored.sys_flag & 0x10)

    @property
    def store_timestamp(self):
        """When it was stored, in milliseconds since 1970."""
        return self.stored.store_timestamp

    @property
    def store_host(self):
        """The broker's "address:port"."""
        return self._host(self.stored.store_host, self.stored.sys_flag & 0x20)

    @property
    def reconsume_times(self):
        """How often it was consumed in vain."""
        return self.stored.reconsume_times

    @property
    def prepared_transaction_offset(self):
        """Offset of the half message, or 0."""
        return self.stored.prepared_transaction_offset

    @property
    def body(self):
        """The body as stored, possibly compressed."""
        return PyBytes_FromStringAndSize(
            <const char *>self._at(self.stored.body), self.stored.body_length
        )

    @property
    def body_crc(self):
        """CRC-32 of the body without the sign bit, as stored."""
        return self.stored.body_crc

    @property
    def crc_ok(self):
        """Whether the body has that CRC."""
        return self.stored.crc_ok != 0

    @property
    def store_size(self):
        """Bytes of the whole record."""
        return self.stored.size

    @property
    def offset_message_id(self):
        """The broker's id: address, port and physical offset in hex."""
        cdef Py_ssize_t address = 16 if self.stored.sys_flag & 0x20 else 4
        cdef const uint8_t *p = self._at(self.stored.store_host)
        return p[:address + 4].hex().upper() + self._at(28)[:8].hex().upper()

    @property
    def properties(self):
        """All properties; the same dict each time."""
        with cython.critical_section(self):
            if self.cached is None:
                self.cached = _properties(
                    self._at(self.stored.properties), self.stored.properties_length
                )
            return self.cached

    def property(self, name):
        """Return one property without making the dict, or None."""
        cdef Py_ssize_t size
        cdef const uint8_t *text = _text(name, "name", &size)
        cdef ws_slice_t value
        if not (<str>name).isascii() and "\ufffd" in <str>name:
            return self.properties.get(name)
        if ws_properties_find(self._at(self.stored.properties), self.stored.properties_length,
                              text, size, &value):
            return _lenient(value.start, value.length)
        return None


cdef inline uint32_t _big_endian(const uint8_t *p) noexcept:
    return <uint32_t>p[0] << 24 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 8 | p[3]


def decode_messages(body):
    """Return the messages of a pull reply's body; they keep `body` alive."""
    cdef bytes data
    cdef Py_buffer view
    cdef StoredMessage message
    cdef list messages = []
    cdef size_t position = 0
    cdef int outcome
    if type(body) is bytes:
        data = body
    else:
        PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
        try:
            data = PyBytes_FromStringAndSize(<char *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
    cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef size_t length = PyBytes_GET_SIZE(data)
    while True:
        message = StoredMessage.__new__(StoredMessage)
        outcome = ws_stored_next(start, length, &position, &message.stored)
        if outcome == WS_END:
            return messages
        if outcome < 0:
            _fail(outcome)
        message.data = data
        messages.append(message)
