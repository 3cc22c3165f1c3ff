"""What happens to the cluster under load: a function for each kind of scenario, and the list of all."""

import json
import os
import secrets
import shlex
import shutil
import time

import kube
import load
import series
from kube import ClusterError
from undo import Undo

# Over which the shares of pods are counted, and the pause between one kill and the next.
SHARE_SECONDS = float(os.environ.get("SHARE_SECONDS", "10"))
# Callers look names up every 5 s; the rest is for the endpoints to reach CoreDNS, and for us to look.
NEW_PODS_SECONDS = 25
# MAX_CONNECTION_AGE in deployments/series is 10 s, and which pod a new connection gets is chance.
NEW_PODS_BY_CONNECTION_SECONDS = 90
SERIES = "shippy-series"
SERIES_SECONDS = 60
# Images of databases are large, and come from afar.
SERIES_DATABASES_SECONDS = 300
# What a container's program is killed by on its node: its processes are those whose control group has its id.
KILL = ('found=1; for process in /proc/[0-9]*; do if grep -q "$0" "$process/cgroup" 2>/dev/null; then '
        'kill -9 "${process#/proc/}" && found=0; fi; done; exit $found')


class Scenario:
    """A name for SCENARIOS, what it says in the table, how many pods of each program it starts with, and what it does.

    `action` takes the run and the row. `adds_load`, where there is one, adds callers to those that are always there.
    """

    def __init__(self, name, what, replicas, action, adds_load=None):
        self.name, self.what, self.replicas, self.action, self.adds_load = name, what, replicas, action, adds_load


def restart(names):
    kube.kubectl("rollout", "restart", *(f"deployment/{name}" for name in names))


def rollout(names):
    def action(_run, _row):
        restart(names)
        kube.wait_settled()
    return action


def delete_pod(name):
    def action(_run, _row):
        pod = kube.name_of(kube.pods_of(name)[0])
        kube.kubectl("delete", f"pod/{pod}", "--wait=false")
        kube.wait_settled()
    return action


# Kill

def kill(name):
    def action(run, row):
        pods = kube.pods_of(name)
        for pod in pods:
            if run.node_exec:
                kill_on_node(run.node_exec, pod)
            else:
                # As an image has no shell, nothing in its pod could do it, and a debugging container can't either: the
                # kernel keeps the first process of a pod from signals of its own pod.
                kube.kubectl("delete", f"pod/{kube.name_of(pod)}", "--grace-period=0", "--force")
            kube.wait_settled()
            time.sleep(SHARE_SECONDS / 2)
        row.notes.append("kill -9 on the node" if run.node_exec else
                         "deleted by force, without NODE_EXEC: SIGTERM, and 2 s later SIGKILL")
    return action


def kill_on_node(node_exec, pod):
    status = pod["status"]["containerStatuses"][0]
    container = status.get("containerID", "").partition("://")[2]
    if not container:
        # Every process has a control group that contains nothing.
        raise ClusterError(f"{kube.name_of(pod)} has no container that could be killed")
    command = [word.replace("NODE", pod["spec"]["nodeName"]) for word in shlex.split(node_exec)]
    ended, _ = kube.run([*command, "sh", "-c", KILL, container])
    if ended != 0:
        raise ClusterError(f"NODE_EXEC: no process of {kube.name_of(pod)} could be killed by {' '.join(command)}")

    def not_restarted():
        found = [one for one in kube.objects("pods") if kube.name_of(one) == kube.name_of(pod)]
        again = found and found[0]["status"]["containerStatuses"][0]["restartCount"] > status["restartCount"]
        return "" if again else f"{kube.name_of(pod)} was not started again"
    kube.wait_until(not_restarted)


# Scale

