"""Creates vessels with many callers at a time until the service takes no more; prints what became of each."""

import asyncio
import json
import sys
import uuid

import grpc


def vessel(name):
    """vessel.Vessel: id=1, capacity=2, max_weight=3, name=4."""
    text = bytes([len(name)]) + name.encode()
    return b"\x0a" + text + b"\x10\xc8\x01\x18\xa0\x8d\x06\x22" + text


async def main(port, callers):
    created, failed = [], {}

    async def caller(create):
        while True:
            name = str(uuid.uuid4())
            try:
                await create(vessel(name), timeout=20)
            except grpc.aio.AioRpcError as error:
                failed[name] = error.code().name
                return
            created.append(name)
            if len(created) == 300:
                print("under load", flush=True)

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        create = channel.unary_unary("/vessel.VesselService/Create")
        await asyncio.gather(*[caller(create) for _ in range(callers)])
    print(json.dumps({"created": created, "failed": failed}))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
