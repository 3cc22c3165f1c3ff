"""Fuzzes the real programs, black box, part by part: `make fuzz MINUTES=1 [PARTS="rpc http1"] [SEED=…]`.

Every part makes its inputs from SEED and a counter. FROM=N TO=M runs those again, REPLAY=FILE a finding that was written down;
IGNORE=REGEX leaves out kinds of findings that are known.
"""

import json
import os
import pathlib
import random
import signal
import sys
import time

from engine import Engine
from fleet import PROGRAMS, ROOT
from part_http1 import HTTP1Part
from part_http2 import HTTP2GatewayPart, HTTP2ServicePart
from part_protobuf import ProtobufPart
from part_rpc import RPCPart
from part_upstream import UpstreamPart

PARTS = {part.name: part for part in (RPCPart, HTTP1Part, HTTP2GatewayPart, HTTP2ServicePart, ProtobufPart, UpstreamPart)}


def say(text):
    print(f"fuzz: {text}", flush=True)


def main():
    # SIGTERM ends the fuzzer like Ctrl-C: with everything that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = os.environ.get("PARTS", "").replace(",", " ").split() or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"fuzz: PARTS: there is no part '{unknown[0]}'; there are {' '.join(PARTS)}")
    try:
        seconds = 60 * float(os.environ.get("MINUTES") or 1)
        first = int(os.environ.get("FROM") or 0)
        last = int(os.environ["TO"]) if os.environ.get("TO") else None
    except ValueError as error:
        sys.exit(f"fuzz: MINUTES, FROM and TO are numbers: {error}")
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**9))
    if not (PROGRAMS / "shippy-api-gateway").exists():
        sys.exit(f"fuzz: the programs are not in {PROGRAMS}; run: swift build")
    folder = ROOT / ".build/fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    engine = Engine(folder, say, os.environ.get("IGNORE"))
    if os.environ.get("REPLAY"):
        saved = json.loads(pathlib.Path(os.environ["REPLAY"]).read_text())
        engine.replay(PARTS[saved["part"]](), saved)
    else:
        say(f"SEED={seed}, {seconds / 60:g} minutes each: {' '.join(names)}")
        for name in names:
            engine.fuzz(PARTS[name](), seed, seconds, first, last)
    if engine.findings:
        sys.exit(f"fuzz: {engine.findings} findings; they are in {folder}")
    say("nothing found")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
