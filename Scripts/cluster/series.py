"""The manifests of the series as it wrote them, and as somebody applies them today: with image and apiVersion changed and
nothing else.
"""

import copy

# The series' versions of the API, none of which a cluster still has, and today's.
TODAY = {"apps/v1beta1": "apps/v1", "apps/v1beta2": "apps/v1", "storage.k8s.io/v1beta1": "storage.k8s.io/v1"}
# The series changes it to force a deployment.
UPDATED_AT = {"UPDATED_AT": "now"}


def workload(kind, version, name, containers, replicas=1, labels=None, **more):
    pod = {"containers": containers, **({"terminationGracePeriodSeconds": 10} if kind == "StatefulSet" else {})}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name, **(labels or {})}}, "spec": pod}, **more}}


def container(name, port, port_name=None, env=None, **more):
    return {"name": name, "image": f"series/{name}",
            "ports": [{"containerPort": port, **({"name": port_name} if port_name else {})}],
            **({"env": [{"name": key, "value": value} for key, value in env.items()]} if env else {}), **more}


def program(name, port_name, env):
    command = [f"./shippy-{name}-service", "--selector=static", "--server_address=:8080"]
    one = container(f"{name}-service", 8080, port_name, {**env, **UPDATED_AT}, imagePullPolicy="Always", command=command)
    return [workload("Deployment", "apps/v1beta1", name, [one]),
            service(name, {"app": name}, {"port": 8080, "protocol": "TCP"})]


def database(name, version, containers):
    """A StatefulSet, a Service with an address for each pod, and the class of its disks."""
    claim = {"metadata": {"name": f"{name}-persistent-storage",
                          "annotations": {"volume.beta.kubernetes.io/storage-class": "fast"}},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}}
    port = containers[0]["ports"][0]["containerPort"]
    return [
        workload("StatefulSet", version, name, containers, 3, {"role": name}, serviceName=name, volumeClaimTemplates=[claim]),
        service(name, {"role": name}, {"port": port, "targetPort": port}, clusterIP="None"),
        {"apiVersion": "storage.k8s.io/v1beta1", "kind": "StorageClass", "metadata": {"name": "fast"},
         "provisioner": "kubernetes.io/gce-pd", "parameters": {"type": "pd-ssd"}}]


def mount(name, path):
    return {"volumeMounts": [{"name": f"{name}-persistent-storage", "mountPath": path}]}


def service(name, selector, port, **more):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": selector, "ports": [port], **more}}


# What the series writes. Of the email service it has only an empty file; this is the others' pattern.
WRITTEN = {
    "vessel": program("vessel", "vessel-port", {"DB_HOST": "mongo:27017"}),
    "consignment": program("consignment", "cons-port", {"DB_HOST": "mongo:27017"}),
    "user": program("user", "user-port", {
        "DB_HOST": "postgres:5432", "DB_NAME": "postgres", "DB_PASS": "password", "DB_USER": "postgres"}),
    "email": program("email", None, {}),
    "micro": [
        workload("Deployment", "apps/v1", "micro", [container(
            "micro", 80, "port", {"MICRO_API_ADDRESS": ":80"}, args=["api", "--handler=rpc", "--namespace=shippy"])], 3),
        service("micro", {"app": "micro"}, {"name": "api-http", "port": 80, "targetPort": "port", "protocol": "TCP"},
                type="LoadBalancer")],
    "ui": [
        workload("Deployment", "apps/v1beta1", "ui", [container("ui-service", 80, "ui", UPDATED_AT, imagePullPolicy="Always")]),
        service("ui", {"app": "ui"}, {"port": 80, "targetPort": "ui", "protocol": "TCP"}, type="LoadBalancer")],
    "mongo": database("mongo", "apps/v1beta1", [
        container("mongo", 27017, command=[
            "mongod", "--replSet", "rs0", "--smallfiles", "--noprealloc", "--bind_ip", "0.0.0.0"], **mount("mongo", "/data/db")),
        {"name": "mongo-sidecar", "image": "cvallance/mongo-k8s-sidecar",
         "env": [{"name": "MONGO_SIDECAR_POD_LABELS", "value": "role=mongo,environment=test"}]}]),
    "postgres": database("postgres", "apps/v1beta2", [
        container("postgres", 5432, "postgres", **mount("postgres", "/var/lib/postgresql/data"))]),
}


def images(registry, tag):
    """What stands in place of each image."""
    ours = {"vessel": "vessel-service", "consignment": "consignment-service", "user": "user-service",
            "email": "email-service", "micro": "api-gateway", "ui": "ui"}
    # The newest that take the series' command line, and start without a password.
    return {**{name: f"{registry}/{image}:{tag}" for name, image in ours.items()},
            "mongo": "mongo:4.0", "postgres": "postgres:12.1"}


def applied(objects, by_name):
    made = copy.deepcopy(objects)
    for thing in made:
        thing["apiVersion"] = TODAY.get(thing["apiVersion"], thing["apiVersion"])
        if thing["kind"] in ("Deployment", "StatefulSet"):
            thing["spec"]["template"]["spec"]["containers"][0]["image"] = by_name[thing["metadata"]["name"]]
    return made
