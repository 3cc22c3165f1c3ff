"""The manifests of the series as test cases: with image and apiVersion changed and nothing else they are valid today, and
deployments/series differs from them in nothing but what is listed here, and in docs/kubernetes.md with the reason.

SeriesManifestTests starts the programs with the command lines and variables of deployments/series.
"""

import glob
import json
import os
import sys
import unittest

import yaml

from check_manifests import schema

sys.path.insert(0, f"{os.path.dirname(os.path.abspath(__file__))}/cluster")
from series import UPDATED_AT, WRITTEN, applied, images  # noqa: E402

# Those of deployments/series.
IMAGES = images("shippy", "0.1.0")

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
            for thing in applied(objects, IMAGES):
                with self.subTest(name=name, kind=thing["kind"]):
                    self.assertEqual(list(schema(thing)), [])

    def test_they_are_not_valid_as_they_were_written(self):
        self.assertTrue(list(schema(WRITTEN["vessel"][0])))

    def test_ours_differ_only_in_what_is_listed(self):
        for name, objects in WRITTEN.items():
            with self.subTest(name=name), open(f"deployments/series/{name}.yaml", encoding="utf-8") as file:
                ours = list(yaml.safe_load_all(file))
                theirs, mine = essence(applied(objects, IMAGES)), essence(ours)
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
