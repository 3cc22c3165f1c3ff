"""Stand-ins for the tests of try_cluster.sh: fake_cluster.py kubectl … and fake_cluster.py load-generator …

kubectl keeps a cluster in the file that FAKE_CLUSTER names, in which every change is done at once, and writes each command
that changes something to a list there. It knows what Scripts/cluster says, and fails on everything else.
"""

import json
import os
import signal
import subprocess
import sys
import time


def world():
    with open(os.environ["FAKE_CLUSTER"], encoding="utf-8") as file:
        return json.load(file)


def keep(state):
    # At once, as the test reads it meanwhile.
    path = os.environ["FAKE_CLUSTER"]
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(f"{path}.new", path)


def option(arguments, name):
    return next((one.partition("=")[2] for one in arguments if one.startswith(f"--{name}=")), None)


def ready(status="True"):
    return {"conditions": [{"type": "Ready", "status": status}]}


def deployment(name, replicas):
    return {"kind": "Deployment", "metadata": {"name": name, "generation": 1}, "spec": {"replicas": replicas},
            "status": {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas,
                       "availableReplicas": replicas}}


def pod(one):
    container = {"name": one["app"], "containerID": f"containerd://{one['name']}", "restartCount": one["restarts"]}
    volumes = [{"persistentVolumeClaim": {}}] if one.get("disk") else []
    return {"kind": "Pod", "metadata": {"name": one["name"], "labels": {"app": one["app"]}},
            "spec": {"nodeName": one["node"], "volumes": volumes}, "status": {**ready(), "containerStatuses": [container]}}


def fill(state, namespace, app):
    """As many pods as there should be."""
    pods = state["pods"].setdefault(namespace, [])
    wanted = state["deployments"][namespace][app]
    mine = [one for one in pods if one["app"] == app]
    for one in mine[wanted:]:
        pods.remove(one)
    nodes = [node for node in state["nodes"] if node not in state["closed"]]
    for _ in range(wanted - len(mine)):
        state["last"] += 1
        pods.append({"name": f"{app}-{state['last']}", "app": app, "restarts": 0, "node": nodes[state["last"] % len(nodes)]})


def remove(state, namespace, unwanted):
    state["pods"][namespace] = [one for one in state["pods"].get(namespace, []) if not unwanted(one)]
    for app in state["deployments"].get(namespace, {}):
        fill(state, namespace, app)


