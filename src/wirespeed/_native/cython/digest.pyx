"""Digests, HMAC, CRCs, encodings and signatures in C; documented in the pure twins."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.number cimport PyNumber_Index
from cpython.ref cimport Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeASCII
from cpython.bytes cimport PyBytes_Check, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    const Py_ssize_t PY_SSIZE_T_MAX

# From here on a digest lets other threads run: releasing and taking the GIL costs about 0.1 us,
# and 4 KiB of SHA-1 take 2 us.
cdef enum:
    GIL_FREE_FROM = 4096

ctypedef void (*digest_t)(const uint8_t *, size_t, uint8_t *) noexcept nogil
ctypedef void (*hmac_t)(const uint8_t *, size_t, const uint8_t *, size_t, uint8_t *) noexcept nogil


cdef class _Held:
    """A buffer, held for as long as its pointer lives."""

    cdef Py_buffer view
    cdef bint held

    def __cinit__(self, data):
        PyObject_GetBuffer(data, &self.view, PyBUF_SIMPLE)
        self.held = True

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


cdef bytes _copied(data):
    cdef _Held held = _Held(data)
    return (<const char *>held.view.buf)[:held.view.len]


cdef inline bytes _room(Py_ssize_t size):
    return PyBytes_FromStringAndSize(NULL, size)


cdef inline uint8_t *_bytes(bytes room) noexcept:
    return <uint8_t *>PyBytes_AS_STRING(room)


cdef bytes _digest(digest_t function, Py_ssize_t size, data):
    cdef Py_buffer view
    cdef bytes result = _room(size)
    cdef uint8_t *out = _bytes(result)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    if view.len < GIL_FREE_FROM:
        function(<const uint8_t *>view.buf, view.len, out)
    else:
        with nogil:
            function(<const uint8_t *>view.buf, view.len, out)
    PyBuffer_Release(&view)
    return result


cdef bytes _hmac(hmac_t function, Py_ssize_t size, key, message):
    cdef Py_buffer secret, view
    cdef bytes result = _room(size)
    cdef uint8_t *out = _bytes(result)
    if (PyBytes_Check(key) and PyBytes_Check(message)
            and PyBytes_GET_SIZE(message) < GIL_FREE_FROM):
        function(<const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key),
                 <const uint8_t *>PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message), out)
        return result
    PyObject_GetBuffer(key, &secret, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(message, &view, PyBUF_SIMPLE)
    except:
        PyBuffer_Release(&secret)
        raise
    if view.len < GIL_FREE_FROM:
        function(<const uint8_t *>secret.buf, secret.len, <const uint8_t *>view.buf, view.len, out)
    else:
        with nogil:
            function(<const uint8_t *>secret.buf, secret.len, <const uint8_t *>view.buf, view.len,
                     out)
    PyBuffer_Release(&view)
    PyBuffer_Release(&secret)
    return result


def cpu_path():
    """Return the set of kernels in use: "avx512", "sha-ni", "avx2", "armv8" or "portable"."""
    return ws_cpu_path().decode("ascii")


def cpu_paths():
    """Return the sets of kernels that this CPU can run, the best first."""
    cdef list found = []
    cdef const char *name = ws_cpu_path_at(0)
    while name != NULL:
        found.append(name.decode("ascii"))
        name = ws_cpu_path_at(<int>len(found))
    return tuple(found)


def cpu_plan():
    """Return which SHA-1 kernel serves how many inputs: (from this many on, its name)."""
    cdef list rows = []
    cdef uint32_t first
    cdef const char *kernel
    while ws_cpu_plan_at(<int>len(rows), &first, &kernel):
        rows.append((first, kernel.decode("ascii")))
    return tuple(rows)


def sha1_kernels():
    """Return every SHA-1 kernel that this CPU runs: (name, inputs it hashes side by side)."""
    cdef list found = []
    cdef uint32_t width
    cdef const char *name = ws_sha1_kernel_at(0, &width)
    while name != NULL:
        found.append((name.decode("ascii"), width))
        name = ws_sha1_kernel_at(<int>len(found), &width)
    return tuple(found)


def set_cpu_path(str name not None):
    """Use the set of kernels `name` from now on; ValueError if this CPU does not run it."""
    cdef bytes encoded = name.encode("utf-8")
    if b"\0" in encoded or not ws_cpu_set_path(encoded):
        raise ValueError(f"name is {name!r}: this machine can run {', '.join(cpu_paths())}")


def sha1(data):
    """Return the 20-byte SHA-1 digest of `data`."""
    return _digest(ws_sha1, WS_SHA1_SIZE, data)


def sha256(data):
    """Return the 32-byte SHA-256 digest of `data`."""
    return _digest(ws_sha256, WS_SHA256_SIZE, data)


cdef bytes _blocks(_Held held, size_t block_size):
    cdef const uint8_t *start = <const uint8_t *>held.view.buf
    cdef size_t length = held.view.len
    cdef size_t count = length // block_size + (length % block_size != 0)
    cdef bytes result
    cdef uint8_t *out
    if count > <size_t>(PY_SSIZE_T_MAX // WS_SHA1_SIZE):
        raise MemoryError()
    result = _room(count * WS_SHA1_SIZE)
    out = _bytes(result)
    if length < GIL_FREE_FROM:
        ws_sha1_blocks(start, length, block_size, out)
    else:
        with nogil:
            ws_sha1_blocks(start, length, block_size, out)
    return result


def sha1_blocks(data, block_size):
    """Return the SHA-1 digests of each `block_size` bytes of `data`, joined."""
    held = _Held(data)
    block_size = PyNumber_Index(block_size)
    if block_size < 1:
        raise ValueError(f"block_size is {block_size}: it must be at least 1")
    return _blocks(held, min(block_size, PY_SSIZE_T_MAX))


def sha1_states(data, part_size):
    """Return the running SHA-1 after each `part_size` bytes of `data`, and last its digest."""
    cdef _Held held = _Held(data)
    cdef const uint8_t *start = <const uint8_t *>held.view.buf
    cdef size_t length = held.view.len, size, count
    cdef bytes joined
    cdef uint8_t *out
    part_size = PyNumber_Index(part_size)
    if part_size < 1 or part_size % WS_SHA_BLOCK:
        raise ValueError(f"part_size is {part_size}: it must be a positive multiple of 64")
    size = min(part_size, PY_SSIZE_T_MAX // WS_SHA_BLOCK * WS_SHA_BLOCK)
    count = length // size + (length % size != 0)
    joined = _room(count * WS_SHA1_SIZE)
    out = _bytes(joined)
    with nogil:
        ws_sha1_states(start, length, size, out)
    return _split(out, count)


cdef list _split(const uint8_t *digests, Py_ssize_t count):
    # No comprehension: Cython 3.3 frees an item twice where the list cannot grow.
    cdef list found = PyList_New(count)
    cdef Py_ssize_t i
    cdef bytes digest
    for i in range(count):
        digest = PyBytes_FromStringAndSize(<const char *>digests + i * WS_SHA1_SIZE, WS_SHA1_SIZE)
        Py_INCREF(digest)
        PyList_SET_ITEM(found, i, digest)
    return found


cdef class _Inputs:
    """Many buffers, each held for as long as its pointer lives."""

    cdef ws_input_t *inputs
    cdef Py_buffer *views
    cdef Py_ssize_t held
    cdef Py_ssize_t count
    cdef size_t total
    cdef list messages

    def __cinit__(self, messages):
        cdef Py_ssize_t i
        # A list of our own: another thread may change the caller's while the GIL is released.
        self.messages = list(messages)
        self.count = len(self.messages)
        self.inputs = <ws_input_t *>PyMem_Malloc((self.count or 1) * sizeof(ws_input_t))
        self.views = <Py_buffer *>PyMem_Malloc((self.count or 1) * sizeof(Py_buffer))
        if self.inputs == NULL or self.views == NULL:
            raise MemoryError()
        for i in range(self.count):
            message = self.messages[i]
            if PyBytes_Check(message):
                self.inputs[i].data = <const uint8_t *>PyBytes_AS_STRING(message)
                self.inputs[i].length = PyBytes_GET_SIZE(message)
            else:
                PyObject_GetBuffer(message, &self.views[self.held], PyBUF_SIMPLE)
                self.inputs[i].data = <const uint8_t *>self.views[self.held].buf
                self.inputs[i].length = self.views[self.held].len
                self.held += 1
            self.total += self.inputs[i].length

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.held):
            PyBuffer_Release(&self.views[i])
        PyMem_Free(self.views)
        PyMem_Free(self.inputs)


def sha1_many(messages):
    """Return the SHA-1 digest of each message, whatever their lengths, hashed side by side."""
    cdef _Inputs given = _Inputs(messages)
    cdef bytes joined = _room(given.count * WS_SHA1_SIZE)
    cdef uint8_t *out = _bytes(joined)
    with nogil:
        ws_sha1_many(given.inputs, given.count, out)
    return _split(out, given.count)


def hmac_sha1_many(key, messages):
    """Return the HMAC-SHA1 of each message with the same key, computed side by side."""
    cdef _Held secret = _Held(key)
    cdef _Inputs given = _Inputs(messages)
    cdef bytes joined = _room(given.count * WS_SHA1_SIZE)
    cdef uint8_t *out = _bytes(joined)
    with nogil:
        ws_hmac_sha1_many(<const uint8_t *>secret.view.buf, secret.view.len, given.inputs,
                          given.count, out)
    return _split(out, given.count)


cdef class _Running:
    cdef ws_hash_t hash

    @property
    def block_size(self):
        """Bytes of a block of the digest."""
        return WS_SHA_BLOCK

    @property
    def digest_size(self):
        """Bytes of the digest."""
        return self.hash.words * 4

    @property
    def name(self):
        """As hashlib names it."""
        return "sha1" if self.hash.words == WS_SHA1_WORDS else "sha256"

    def update(self, data):
        """Append bytes."""
        cdef _Held held = _Held(data)
        cdef const uint8_t *start = <const uint8_t *>held.view.buf
        cdef size_t length = held.view.len
        if length < GIL_FREE_FROM:
            ws_hash_update(&self.hash, start, length)
        else:
            with nogil:
                ws_hash_update(&self.hash, start, length)

    def digest(self):
        """Return the digest of all bytes so far; more may be appended afterwards."""
        cdef bytes result = _room(self.hash.words * 4)
        ws_hash_digest(&self.hash, _bytes(result))
        return result

    def hexdigest(self):
        """Return the digest in hexadecimal."""
        return self.digest().hex()

    def copy(self):
        """Return a second one with the same bytes behind it."""
        cdef _Running other = type(self)()
        other.hash = self.hash
        return other

    def state(self):
        """Return what `from_state` goes on from: words, length, bytes since a multiple of 64."""
        words = b"".join([int(self.hash.state[i]).to_bytes(4, "little")
                          for i in range(self.hash.words)])
        pending = (<const char *>self.hash.pending)[:self.hash.length % WS_SHA_BLOCK]
        return words + int(self.hash.length).to_bytes(8, "little") + pending

    @classmethod
    def from_state(cls, state):
        """Return a digest that goes on from a `state()`; ValueError for a wrong length."""
        cdef _Running made = cls()
        cdef bytes raw = _copied(state)
        cdef Py_ssize_t size = made.hash.words * 4
        cdef Py_ssize_t i
        if len(raw) < size + 8 or len(raw) != size + 8 + raw[size] % WS_SHA_BLOCK:
            raise ValueError(f"state has {len(raw)} bytes: that is not what state() returns")
        for i in range(made.hash.words):
            made.hash.state[i] = int.from_bytes(raw[4 * i:4 * i + 4], "little")
        made.hash.length = int.from_bytes(raw[size:size + 8], "little")
        memcpy(made.hash.pending, _bytes(raw) + size + 8, len(raw) - size - 8)
        return made


cdef class Sha1(_Running):
    """Running SHA-1, as of hashlib, whose state can be taken out and put back."""

    def __init__(self, data=b""):
        ws_hash_start(&self.hash, WS_SHA1_WORDS)
        self.update(data)


cdef class Sha256(_Running):
    """Running SHA-256, as of hashlib, whose state can be taken out and put back."""

    def __init__(self, data=b""):
        ws_hash_start(&self.hash, WS_SHA256_WORDS)
        self.update(data)


cdef class Sha1Lanes:
    """Running SHA-1 over `count` inputs of equal length, all advanced together."""

    cdef ws_sha1_lanes_t lanes

    def __cinit__(self, count, str kernel=None):
        cdef int number = -1
        count = PyNumber_Index(count)
        if not 1 <= count <= WS_LANES:
            raise ValueError(f"count is {count}: it must be 1 to {WS_LANES}")
        if kernel is not None:
            names = [name for name, _ in sha1_kernels()]
            if kernel not in names:
                raise ValueError(f"kernel is {kernel!r}: this machine can run {', '.join(names)}")
            number = names.index(kernel)
        ws_sha1_lanes_start(&self.lanes, count, number)

    def update(self, data, stride=None):
        """Append one piece to each lane: `data` has them all, `stride` apart or one by one."""
        cdef _Held held = _Held(data)
        cdef const uint8_t *start = <const uint8_t *>held.view.buf
        cdef size_t length = held.view.len
        cdef size_t count = self.lanes.count
        cdef size_t piece, step
        if stride is None:
            if length % (count * WS_SHA_BLOCK):
                raise ValueError(f"data has {length} bytes: it must be a multiple of {count} x 64")
            step = piece = length // count
        else:
            stride = PyNumber_Index(stride)
            left = length - (count - 1) * stride
            if stride < 0 or not 0 <= left <= stride or left % WS_SHA_BLOCK:
                raise ValueError(
                    f"stride is {stride}: it leaves {count} pieces of no multiple of 64 bytes, "
                    f"or of more than stride, in {length} bytes"
                )
            step = min(stride, PY_SSIZE_T_MAX)
            piece = left
        if length < GIL_FREE_FROM:
            ws_sha1_lanes_update(&self.lanes, start, piece, step)
        else:
            with nogil:
                ws_sha1_lanes_update(&self.lanes, start, piece, step)

    def digests(self):
        """Return the digests of all lanes so far, 20 bytes each, joined."""
        cdef bytes result = _room(self.lanes.count * WS_SHA1_SIZE)
        ws_sha1_lanes_digests(&self.lanes, _bytes(result))
        return result


def etag(data):
    """Return the etag of `data`: 28 characters of base64url, over the SHA-1 of each 4 MiB."""
    return etag_from_blocks(_blocks(_Held(data), WS_ETAG_BLOCK))


def etag_from_blocks(digests):
    """Return the etag of a file whose 4 MiB blocks have these SHA-1 digests, joined."""
    cdef _Held held = _Held(digests)
    cdef size_t length = held.view.len
    cdef char text[WS_ETAG_LENGTH]
    if length % WS_SHA1_SIZE:
        raise ValueError(f"digests has {length} bytes: it must be a multiple of 20")
    ws_etag_from_blocks(<const uint8_t *>held.view.buf, length // WS_SHA1_SIZE, text)
    return PyUnicode_DecodeASCII(text, WS_ETAG_LENGTH, NULL)


def hmac_sha1(key, message):
    """Return the 20-byte HMAC-SHA1 of `message`."""
    return _hmac(ws_hmac_sha1, WS_SHA1_SIZE, key, message)


def hmac_sha256(key, message):
    """Return the 32-byte HMAC-SHA256 of `message`."""
    return _hmac(ws_hmac_sha256, WS_SHA256_SIZE, key, message)


def crc32(data, value=0):
    """Return the CRC-32 of `data`, continued from `value`."""
    cdef _Held held = _Held(data)
    cdef const uint8_t *start = <const uint8_t *>held.view.buf
    cdef size_t length = held.view.len
    cdef uint32_t crc
    value = PyNumber_Index(value)
    if not 0 <= value <= 0xFFFFFFFF:
        raise ValueError(f"value is {value}: it must be 0 to 2**32 - 1")
    crc = value
    if length < GIL_FREE_FROM:
        crc = ws_crc32(start, length, crc)
    else:
        with nogil:
            crc = ws_crc32(start, length, crc)
    return crc


def crc64(data, value=0):
    """Return the CRC-64/XZ of `data`, continued from `value`."""
    cdef _Held held = _Held(data)
    cdef const uint8_t *start = <const uint8_t *>held.view.buf
    cdef size_t length = held.view.len
    cdef uint64_t crc
    value = PyNumber_Index(value)
    if not 0 <= value <= 0xFFFFFFFFFFFFFFFF:
        raise ValueError(f"value is {value}: it must be 0 to 2**64 - 1")
    crc = value
    if length < GIL_FREE_FROM:
        crc = ws_crc64(start, length, crc)
    else:
        with nogil:
            crc = ws_crc64(start, length, crc)
    return crc


def base64url_encode(data):
    """Return `data` in the URL-safe base64 alphabet, padded with `=`."""
    cdef _Held held = _Held(data)
    cdef size_t length = held.view.len
    cdef bytes text
    if length > <size_t>(PY_SSIZE_T_MAX // 4 * 3 - 3):
        raise MemoryError()
    text = _room((length + 2) // 3 * 4)
    ws_base64url_encode(<const uint8_t *>held.view.buf, length, <char *>_bytes(text))
    return text.decode("ascii")


def base64url_decode(text):
    """Return the bytes that `base64url_encode` made `text` from; ValueError for anything else."""
    cdef _Held held
    cdef bytes room
    cdef size_t length, written = 0
    if isinstance(text, str):
        if not (<str>text).isascii():
            raise ValueError("text is not base64url: it has a non-ASCII character")
        text = (<str>text).encode("ascii")
    held = _Held(text)
    length = held.view.len
    room = _room(length // 4 * 3)
    if not ws_base64url_decode(<const char *>held.view.buf, length, _bytes(room), &written):
        raise ValueError("text is not base64url: a character or the padding is wrong")
    return room if written == <size_t>len(room) else room[:written]


include "sign.pxi"
