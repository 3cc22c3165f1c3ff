"""Watches a rollout in the cluster, says what it waits for, and takes it back. Scripts/deploy.sh and Scripts/undo.sh call it.

rollout.py record OVERLAY KIND/NAME...   notes in the cluster what runs now, so that it can be had back
rollout.py wait   OVERLAY KIND/NAME...   waits until all of it runs as it was applied; ends with status 1 if it does not
rollout.py undo   OVERLAY                rolls all that was recorded back to what ran then

What runs is noted by names that stay the same for the same pod template: of a Deployment its ReplicaSet, of a StatefulSet
its ControllerRevision. Numbers of revisions change with every rollback.
"""

import json
import os
import re
import subprocess
import sys
import time

NAMESPACE = "shippy"
PART = "app.kubernetes.io/part-of"
REVISION = "deployment.kubernetes.io/revision"
# Of a Deployment or StatefulSet that was not there, and of one whose controller had not looked at it yet.
NOTHING, UNKNOWN = "nothing", "unknown"
EVENTS_SHOWN = 3
# A registry that hiccups is asked again by the kubelet within this time; a tag that does not exist stays missing.
IMAGE_SECONDS = 120
IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "2"))
# The script that people called.
SCRIPT = os.environ.get("SCRIPT", "rollout")


def say(text):
    print(f"{SCRIPT}: {text}", flush=True)


def fail(text):
    sys.exit(f"{SCRIPT}: {text}")


def kubectl(*arguments, text=None):
    """What kubectl answers. Ends the program where kubectl fails, as it has said why on standard error."""
    done = subprocess.run(["kubectl", "--namespace", NAMESPACE, *arguments], input=text, text=True, stdout=subprocess.PIPE)
    if done.returncode != 0:
        fail(f"kubectl {' '.join(arguments[:3])} failed")
    return done.stdout


def objects(*kinds):
    return json.loads(kubectl("get", ",".join(kinds), "--output=json"))["items"]


def key(thing):
    return f"{thing['kind'].lower()}/{thing['metadata']['name']}"


def identities(things, sets):
    """The name of what each Deployment and StatefulSet wants to run now, by KIND/NAME."""
    found = {}
    for thing in things:
        if thing["kind"] == "StatefulSet":
            found[key(thing)] = thing.get("status", {}).get("updateRevision", UNKNOWN)
        elif thing["kind"] == "Deployment":
            revision = thing["metadata"].get("annotations", {}).get(REVISION)
            found[key(thing)] = next(
                (one["metadata"]["name"] for one in sets
                 if owner(one) == thing["metadata"]["name"] and revision == revision_of(one)), UNKNOWN)
    return found


def owner(thing):
    return next((one["name"] for one in thing["metadata"].get("ownerReferences", []) if one.get("controller")), None)


def revision_of(replica_set):
    return replica_set["metadata"].get("annotations", {}).get(REVISION)


def now():
    return identities(objects("deployments", "statefulsets"), objects("replicasets"))


# The record

def record_name(overlay):
    return f"deploy-before-{overlay}"


def read_record(overlay):
    text = kubectl("get", "configmap", record_name(overlay), "--ignore-not-found", "--output=json")
    return json.loads(text).get("data", {}) if text.strip() else {}


