"""Proves that check_manifests.py sees each break that it is there for: takes a good overlay, breaks one thing, and looks
for the finding.

test_check_manifests.py FOLDER   FOLDER has gke.yaml, operators.yaml and gateway-api.yaml as rendered.
"""

import copy
import sys

import yaml

from check_manifests import DOCUMENT, against_crd, check, definitions, pod_spec, sizes


def find(objects, kind, name):
    return next(one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name)


def pod(objects, kind="Deployment", name="vessel"):
    return pod_spec(find(objects, kind, name))


def container(objects, kind="Deployment", name="vessel"):
    return pod(objects, kind, name)["containers"][0]


def remove(objects, kind, name):
    objects.remove(find(objects, kind, name))


def lose(mapping, *path):
    for key in path[:-1]:
        mapping = mapping[key]
    del mapping[path[-1]]


def put(mapping, value, *path):
    for key in path[:-1]:
        mapping = mapping[key]
    mapping[path[-1]] = value


# What is done to the overlay `gke`, and a part of the finding that must come of it.
BREAKS = [
    ("an unknown field", lambda o: put(container(o), True, "privileged"), "Additional properties"),
    (
        "a value of the wrong type",
        lambda o: put(find(o, "HorizontalPodAutoscaler", "api"), "3", "spec", "minReplicas"),
        "minReplicas",
    ),
    (
        "a kind that does not exist any more",
        lambda o: put(find(o, "PodDisruptionBudget", "api"), "policy/v1beta1", "apiVersion"),
        "has no policy/v1beta1",
    ),
    ("no readiness probe", lambda o: lose(container(o), "readinessProbe"), "no readinessProbe"),
    ("no liveness probe", lambda o: lose(container(o, "StatefulSet", "mongo"), "livenessProbe"), "no livenessProbe"),
    ("no last words", lambda o: lose(container(o), "terminationMessagePolicy"), "does not say why it ended"),
    ("no memory limit", lambda o: lose(container(o), "resources", "limits", "memory"), "no limits of memory"),
    (
        "no processor request",
        lambda o: lose(container(o, "Job", "mongo-init"), "resources", "requests", "cpu"),
        "no requests of cpu",
    ),
    ("root", lambda o: lose(pod(o), "securityContext", "runAsNonRoot"), "runs as root"),
    ("user 0", lambda o: put(pod(o), 0, "securityContext", "runAsUser"), "runs as root"),
    ("no seccomp profile", lambda o: lose(pod(o), "securityContext", "seccompProfile"), "seccomp"),
    (
        "a writable root filesystem",
        lambda o: put(container(o), False, "securityContext", "readOnlyRootFilesystem"),
        "can be written",
    ),
    ("capabilities", lambda o: lose(container(o), "securityContext", "capabilities"), "capabilities"),
    (
        "more privileges",
        lambda o: lose(container(o), "securityContext", "allowPrivilegeEscalation"),
        "more privileges",
    ),
    ("a token of the API", lambda o: lose(pod(o), "automountServiceAccountToken"), "token"),
    ("the default ServiceAccount", lambda o: lose(pod(o), "serviceAccountName"), "no ServiceAccount of its own"),
    (
        "a ServiceAccount that nobody made",
        lambda o: remove(o, "ServiceAccount", "vessel"),
        "there is no ServiceAccount vessel",
    ),
    ("the tag latest", lambda o: put(container(o), "shippy/vessel-service:latest", "image"), "no tag of its own"),
    (
        "no tag, a registry with a port",
        lambda o: put(container(o), "host:5000/vessel-service", "image"),
        "no tag of its own",
    ),
    ("no preStop", lambda o: lose(container(o), "lifecycle"), "no time to notice"),
    (
        "a preStop shorter than DNS caches keep answers",
        lambda o: put(container(o), 39, "lifecycle", "preStop", "sleep", "seconds"),
        "before DNS caches forget it",
    ),
    (
        "a short grace period",
        lambda o: put(pod(o), 39, "terminationGracePeriodSeconds"),
        "is killed before it has drained",
    ),
    ("no spread", lambda o: lose(pod(o), "topologySpreadConstraints"), "topologySpreadConstraints"),
    ("no budget", lambda o: remove(o, "PodDisruptionBudget", "user"), "no PodDisruptionBudget"),
    (
        "an autoscaler of nothing",
        lambda o: put(find(o, "HorizontalPodAutoscaler", "api"), "gateway", "spec", "scaleTargetRef", "name"),
        "there is no Deployment gateway",
    ),
    (
        "replicas beside an autoscaler",
        lambda o: put(find(o, "Deployment", "api"), 3, "spec", "replicas"),
        "each apply undoes the scaling",
    ),
    ("no network policy", lambda o: remove(o, "NetworkPolicy", "postgres"), "Service postgres: no NetworkPolicy"),
    (
        "a policy for another port",
        lambda o: put(find(o, "NetworkPolicy", "vessel"), 8081, "spec", "ingress", 0, "ports", 0, "port"),
        "Service vessel: no NetworkPolicy",
    ),
    (
        "a caller that is not admitted",
        lambda o: lose(find(o, "NetworkPolicy", "user"), "spec", "ingress", 0, "from", 2),
        "consignment may call user:8080",
    ),
    (
        "a caller that may not call",
        lambda o: lose(find(o, "NetworkPolicy", "consignment"), "spec", "egress"),
        "vessel:8080 admits consignment",
    ),
    (
        "a Service without pods",
        lambda o: put(find(o, "Service", "email"), {"app": "mail"}, "spec", "selector"),
        "selects no pods",
    ),
    (
        "a Service with a port that pods lack",
        lambda o: put(find(o, "Service", "api"), "https", "spec", "ports", 0, "targetPort"),
        "have no port https",
    ),
    ("no priority", lambda o: lose(pod(o), "priorityClassName"), "no priorityClassName"),
    (
        "a priority that nobody made",
        lambda o: remove(o, "PriorityClass", "shippy-database"),
        "StatefulSet postgres: there is no PriorityClass shippy-database",
    ),
    (
        "a program that takes a database's place",
        lambda o: put(find(o, "PriorityClass", "shippy-program"), 3000, "value"),
        "StatefulSet mongo: does not go before Deployment api",
    ),
    (
        "a canary that takes a program's place",
        lambda o: put(find(o, "Deployment", "vessel"), "canary", "spec", "template", "metadata", "labels", "track"),
        "Deployment api: does not go before Deployment vessel",
    ),
    (
        "more than the nodes have while all is rolled",
        lambda o: put(find(o, "Deployment", "api"), 40, "spec", "strategy", "rollingUpdate", "maxSurge"),
        "while all is rolled and all jobs run",
    ),
    (
        "more than the nodes have beside pods that are still ending",
        lambda o: put(find(o, "HorizontalPodAutoscaler", "api"), 5, "spec", "minReplicas"),
        "while all is rolled and all jobs run",
    ),
    (
        "more than the nodes have with one away",
        lambda o: put(container(o, "StatefulSet", "mongo"), "400m", "resources", "requests", "cpu"),
        "with one node away",
    ),
    (
        "more memory than the nodes have",
        lambda o: put(container(o, "StatefulSet", "mongo"), "4Gi", "resources", "requests", "memory"),
        "with one node away",
    ),
    (
        "more pods than the document says",
        lambda o: put(find(o, "HorizontalPodAutoscaler", "api"), 4, "spec", "minReplicas"),
        f"{DOCUMENT} lacks the row  | `gke` | 18 | ",
    ),
    (
        "a deprecated annotation",
        lambda o: put(find(o, "Ingress", "shippy"), "gce", "metadata", "annotations", "kubernetes.io/ingress.class"),
        "ingress.class is deprecated",
    ),
    (
        "a load balancer that hides the caller",
        lambda o: lose(find(o, "Service", "ui"), "spec", "externalTrafficPolicy"),
        "Service ui: hides the caller's address",
    ),
    ("a Job without priority", lambda o: lose(pod(o, "Job", "mongo-init"), "priorityClassName"), "has no priorityClassName"),
    (
        "a CronJob with a token of the API",
        lambda o: lose(pod(o, "CronJob", "backup"), "automountServiceAccountToken"),
        "CronJob backup: gets a token",
    ),
    (
        "an init container that writes to its root filesystem",
        lambda o: lose(pod(o, "CronJob", "backup"), "initContainers", 0, "securityContext", "readOnlyRootFilesystem"),
        "CronJob backup: container postgres: its root filesystem can be written",
    ),
    (
        "a backup that PostgreSQL does not admit",
        lambda o: lose(find(o, "NetworkPolicy", "postgres"), "spec", "ingress", 0, "from", 1),
        "backup may call postgres:5432",
    ),
    (
        "a claim that nobody made",
        lambda o: remove(o, "PersistentVolumeClaim", "backup"),
        "CronJob restore-rehearsal: there is no PersistentVolumeClaim backup",
    ),
    (
        "an Ingress to a Service that nobody made",
        lambda o: remove(o, "Service", "ui"),
        "Ingress shippy: there is no Service ui",
    ),
    (
        "an Ingress to a port that a Service lacks",
        lambda o: put(find(o, "Service", "ui"), "web", "spec", "ports", 0, "name"),
        "Ingress shippy: the Service ui has no port http",
    ),
    ("settings that nobody made", lambda o: remove(o, "ConfigMap", "mongo-init"), "there is no ConfigMap mongo-init"),
]

