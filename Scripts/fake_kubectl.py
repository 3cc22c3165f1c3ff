"""A stand-in for kubectl and the cluster behind it, for the tests of the scripts that talk to one. It keeps Deployments,
StatefulSets and ConfigMaps in the file that FAKE_CLUSTER names, and writes each command that changes something, or that runs
in a pod, to a list there. It knows what those scripts say, and fails on everything else.
"""

import json
import os
import subprocess
import sys

# Of each Deployment and StatefulSet: how many, the name of what runs now, and the revisions that are kept.
REVISION = "deployment.kubernetes.io/revision"


def world():
    with open(os.environ["FAKE_CLUSTER"], encoding="utf-8") as file:
        return json.load(file)


def keep(state):
    with open(os.environ["FAKE_CLUSTER"], "w", encoding="utf-8") as file:
        json.dump(state, file)


def value(arguments, option):
    return next((one.partition("=")[2] for one in arguments if one.startswith(f"--{option}=")), None)


def condition(kind, status, message=""):
    return {"type": kind, "status": status, "message": message}


def workload(name, one):
    kind, _, own = name.partition("/")
    good = one["health"] == "ok"
    # A rollout that hangs has one new pod, beside the old ones.
    status = {"observedGeneration": 1, "replicas": one["replicas"] + (0 if good else 1),
              "updatedReplicas": one["replicas"] if good else 1,
              "readyReplicas": one["replicas"], "availableReplicas": one["replicas"], "updateRevision": one["runs"]}
    if kind == "statefulset" and not good:
        status["readyReplicas"] = one["replicas"] - 1
    return {"kind": {"deployment": "Deployment", "statefulset": "StatefulSet"}[kind],
            "metadata": {"name": own, "generation": 1,
                         "annotations": {REVISION: str(one["revisions"][one["runs"]]), **one.get("annotations", {})}},
            "spec": {"replicas": one["replicas"], "selector": {"matchLabels": {"app": own}}}, "status": status}


def pods(name, one):
    _, _, own = name.partition("/")
    labels = {"app": own}
    for number in range(one["replicas"]):
        yield {"kind": "Pod", "metadata": {"name": f"{own}-{number}", "labels": labels},
               "status": {"conditions": [condition("Ready", "True")]}}
    status = {
        "image": {"conditions": [condition("PodScheduled", "True"), condition("Ready", "False")], "containerStatuses": [
            {"name": own, "ready": False, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}}]},
        "pending": {"phase": "Pending",
                    "conditions": [condition("PodScheduled", "False", "0/3 nodes are available: 3 Insufficient cpu.")]},
        "crash": {"conditions": [condition("Ready", "False")], "containerStatuses": [
            {"name": own, "ready": False, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
             "lastState": {"terminated": {"exitCode": 64, "reason": "Error"}}}]},
    }.get(one["health"])
    if status:
        owners = [{"name": own, "controller": True}]
        yield {"kind": "Pod", "metadata": {"name": f"{own}-new", "labels": labels, "ownerReferences": owners}, "status": status}


def items(state, kinds):
    for name, one in state["workloads"].items():
        kind, _, own = name.partition("/")
        if f"{kind}s" in kinds:
            yield workload(name, one)
        if "pods" in kinds:
            yield from pods(name, one)
        if ("replicasets" if kind == "deployment" else "controllerrevisions") in kinds:
            for revision, number in one["revisions"].items():
                yield {"kind": "ReplicaSet", "revision": number, "metadata": {
                    "name": revision, "annotations": {REVISION: str(number)},
                    "ownerReferences": [{"name": own, "controller": True}]}}


