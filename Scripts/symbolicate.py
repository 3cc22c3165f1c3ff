#!/usr/bin/env python3
"""Puts functions and lines into the backtrace of a crashed program: the images hold none of them.

kubectl -n shippy logs --previous POD | Scripts/symbolicate.py [SYMBOLS]

SYMBOLS is the folder that `make symbols` fills, .build/symbols by default; it has to be made from the sources that the image was
made from. Needs addr2line (Debian: binutils), and swift for names as people write them.
"""

import os
import re
import shutil
import subprocess
import sys

FRAME = re.compile(r"^\s*\d+\s+(?P<kind>\[\w+\]\s+)?(?P<address>0x[0-9a-f]+) .* in \S+$")
# "start–end build-id name path"
IMAGE = re.compile(r"^(?P<start>0x[0-9a-f]+)[–-](?P<end>0x[0-9a-f]+) (?P<id>[0-9a-f]+) \S+\s+\S+$")


def images(lines):
    return [(int(found["start"], 16), int(found["end"], 16), found["id"])
            for line in lines if (found := IMAGE.match(line))]


def symbol_file(folder, build_id):
    return os.path.join(folder, ".build-id", build_id[:2], build_id[2:] + ".debug")


def look_up(symbols, offset):
    """Function and line at an offset, and those that it was inlined into."""
    done = subprocess.run(["addr2line", "-fipe", symbols, hex(offset)], text=True, stdout=subprocess.PIPE, check=True)
    text = done.stdout.strip()
    if shutil.which("swift"):
        text = subprocess.run(
            ["swift", "demangle", "--simplified"], input=text, text=True, stdout=subprocess.PIPE, check=True).stdout.strip()
    return text.splitlines()


def with_lines(lines, folder, look_up=look_up):
    """The lines, below each frame of a program of ours what is at its address."""
    known = images(lines)
    for line in lines:
        yield line
        frame = FRAME.match(line)
        if not frame:
            continue
        address = int(frame["address"], 16)
        for start, end, build_id in known:
            symbols = symbol_file(folder, build_id)
            if start <= address < end and os.path.exists(symbols):
                # A return address is behind the call that it came from.
                offset = address - start - (1 if frame["kind"] else 0)
                yield from (f"         {text}" for text in look_up(symbols, offset))


def main(folder=".build/symbols"):
    if not os.path.isdir(folder):
        sys.exit(f"symbolicate: there is no {folder}; make symbols makes it")
    for line in with_lines(sys.stdin.read().splitlines(), folder):
        print(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
