"""Tests of sbom.py and symbolicate.py over a made-up image and crash; needs no image and no cluster."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import sbom
import symbolicate

RELEASE = 'ID=debian\nVERSION_ID="12"\n'
LIBC = "Package: libc6\nStatus: install ok installed\nArchitecture: arm64\nVersion: 2.36-9+deb12u14\nDescription: C\n more: x\n"
EPOCH = "Package: zlib1g\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1:1.2.13\n"
GONE = "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
RESOLVED = {"version": 3, "pins": [
    {"identity": "swift-nio", "location": "https://github.com/apple/swift-nio.git", "state": {"version": "2.101.2"}},
    {"identity": "branch", "location": "https://example.com/a/branch", "state": {"revision": "abc"}},
    {"identity": "local", "location": "/src/local", "state": {"version": "1.0.0"}},
]}


def image(files, links=()):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
        for path, target in links:
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    stream.seek(0)
    return stream


def listed(files):
    document = sbom.document("vessel-service", "1.2.3", sbom.read(image(files)))
    return document, {one["name"]: one for one in document["components"]}


class SBOM(unittest.TestCase):
    programs_image = {
        "app/shippy-vessel-service": "program", "app/ui/index.html": "<title>", "usr/lib/os-release": RELEASE,
        "usr/share/shippy/Package.resolved": json.dumps(RESOLVED),
        "usr/share/shippy/swift-version": "Swift version 6.3.1 (swift-6.3.1-RELEASE)\n",
        "./var/lib/dpkg/status.d/libc6": LIBC, "./var/lib/dpkg/status.d/zlib1g": EPOCH,
    }

    def test_lists_programs_and_packages(self):
        document, components = listed(self.programs_image)
        self.assertEqual((document["bomFormat"], document["specVersion"]), ("CycloneDX", "1.6"))
        self.assertEqual(set(components), {
            "shippy-vessel-service", "swift", "swift-nio", "branch", "local", "libc6", "zlib1g"})
        digest = hashlib.sha256(b"program").hexdigest()
        self.assertEqual(components["shippy-vessel-service"]["hashes"], [{"alg": "SHA-256", "content": digest}])
        self.assertEqual(components["swift"]["version"], "6.3.1")
        self.assertEqual(components["swift-nio"]["purl"], "pkg:swift/github.com/apple/swift-nio@2.101.2")
        self.assertEqual(components["branch"]["version"], "abc")
        self.assertNotIn("purl", components["local"])
        self.assertEqual(
            components["libc6"]["purl"], "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=arm64&distro=debian-12")
        self.assertEqual(components["zlib1g"]["purl"], "pkg:deb/debian/zlib1g@1%3A1.2.13?arch=arm64&distro=debian-12")
        references = [one["bom-ref"] for one in document["components"]]
        self.assertEqual(len(references), len(set(references)))

    def test_reads_what_dpkg_keeps_in_one_file(self):
        _, components = listed({"var/lib/dpkg/status": LIBC + "\n" + GONE, "usr/lib/os-release": RELEASE})
        self.assertEqual(set(components), {"libc6"})

    def test_lists_each_name_of_the_file_that_is_all_programs(self):
        found = sbom.read(image(
            {"app/shippy-programs": "all"},
            [("app/shippy-vessel-service", "shippy-programs"), ("app/api", "shippy-programs")]))
        digest = hashlib.sha256(b"all").hexdigest()
        self.assertEqual(found["programs"], {"shippy-programs": digest, "shippy-vessel-service": digest})

    def test_same_image_gives_same_document(self):
        first, _ = listed(self.programs_image)
        self.assertEqual(first, listed(self.programs_image)[0])
        changed, _ = listed({**self.programs_image, "app/shippy-vessel-service": "another"})
        self.assertNotEqual(first["serialNumber"], changed["serialNumber"])


# As Swift 6.3 writes it to a log.
CRASH = """{"time":"…","message":"call"}
*** Program crashed: Bad pointer dereference at 0x0000000000004c44 ***

Thread 0 "NIO-ELT-0-#1" crashed:

  0      0x00007f7f4025a301 <unknown> in libc.so.6
  1      0x0000000000001010 <unknown> in shippy-vessel-service
  2 [ra] 0x0000000000001020 <unknown> in shippy-vessel-service

Images (18 omitted):

