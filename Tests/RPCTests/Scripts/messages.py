"""Just enough protobuf to speak vessel.Vessel without generated code: id=1, capacity=2, name=4, owner_id=6."""

NAMES = {1: "id", 2: "capacity", 4: "name", 6: "owner_id"}


def varint(value):
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def vessel(id="", capacity=0, name=""):
    out = b""
    if id:
        out += b"\x0a" + varint(len(id.encode())) + id.encode()
    if capacity:
        out += b"\x10" + varint(capacity)
    if name:
        out += b"\x22" + varint(len(name.encode())) + name.encode()
    return out


def fields(data):
    """The fields of a Vessel, those with their defaults left out."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value - (1 << 64) if value >= 1 << 63 else value

    while at < len(data):
        tag = number()
        value = number()
        if tag & 7 == 2:
            at += value
            value = data[at - value : at].decode()
        found[NAMES.get(tag >> 3, str(tag >> 3))] = value
    return found


def sized(size):
    """A Vessel whose serialized form has `size` bytes (16 KiB to 256 MiB)."""
    length = size - 2
    while len(varint(length)) + 1 + length > size:
        length -= 1
    return b"\x22" + varint(length) + b"x" * length
