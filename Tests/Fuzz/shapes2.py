"""Sequences of HTTP/2 frames: legal ones in every shape, those that RFC 9113 and 7541 forbid, and attacks."""

import struct

import values
from http2 import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, FRAME_BYTES_MAX, GOAWAY, HEADERS, PADDED, PING, PRIORITY, PRIORITY_FLAG,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, integer, literal, settings, window_update)

STATIC = {(b":method", b"GET"): 2, (b":method", b"POST"): 3, (b":path", b"/"): 4, (b":scheme", b"http"): 6}


def fields_block(rng, fields):
    """A header block, with each field encoded in one of the possible ways."""
    out = b""
    if rng.random() < 0.1:
        out += integer(rng.choice([0, 1, 100, 4096]), 5, 0x20)
    for name, value in fields:
        index = STATIC.get((name, value))
        if index and rng.random() < 0.7:
            out += bytes([0x80 | index])
        else:
            out += literal(name, value, *rng.choice([(0x00, 4), (0x00, 4), (0x10, 4), (0x40, 6)]))
    return out


def _padded(rng, flags, payload):
    if rng.random() > 0.15:
        return flags, payload
    size = rng.choice([0, 1, 10, 255])
    return flags | PADDED, bytes([size]) + payload + bytes(size)


def headers_frames(rng, stream, data, flags=0):
    """HEADERS, and perhaps CONTINUATION, as one sequence without other frames in between."""
    cuts = values.pieces(rng, data, 4) if rng.random() < 0.25 else [data[:16_000], *([data[16_000:]] if data[16_000:] else [])]
    first, rest = cuts[0], cuts[1:]
    flags |= 0 if rest else END_HEADERS
    if rng.random() < 0.1:
        flags |= PRIORITY_FLAG
        first = struct.pack(">IB", rng.choice([0, 0x80000000]), rng.randrange(256)) + first
    flags, first = _padded(rng, flags, first)
    out = frame(HEADERS, flags, stream, first)
    for index, piece in enumerate(rest):
        out += frame(CONTINUATION, END_HEADERS if index == len(rest) - 1 else 0, stream, piece)
    return out


def request_frames(rng, stream, fields, body, trailers=None):
    """A legal request, as a list of frames with which others may be interleaved."""
    ends_early = not body and trailers is None and rng.random() < 0.7
    out = [headers_frames(rng, stream, fields_block(rng, fields), END_STREAM if ends_early else 0)]
    if ends_early:
        return out
    parts = values.pieces(rng, body, 4) if rng.random() < 0.4 else [body]
    parts = [part[at:at + 16_000] for part in parts for at in range(0, len(part), 16_000)]
    if not parts or rng.random() < 0.1:
        parts.append(b"")
    for index, part in enumerate(parts):
        last = index == len(parts) - 1 and trailers is None
        flags, payload = _padded(rng, END_STREAM if last else 0, part)
        out.append(frame(DATA, flags, stream, payload))
    if trailers is not None:
        out.append(headers_frames(rng, stream, fields_block(rng, trailers), END_STREAM))
    return out


def between(rng):
    """A frame that is allowed at any time and changes nothing."""
    return rng.choice([
        lambda: frame(PING, 0, 0, rng.randbytes(8)),
        lambda: frame(rng.choice([0xa, 0xb, 0xf0, 0xff]), rng.randrange(256), rng.choice([0, 1, 7]), rng.randbytes(rng.randrange(20))),
        lambda: frame(PRIORITY, 0, rng.choice([1, 3, 1001]), struct.pack(">IB", 0, 15)),
        lambda: settings((0x1234, 7)),
        lambda: settings((1, rng.choice([0, 100, 4096, 2**32 - 1]))),
        lambda: window_update(0, rng.choice([1, 1000])),
    ])()


def interleave(rng, requests):
    """Frames of several requests, interleaved; the order within each request is kept."""
    queues, out = [list(each) for each in requests], []
    # Streams must be opened in the order of their numbers.
    opened = 0
    while any(queues):
        choice = rng.choice([index for index, queue in enumerate(queues) if queue and index <= opened])
        opened = max(opened, choice + 1)
        out.append(queues[choice].pop(0))
        if rng.random() < 0.1:
            out.append(between(rng))
    return out


# MARK: Invalid sequences