def get(state, arguments):
    kinds, output = arguments[0].split(","), value(arguments, "output")
    if kinds == ["configmap"]:
        data = state["configmaps"].get(arguments[1])
        return json.dumps({"data": data}) if data is not None else ""
    if kinds == ["secret"]:
        return "password of root" if output else ""
    if kinds == ["statefulset"]:
        return ""
    if kinds == ["events"]:
        return json.dumps({"items": [
            {"reason": "Second", "message": "later", "lastTimestamp": "2026-01-01T00:00:02Z"},
            {"reason": "First", "message": "earlier", "lastTimestamp": "2026-01-01T00:00:01Z"}]})
    if kinds == ["persistentvolumes"]:
        return "".join(f"{disk} {claim}\n" for disk, claim in state["disks"].items())
    if output == "json":
        return json.dumps({"items": list(items(state, kinds))})
    if kinds == ["deployments"]:
        return "".join(f"{name.partition('/')[2]} {one['replicas']} {name.partition('/')[2]}"
                       f" {''.join(one.get('annotations', {}).values())}\n"
                       for name, one in state["workloads"].items() if name.startswith("deployment/"))
    if kinds == ["pods"]:
        # They end one look after the other.
        left = state["leaving"].pop() if state["leaving"] else 0
        state["done"].append(f"look: {left} pods are left")
        return "pod/x\n" * left
    if kinds == ["cronjob"]:
        return "".join(state["cronjob"].values()) if "annotations" in output else ""
    if kinds == ["job"]:
        return state["job"]
    return None


def answer(state, arguments):
    """What is printed; None where this stand-in knows nothing of the kind."""
    verb, rest = arguments[0], arguments[1:]
    if verb == "get":
        return get(state, rest)
    if verb == "config":
        return "test\n"
    state["done"].append(" ".join(arguments))
    if verb == "apply" and rest == ["--filename=-"]:
        thing = json.load(sys.stdin)
        state["configmaps"][thing["metadata"]["name"]] = thing["data"]
        state["done"].pop()
    elif verb == "apply":
        for name, new in state["next"].items():
            one = state["workloads"].setdefault(name, {"replicas": 1, "revisions": {}})
            one |= {"runs": new["runs"], "health": new["health"]}
            one["revisions"][new["runs"]] = max(one["revisions"].values(), default=0) + 1
        if state.get("apply_fails"):
            sys.exit(1)
    elif verb == "rollout" and rest[0] == "undo":
        one = state["workloads"][rest[1]]
        runs = next(own for own, number in one["revisions"].items() if str(number) == value(rest, "to-revision"))
        one["revisions"][runs] = max(one["revisions"].values()) + 1
        one["runs"] = runs
        # The controller of a StatefulSet waits for the broken pod, as the real one does.
        if rest[1].startswith("deployment/"):
            one["health"] = "ok"
    elif verb == "delete" and rest[0].startswith("pod/") and rest[0].endswith("-new"):
        state["workloads"][f"statefulset/{rest[0][4:-4]}"]["health"] = "ok"
    elif verb == "delete" and rest[0].startswith("deployment/"):
        del state["workloads"][rest[0]]
    elif verb == "delete" and rest[0] == "configmap":
        state["configmaps"].pop(rest[1], None)
    elif verb == "scale":
        state["workloads"][rest[0]]["replicas"] = int(value(rest, "replicas"))
    elif verb == "annotate":
        name, _, text = rest[1].partition("=")
        is_job = rest[0].startswith("cronjob/")
        kept = state["cronjob"] if is_job else state["workloads"][rest[0]].setdefault("annotations", {})
        if name.endswith("-"):
            kept.pop(name[:-1], None)
        else:
            kept[name] = text
    elif verb == "exec":
        if any(fault in " ".join(rest) for fault in state.get("exec_fails", [])):
            sys.exit(1)
        text = sys.stdin.read() if "--stdin" in rest else ""
        if text:
            state["done"][-1] += f" < {text}"
        return state["says"].get(rest[rest.index("--") + 1], "")
    elif verb not in ("delete", "patch", "rollout", "create", "wait", "logs"):
        return None
    return ""


def main(arguments):
    if arguments[0] == "kustomize":
        return subprocess.run([os.environ["REAL_KUBECTL"], *arguments]).returncode
    if arguments[0] == "--namespace":
        arguments = arguments[2:]
    state = world()
    text = answer(state, arguments)
    keep(state)
    if text is None:
        print(f"the stand-in for kubectl does not know: {' '.join(arguments)}", file=sys.stderr)
        return 2
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
