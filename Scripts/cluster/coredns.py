"""How long CoreDNS keeps answers, changed for a while: its Corefile gets another `cache`, and later its own again.

What stood there before is kept in an annotation of the same ConfigMap, written in the same patch. So it comes back also
where a run was killed: the next one begins with that.
"""

import json
import re

import kube

SYSTEM = "kube-system"
CONFIG_MAP = "coredns"
ANNOTATION = "shippy/corefile-before-try-cluster"
# As kubeadm has it.
TTL_SECONDS_MIN = 30


def with_cache(corefile, seconds):
    """The Corefile with a cache of so many seconds for the cluster's names; 0 is none.

    Only server blocks that answer for the cluster are changed. A `cache` with a block of its own, such as kubeadm's that
    keeps no answers about the cluster, is taken out whole.
    """
    result, block = [], []
    depth = 0
    for line in corefile.splitlines():
        code = line.partition("#")[0]
        opens, closes = len(re.findall(r"\{(?=\s|$)", code)), len(re.findall(r"(?:^|\s)\}", code))
        block.append(line)
        depth += opens - closes
        if depth == 0:
            result += changed_block(block, seconds)
            block = []
    if depth != 0:
        raise kube.ClusterError("the braces of CoreDNS' Corefile do not match")
    return "\n".join(result) + "\n"


def changed_block(lines, seconds):
    plugins = list(statements(lines[1:-1]))
    if not any(plugin(lines_of) == "kubernetes" for lines_of in plugins):
        return lines
    result = [lines[0]]
    for lines_of in plugins:
        if plugin(lines_of) == "cache":
            continue
        result += with_ttl(lines_of, seconds) if seconds and plugin(lines_of) == "kubernetes" else lines_of
    if seconds:
        result.append(f"    cache {seconds}")
    return [*result, lines[-1]]


def statements(lines):
    """The lines of each plugin, with those of its own block."""
    current, depth = [], 0
    for line in lines:
        code = line.partition("#")[0]
        current.append(line)
        depth += len(re.findall(r"\{(?=\s|$)", code)) - len(re.findall(r"(?:^|\s)\}", code))
        if depth == 0:
            yield current
            current = []


def plugin(lines):
    return (lines[0].split() or [""])[0]


def with_ttl(lines, seconds):
    """A cache keeps an answer for as long as the answer says, and CoreDNS says 5 s where nothing else stands."""
    ttl = f"        ttl {max(seconds, TTL_SECONDS_MIN)}"
    if len(lines) == 1:
        return [f"{lines[0].rstrip()} {{", ttl, "    }"]
    kept = [line for line in lines[:-1] if (line.split() or [""])[0] != "ttl"]
    return [*kept, ttl, lines[-1]]


def read():
    return json.loads(kube.kubectl("get", "configmap", CONFIG_MAP, "--output=json", namespace=SYSTEM))


def write(corefile, before):
    kube.kubectl("patch", "configmap", CONFIG_MAP, "--type=merge", "--patch", json.dumps(
        {"metadata": {"annotations": {ANNOTATION: before}}, "data": {"Corefile": corefile}}), namespace=SYSTEM)
    restart()


def restart():
    """Kubernetes hands a changed ConfigMap on within minutes, a new pod has it at once."""
    found = kube.kubectl("get", "deployments,daemonsets", "--selector=k8s-app=kube-dns", "--output=name",
                         namespace=SYSTEM).split()
    if not found:
        raise kube.ClusterError("there is no Deployment or DaemonSet with the label k8s-app=kube-dns that runs CoreDNS")
    for workload in found:
        kube.kubectl("rollout", "restart", workload, namespace=SYSTEM)
        kube.kubectl("rollout", "status", workload, "--timeout=5m", namespace=SYSTEM)


def put_back():
    """What stood there before this run, or before one that was killed. Whether there was something."""
    before = read()["metadata"].get("annotations", {}).get(ANNOTATION)
    if before is None:
        return False
    write(before, None)
    return True


def change(seconds):
    """Changes it. Whoever calls this puts it back afterwards, also where it fails half-way."""
    found = read()
    # A second change in one run starts from what stood there before the first.
    before = found["metadata"].get("annotations", {}).get(ANNOTATION, found["data"]["Corefile"])
    write(with_cache(before, seconds), before)
