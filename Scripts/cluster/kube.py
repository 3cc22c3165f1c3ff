"""kubectl, and what the scenarios ask it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from rollout import is_ready, progress  # noqa: E402

NAMESPACE = "shippy"
PROGRAMS = ("vessel", "user", "consignment", "email", "api", "ui")
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "1"))
# A rollout of all on a node that is full takes about a minute for each pod.
WAIT_SECONDS = float(os.environ.get("WAIT_SECONDS", "1200"))
# A node, or the API server, that hangs shall not hold the run for ever.
KUBECTL_SECONDS = 900


class ClusterError(Exception):
    """Something in the cluster is not as a scenario needs it; its text says what."""


def run(command, text=None, capture=True, variables=None, limit_seconds=None, errors=None):
    """Runs a program in a session of its own, so that Ctrl-C reaches this one alone, which then cleans up.

    Its exit status and standard output, with `errors=subprocess.STDOUT` its standard error as well. Where this program is
    interrupted meanwhile, that one and its children end, too.
    """
    child = subprocess.Popen(
        command, env={**os.environ, **(variables or {})}, text=True, start_new_session=True,
        stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL, stdout=subprocess.PIPE if capture else None,
        stderr=errors)
    try:
        output, _ = child.communicate(text, timeout=limit_seconds)
    except BaseException:
        end_group(child)
        raise
    return child.returncode, output or ""


def end_group(child, first=signal.SIGTERM, grace_seconds=10):
    for number in (first, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(timeout=grace_seconds)
            return
        except ProcessLookupError:
            child.wait()
            return
        except subprocess.TimeoutExpired:
            continue


def kubectl(*arguments, namespace=NAMESPACE, text=None):
    """What kubectl prints. It says on standard error why it fails."""
    try:
        status, output = run(["kubectl", "--namespace", namespace, *arguments], text, limit_seconds=KUBECTL_SECONDS)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"kubectl {' '.join(arguments[:3])} does not end") from None
    if status != 0:
        raise ClusterError(f"kubectl {' '.join(arguments[:3])} failed")
    return output


def objects(*kinds, namespace=NAMESPACE, selector=None):
    chosen = [f"--selector={selector}"] if selector else []
    return json.loads(kubectl("get", ",".join(kinds), *chosen, "--output=json", namespace=namespace))["items"]


def name_of(thing):
    return thing["metadata"]["name"]


def app_of(pod):
    return pod["metadata"].get("labels", {}).get("app")


def pods_of(app, namespace=NAMESPACE):
    """Those that are not about to end."""
    return [pod for pod in objects("pods", namespace=namespace, selector=f"app={app}") if not is_ending(pod)]


def is_ending(thing):
    return "deletionTimestamp" in thing["metadata"]


def missing(names, namespace):
    """What is missing until these Deployments run as they are specified, and no old pod is left; empty when nothing is."""
    found = objects("deployments", "pods", namespace=namespace)
    deployments = {name_of(thing): thing for thing in found if thing["kind"] == "Deployment"}
    pods = [thing for thing in found if thing["kind"] == "Pod"]
    for name in names:
        if name not in deployments:
            return f"{name} is not there"
        if text := progress(deployments[name]):
            return f"{name}: {text}"
        # The status of a Deployment is that of a moment ago, when a pod that has just been killed was still there.
        wanted = deployments[name]["spec"].get("replicas", 1)
        ready = sum(1 for pod in pods if app_of(pod) == name and is_ready(pod) and not is_ending(pod))
        if ready < wanted:
            return f"{name}: {ready} of {wanted} pods are ready"
    ending = [name_of(pod) for pod in pods if is_ending(pod)]
    return f"{', '.join(ending)} did not end yet" if ending else ""


def wait_settled(names=PROGRAMS, namespace=NAMESPACE):
    wait_until(lambda: missing(names, namespace))


def wait_until(what_is_missing, limit_seconds=None):
    """Waits until there is no text any more that says what is missing."""
    limit_seconds = min(limit_seconds or WAIT_SECONDS, WAIT_SECONDS)
    begun = time.monotonic()
    while text := what_is_missing():
        if time.monotonic() - begun > limit_seconds:
            raise ClusterError(f"not within {limit_seconds:.0f} s: {text}")
        time.sleep(POLL_SECONDS)


def scale(names, replicas, namespace=NAMESPACE):
    kubectl("scale", *(f"deployment/{name}" for name in names), f"--replicas={replicas}", namespace=namespace)


def evict(pod):
    """Whether a pod was asked to end through the eviction API, which is what a drain does. Not while that would leave fewer
    pods than a PodDisruptionBudget asks for.
    """
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
    try:
        status, said = run(["kubectl", "create", "--raw", path, "--filename=-"], json.dumps(body),
                           errors=subprocess.STDOUT, limit_seconds=KUBECTL_SECONDS)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"the eviction of {pod} does not end") from None
    if status == 0 or "NotFound" in said:
        return True
    if "TooManyRequests" in said or "disruption budget" in said:
        return False
    raise ClusterError(f"{pod} can't be evicted: {' '.join(said.split())}")


def answered_calls(pod, service, namespace):
    """Calls of a gRPC service that a pod has answered so far, by its metrics; `None` where they can't be read.

    Through the API server, as no port-forward is needed that would end with its pod.
    """
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}:9090/proxy/metrics"
    try:
        text = kubectl("get", "--raw", path, namespace=namespace)
    except ClusterError:
        return None
    lines = re.findall(r'^rpc_server_call_duration_seconds_count\{[^}]*"' + re.escape(service) + r'/[^}]*\} (\S+)', text,
                       re.MULTILINE)
    return sum(float(line) for line in lines)


def ready_nodes():
    return [node for node in objects("nodes") if is_ready(node)]


def node_addresses(nodes):
    """Where NodePorts answer, as a URL says a host."""
    kinds = ("InternalIP", "ExternalIP", "Hostname")
    found = [(kinds.index(one["type"]), one["address"]) for node in nodes
             for one in node.get("status", {}).get("addresses", []) if one["type"] in kinds]
    return [f"[{address}]" if ":" in address else address for _, address in sorted(found)]