def items(state, namespace, kinds):
    if "deployments" in kinds:
        yield from (deployment(*one) for one in state["deployments"].get(namespace, {}).items())
    if "pods" in kinds:
        yield from (pod(one) for one in state["pods"].get(namespace, []))
    if "nodes" in kinds:
        yield from ({"metadata": {"name": node}, "spec": {},
                     "status": {**ready(), "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}}
                    for node in state["nodes"])
    if "persistentvolumes" in kinds:
        yield from ({"metadata": {"name": disk}, "spec": {"claimRef": {"namespace": "shippy"}}} for disk in state["disks"])


def get(state, namespace, arguments):
    if arguments[0] == "--raw":
        # Each look finds more calls, but for pods that get none.
        pod_name = arguments[1].partition("/pods/")[2].partition(":")[0]
        state["looks"] += 1
        calls = 0 if pod_name.startswith(tuple(state["idle"])) else state["looks"]
        return (f'rpc_server_call_duration_seconds_count{{rpc_method="vessel.VesselService/FindAvailable"}} {calls}\n'
                'rpc_server_call_duration_seconds_count{rpc_method="grpc.health.v1.Health/Check"} 7\n')
    kinds, output = arguments[0].split(","), option(arguments, "output")
    if kinds == ["namespace"]:
        return "namespace/shippy\n" if namespace in state["deployments"] else ""
    if kinds == ["configmap"]:
        return "configmap/coredns\n" if output == "name" else json.dumps(state["coredns"])
    if kinds == ["deployments", "daemonsets"]:
        return "deployment.apps/coredns\n"
    if kinds == ["service"]:
        return json.dumps({"spec": {"ports": [{"nodePort": state["node_port"]}]}})
    if output == "json":
        selector = option(arguments, "selector")
        found = [one for one in items(state, namespace, kinds)
                 if selector is None or f"app={one['metadata'].get('labels', {}).get('app')}" == selector]
        return json.dumps({"items": found})
    return "" if kinds == ["nodes"] else None


def change(state, namespace, arguments):
    verb, rest = arguments[0], arguments[1:]
    if any(fault in " ".join(arguments) for fault in state["faults"]):
        sys.exit(1)
    names = [one.partition("/")[2] for one in rest if one.startswith("deployment/")]
    if verb == "scale":
        for name in names:
            state["deployments"][namespace][name] = int(option(rest, "replicas"))
            fill(state, namespace, name)
    elif verb == "rollout" and rest[0] == "restart" and namespace == "shippy":
        remove(state, namespace, lambda one: one["app"] in names)
    elif verb == "delete" and rest[0].startswith("pod/"):
        remove(state, namespace, lambda one: f"pod/{one['name']}" == rest[0])
    elif verb == "delete" and rest[0] == "namespace":
        state["deployments"].pop(rest[1], None)
    elif verb == "drain":
        state["closed"].append(rest[0])
        selector = option(rest, "pod-selector") or ""
        remove(state, namespace, lambda one: one["node"] == rest[0] and (not selector or one["app"] in selector))
    elif verb == "create" and rest[0] == "--raw" and rest[1].endswith("/eviction"):
        if state["evictions_refused"]:
            state["evictions_refused"] -= 1
            keep(state)
            sys.exit("Error from server (TooManyRequests): Cannot evict pod as it would violate the pod's disruption budget.")
        evicted = rest[1].split("/")[-2]
        remove(state, namespace, lambda one: one["name"] == evicted)
    elif verb == "uncordon":
        state["closed"].remove(rest[0])
    elif verb == "patch" and rest[:2] == ["configmap", "coredns"]:
        patch = json.loads(rest[rest.index("--patch") + 1])
        state["coredns"]["data"] |= patch["data"]
        annotations = state["coredns"]["metadata"].setdefault("annotations", {})
        for name, value in patch["metadata"]["annotations"].items():
            annotations.pop(name, None) if value is None else annotations.update({name: value})
    elif verb == "apply" and "series-databases" in rest[0] or verb == "apply" and "series-written" in rest[0]:
        apps = ("mongo", "postgres") if "databases" in rest[0] else ("vessel", "user", "consignment", "email", "micro", "ui")
        for app in apps:
            state["deployments"].setdefault("shippy-series", {})[app] = 1
            fill(state, "shippy-series", app)
    elif verb == "apply" and "rendered" in rest[0]:
        if namespace != "shippy-series":
            # As the real one: what it reads says another namespace than it was told.
            sys.exit(1)
        state["deployments"]["shippy-series"] = {"vessel": 1, "api": 3}
        for app in ("vessel", "api"):
            fill(state, "shippy-series", app)
    elif verb not in ("apply", "rollout", "delete", "patch", "set"):
        return None
    return ""


def kubectl(arguments):
    if arguments[:1] == ["config"]:
        print("test")
        return 0
    namespace = "shippy"
    if arguments[0] == "--namespace":
        namespace, arguments = arguments[1], arguments[2:]
    state = world()
    if arguments[0] == "kustomize":
        return subprocess.run([os.environ["REAL_KUBECTL"], *arguments]).returncode
    if arguments[0] == "version":
        text = json.dumps({"serverVersion": {"gitVersion": "v1.36.0"}})
    elif arguments[0] == "get":
        text = get(state, namespace, arguments[1:])
    else:
        state["done"].append(" ".join(arguments))
        keep(state)
        text = change(state, namespace, arguments)
        if arguments[:2] == ["rollout", "restart"] and os.environ.get("SLOW") and namespace == "shippy":
            # Time for the test to interrupt.
            time.sleep(60)
    keep(state)
    if text is None:
        print(f"the stand-in for kubectl does not know: {' '.join(arguments)}", file=sys.stderr)
        return 2
    sys.stdout.write(text)
    return 0


def node(arguments):
    """Kills a container by starting it once more: fake_cluster.py node sh -c SCRIPT CONTAINER"""
    state = world()
    state["done"].append(f"kill {arguments[-1]}")
    for one in state["pods"]["shippy"]:
        one["restarts"] += one["name"] == arguments[-1]
    keep(state)
    return 0


def load_generator(arguments):
    """Says that it is there, waits for SIGINT, and writes a report with the bookings that the state says have failed."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    print("1 s", flush=True)
    signal.sigwait([signal.SIGINT])
    booking = {"offered": 100, "accepted": 100, "refused": 0, "statuses": {}, "lost": 0, "timedOut": 0, "notSent": 0}
    booking |= world()["booking"]
    with open(arguments[arguments.index("--json") + 1], "w", encoding="utf-8") as file:
        json.dump({"total": {"kinds": {"booking": booking}}, "generator": {"warnings": []},
                   "tenths": {"offered": [10, 10], "accepted": [10, 10], "maxMilliseconds": [5.5, 7]}}, file)
    return 0


if __name__ == "__main__":
    sys.exit({"kubectl": kubectl, "load-generator": load_generator, "node": node}[sys.argv[1]](sys.argv[2:]))
