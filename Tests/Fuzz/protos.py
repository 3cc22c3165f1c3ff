"""Parser of Protos/*.proto, as far as ours need it, and writer of JSON and protobuf. A new method is fuzzed at once."""

import pathlib
import re
import struct

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "Protos"
SCALARS = {"string", "int32", "int64", "uint32", "uint64", "bool", "bytes", "double", "float", "fixed32", "fixed64"}


class Field:
    def __init__(self, name, number, kind, repeated):
        self.name, self.number, self.kind, self.repeated = name, number, kind, repeated

    @property
    def camel(self):
        head, *rest = self.name.split("_")
        return head + "".join(word.capitalize() for word in rest)


class Protos:
    """All messages, enums and methods by their full names."""

    def __init__(self):
        self.messages, self.enums, self.methods = {}, {}, {}
        for path in sorted(FOLDER.glob("*.proto")):
            self._read(re.sub(r"//.*", "", path.read_text()))
        self.messages.setdefault("google.protobuf.Timestamp", [
            Field("seconds", 1, "int64", False), Field("nanos", 2, "int32", False)])

    def _read(self, text):
        package = re.search(r"package ([\w.]+);", text).group(1)
        scope = []
        for match in re.finditer(
                r"(message|enum|service|oneof)\s+(\w+)\s*\{|rpc\s+(\w+)\s*\((?:stream )?([\w.]+)\)\s*returns\s*\((?:stream )?([\w.]+)\)"
                r"\s*(\{)?|(repeated|optional)?\s*([\w.]+)\s+(\w+)\s*=\s*(\d+)\s*(?:\[[^\]]*\])?;|(\w+)\s*=\s*(\d+);|(\})", text):
            kind, name, rpc, request, response, body, label, type_, field, number, value, value_number, end = match.groups()
            if kind:
                scope.append((kind, name))
                if kind == "message":
                    self.messages[self._name(package, scope)] = []
                elif kind == "enum":
                    self.enums[self._name(package, scope)] = {}
            elif rpc:
                service = f"{package}.{scope[-1][1]}"
                self.methods[f"{service}/{rpc}"] = (f"{package}.{request}", f"{package}.{response}")
                if body:
                    scope.append(("rpc", rpc))
            elif end:
                scope.pop() if scope else None
            elif field and scope and scope[-1][0] in ("message", "oneof") and type_ not in ("option", "package", "syntax"):
                owner = [each for each in scope if each[0] == "message"]
                full = type_ if type_ in SCALARS or type_.startswith("google.") else self._resolve(package, owner, type_)
                self.messages[self._name(package, owner)].append(Field(field, int(number), full, label == "repeated"))
            elif value and scope and scope[-1][0] == "enum":
                self.enums[self._name(package, scope)][value] = int(value_number)

    @staticmethod
    def _name(package, scope):
        return ".".join([package] + [name for kind, name in scope if kind != "oneof"])

    def _resolve(self, package, scope, name):
        inner = self._name(package, scope) + "." + name
        return inner if inner in self.messages or inner in self.enums else f"{package}.{name}"

    # MARK: Protobuf

    def encode(self, message, value):
        """A message, given as a dict, as protobuf."""
        out = b""
        for field in self.messages[message]:
            if field.name in value:
                items = value[field.name] if field.repeated else [value[field.name]]
                out += b"".join(self._encode_field(field, item) for item in items)
        return out

    def _encode_field(self, field, item):
        if field.kind in ("string", "bytes"):
            data = item if isinstance(item, bytes) else item.encode("utf-8", "surrogatepass")
            return tag(field.number, 2) + varint(len(data)) + data
        if field.kind == "double":
            return tag(field.number, 1) + struct.pack("<d", item)
        if field.kind == "fixed64":
            return tag(field.number, 1) + struct.pack("<Q", item & 2**64 - 1)
        if field.kind == "fixed32":
            return tag(field.number, 5) + struct.pack("<I", item & 2**32 - 1)
        if field.kind in self.messages:
            data = self.encode(field.kind, item)
            return tag(field.number, 2) + varint(len(data)) + data
        return tag(field.number, 0) + varint(int(item))

    def decode(self, message, data):
        """A message as a dict; unknown fields are under their numbers. ValueError if it is malformed."""
        fields = {field.number: field for field in self.messages[message]}
        out = {}
        for number, kind, item in wire(data):
            field = fields.get(number)
            if field is None:
                out[number] = item
                continue
            if field.kind == "string":
                item = item.decode()
            elif field.kind in self.messages:
                item = self.decode(field.kind, item)
            elif kind == 0:
                item = bool(item) if field.kind == "bool" else item - 2**64 if item >= 2**63 else item
            if field.repeated:
                out.setdefault(field.name, []).append(item)
            else:
                out[field.name] = item
        return out


def varint(value):
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number, kind):
    return varint(number << 3 | kind)


def wire(data):
    """(number, wire type, value) of each field."""
    at = 0

    def read_varint():
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(data) or shift > 63:
                raise ValueError("a varint is cut short")
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def read(count):
        nonlocal at
        if at + count > len(data):
            raise ValueError("a field is cut short")
        at += count
        return data[at - count:at]

    while at < len(data):
        key = read_varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, kind, read_varint()
        elif kind == 1:
            yield key >> 3, kind, struct.unpack("<Q", read(8))[0]
        elif kind == 2:
            yield key >> 3, kind, bytes(read(read_varint()))
        elif kind == 5:
            yield key >> 3, kind, struct.unpack("<I", read(4))[0]
        else:
            raise ValueError(f"wire type {kind}")
