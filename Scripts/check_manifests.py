"""Checks rendered manifests: each object strictly against Kubernetes' schemas, and all of them against the house rules.

check_manifests.py [--schema-only] NAME=FILE...   prints a line for each finding and ends with status 1 if there is one.
"""

import functools
import glob
import json
import math
import os
import sys
from typing import NamedTuple

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.36"

# DRAIN_TIMEOUT in deployments/base/kustomization.yaml.
DRAIN_SECONDS = 20
# What the program itself allows for stopping beyond its drain timeout.
STOP_GRACE_SECONDS = 10
# How long a caller that finds pods by DNS may know nothing but the old ones: caches keep an answer for 30 s, 5 s more behind
# one another (the least that CoreDNS keeps one), and callers look names up every 5 s.
STALE_NAME_SECONDS = 40

WORKLOADS = {"Deployment", "StatefulSet", "Job", "CronJob"}
# They end by themselves, so nothing has to probe them.
JOBS = {"Job", "CronJob"}

# The kinds of operators and of the Gateway API: their schemas are not Kubernetes', so only what we use of them is known here:
# each field with its type, its values, or the fields within it. An exclamation mark is on those that must be there.
# CRDS=FOLDER checks them against their real schemas as well.
REFERENCE = {"group": str, "kind": str, "name!": str}
PARENT = {"name!": str, "sectionName": str}
OTHER_KINDS = {
    ("postgresql.cnpg.io/v1", "Cluster"): {
        "instances!": int, "imageName": str, "minSyncReplicas": int, "maxSyncReplicas": int, "storage!": {"size!": str},
        "bootstrap": {"initdb": {"database!": str, "owner!": str, "secret": {"name!": str}}}, "resources": dict,
        "priorityClassName": str,
    },
    ("mongodbcommunity.mongodb.com/v1", "MongoDBCommunity"): {
        "type!": {"ReplicaSet"}, "members!": int, "version!": str, "security!": {"authentication!": {"modes!": [{"SCRAM"}]}},
        "users!": [{
            "name!": str, "db!": str, "passwordSecretRef!": {"name!": str, "key": str},
            "roles!": [{"name!": str, "db!": str}], "scramCredentialsSecretName!": str, "connectionStringSecretName": str}],
        "statefulSet": {"spec!": dict},
    },
    ("gateway.networking.k8s.io/v1", "Gateway"): {
        "gatewayClassName!": str,
        "listeners!": [{
            "name!": str, "port!": int, "protocol!": {"HTTP", "HTTPS"}, "hostname": str,
            "tls": {"mode": {"Terminate"}, "certificateRefs!": [REFERENCE]},
            "allowedRoutes": {"namespaces": {"from": {"Same"}}}}],
    },
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): {
        "parentRefs!": [PARENT], "hostnames!": [str],
        "rules!": [{"backendRefs!": [{"name!": str, "port!": int, "weight": int}]}],
    },
    ("networking.gke.io/v1", "HealthCheckPolicy"): {
        "targetRef!": REFERENCE,
        "default!": {"config!": {"type!": {"HTTP"}, "httpHealthCheck!": {"requestPath!": str}}},
    },
}


class Room(NamedTuple):
    """What the nodes that an overlay is for have left for Shippy: of each, in millicores and MiB."""

    nodes: int
    cpu: int
    memory: int


# Of an e2-standard-2, 1,930m and 6,000 MiB can be asked for. Google's own pods ask for up to 680m and 1,900 MiB of it,
# with one of three nodes away.
GOOGLE = Room(nodes=3, cpu=1250, memory=4096)
ROOM = {
    # A kind cluster on 2 processors and 4 GiB: its control plane asks for 950m and about 300 MiB. 250m are for others.
    "local": Room(nodes=1, cpu=800, memory=3072),
    "gke": GOOGLE,
    "gateway-api": GOOGLE,
    "operators": GOOGLE,
}
DOCUMENT = "docs/kubernetes.md"
MIB = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024}