def malformed_fields(rng, good):
    """A field list that makes a request malformed (RFC 9113 section 8.1.1), made from a valid one."""
    fields = list(good)
    pseudo = [index for index, (name, _) in enumerate(fields) if name.startswith(b":")]
    regular = len(pseudo)
    kind = rng.randrange(9)
    if kind == 0:
        del fields[rng.choice([index for index in pseudo if fields[index][0] != b":authority"])]
    elif kind == 1:
        fields.insert(rng.randrange(regular + 1), fields[rng.choice(pseudo)])
    elif kind == 2:
        fields.append(fields.pop(rng.choice(pseudo)))
        fields.insert(regular - 1, (b"x", b"y"))
    elif kind == 3:
        fields.insert(rng.randrange(regular + 1), rng.choice([(b":status", b"200"), (b":x", b"y"), (b":", b""), (b":PATH", b"/")]))
    elif kind == 4:
        fields.append((rng.choice([b"X-Upper", b"", b"x y", b"x\r", b"x\n", b"x\0", b"x:y", b"\xff", b"x\x7f"]), b"y"))
    elif kind == 5:
        fields.append((b"x", rng.choice([b"a\0b", b"a\rb", b"a\nb", b"a\r\nb: c"])))
    elif kind == 6:
        fields.append(rng.choice([
            (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"keep-alive", b"1"), (b"upgrade", b"h2c"),
            (b"proxy-connection", b"x"), (b"te", b"gzip")]))
    elif kind == 7:
        fields = [(name, rng.choice([b"", b"a b", b"/\0", b"/ x"]) if name == b":path" else value) for name, value in fields]
    else:
        fields = [field for field in fields if field[0] != b"content-length"] + [(b"content-length", rng.choice([b"7", b"-1", b"x", b"1, 1"]))]
    return fields


def connection_errors(rng, fields):
    """Frames after which the connection must end."""
    good = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields))
    opened = frame(HEADERS, END_HEADERS, 1, block(fields))
    return rng.choice([
        lambda: frame(DATA, 0, 0, b"x"),
        lambda: frame(DATA, 0, 1, b"x"),
        lambda: frame(HEADERS, END_HEADERS, 0, block(fields)),
        lambda: frame(HEADERS, END_HEADERS, 2, block(fields)),
        lambda: frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + block(fields)[:100]),
        lambda: frame(HEADERS, END_HEADERS | PADDED, 1, b""),
        lambda: frame(HEADERS, 0, 1, block(fields)) + frame(PING, 0, 0, b"12345678"),
        lambda: frame(HEADERS, 0, 1, block(fields)) + frame(CONTINUATION, END_HEADERS, 3, b""),
        lambda: frame(HEADERS, 0, 1, block(fields)) + good,
        lambda: frame(CONTINUATION, END_HEADERS, 1, block(fields)),
        lambda: opened + frame(CONTINUATION, END_HEADERS, 1, b""),
        lambda: frame(RST_STREAM, 0, 0, b"\0\0\0\0"),
        lambda: frame(RST_STREAM, 0, 1, b"\0\0\0\0"),
        lambda: opened + frame(RST_STREAM, 0, 1, b"\0\0\0"),
        lambda: frame(SETTINGS, 0, 1, b""),
        lambda: frame(SETTINGS, 0, 0, b"\0" * 5),
        lambda: frame(SETTINGS, ACK, 0, b"\0" * 6),
        lambda: settings((2, 2)),
        lambda: settings((4, 2**31)),
        lambda: settings((5, 16_383)),
        lambda: settings((5, 2**24)),
        lambda: frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2"),
        lambda: frame(PING, 0, 1, b"12345678"),
        lambda: frame(PING, 0, 0, b"1234567"),
        lambda: frame(GOAWAY, 0, 1, b"\0" * 8),
        lambda: frame(GOAWAY, 0, 0, b"\0" * 7),
        lambda: window_update(0, 0),
        lambda: window_update(0, 2**31 - 1),
        lambda: window_update(1, 1),
        lambda: frame(WINDOW_UPDATE, 0, 0, b"\0\0\0"),
        lambda: frame(PRIORITY, 0, 0, b"\0" * 5),
        lambda: frame(0x63, 0, 0, b"x" * 16_385),
        # HPACK: no such entry, entry 0, integers without end, table sizes beyond what was offered or in the midst, bad Huffman.
        lambda: frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\x0f"),
        lambda: frame(HEADERS, END_HEADERS, 1, b"\x80"),
        lambda: frame(HEADERS, END_HEADERS, 1, b"\xbe"),
        lambda: frame(HEADERS, END_HEADERS, 1, b"\xff" + b"\x80" * 20),
        lambda: frame(HEADERS, END_HEADERS, 1, integer(4097, 5, 0x20) + block(fields)),
        lambda: frame(HEADERS, END_HEADERS, 1, block(fields) + b"\x20"),
        lambda: frame(HEADERS, END_HEADERS, 1, b"\x00\x84\xff\xff\xff\xff\x00"),
        lambda: frame(HEADERS, END_HEADERS, 1, b"\x00\x05abc"),
        lambda: frame(HEADERS, END_HEADERS, 1, b"\x00\x7f\xff\xff\xff\xff\xff\xff\x7f"),
    ])()