def write_record(overlay, data):
    kubectl("apply", "--filename=-", text=json.dumps({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": record_name(overlay), "labels": {PART: "shippy"}}, "data": data}))


def field(name):
    """KIND/NAME as a ConfigMap allows it."""
    return name.replace("/", ".")


def record(overlay, names):
    current, kept = now(), read_record(overlay)
    data = {field(name): current.get(name, NOTHING) for name in names}
    if kept.get("through") == "false":
        # The last deploy did not get through: what ran before that one is what ran whole.
        data |= {name: value for name, value in kept.items() if name in data}
    write_record(overlay, data | {"through": "false"})


def changed(overlay):
    """What differs from the record, with what ran before."""
    current = now()
    before = {name.replace(".", "/", 1): value for name, value in read_record(overlay).items() if name != "through"}
    return {name: value for name, value in before.items() if name in current and current[name] != value}


# Waiting

def progress(thing):
    """What is missing until all pods are as the object says; empty when nothing is."""
    wanted = thing["spec"].get("replicas", 1)
    status = thing.get("status", {})
    if status.get("observedGeneration", 0) < thing["metadata"].get("generation", 0):
        return "was not looked at yet"
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods are new"
    if thing["kind"] == "Deployment" and status.get("replicas", 0) > updated:
        return f"{status['replicas'] - updated} old pods are left"
    available = status.get("availableReplicas", 0) if thing["kind"] == "Deployment" else ready
    return f"{available} of {wanted} pods are ready" if available < wanted else ""


def is_ready(pod):
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod.get("status", {}).get("conditions", []))


def reasons(pod):
    """Why a pod is not ready, as texts."""
    status = pod.get("status", {})
    for one in status.get("conditions", []):
        if one["type"] == "PodScheduled" and one["status"] != "True":
            yield f"has no node: {one.get('message') or one.get('reason')}"
            return
    for one in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        state = one.get("state", {})
        if one.get("ready"):
            continue
        if "waiting" in state:
            # The message of a restart counts seconds; what ended the container says more.
            why = state["waiting"].get("reason", "waits")
            message = "" if why == "CrashLoopBackOff" else state["waiting"].get("message", "")
            yield f"{one['name']}: {why}{ended(one)}" + (f": {message}" if message else "")
        elif "terminated" in state:
            if state["terminated"].get("exitCode") != 0:
                yield f"{one['name']}: ended with status {state['terminated'].get('exitCode')}"
        else:
            yield f"{one['name']}: runs and is not ready{ended(one)}"
    if not status.get("containerStatuses"):
        yield status.get("message") or status.get("reason") or f"is {status.get('phase', 'new')}"


def ended(container):
    last = container.get("lastState", {}).get("terminated")
    if not last:
        return ""
    return f" (restart {container.get('restartCount', 1)}; ended with status {last.get('exitCode')}, {last.get('reason')})"


def pods_of(workload, pods):
    labels = workload["spec"]["selector"].get("matchLabels", {})
    return [one for one in pods if labels.items() <= one["metadata"].get("labels", {}).items()]


def look(names):
    """What is not through yet: texts about each, the pods that are waited for, and whether an image can't be pulled."""
    things = objects("deployments", "statefulsets", "pods")
    by_name = {key(one): one for one in things}
    pods = [one for one in things if one["kind"] == "Pod" and "deletionTimestamp" not in one["metadata"]]
    lines, waited, lacks_image = [], [], False
    for name in names:
        thing = by_name.get(name)
        if thing is None:
            lines.append(f"{name} is not there")
            continue
        missing = progress(thing)
        if not missing:
            continue
        lines.append(f"{name}: {missing}")
        lines += [f"  {one['message']}" for one in thing.get("status", {}).get("conditions", [])
                  if one["type"] == "ReplicaFailure" and one["status"] == "True"]
        for pod in pods_of(thing, pods):
            if is_ready(pod):
                continue
            waited.append(pod["metadata"]["name"])
            lines += [f"  pod {pod['metadata']['name']} {text}" for text in reasons(pod)]
            lacks_image = lacks_image or any(
                one.get("state", {}).get("waiting", {}).get("reason") in IMAGE_REASONS
                for one in pod.get("status", {}).get("containerStatuses", []))
    return lines, waited, lacks_image


def show_events(pod):
    text = kubectl("get", "events", f"--field-selector=involvedObject.name={pod}", "--output=json")
    events = sorted(json.loads(text)["items"], key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "")
    for event in events[-EVENTS_SHOWN:]:
        say(f"  event of {pod}: {event.get('reason')}: {' '.join(event.get('message', '').split())}")


def wait(names):
    """Whether all got through."""
    limit = seconds(os.environ.get("ROLLOUT_TIMEOUT", "10m"))
    begin, without_image, said = time.monotonic(), None, None
    while True:
        lines, waited, lacks_image = look(names)
        if not lines:
            return True
        if lines != said:
            said = lines
            say("waits for")
            for line in lines:
                say(f"  {line}")
        moment = time.monotonic()
        without_image = (without_image or moment) if lacks_image else None
        if without_image and moment - without_image > min(IMAGE_SECONDS, limit):
            say("an image can't be pulled")
        elif moment - begin > limit:
            say(f"not through after {limit:g} s")
        else:
            time.sleep(POLL_SECONDS)
            continue
        for pod in waited:
            show_events(pod)
        return False


def seconds(text):
    match = re.fullmatch(r"(\d+)(s|m|h)?", text)
    if not match:
        fail(f"ROLLOUT_TIMEOUT={text} is no time such as 90s or 10m")
    return int(match[1]) * {"h": 3600, "m": 60}.get(match[2], 1)


# Back

def undo(overlay):
    kept = read_record(overlay)
    if not kept:
        fail(f"there is no deploy of {overlay} to take back")
    back = []
    for name, before in changed(overlay).items():
        if before == UNKNOWN:
            say(f"{name}: what ran before was not known yet; deploy its tag")
        elif before != NOTHING:
            roll_back(name, before)
            back.append(name)
        elif name.startswith("deployment/"):
            kubectl("delete", name)
            say(f"{name} was not there before and is deleted")
        else:
            say(f"{name} was not there before; it stays, as its disks do")
    if not back:
        say("nothing else differs from what ran before")
    elif not wait(back):
        fail("rolled back, and does not come up; what is in the way is above")
    kubectl("delete", "configmap", record_name(overlay))
    say(f"back to what ran before: {', '.join(back) or 'nothing'}")


def roll_back(name, before):
    kind, _, own = name.partition("/")
    if kind == "deployment":
        numbers = {one["metadata"]["name"]: revision_of(one) for one in objects("replicasets")}
    else:
        numbers = {one["metadata"]["name"]: one["revision"] for one in objects("controllerrevisions")}
    if before not in numbers:
        fail(f"{name}: {before} is not kept any more; deploy its tag instead")
    print(kubectl("rollout", "undo", name, f"--to-revision={numbers[before]}"), end="")
    if kind == "statefulset":
        # Its controller waits for a broken pod before it goes on, also where that pod is what is taken back.
        for pod in objects("pods"):
            if owner(pod) == own and not is_ready(pod):
                kubectl("delete", f"pod/{pod['metadata']['name']}", "--wait=false")


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    command, overlay, *names = arguments
    if command == "record":
        record(overlay, names)
    elif command == "undo":
        undo(overlay)
    elif command == "wait":
        if not wait(names):
            say(f"changed by this deploy: {', '.join(sorted(changed(overlay))) or 'nothing'}")
            return 1
        write_record(overlay, read_record(overlay) | {"through": "true"})
    else:
        sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