def check(objects):
    """All findings about objects that are applied together, as texts."""
    findings = []
    for thing in objects:
        texts = [*schema(thing), *pod_rules(thing), *autoscaling(thing, objects), *entrances(thing)]
        findings += [f"{title(thing)}: {text}" for text in texts]
    for service in of_kind(objects, "Service"):
        findings += [f"{title(service)}: {text}" for text in service_rules(service, objects)]
    findings += [*unknown_references(objects), *unknown_backends(objects), *one_sided_permissions(objects), *priorities(objects)]
    return findings


def schema_only(objects):
    return [f"{title(thing)}: {text}" for thing in objects for text in schema(thing)]


def title(thing):
    return f"{thing.get('kind')} {thing.get('metadata', {}).get('name')}"


def of_kind(objects, *kinds):
    return [thing for thing in objects if thing.get("kind") in kinds]


def schema(thing):
    kind = thing.get("apiVersion"), thing.get("kind")
    if kind in OTHER_KINDS:
        yield from misshapen(thing.get("spec"), OTHER_KINDS[kind], "spec")
        if kind in crds():
            yield from against_crd(thing, crds()[kind])
        return
    if finding := against_kubernetes(json.dumps(thing, default=str)):
        yield finding


def misshapen(value, shape, path):
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{path} is no object"
            return
        shapes = {name.rstrip("!"): one for name, one in shape.items()}
        yield from (f"{path}.{name[:-1]} is missing" for name in shape if name.endswith("!") and name[:-1] not in value)
        for name, one in value.items():
            if name in shapes:
                yield from misshapen(one, shapes[name], f"{path}.{name}")
            else:
                yield f"{path}.{name} is unknown"
    elif isinstance(shape, list):
        if not isinstance(value, list) or not value:
            yield f"{path} is no list of something"
            return
        for number, one in enumerate(value):
            yield from misshapen(one, shape[0], f"{path}.{number}")
    elif isinstance(shape, set):
        if value not in shape:
            yield f"{path} is none of {', '.join(sorted(shape))}"
    elif not isinstance(value, shape) or isinstance(value, bool):
        yield f"{path} is no {shape.__name__}"


@functools.cache
def crds():
    """The schemas of the CustomResourceDefinitions in the folder that CRDS names, if it does."""
    found = {}
    for path in sorted(glob.glob(f"{os.environ['CRDS']}/**/*.yaml", recursive=True)) if os.environ.get("CRDS") else []:
        with open(path, encoding="utf-8") as file:
            for thing in yaml.safe_load_all(file):
                if thing and thing.get("kind") == "CustomResourceDefinition":
                    found |= definitions(thing)
    return found


def definitions(crd):
    spec = crd["spec"]
    return {(f"{spec['group']}/{version['name']}", spec["names"]["kind"]): strict(version["schema"]["openAPIV3Schema"])
            for version in spec["versions"] if "schema" in version}