OPERATOR_BREAKS = [
    (
        "a Cluster without instances",
        lambda o: lose(find(o, "Cluster", "postgres"), "spec", "instances"),
        "spec.instances is missing",
    ),
    (
        "more instances of a Cluster than the nodes hold",
        lambda o: put(find(o, "Cluster", "postgres"), 5, "spec", "instances"),
        "with one node away",
    ),
    (
        "more members of a MongoDBCommunity than the nodes hold",
        lambda o: put(find(o, "MongoDBCommunity", "mongo"), 5, "spec", "members"),
        "with one node away",
    ),
    (
        "a Cluster without priority",
        lambda o: lose(find(o, "Cluster", "postgres"), "spec", "priorityClassName"),
        "Cluster postgres: has no priorityClassName",
    ),
    (
        "a MongoDBCommunity without priority",
        lambda o: lose(find(o, "MongoDBCommunity", "mongo"), "spec", "statefulSet", "spec", "template"),
        "MongoDBCommunity mongo: has no priorityClassName",
    ),
    (
        "a MongoDBCommunity with a slip",
        lambda o: put(find(o, "MongoDBCommunity", "mongo"), 3, "spec", "memberz"),
        "spec.memberz is unknown",
    ),
]


GATEWAY_BREAKS = [
    (
        "a route with a slip",
        lambda o: put(find(o, "HTTPRoute", "ui"), "x", "spec", "parentRefs", 0, "sectionNam"),
        "HTTPRoute ui: spec.parentRefs.0.sectionNam is unknown",
    ),
    (
        "a weight that is no number",
        lambda o: put(find(o, "HTTPRoute", "api"), "10", "spec", "rules", 0, "backendRefs", 1, "weight"),
        "spec.rules.0.backendRefs.1.weight is no int",
    ),
    (
        "a Gateway without a class",
        lambda o: lose(find(o, "Gateway", "shippy"), "spec", "gatewayClassName"),
        "spec.gatewayClassName is missing",
    ),
    (
        "a listener of an unknown protocol",
        lambda o: put(find(o, "Gateway", "shippy"), "TLSS", "spec", "listeners", 0, "protocol"),
        "protocol is none of HTTP, HTTPS",
    ),
    (
        "a route without hosts",
        lambda o: put(find(o, "HTTPRoute", "ui"), [], "spec", "hostnames"),
        "spec.hostnames is no list of something",
    ),
    (
        "a route to a Service that nobody made",
        lambda o: remove(o, "Service", "api-canary"),
        "HTTPRoute api: there is no Service api-canary",
    ),
    (
        "a route to a port that a Service lacks",
        lambda o: put(find(o, "HTTPRoute", "ui"), 8080, "spec", "rules", 0, "backendRefs", 0, "port"),
        "HTTPRoute ui: the Service ui has no port 8080",
    ),
    (
        "a route of no listener",
        lambda o: put(find(o, "Gateway", "shippy"), "web", "spec", "listeners", 0, "name"),
        "HTTPRoute ui: there is no listener https",
    ),
    (
        "a route that leads nowhere",
        lambda o: put(find(o, "HTTPRoute", "api"), 0, "spec", "rules", 0, "backendRefs", 0, "weight"),
        "all weights are 0",
    ),
    (
        "a canary's Service whose pods nobody would make",
        lambda o: put(find(o, "Service", "api-canary"), {"app": "gateway", "track": "canary"}, "spec", "selector"),
        "Service api-canary: it selects no pods",
    ),
    (
        "a health check of a Service that nobody made",
        lambda o: put(find(o, "HealthCheckPolicy", "ui"), "page", "spec", "targetRef", "name"),
        "HealthCheckPolicy ui: there is no Service page",
    ),
    (
        "a health check without a path",
        lambda o: lose(find(o, "HealthCheckPolicy", "ui"), "spec", "default", "config", "httpHealthCheck", "requestPath"),
        "requestPath is missing",
    ),
]

