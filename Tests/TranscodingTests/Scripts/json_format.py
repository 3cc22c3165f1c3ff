"""Compares messages and their JSON with what Python's json_format makes of them.

Arguments: a FileDescriptorSet; a file whose lines have a message's name, its bytes and its JSON, both in base64. For each line
it prints its own JSON, in base64 and with names in lowerCamelCase; it ends with an error at the first difference.
"""

import base64
import json
import pathlib
import sys

# Beside this file nothing may be imported in place of the library.
sys.path.pop(0)
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory  # noqa: E402


def main(descriptors, cases):
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(descriptors).read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    for line in pathlib.Path(cases).read_text().splitlines():
        # Empty messages have empty bytes.
        name, wire, text = line.split(" ")
        message = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
        message.ParseFromString(base64.b64decode(wire))
        text = base64.b64decode(text).decode()
        ours = json.loads(text)
        theirs = json.loads(json_format.MessageToJson(message, preserving_proto_field_name=True))
        if ours != theirs:
            sys.exit(f"{name}: {ours}, not {theirs}")
        if json_format.Parse(text, type(message)()) != message:
            sys.exit(f"{name}: {text} is read as another message")
        print(base64.b64encode(json_format.MessageToJson(message, indent=None).encode()).decode())


main(*sys.argv[1:])