def strict(schema):
    """A schema that knows no further fields, as the API server prunes them and kubectl refuses them."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(one) for name, one in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    return made


def against_crd(thing, schema):
    # The API server knows these of every kind.
    own = {name: one for name, one in thing.items() if name not in ("apiVersion", "kind", "metadata")}
    for error in jsonschema.Draft202012Validator({**schema, "required": []}).iter_errors(own):
        yield f"{'.'.join(str(part) for part in error.path)}: {error.message}"


# The tests look at the same objects again and again, and this is what takes the time.
@functools.cache
def against_kubernetes(text):
    thing = json.loads(text)
    try:
        kubernetes_validate.validate(thing, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(str(part) for part in error.path)}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"Kubernetes {KUBERNETES} has no {thing.get('apiVersion')} {thing.get('kind')}"
    return None


def pod_template(workload):
    spec = workload["spec"]
    return (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]


def pod_spec(workload):
    return pod_template(workload)["spec"]


def pod_labels(workload):
    return pod_template(workload)["metadata"].get("labels", {})


def pod_rules(thing):
    if thing.get("kind") not in WORKLOADS:
        return
    spec = pod_spec(thing)
    confinement = spec.get("securityContext", {})
    if confinement.get("runAsNonRoot") is not True or not confinement.get("runAsUser"):
        yield "runs as root, or as a user without a number (runAsNonRoot, runAsUser)"
    if confinement.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile (RuntimeDefault)"
    if spec.get("automountServiceAccountToken") is not False:
        yield "gets a token for the cluster's API that it has no use for (automountServiceAccountToken)"
    if not spec.get("serviceAccountName"):
        yield "has no ServiceAccount of its own"
    for container in spec.get("initContainers", []) + spec["containers"]:
        for text in container_rules(container, is_server=thing["kind"] not in JOBS):
            yield f"container {container['name']}: {text}"
    if thing["kind"] == "Deployment":
        yield from stopping(spec)
        if "topologySpreadConstraints" not in spec:
            yield "has no topologySpreadConstraints"


def container_rules(container, is_server):
    limits = container.get("resources", {})
    for part in ("requests", "limits"):
        for what in ("cpu", "memory"):
            if not limits.get(part, {}).get(what):
                yield f"no {part} of {what}"
    confinement = container.get("securityContext", {})
    if confinement.get("readOnlyRootFilesystem") is not True:
        yield "its root filesystem can be written (readOnlyRootFilesystem)"
    if confinement.get("allowPrivilegeEscalation") is not False:
        yield "it may get more privileges (allowPrivilegeEscalation)"
    if confinement.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "it keeps capabilities (drop: [ALL])"
    if is_server:
        yield from (f"no {probe}" for probe in ("readinessProbe", "livenessProbe") if not container.get(probe))
    if container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        yield "its pod does not say why it ended (terminationMessagePolicy)"
    image = container.get("image", "")
    tag = image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[2]
    if "@sha256:" not in image and tag in ("", "latest"):
        yield f"the image {image} has no tag of its own"


def stopping(spec):
    """Kubernetes must wait for the pause before SIGTERM and for what the program then does."""
    seconds = max(
        (container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
         for container in spec["containers"]))
    if seconds == 0:
        yield "callers get no time to notice that a pod goes (preStop)"
    ports = [port.get("name") for container in spec["containers"] for port in container.get("ports", [])]
    if "grpc" in ports and seconds < STALE_NAME_SECONDS:
        yield f"goes before DNS caches forget it: preStop is below {STALE_NAME_SECONDS}"
    is_ours = any("./shippy-" in (container.get("command") or [""])[0] for container in spec["containers"])
    needed = seconds + (DRAIN_SECONDS + STOP_GRACE_SECONDS if is_ours else 0)
    if spec.get("terminationGracePeriodSeconds", 30) < needed:
        yield f"is killed before it has drained: terminationGracePeriodSeconds is below {needed}"


def autoscaling(thing, objects):
    if thing.get("kind") != "HorizontalPodAutoscaler":
        return
    target = thing["spec"]["scaleTargetRef"]
    found = [one for one in of_kind(objects, target["kind"]) if one["metadata"]["name"] == target["name"]]
    if not found:
        yield f"there is no {target['kind']} {target['name']}"
        return
    if "replicas" in found[0]["spec"]:
        yield f"{title(found[0])} says replicas, so each apply undoes the scaling"
    labels = pod_labels(found[0])
    if not any(selects(budget["spec"].get("selector"), labels) for budget in of_kind(objects, "PodDisruptionBudget")):
        yield "no PodDisruptionBudget keeps its pods while nodes are drained"


def entrances(thing):
    """Where calls from outside the cluster come in."""
    if "kubernetes.io/ingress.class" in thing["metadata"].get("annotations", {}):
        yield "kubernetes.io/ingress.class is deprecated: ingressClassName says it, or nothing does at Google"
    spec = thing.get("spec", {})
    if thing["kind"] == "Service" and spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") != "Local":
        yield "hides the caller's address, by which calls are limited (externalTrafficPolicy: Local)"


def selects(selector, labels):
    wanted = (selector or {}).get("matchLabels", {})
    return bool(wanted) and wanted.items() <= labels.items()


def service_rules(service, objects):
    """It has pods, they have its port, and a NetworkPolicy of theirs admits callers to it."""
    selector = service["spec"].get("selector", {})
    if selector.get("track") == "canary":
        # Its pods come and go. They are like the stable ones.
        selector = selector | {"track": "stable"}
    workloads = [one for one in of_kind(objects, *WORKLOADS) if selector.items() <= pod_labels(one).items()]
    if not workloads:
        yield "it selects no pods"
        return
    labels = pod_labels(workloads[0])
    named = {port["name"]: port["containerPort"] for container in pod_spec(workloads[0])["containers"]
             for port in container.get("ports", [])}
    for port in service["spec"]["ports"]:
        target = port.get("targetPort", port["port"])
        number = named.get(target, target)
        if number not in named.values():
            yield f"its pods have no port {target}"
        policies = [one for one in of_kind(objects, "NetworkPolicy") if selects(one["spec"]["podSelector"], labels)]
        admitted = {rule_port["port"] for policy in policies for rule in policy["spec"].get("ingress", [])
                    for rule_port in rule.get("ports", [])}
        if number not in admitted:
            yield f"no NetworkPolicy of its pods admits callers to port {number}"


def stands_beside_others(objects):
    """A canary: the overlay that it stands beside has what it refers to."""
    return not of_kind(objects, "Service")


def unknown_references(objects):
    """ConfigMaps, ServiceAccounts and claims that a pod needs and nobody made. Secrets are in no file on purpose."""
    names = {(one["kind"], one["metadata"]["name"]) for one in objects}
    for workload in of_kind(objects, *WORKLOADS):
        spec = pod_spec(workload)
        wanted = {("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
                  for volume in spec.get("volumes", []) if "persistentVolumeClaim" in volume}
        wanted |= {("ConfigMap", volume["configMap"]["name"])
                  for volume in spec.get("volumes", []) if "configMap" in volume}
        for container in spec.get("initContainers", []) + spec["containers"]:
            wanted |= {("ConfigMap", one["configMapRef"]["name"])
                       for one in container.get("envFrom", []) if "configMapRef" in one}
        if not stands_beside_others(objects):
            wanted.add(("ServiceAccount", spec.get("serviceAccountName")))
        for kind, name in sorted(wanted - names, key=str):
            yield f"{title(workload)}: there is no {kind} {name}"


def unknown_backends(objects):
    """Where an Ingress, a route or a health check leads to: Services that nobody made, or ports that they lack."""
    ports = {one["metadata"]["name"]: [{port["port"], port.get("name")} for port in one["spec"]["ports"]]
             for one in of_kind(objects, "Service")}
    for thing, name, port in backends(objects):
        if name not in ports:
            yield f"{title(thing)}: there is no Service {name}"
        elif port is not None and not any(port in known for known in ports[name]):
            yield f"{title(thing)}: the Service {name} has no port {port}"
    listeners = {(one["metadata"]["name"], listener["name"])
                 for one in of_kind(objects, "Gateway") for listener in one["spec"]["listeners"]}
    for route in of_kind(objects, "HTTPRoute"):
        for parent in route["spec"]["parentRefs"]:
            if (parent["name"], parent.get("sectionName")) not in listeners:
                yield f"{title(route)}: there is no listener {parent.get('sectionName')} of a Gateway {parent['name']}"
        for rule in route["spec"]["rules"]:
            if all(one.get("weight", 1) == 0 for one in rule["backendRefs"]):
                yield f"{title(route)}: all weights are 0, so that no call goes anywhere"


def backends(objects):
    for thing in objects:
        spec = thing.get("spec", {})
        if thing["kind"] == "Ingress":
            for rule in spec["rules"]:
                for path in rule["http"]["paths"]:
                    service = path["backend"]["service"]
                    yield thing, service["name"], service["port"].get("number", service["port"].get("name"))
        elif thing["kind"] == "HTTPRoute":
            for rule in spec["rules"]:
                for one in rule["backendRefs"]:
                    yield thing, one["name"], one["port"]
        elif thing["kind"] == "HealthCheckPolicy":
            yield thing, spec["targetRef"]["name"], None


def priority_class(thing):
    """The class that a workload's pods have, and that an operator gives its own."""
    if thing["kind"] in WORKLOADS:
        return pod_spec(thing).get("priorityClassName")
    spec = thing["spec"]
    if thing["kind"] == "MongoDBCommunity":
        spec = spec.get("statefulSet", {}).get("spec", {}).get("template", {}).get("spec", {})
    return spec.get("priorityClassName")


