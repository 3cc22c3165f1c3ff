"""HTTP/2 frames and HPACK as bytes, and a strict reader of what a server sends.

Header blocks are written here, so that they can be as wrong as we like, and read by libnghttp2's inflater, which the programs
need anyway.
"""

import ctypes
import socket
import struct
import time

from fleet import Finding

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FLAG = 1, 1, 4, 8, 0x20
FRAME_BYTES_MAX = 16_384
WINDOW = 65_535


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind & 255, flags & 255]) + struct.pack(">I", stream) + payload


def settings(*entries):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", name, value) for name, value in entries))


def window_update(stream, by):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", by))


def integer(value, bits, first=0):
    """An HPACK integer with a prefix of `bits` bits."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytearray([first | most]), value - most
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def literal(name, value, first=0x00, bits=4):
    """A literal field; `first` 0x40 with `bits` 6 adds it to the table, 0x10 never does."""
    return integer(0, bits, first) + integer(len(name), 7) + name + integer(len(value), 7) + value


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


# MARK: libnghttp2's inflater

class _NV(ctypes.Structure):
    _fields_ = [("name", ctypes.POINTER(ctypes.c_uint8)), ("value", ctypes.POINTER(ctypes.c_uint8)),
                ("namelen", ctypes.c_size_t), ("valuelen", ctypes.c_size_t), ("flags", ctypes.c_uint8)]


_library = ctypes.CDLL("libnghttp2.so.14")
_library.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
_library.nghttp2_hd_inflate_hd2.argtypes = [
    ctypes.c_void_p, ctypes.POINTER(_NV), ctypes.POINTER(ctypes.c_int), ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
_library.nghttp2_hd_inflate_end_headers.argtypes = [ctypes.c_void_p]
_library.nghttp2_hd_inflate_del.argtypes = [ctypes.c_void_p]
_FINAL, _EMIT = 1, 2


class Inflater:
    """The HPACK table of one direction of a connection."""

    def __init__(self):
        self._pointer = ctypes.c_void_p()
        if _library.nghttp2_hd_inflate_new(ctypes.byref(self._pointer)) != 0:
            raise MemoryError

    def __del__(self):
        _library.nghttp2_hd_inflate_del(self._pointer)

    def fields(self, data):
        """The fields of a whole block; ValueError if it is malformed."""
        out, at, field, flags = [], 0, _NV(), ctypes.c_int()
        while True:
            rest = data[at:]
            taken = _library.nghttp2_hd_inflate_hd2(
                self._pointer, ctypes.byref(field), ctypes.byref(flags), rest, len(rest), 1)
            if taken < 0:
                raise ValueError(f"HPACK error {taken}")
            at += taken
            if flags.value & _EMIT:
                out.append((ctypes.string_at(field.name, field.namelen), ctypes.string_at(field.value, field.valuelen)))
            if flags.value & _FINAL:
                _library.nghttp2_hd_inflate_end_headers(self._pointer)
                return out
            if taken == 0 and not flags.value & _EMIT:
                raise ValueError("the block is cut short")


class FrameReader:
    """Splits bytes into frames and joins header blocks. For either side of a connection."""

    def __init__(self):
        self.buffer, self.inflater, self._block = b"", Inflater(), None

    def feed(self, data):
        """(kind, flags, stream, payload, fields): fields for HEADERS, once the block is whole. ValueError if malformed."""
        self.buffer += data
        while len(self.buffer) >= 9:
            size = int.from_bytes(self.buffer[:3], "big")
            if size > FRAME_BYTES_MAX:
                raise ValueError(f"a frame of {size} bytes")
            if len(self.buffer) < 9 + size:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big") & 0x7fffffff
            payload, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
            if self._block and (kind != CONTINUATION or stream != self._block[1]):
                raise ValueError(f"frame {kind} within a header block")
            if kind == HEADERS:
                at = 1 if flags & PADDED else 0
                padding = payload[0] if at else 0
                at += 5 if flags & PRIORITY_FLAG else 0
                self._block = [flags, stream, payload[at:len(payload) - padding]]
            elif kind == CONTINUATION:
                if not self._block:
                    raise ValueError("CONTINUATION without HEADERS")
                self._block[2] += payload
            else:
                yield kind, flags, stream, payload, None
                continue
            if flags & END_HEADERS:
                first, stream, data = self._block
                self._block = None
                yield HEADERS, first, stream, data, self.inflater.fields(data)


# MARK: A strict client

class Stream:
    def __init__(self):
        self.status, self.headers, self.trailers = None, None, None
        self.body, self.ended, self.reset = b"", False, None


class Client:
    """One connection to a server. Sends the bytes that it is given, and reads strictly."""

    def __init__(self, port, timeout=8, watch_windows=False):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.streams, self.goaway, self.closed = {}, None, False
        self.saw_settings, self.pongs, self.acks = False, [], 0
        self._reader = FrameReader()
        # Bytes that we may send: on the connection, and in addition to the initial window on streams.
        self.allowed = {0: WINDOW}
        # Bytes that the server may still send us, if the input opens and widens streams correctly.
        self.windows = {0: WINDOW} if watch_windows else None
        self.initial_window = WINDOW

    def send(self, data):
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def close(self):
        self.socket.close()

    def read(self, until, seconds=None):
        """Reads frames until `until()` holds; False when the time is up or the connection ends before."""
        deadline = time.monotonic() + (self.timeout if seconds is None else seconds)
        while not until():
            left = deadline - time.monotonic()
            if self.closed or left <= 0:
                return False
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except socket.timeout:
                return False
            except ConnectionResetError:
                data = b""
            if not data:
                self.closed = True
                continue
            try:
                for each in self._reader.feed(data):
                    self._received(*each)
            except ValueError as error:
                raise Finding("malformed frame", f"{error}") from None
        return True

    def _received(self, kind, flags, stream, payload, fields):
        if not self.saw_settings and (kind != SETTINGS or flags & ACK):
            raise Finding("malformed frame", f"the first frame is {kind}, not SETTINGS")
        if kind in (DATA, HEADERS, RST_STREAM) and (stream == 0 or stream % 2 == 0):
            raise Finding("malformed frame", f"frame {kind} on stream {stream}")
        if kind == SETTINGS:
            self.saw_settings = True
            self.acks += flags & ACK
        elif kind == PING and flags & ACK:
            self.pongs.append(payload)
        elif kind == PING:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">I", payload[4:8])[0]
        elif kind == WINDOW_UPDATE:
            self.allowed[stream] = self.allowed.get(stream, WINDOW) + (struct.unpack(">I", payload)[0] & 0x7fffffff)
        elif kind == RST_STREAM:
            self._stream(stream).reset = struct.unpack(">I", payload)[0]
        elif kind == HEADERS:
            self._headers(self._stream(stream), flags, fields)
        elif kind == DATA:
            self._data(stream, self._stream(stream), flags, payload)
        elif kind in (PUSH_PROMISE, CONTINUATION):
            raise Finding("malformed frame", f"frame {kind} from a server")

    def _stream(self, number):
        found = self.streams.setdefault(number, Stream())
        if found.ended and found.reset is not None:
            raise Finding("malformed frame", f"a frame on stream {number} after its end")
        return found

    def _headers(self, stream, flags, fields):
        for name, value in fields:
            if name != name.lower() or any(byte < 0x20 and byte != 9 or byte == 0x7f for byte in value):
                raise Finding("malformed response", f"field {name!r}: {value!r}")
            if name in (b"connection", b"transfer-encoding", b"keep-alive", b"upgrade"):
                raise Finding("malformed response", f"field {name!r} over HTTP/2")
        text = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
        if stream.headers is None:
            if not text or text[0][0] != ":status" or [name for name, _ in text].count(":status") != 1:
                raise Finding("malformed response", f"{text}")
            status = int(text[0][1])
            if status == 100:
                return
            stream.status, stream.headers = status, text[1:]
        else:
            if any(name.startswith(":") for name, _ in text) or not flags & END_STREAM:
                raise Finding("malformed response", f"trailers {text}")
            stream.trailers = text
        self._end(stream, flags)

    def _data(self, number, stream, flags, payload):
        if stream.headers is None:
            raise Finding("malformed response", "DATA before HEADERS")
        if flags & PADDED:
            payload = payload[1:len(payload) - payload[0]]
        if self.windows is not None:
            for key in (0, number):
                self.windows[key] = self.windows.get(key, self.initial_window) - len(payload)
                if self.windows[key] < 0:
                    raise Finding("window overrun", f"{-self.windows[key]} bytes more than allowed on {key}")
        stream.body += payload
        self._end(stream, flags)

    @staticmethod
    def _end(stream, flags):
        if not flags & END_STREAM:
            return
        stream.ended = True
        lengths = [value for name, value in stream.headers if name == "content-length"]
        if lengths and int(lengths[0]) != len(stream.body) and stream.body:
            raise Finding("malformed response", f"{len(stream.body)} bytes came, content-length is {lengths[0]}")

    def widen(self, stream, by):
        if self.windows is not None:
            self.windows[stream] = self.windows.get(stream, self.initial_window) + by
        self.send(window_update(stream, by))


class GRPC:
    """A gRPC server's answer on a stream."""

    def __init__(self, stream):
        fields = dict(stream.headers or []) | dict(stream.trailers or [])
        self.http = stream.status
        self.content_type = dict(stream.headers or []).get("content-type", "")
        self.code = int(fields["grpc-status"]) if fields.get("grpc-status", "").isdigit() else None
        self.message, self.fields = fields.get("grpc-message", ""), fields
        self.body = stream.body


def message(data, compressed=0):
    return bytes([compressed]) + struct.pack(">I", len(data)) + data


def grpc_fields(path, extra=()):
    return [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()), (b":authority", b"a"),
            (b"te", b"trailers"), (b"content-type", b"application/grpc"), *extra]