def scale_up(name, namespace, service, limit_seconds, row):
    """From one pod to three: how long after a new pod is ready it answers its first call, and its share then."""
    old = {kube.name_of(pod) for pod in kube.pods_of(name, namespace)}
    begun = time.monotonic()
    kube.scale([name], 3, namespace)
    ready, first = {}, {}

    def without_calls():
        now = time.monotonic()
        for pod in kube.pods_of(name, namespace):
            if kube.is_ready(pod) and kube.name_of(pod) not in old:
                ready.setdefault(kube.name_of(pod), now)
        for pod in ready.keys() - first.keys():
            if kube.answered_calls(pod, service, namespace):
                first[pod] = time.monotonic() - ready[pod]
        if len(ready) < 2:
            return "the new pods are not ready"
        return f"no calls by {', '.join(sorted(ready.keys() - first.keys()))}" if len(first) < len(ready) else ""

    kube.wait_until(lambda: "" if len(ready) == 2 else without_calls())
    kube.wait_until(without_calls, limit_seconds)
    row.took_seconds = time.monotonic() - begun
    after = " and ".join(f"{seconds:.0f} s" for seconds in sorted(first.values()))
    row.notes.append(f"the new ones have calls {after} after they are ready")
    names = sorted(old) + sorted(ready)
    before = {pod: kube.answered_calls(pod, service, namespace) for pod in names}
    time.sleep(SHARE_SECONDS)
    calls = {pod: (kube.answered_calls(pod, service, namespace) or 0) - (before[pod] or 0) for pod in names}
    total = max(1, sum(calls.values()))
    row.notes.append(f"shares {', '.join(f'{100 * calls[pod] / total:.0f} %' for pod in names)}")


def scale_headless(run, row):
    scale_up("vessel", kube.NAMESPACE, "vessel.VesselService", NEW_PODS_SECONDS + run.dns_seconds, row)
    kube.scale(["vessel"], 1)
    kube.wait_settled()


def scale_cluster_ip(run, row):
    """In the manner of the series, in a namespace of its own: only vessel, with a store in each pod, and the gateway."""
    with Undo() as undo:
        undo.later(f"the namespace {SERIES} is still there", remove_series)
        kube.kubectl("apply", f"--filename={series_manifests(run)}", namespace=SERIES)
        kube.wait_settled(["vessel", "api"], SERIES)
        gateway = series_url(run, "api")
        try:
            kube.wait_until(lambda: "" if finds(gateway) else f"{gateway} does not answer", SERIES_SECONDS)
        except ClusterError as error:
            row.not_possible(str(error))
            return
        callers = load.Load(run.folder, "series")
        undo.later("callers go on", callers.stop)
        callers.add(gateway, load.find, 0.05, count=4)
        callers.start()
        scale_up("vessel", SERIES, "vessel.VesselService", NEW_PODS_BY_CONNECTION_SECONDS, row)
        callers.stop()
        callers.count_into(row)


def finds(gateway):
    return load.Connection(gateway).rpc("vessel", "VesselService.FindAvailable", load.FIND)[0] == "200"


def series_manifests(run):
    """deployments/series with our images, and what lets it do without databases."""
    pod = "/spec/template/spec"
    patch = [
        {"op": "replace", "path": f"{pod}/containers/0/env/0/value", "value": "sqlite:/data/vessel.db"},
        {"op": "add", "path": f"{pod}/containers/0/env/-", "value": {"name": "SEED_DATA", "value": "true"}},
        {"op": "add", "path": f"{pod}/containers/0/volumeMounts", "value": [{"name": "data", "mountPath": "/data"}]},
        {"op": "add", "path": f"{pod}/volumes", "value": [{"name": "data", "emptyDir": {}}]}]
    return render(f"{run.folder}/series", ["vessel.yaml", "api.yaml"], {
        "images": [{"name": f"shippy/{image}", "newName": f"{run.registry}/{image}", "newTag": run.tag}
                   for image in ("vessel-service", "api-gateway")],
        "patches": [{"target": {"kind": "Deployment", "name": "vessel"}, "patch": json.dumps(patch)}]})


def render(folder, files, more):
    """Files of deployments/series, changed by a kustomization, in the namespace SERIES."""
    os.makedirs(folder, exist_ok=True)
    for file in files:
        shutil.copy(f"deployments/series/{file}", folder)
    with open(f"{folder}/namespace.yaml", "w", encoding="utf-8") as file:
        json.dump({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SERIES}}, file)
    with open(f"{folder}/kustomization.yaml", "w", encoding="utf-8") as file:
        json.dump({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": SERIES,
            "resources": ["namespace.yaml", *files], **more}, file)
    rendered = f"{folder}/rendered.yaml"
    with open(rendered, "w", encoding="utf-8") as file:
        file.write(kube.kubectl("kustomize", folder))
    return rendered


# The series' manifests as they were written

