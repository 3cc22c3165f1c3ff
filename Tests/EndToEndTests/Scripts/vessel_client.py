"""A stranger's gRPC client of the vessel service, with messages encoded by hand; prints what it is answered."""

import sys
import uuid

import grpc


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def number(field, value):
    # A negative int32 is sign-extended to 64 bits.
    return varint(field << 3) + varint(value & (1 << 64) - 1)


def vessel(identifier, name, capacity, weight):
    return text(1, identifier) + number(2, capacity) + number(3, weight) + text(4, name) + number(5, 1)


def specification(capacity, weight):
    return number(1, capacity) + number(2, weight)


def outcome(call):
    try:
        return call()
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"


def main(target, authority=None):
    if authority:
        with open(authority, "rb") as file:
            channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(file.read()))
    else:
        channel = grpc.insecure_channel(target)
    with channel:
        create = channel.unary_unary("/vessel.VesselService/Create")
        find = channel.unary_unary("/vessel.VesselService/FindAvailable")
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        absent = channel.unary_unary("/vessel.VesselService/Sink")
        seed = vessel(b"vessel001", b"Kane's Salty Secret", 500, 200_000)
        print("seeded vessel001" if find(specification(500, 200_000), timeout=10) == text(1, seed) else "no seed")

        new = str(uuid.uuid4()).encode()
        made = vessel(new, b"Grpcio", 400, 90_000)
        answer = create(made, timeout=10)
        print("created" if answer == text(1, made) + number(3, 1) else answer)
        print("found" if find(specification(400, 90_000), timeout=10) == text(1, made) else "not found")
        key = [("idempotency-key", new.decode())]
        nameless = vessel(b"", b"Keyed", 300, 80_000)[2:]
        once, again = (create(nameless, timeout=10, metadata=key) for _ in range(2))
        print("repeated" if once == again else "not repeated")
        print(outcome(lambda: create(made, timeout=10)).replace(new.decode(), "ID"))
        print(outcome(lambda: create(vessel(new, b"", 1, 1), timeout=10)))
        print(outcome(lambda: find(specification(100_000, 5), timeout=10)))
        print(outcome(lambda: find(specification(-1, 5), timeout=10)))
        print(outcome(lambda: absent(b"", timeout=10)).split(":")[0])
        print(outcome(lambda: find(b"\xff\xff", timeout=10)).split(":")[0])
        print("serving" if check(b"", timeout=10) == number(1, 1) else "not serving")
        print("serving" if check(text(1, b"vessel.VesselService"), timeout=10) == number(1, 1) else "not serving")
        print(outcome(lambda: check(text(1, b"no.Such"), timeout=10)).split(":")[0])


main(*sys.argv[1:])
