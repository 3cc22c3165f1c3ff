"""Writes what is in an image as a CycloneDX document: our programs, the Swift packages that they were built from, and the
Debian packages whose files are there.

sbom.py NAME VERSION <FILES.tar >NAME.json     FILES.tar is what `docker export` or `podman export` writes.

The image says all of it itself: /usr/share/shippy has the versions that Swift's package manager chose, /var/lib/dpkg the
packages (dpkg's own file, or a file for each in status.d, where there is no dpkg). All packages of the system's build are
listed for each image, also where a program does without one.
"""

import hashlib
import json
import re
import sys
import tarfile
import uuid

PROGRAMS = re.compile(r"app/shippy-[a-z-]+")


def read(stream):
    """The parts of the image that tell what it is made of."""
    found = {"programs": {}, "status": "", "resolved": None, "swift": "", "release": {}}
    # In the image of all programs: one file, with a link for each name.
    links = {}
    with tarfile.open(fileobj=stream, mode="r|*") as files:
        for entry in files:
            path = entry.name.removeprefix("./").lstrip("/")
            if entry.issym() and PROGRAMS.fullmatch(path):
                links[path.rpartition("/")[2]] = entry.linkname.rpartition("/")[2]
            if not entry.isfile():
                continue
            if PROGRAMS.fullmatch(path):
                digest = hashlib.sha256()
                content = files.extractfile(entry)
                while part := content.read(1 << 20):
                    digest.update(part)
                found["programs"][path.rpartition("/")[2]] = digest.hexdigest()
            elif path == "var/lib/dpkg/status" or path.startswith("var/lib/dpkg/status.d/"):
                found["status"] += files.extractfile(entry).read().decode() + "\n\n"
            elif path == "usr/share/shippy/Package.resolved":
                found["resolved"] = json.load(files.extractfile(entry))
            elif path == "usr/share/shippy/swift-version":
                found["swift"] = files.extractfile(entry).read().decode()
            elif path == "usr/lib/os-release":
                found["release"] = dict(re.findall(r'^(\w+)="?([^"\n]*)', files.extractfile(entry).read().decode(), re.M))
    for name, target in links.items():
        if target in found["programs"]:
            found["programs"][name] = found["programs"][target]
    return found


def debian_packages(status, release):
    distribution = f"{release.get('ID', 'debian')}-{release.get('VERSION_ID', '')}".rstrip("-")
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)", paragraph, re.M))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
        # A version may hold what a package URL reserves.
        quoted = version.replace("+", "%2B").replace(":", "%3A")
        purl = f"pkg:deb/debian/{name}@{quoted}?arch={architecture}&distro={distribution}"
        yield {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def swift_packages(resolved):
    for pin in (resolved or {}).get("pins", []):
        place = re.sub(r"^\w+://|\.git$", "", pin["location"])
        state = pin["state"]
        version = state.get("version") or state["revision"]
        # What comes from a folder of a machine has no name that others know.
        known = {"purl": f"pkg:swift/{place}@{version}"} if "://" in pin["location"] else {}
        reference = f"swift:{pin['identity']}@{version}"
        yield {"type": "library", "bom-ref": reference, "name": pin["identity"], "version": version, **known}


def document(name, version, found):
    components = [
        {"type": "application", "bom-ref": f"program:{program}", "name": program, "version": version,
         "hashes": [{"alg": "SHA-256", "content": digest}]}
        for program, digest in sorted(found["programs"].items())
    ]
    if swift := re.search(r"Swift version (\S+)", found["swift"]):
        components.append({"type": "framework", "bom-ref": "swift", "name": "swift", "version": swift[1]})
    components += sorted(swift_packages(found["resolved"]), key=lambda one: one["name"])
    components += sorted(debian_packages(found["status"], found["release"]), key=lambda one: one["name"])
    # The same image gives the same document.
    content = hashlib.sha256(json.dumps([name, version, components]).encode()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": "image", "name": name, "version": version}},
        "components": components,
    }


def main(name, version):
    found = read(sys.stdin.buffer)
    if not found["status"]:
        sys.exit("sbom: the image does not say which Debian packages it has")
    if found["programs"] and not (found["resolved"] and found["swift"]):
        sys.exit("sbom: the image does not say which Swift packages its programs were built from")
    json.dump(document(name, version, found), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