# What CRDS=FOLDER reads, and what it must make of two objects.
DEFINITION = {"spec": {"group": "example.com", "names": {"kind": "Thing"}, "versions": [{"name": "v1", "schema": {
    "openAPIV3Schema": {"properties": {"spec": {"properties": {
        "count": {"type": "integer"}, "port": {"x-kubernetes-int-or-string": True, "type": "string"}}}}}}}]}}
THINGS = [
    ({"count": 3, "port": 80}, None),
    ({"count": "3"}, "spec.count: '3' is not of type 'integer'"),
    ({"cound": 3}, "spec: Additional properties are not allowed"),
]


def misread_definitions():
    schema = definitions(DEFINITION)["example.com/v1", "Thing"]
    for spec, expected in THINGS:
        found = list(against_crd({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {}, "spec": spec}, schema))
        if bool(found) != bool(expected) or expected and not found[0].startswith(expected):
            yield f"a CustomResourceDefinition, {spec}: expected {expected}, got {found}"


def findings(objects, overlay, document):
    return {*check(objects), *sizes(objects, overlay, document)}


def main(folder):
    failures = list(misread_definitions())
    parts = {"gke": BREAKS, "operators": OPERATOR_BREAKS, "gateway-api": GATEWAY_BREAKS}
    with open(DOCUMENT, encoding="utf-8") as file:
        document = file.read()
    for overlay, breaks in parts.items():
        with open(f"{folder}/{overlay}.yaml", encoding="utf-8") as file:
            good = list(yaml.safe_load_all(file))
        before = findings(good, overlay, document)
        for name, destroy, expected in breaks:
            objects = copy.deepcopy(good)
            destroy(objects)
            new = findings(objects, overlay, document) - before
            if not any(expected in text for text in new):
                failures.append(f"{name}: expected '{expected}', got {sorted(new) or 'nothing'}")
    for text in failures:
        print(text, file=sys.stderr)
    count = len(THINGS) + sum(len(breaks) for breaks in parts.values())
    print(f"checks: {count - len(failures)} of {count} breaks seen")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
