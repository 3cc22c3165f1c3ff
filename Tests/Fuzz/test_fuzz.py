"""Tests of the fuzzer: it must find, minimize and repeat each fault that is planted in a server."""

import json
import pathlib
import random
import struct
import sys
import tempfile
import unittest

import case as cases
import http2
import protos
import values
from engine import Engine
from fleet import Fleet
from ledger import Ledger
from part_http1 import HTTP1Part
from part_http2 import HTTP2GatewayPart, HTTP2ServicePart
from part_protobuf import ProtobufPart
from part_rpc import RPCPart, probe
from part_upstream import UpstreamPart

PLANTED = pathlib.Path(__file__).with_name("planted.py")
# Planted faults, and the kinds of their findings.
FAULTS = {"die": "gateway ended", "boom": "status 500", "spin": "processor time", "hold": "memory", "tell": "secret in an answer",
          "text": "malformed error", "long": "long error text", "hang": "not served", "halt": "malformed response",
          "note": "error in a log"}


class PlantedPart(RPCPart):
    name = "planted"
    stops = False

    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.timeout_seconds = 2 if fault == "hang" else 30

    def open(self):
        self.client, self.ledger = None, Ledger(self)
        self.fleet = Fleet()
        program = self.fleet.add("gateway")
        program.command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-B", str(PLANTED), str(program.port), str(program.admin)]
        self.fleet.start()

    def probes(self):
        def healthz():
            probe(self.fleet["gateway"].port, "GET", "/healthz")
        return [healthz]

    def make(self, rng):
        words = [values.text(rng) for _ in range(5)]
        if rng.random() < 0.2:
            words.insert(rng.randrange(5), self.fault)
        return cases.Case("planted", [{"do": "call", "path": "/rpc", "headers": [], "body": " ".join(words).encode(), "expect": {}}])

    def finish(self):
        pass


class FuzzerTests(unittest.TestCase):
    def test_faults(self):
        """Every planted fault is found, minimized, and found again from its file."""
        for fault, kind in FAULTS.items():
            with self.subTest(fault), tempfile.TemporaryDirectory() as folder:
                said = []
                engine = Engine(pathlib.Path(folder), said.append, shrink_seconds=8)
                part = PlantedPart(fault)
                engine.fuzz(part, "seed", 30, until_found=True)
                files = list(pathlib.Path(folder).glob("*.json"))
                self.assertEqual(len(files), 1, said)
                saved = json.loads(files[0].read_text())
                self.assertEqual(saved["kind"], kind, said)
                self.assertTrue(saved["repeats"], said)
                body = cases.unplain(saved["steps"])[0]["body"]
                self.assertIn(fault.encode(), body)
                # A finding that takes seconds each time leaves no time to minimize it.
                if fault not in ("spin", "hold", "hang"):
                    self.assertLess(len(body), 60, said)
                again = Engine(pathlib.Path(folder), said.append)
                again.replay(PlantedPart(fault), saved)
                self.assertEqual(again.findings, 1, said)

    def test_nothing_planted(self):
        """A server without faults produces no findings."""
        with tempfile.TemporaryDirectory() as folder:
            said = []
            engine = Engine(pathlib.Path(folder), said.append)
            part = PlantedPart("fine")
            engine.fuzz(part, "seed", 2)
            self.assertEqual(engine.findings, 0, said)

    def test_seed(self):
        """A seed and an index determine an input to the last byte; another seed makes another input."""
        for kind in (RPCPart, HTTP1Part, HTTP2GatewayPart, HTTP2ServicePart, ProtobufPart, UpstreamPart):
            for index in range(60):
                made = [self._make(kind, seed, index) for seed in ("1", "1", "2")]
                self.assertEqual(made[0], made[1])
            self.assertNotEqual([self._make(kind, "1", index) for index in range(20)],
                                [self._make(kind, "2", index) for index in range(20)])

    @staticmethod
    def _make(kind, seed, index):
        part = kind()
        part.prepare()
        made = part.make(random.Random(f"{seed}/{part.name}/{index}"))
        return json.dumps([made.what, cases.plain(made.steps)])

    def test_written_down(self):
        steps = [{"do": "send", "data": bytes(range(256)), "pieces": [1, 2], "expect": [{"id": None}]}]
        self.assertEqual(cases.unplain(json.loads(json.dumps(cases.plain(steps)))), steps)

    def test_protobuf(self):
        """Our protobuf is read as it was written, and malformed protobuf is detected."""
        ours = protos.Protos()
        value = {"description": "\u8239", "weight": -5, "containers": [{"id": "a"}, {"origin": "b" * 200}]}
        self.assertEqual(ours.decode("consignment.Consignment", ours.encode("consignment.Consignment", value)), value)
        for bad in (b"\x0a\x05ab", b"\xff" * 11, b"\x0b", b"\x0a\x01\xff"):
            with self.assertRaises(ValueError):
                ours.decode("consignment.Consignment", bad)

    def test_strict_frames(self):
        """The frame reader accepts valid frames and reports invalid ones."""
        head = http2.block([(b":status", b"200"), (b"x", b"y" * 300)])
        reader = http2.FrameReader()
        data = http2.frame(http2.HEADERS, 0, 1, head[:10]) + http2.frame(http2.CONTINUATION, 4, 1, head[10:])
        read = [each for byte in data for each in reader.feed(bytes([byte]))]
        self.assertEqual(read[0][4], [(b":status", b"200"), (b"x", b"y" * 300)])
        for bad in (http2.frame(http2.HEADERS, 4, 1, b"\x80"), http2.frame(http2.CONTINUATION, 4, 1, b""),
                    struct.pack(">I", 20_000)[1:] + bytes(6), http2.frame(http2.HEADERS, 0, 1, b"") + http2.frame(http2.PING, 0, 0, b"12345678")):
            with self.assertRaises(ValueError):
                list(http2.FrameReader().feed(bad))


if __name__ == "__main__":
    unittest.main(verbosity=1)