def rank(thing):
    """Whose place may be taken by whom: databases stand above programs, and these above canaries. A Job stands nowhere."""
    if thing["kind"] == "Deployment":
        return 1 if pod_labels(thing).get("track") == "canary" else 2
    return None if thing["kind"] in JOBS else 3


def priorities(objects):
    values = {one["metadata"]["name"]: one["value"] for one in of_kind(objects, "PriorityClass")}
    ranked = [(rank(one), values.get(priority_class(one)), one)
              for one in of_kind(objects, *WORKLOADS, "Cluster", "MongoDBCommunity")]
    for _, value, one in ranked:
        name = priority_class(one)
        if not name:
            yield f"{title(one)}: has no priorityClassName"
        elif value is None and not stands_beside_others(objects):
            yield f"{title(one)}: there is no PriorityClass {name}"
    for upper, upper_value, above in ranked:
        for lower, lower_value, below in ranked:
            if None in (upper, lower, upper_value, lower_value):
                continue
            if upper > lower and upper_value <= lower_value:
                yield f"{title(above)}: does not go before {title(below)} where a node is full (priorityClassName)"


class Demand(NamedTuple):
    """What one object's pods ask the scheduler for: how many always run, how many more at times, and each for what."""

    count: int
    extra: int
    cpu: int
    memory: int