def floods(rng, fields, path):
    """Many frames that cost a server more than their sender. Bounded, as both run on this machine."""
    call = frame(HEADERS, END_HEADERS, 0, block(fields))[9:]
    many = range(1, 4_001, 2)
    big = literal(b"x-big", b"y" * 4_000, 0x40, 6)
    return rng.choice([
        lambda: frame(PING, 0, 0, b"12345678") * 5_000,
        lambda: settings() * 5_000,
        lambda: settings(*[(4, size) for size in range(1_000)]) * 20,
        lambda: b"".join(frame(HEADERS, END_HEADERS, s, call) + frame(RST_STREAM, 0, s, b"\0\0\0\x08") for s in many),
        lambda: b"".join(frame(HEADERS, END_HEADERS | END_STREAM, s, call) + window_update(s, 2**31 - 1) for s in many),
        lambda: b"".join(frame(HEADERS, END_HEADERS, s, call) for s in many),
        lambda: frame(HEADERS, 0, 1, call) + frame(CONTINUATION, 0, 1, b"") * 20_000,
        lambda: frame(HEADERS, 0, 1, call) + frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 100) * 150) * 100,
        lambda: frame(HEADERS, 0, 1, big) + frame(CONTINUATION, 0, 1, b"\xbe" * FRAME_BYTES_MAX) * 100,
        lambda: b"".join(frame(HEADERS, END_HEADERS, s, big + b"\xbe" * 12_000) for s in range(1, 100, 2)),
        lambda: frame(HEADERS, END_HEADERS, 1, call) + frame(DATA, 0, 1, b"") * 20_000,
        lambda: frame(HEADERS, END_HEADERS, 1, call) + frame(DATA, PADDED, 1, b"\xff" + bytes(255)) * 250,
        lambda: b"".join(frame(PRIORITY, 0, s, struct.pack(">IB", s ^ 2, 1)) for s in range(1, 20_000, 2)),
        lambda: window_update(0, 1) * 20_000,
        lambda: frame(0xbe, 0, 0, b"x" * 1_000) * 2_000,
        lambda: settings((4, 0)) + b"".join(frame(HEADERS, END_HEADERS | END_STREAM, s, block([
            (b":method", b"GET"), (b":scheme", b"http"), (b":path", path), (b":authority", b"a")])) for s in range(1, 400, 2)),
        lambda: b"".join(frame(HEADERS, END_HEADERS, s, call) + frame(DATA, 0, s, b"\0\0\x01\0\0" + b" " * 2_000)
                         for s in range(1, 60, 2)),
    ])()


def mutated_frames(rng, frames):
    """Frames with their headers changed, swapped, dropped or duplicated, or their bytes changed."""
    frames = list(frames)
    if rng.random() < 0.4:
        return values.mutate(rng, b"".join(frames))
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(frames))
        data = bytearray(frames[at])
        kind = rng.randrange(8)
        if kind == 0:
            data[3:4] = bytes([rng.randrange(12)])
        elif kind == 1:
            data[4:5] = bytes([rng.randrange(256)])
        elif kind == 2:
            data[5:9] = struct.pack(">I", rng.choice([0, 1, 2, 3, 5, 101, 2**31 - 1, 2**31, 2**32 - 1]))
        elif kind == 3:
            data[0:3] = struct.pack(">I", max(0, len(data) - 9 + rng.choice([-1, 1, 100, 2**20])))[1:]
        elif kind == 4:
            data[9:] = values.mutate(rng, bytes(data[9:]))
            data[0:3] = struct.pack(">I", len(data) - 9)[1:]
        elif kind == 5:
            other = rng.randrange(len(frames))
            frames[at], frames[other] = frames[other], frames[at]
            continue
        elif kind == 6:
            frames.insert(rng.randrange(len(frames) + 1), bytes(data))
            continue
        else:
            frames.insert(at, between(rng))
            continue
        frames[at] = bytes(data)
    return b"".join(frames)