0x0000000000001000–0x0000000000002000 e4031b5b shippy-vessel-service /app/shippy-vessel-service
0x00007f7f4021e000–0x00007f7f403990fc 93ac61ec libc.so.6             /usr/lib/x86_64-linux-gnu/libc.so.6
"""


class Symbolicate(unittest.TestCase):
    def test_finds_what_is_at_the_addresses_of_our_programs(self):
        asked = []

        def look_up(symbols, offset):
            asked.append((symbols, offset))
            return [f"function at {offset}"]

        with tempfile.TemporaryDirectory() as folder:
            symbols = symbolicate.symbol_file(folder, "e4031b5b")
            os.makedirs(os.path.dirname(symbols))
            with open(symbols, "w", encoding="utf-8"):
                pass
            lines = list(symbolicate.with_lines(CRASH.splitlines(), folder, look_up))
        # The second is a return address: its call is before it.
        self.assertEqual(asked, [(symbols, 0x10), (symbols, 0x1f)])
        self.assertEqual([line for line in lines if "function at" not in line], CRASH.splitlines())
        self.assertIn("function at 16", lines[lines.index(CRASH.splitlines()[6]) + 1])


class Targets(unittest.TestCase):
    """The same names everywhere."""

    def test_each_image_is_a_target_and_is_named_by_the_last_stage(self):
        with open("Scripts/version.sh", encoding="utf-8") as file:
            images = re.search(r'^images="(.*)"', file.read(), re.M)[1].split()
        with open("Dockerfile", encoding="utf-8") as file:
            dockerfile = file.read()
        stages = re.findall(r"^FROM \S+ AS (\S+)", dockerfile, re.M)
        named = re.search(r'"Targets: ([^"]*)"', dockerfile)[1].split()
        self.assertLessEqual(set(images), set(stages))
        self.assertEqual(named, [*images, "symbols"])
        self.assertEqual(stages[-1], "no-target")
        with open("Scripts/images.sh", encoding="utf-8") as file:
            limits = file.read().partition("size_limit_mb() {")[2].partition("\n}")[0]
        for image in images:
            self.assertRegex(limits, rf"\b{image}\b")


def programs():
    """The executables of Package.swift that serve, and their modules."""
    with open("Package.swift", encoding="utf-8") as file:
        text = file.read()
    found = dict(re.findall(r'program\("(shippy-[a-z-]+)", "(\w+)"\)', text))
    for name in re.findall(r'\bservice\(\s*"(\w+)Service",\s*needs:', text):
        found[f"shippy-{name.lower()}-service"] = f"{name}Service"
    return found


STUBS = """#include <stdio.h>
#define PROGRAM(name) int name(int argc, char **argv) { printf(#name " %s", argc > 1 ? argv[1] : ""); return 7; }
PROGRAM(VesselService_main) PROGRAM(UserService_main) PROGRAM(ConsignmentService_main) PROGRAM(EmailService_main)
PROGRAM(APIGateway_main)
"""


class OneFile(unittest.TestCase):
    """The file that is all programs, with others in their places."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = f"{self.folder}/shippy-programs"
        with open(f"{self.folder}/stubs.c", "w", encoding="utf-8") as file:
            file.write(STUBS)
        subprocess.run(["cc", "-o", self.file, "Scripts/link_programs.c", f"{self.folder}/stubs.c"], check=True)

    def call(self, name):
        return subprocess.run([name, "--help"], executable=self.file, text=True, capture_output=True)

    def test_its_name_says_which_it_is(self):
        products = programs()
        self.assertEqual(len(products), 5)
        for name, module in [*products.items(), ("api", "APIGateway")]:
            for called in (name, f"./{name}", f"/app/{name}"):
                done = self.call(called)
                self.assertEqual((done.returncode, done.stdout), (7, f"{module}_main --help"))

    def test_another_name_is_an_error_that_lists_them(self):
        done = self.call("./shippy-programs")
        self.assertEqual(done.returncode, 64)
        self.assertIn("shippy-programs: call it by the name of a program: shippy-vessel-service", done.stderr)

    def test_each_program_is_linked_and_has_its_name_in_the_image(self):
        names = list(programs())
        with open("Dockerfile", encoding="utf-8") as file:
            linked = re.search(r"for name in ([^;]*); do ln -s shippy-programs", file.read())[1].replace("\\", "").split()
        self.assertEqual(sorted(linked), sorted([*names, "api"]))
        with open("Scripts/link_programs.sh", encoding="utf-8") as file:
            taken = re.search(r"^for program in (.*); do", file.read(), re.M)[1].split()
        self.assertEqual(sorted(f"shippy-{name}" for name in taken), sorted(names))


if __name__ == "__main__":
    unittest.main()