def series_as_written(run, row):
    """Its manifests of all programs, with image and apiVersion changed, beside today's databases."""
    programs = ("vessel", "user", "consignment", "email", "micro", "ui")
    with Undo() as undo:
        undo.later(f"the namespace {SERIES} is still there", remove_series)
        kube.kubectl("apply", f"--filename={series_databases(run)}", namespace=SERIES)
        try:
            kube.wait_until(lambda: not_running(("mongo", "postgres")), SERIES_DATABASES_SECONDS)
        except ClusterError as error:
            row.not_possible(str(error))
            return
        kube.kubectl("apply", f"--filename={written_manifests(run, programs)}", namespace=SERIES)
        # The one thing that no image has: a key for tokens.
        kube.kubectl("apply", "--filename=-", namespace=SERIES, text=json.dumps(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shippy"},
             "stringData": {"JWT_SECRET": secrets.token_hex(32)}}))
        kube.kubectl("set", "env", "deployment/user", "--from=secret/shippy", "--keys=JWT_SECRET", namespace=SERIES)
        kube.wait_settled(programs, SERIES)
        gateway, page = series_url(run, "micro"), series_url(run, "ui")
        if os.environ.get("GATEWAY"):
            # Mapped ports are those of the overlay; these have their own.
            try:
                kube.wait_until(lambda: no_answer(gateway), SERIES_SECONDS)
            except ClusterError as error:
                row.not_possible(str(error))
                return
        kube.wait_until(lambda: not_booked(gateway), SERIES_SECONDS)
        kube.wait_until(lambda: "" if load.get_status(page) == 200 else f"no page at {page}", SERIES_SECONDS)
        row.notes.append("somebody signed up and booked through micro, and the page answers; without imagePullPolicy, as "
                         "images need not come from a registry here")


def not_running(apps):
    pods = kube.objects("pods", namespace=SERIES)
    missing = [app for app in apps if not any(kube.app_of(pod) == app and kube.is_ready(pod) for pod in pods)]
    return f"{', '.join(missing)} does not run" if missing else ""


def no_answer(gateway):
    return "" if load.get_status(f"{gateway}/healthz") else f"{gateway} does not answer"


def not_booked(gateway):
    """What went wrong on the way from signing up to a booking; empty when nothing did."""
    try:
        account = load.Account(gateway)
    except ClusterError as error:
        return str(error)
    connection = load.Connection(gateway)
    vessel = {"name": f"series-{account.name()}", "capacity": 10, "max_weight": 1000}
    for service, method, request in (("vessel", "VesselService.Create", vessel),
                                     ("consignment", "ConsignmentService.Create", load.BOOKING)):
        status, body = connection.rpc(service, method, request, account.token)
        if status != "200":
            return f"{method}: {status} {body.decode(errors='replace')[:200]}"
    return ""


def written_manifests(run, programs):
    by_name = series.images(run.registry, run.tag)
    things = [thing for name in programs for thing in series.applied(series.WRITTEN[name], by_name)]
    for thing in things:
        for container in thing["spec"].get("template", {}).get("spec", {}).get("containers", []):
            container.pop("imagePullPolicy", None)
    path = f"{run.folder}/series-written.json"
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": things}, file, indent=2)
    return path


def series_databases(run):
    """deployments/series' own, without disks, and with the password that the series' user service has."""
    deployment = series.WRITTEN["user"][0]["spec"]["template"]["spec"]
    user = {one["name"]: one["value"] for one in deployment["containers"][0]["env"]}
    env = [{"name": name, "value": user[variable]} for name, variable in (
        ("POSTGRES_USER", "DB_USER"), ("POSTGRES_DB", "DB_NAME"), ("POSTGRES_PASSWORD", "DB_PASS"))]
    pod = "/spec/template/spec"

    def patch(name, *more):
        return {"target": {"kind": "StatefulSet", "name": name}, "patch": json.dumps([
            {"op": "remove", "path": "/spec/volumeClaimTemplates"},
            {"op": "add", "path": f"{pod}/volumes", "value": [{"name": f"{name}-persistent-storage", "emptyDir": {}}]},
            *more])}
    replaced = [{"op": "replace", "path": f"{pod}/containers/0/env/{index}", "value": one} for index, one in enumerate(env)]
    return render(f"{run.folder}/series-databases", ["mongo.yaml", "postgres.yaml"],
                  {"patches": [patch("mongo"), patch("postgres", *replaced)]})