def demands(objects):
    for thing in objects:
        kind, spec = thing["kind"], thing.get("spec", {})
        if kind in WORKLOADS:
            yield Demand(*counts(thing, objects), *largest_moment(pod_spec(thing)))
        elif kind == "Cluster":
            yield Demand(spec.get("instances", 0), 0, *requests([spec]))
        elif kind == "MongoDBCommunity":
            pod = spec.get("statefulSet", {}).get("spec", {}).get("template", {}).get("spec", {})
            yield Demand(spec.get("members", 0), 0, *requests(pod.get("containers", [])))


def counts(workload, objects):
    if workload["kind"] not in ("Deployment", "StatefulSet"):
        return 0, 1
    scalers = [int(one["spec"]["minReplicas"]) for one in of_kind(objects, "HorizontalPodAutoscaler")
               if one["spec"]["scaleTargetRef"]["name"] == workload["metadata"]["name"]]
    count = workload["spec"].get("replicas", scalers[0] if scalers else 1)
    if workload["kind"] == "StatefulSet":
        return count, 0
    surge = workload["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", "25%")
    surge = surge if isinstance(surge, int) else math.ceil(count * int(surge.rstrip("%")) / 100)
    # The next pod is replaced without waiting for the end of the last, which goes on for preStop and for its calls. So all
    # old ones may still be there beside all new ones.
    return count, max(surge, count)


def largest_moment(pod):
    """Init containers run one after the other and before the others, so the scheduler takes the larger of the two."""
    moments = [requests(pod["containers"]), *(requests([one]) for one in pod.get("initContainers", []))]
    return tuple(max(one) for one in zip(*moments))


