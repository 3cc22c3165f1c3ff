"""The manifests of the series as test cases: with image and apiVersion changed and nothing else they are valid today, and
deployments/series differs from them in nothing but what is listed here, and in docs/kubernetes.md with the reason.

SeriesManifestTests starts the programs with the command lines and variables of deployments/series.
"""

import copy
import glob
import json
import unittest

import yaml

from check_manifests import schema

TAG = "0.1.0"
# The series' versions of the API, none of which a cluster still has, and today's.
TODAY = {"apps/v1beta1": "apps/v1", "apps/v1beta2": "apps/v1", "storage.k8s.io/v1beta1": "storage.k8s.io/v1"}
IMAGES = {
    "vessel": f"shippy/vessel-service:{TAG}", "consignment": f"shippy/consignment-service:{TAG}",
    "user": f"shippy/user-service:{TAG}", "email": f"shippy/email-service:{TAG}", "micro": f"shippy/api-gateway:{TAG}",
    "ui": f"shippy/ui:{TAG}",
    # The newest that take the series' command line, and start without a password.
    "mongo": "mongo:4.0", "postgres": "postgres:12.1"}
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

# What deployments/series has otherwise.
AGE = "Deployment env MAX_CONNECTION_AGE"
CLASS = "StatefulSet volumeClaimTemplates"
DIFFERS = {
    "vessel": {AGE}, "consignment": {AGE}, "micro": set(), "ui": set(),
    "email": {AGE},
    "user": {AGE, *(f"Deployment env {name}" for name in ("DB_NAME", "DB_USER", "DB_PASS", "JWT_SECRET"))},
    "mongo": {"StatefulSet replicas", "StatefulSet image", "StatefulSet command", "StatefulSet containers", CLASS, "StorageClass"},
    "postgres": {"StatefulSet replicas", "StatefulSet image", CLASS, "StorageClass",
                 *(f"StatefulSet env {name}" for name in ("POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "PGDATA"))},
}


def applied(objects):
    """As somebody applies them today: image and apiVersion changed."""
    made = copy.deepcopy(objects)
    for thing in made:
        thing["apiVersion"] = TODAY.get(thing["apiVersion"], thing["apiVersion"])
        if thing["kind"] in ("Deployment", "StatefulSet"):
            thing["spec"]["template"]["spec"]["containers"][0]["image"] = IMAGES[thing["metadata"]["name"]]
    return made


def essence(objects):
    """What decides how it runs, each with a name of its own. Names of containers and ports are theirs, where none refers to
    them, and so are pull policies."""
    found = {}
    for thing in objects:
        kind, spec = thing["kind"], thing.get("spec", {})
        if kind not in ("Deployment", "StatefulSet"):
            found[kind] = {"apiVersion": thing["apiVersion"], **spec}
            continue
        pod = spec["template"]["spec"]
        first = pod["containers"][0]
        parts = {
            "apiVersion": thing["apiVersion"], "containers": len(pod["containers"]),
            "labels": spec["template"]["metadata"]["labels"],
            "ports": [one["containerPort"] for one in first["ports"]],
            **{name: spec.get(name) for name in ("replicas", "selector", "serviceName", "volumeClaimTemplates")},
            **{name: first.get(name) for name in ("image", "command", "args", "volumeMounts")},
            "grace": pod.get("terminationGracePeriodSeconds"),
            **{f"env {one['name']}": one.get("value", "from a Secret") for one in first.get("env", [])
               if one["name"] != "UPDATED_AT"}}
        found |= {f"{kind} {name}": value for name, value in parts.items()}
    return found


def named_port(objects):
    """A port that a Service calls by its name must have it."""
    names = {port.get("name") for thing in objects if thing["kind"] in ("Deployment", "StatefulSet")
             for port in thing["spec"]["template"]["spec"]["containers"][0]["ports"]}
    return all(port.get("targetPort") in names for thing in objects if thing["kind"] == "Service"
               for port in thing["spec"]["ports"] if isinstance(port.get("targetPort"), str))


def plain(service_spec):
    """A Service's port has a name here and there, and TCP is what it is without a word."""
    made = json.loads(json.dumps(service_spec))
    for port in made.get("ports", []):
        port.pop("name", None)
        port.setdefault("protocol", "TCP")
    return made


class SeriesTests(unittest.TestCase):
    def test_the_image_of_email_names_the_store_that_its_manifest_does_not(self):
        with open("Dockerfile", encoding="utf-8") as file:
            stage = file.read().partition(" AS email-service\n")[2].partition("\nFROM ")[0]
        self.assertIn("\nENV DB_HOST=mongo:27017\n", stage)
        names = {one["name"] for one in WRITTEN["email"][0]["spec"]["template"]["spec"]["containers"][0]["env"]}
        self.assertEqual(names, set(UPDATED_AT))

    def test_the_manifests_are_valid_with_image_and_api_version_changed(self):
        for name, objects in WRITTEN.items():
            for thing in applied(objects):
                with self.subTest(name=name, kind=thing["kind"]):
                    self.assertEqual(list(schema(thing)), [])

    def test_they_are_not_valid_as_they_were_written(self):
        self.assertTrue(list(schema(WRITTEN["vessel"][0])))

    def test_ours_differ_only_in_what_is_listed(self):
        for name, objects in WRITTEN.items():
            with self.subTest(name=name), open(f"deployments/series/{name}.yaml", encoding="utf-8") as file:
                ours = list(yaml.safe_load_all(file))
                theirs, mine = essence(applied(objects)), essence(ours)
                for both in (theirs, mine):
                    both["Service"] = plain(both["Service"])
                different = {part for part in theirs.keys() | mine.keys() if theirs.get(part) != mine.get(part)}
                self.assertEqual(different, DIFFERS[name])
                self.assertTrue(named_port(objects) and named_port(ours))

    def test_none_is_left_out(self):
        # `api` is the gateway in the manner of the others; the series has only `micro`.
        files = {path.rpartition("/")[2].removesuffix(".yaml") for path in glob.glob("deployments/series/*.yaml")}
        self.assertEqual(files, {*WRITTEN, "api"})


if __name__ == "__main__":
    unittest.main()