def series_url(run, service):
    """Where a Service of the series answers: at its NodePort of the same node."""
    found = json.loads(kube.kubectl("get", "service", service, "--output=json", namespace=SERIES))
    return f"{run.gateway.rpartition(':')[0]}:{found['spec']['ports'][0]['nodePort']}"


def remove_series():
    kube.kubectl("delete", "namespace", SERIES, "--ignore-not-found")


# Drain

def drain_node(_run, row):
    nodes = [kube.name_of(node) for node in kube.ready_nodes() if can_schedule(node)]
    pods = kube.objects("pods")
    programs = [pod for pod in pods if kube.app_of(pod) in kube.PROGRAMS and not kube.is_ending(pod)]
    if len(nodes) < 2:
        return evict_all([kube.name_of(pod) for pod in programs], row)
    places = [pod["spec"].get("nodeName") for pod in programs]
    # The disks of kind and of a cluster by hand belong to a node, so a database that is evicted has no other.
    kept = {pod["spec"].get("nodeName") for pod in pods if has_disk(pod)}
    free = [node for node in nodes if node not in kept and node in places]
    node = max(free or nodes, key=places.count)
    chosen = [] if free else [f"--pod-selector=app in ({','.join(kube.PROGRAMS)})"]
    with Undo() as undo:
        undo.later(f"{node} is still closed to pods", kube.kubectl, "uncordon", node)
        row.notes.append(f"{places.count(node)} pods were there{'' if free else ', its database stays'}")
        kube.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=10m", *chosen)
        kube.wait_settled()


def evict_all(pods, row):
    """A drain without its first step, as a single node that is closed to pods leaves them no place to go."""
    row.notes.append(f"pods can go to one node only: all {len(pods)} pods of the programs evicted, and the node not closed to new ones")
    left = list(pods)

    def not_evicted():
        # All are asked in each round, as kubectl drain does: budgets say which of them may go.
        left[:] = [pod for pod in left if not kube.evict(pod)]
        return f"{', '.join(left)} can't be evicted yet" if left else ""

    kube.wait_until(not_evicted)
    kube.wait_settled()


def can_schedule(node):
    spec = node.get("spec", {})
    return not spec.get("unschedulable") and not any(
        one.get("effect") in ("NoSchedule", "NoExecute") for one in spec.get("taints", []))


def has_disk(pod):
    return any("persistentVolumeClaim" in one for one in pod["spec"].get("volumes", []))


def drain_gateway(_run, _row):
    for _ in range(2):
        restart(["api"])
        kube.wait_settled()


def keep_alive_callers(run, callers):
    """A request is on its way on some of them whenever a gateway ends."""
    callers.add(run.gateway, load.find, 0.15, count=32, varies=True)


def number(replicas):
    return f"{replicas} replica{'s' if replicas > 1 else ''}"


def all_scenarios():
    """In an order in which pods are seldom started just for the next one."""
    def rollouts(replicas):
        for name in kube.PROGRAMS:
            yield Scenario(f"rollout-{name}-{replicas}", f"rollout of {name}, {number(replicas)}", replicas, rollout([name]))
        yield Scenario(f"rollout-all-{replicas}", f"rollout of all, {number(replicas)}", replicas, rollout(kube.PROGRAMS))

    services = ("vessel", "user", "consignment")
    return [
        *rollouts(1),
        Scenario("scale-headless", "vessel from 1 to 3, headless Service", 1, scale_headless),
        Scenario("scale-clusterip", "vessel from 1 to 3, ClusterIP Service as in the series", 1, scale_cluster_ip),
        Scenario("series", "the series' manifests with image and apiVersion changed", 1, series_as_written),
        *rollouts(2),
        *(Scenario(f"delete-{name}", f"a pod of {name} deleted, {number(2)}", 2, delete_pod(name)) for name in services),
        *(Scenario(f"kill-{name}", f"both pods of {name} killed, one after the other", 2, kill(name)) for name in services),
        Scenario("drain-node", "a node drained", 2, drain_node),
        Scenario("drain-gateway", "four gateways drained, 32 keep-alive callers more", 2, drain_gateway, keep_alive_callers),
    ]