def requests(containers):
    asked = [one.get("resources", {}).get("requests", {}) for one in containers]
    return sum(millicores(one.get("cpu", 0)) for one in asked), sum(mebibytes(one.get("memory", "0Mi")) for one in asked)


def millicores(amount):
    text = str(amount)
    return int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)


def mebibytes(amount):
    return math.ceil(float(amount[:-2]) * MIB[amount[-2:]])


def sizes(objects, overlay, document):
    """Whether it all fits the nodes, and whether the document says by how much."""
    room = ROOM.get(overlay)
    if room is None:
        return
    found = list(demands(objects))
    pods = sum(one.count for one in found)
    cpu, memory = (sum(one.count * getattr(one, what) for one in found) for what in ("cpu", "memory"))
    all_cpu, all_memory = (sum((one.count + one.extra) * getattr(one, what) for one in found) for what in ("cpu", "memory"))
    if all_cpu > room.nodes * room.cpu or all_memory > room.nodes * room.memory:
        yield (f"asks for {all_cpu}m and {all_memory} MiB while all is rolled and all jobs run;"
               f" its nodes have {room.nodes * room.cpu}m and {room.nodes * room.memory} MiB")
    left = max(room.nodes - 1, 1)
    if cpu > left * room.cpu or memory > left * room.memory:
        yield f"asks for {cpu}m and {memory} MiB; with one node away there are {left * room.cpu}m and {left * room.memory} MiB"
    row = (f"| `{overlay}` | {pods} | {cpu:,}m, {memory:,} MiB | {all_cpu:,}m, {all_memory:,} MiB"
           f" | {room.nodes} × {room.cpu:,}m, {room.memory:,} MiB |")
    if row not in document.splitlines():
        yield f"{DOCUMENT} lacks the row  {row}"


def one_sided_permissions(objects):
    """Who may call must be admitted, and who is admitted must be allowed to call."""
    calls, admissions, open_to_all = set(), set(), set()
    for policy in of_kind(objects, "NetworkPolicy"):
        own = label(policy["spec"]["podSelector"])
        open_to_all |= {(own, port["port"]) for rule in policy["spec"].get("ingress", []) if "from" not in rule
                        for port in rule.get("ports", [])}
        for direction, peers, pairs in (("egress", "to", calls), ("ingress", "from", admissions)):
            for rule in policy["spec"].get(direction, []):
                for peer in rule.get(peers, []):
                    other = label(peer.get("podSelector"))
                    if own is None or other is None or "namespaceSelector" in peer:
                        continue
                    both = (own, other) if direction == "egress" else (other, own)
                    pairs.update((*both, port["port"]) for port in rule.get("ports", []))
    for caller, callee, port in sorted(calls - admissions):
        if (callee, port) in open_to_all:
            continue
        yield f"NetworkPolicy: {caller} may call {callee}:{port}, which does not admit it"
    for caller, callee, port in sorted(admissions - calls):
        yield f"NetworkPolicy: {callee}:{port} admits {caller}, which may not call it"


def label(selector):
    labels = (selector or {}).get("matchLabels", {})
    return next(iter(labels.values()), None)


def main(arguments):
    status = 0
    with open(DOCUMENT, encoding="utf-8") as file:
        document = file.read()
    is_schema_only = False
    if arguments[:1] == ["--schema-only"]:
        arguments = arguments[1:]
        is_schema_only = True
    for argument in arguments:
        name, _, path = argument.partition("=")
        with open(path, encoding="utf-8") as file:
            objects = [thing for thing in yaml.safe_load_all(file) if thing]
        if is_schema_only:
            findings = schema_only(objects)
        else:
            findings = [*check(objects), *sizes(objects, name, document)]
        if not objects:
            findings = ["renders nothing"]
        for text in findings:
            print(f"{name}: {text}", file=sys.stderr)
        status = status or bool(findings)
        print(f"{name}: {len(objects)} objects, {len(findings) or 'no'} findings")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
