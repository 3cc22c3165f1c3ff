"""Tests the scripts that talk to a cluster, with a stand-in for kubectl on the path (fake_kubectl.py): what they do, in which
order, and what they say. Of kubectl itself only `kustomize` is asked.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = ("api", "consignment", "email", "ui", "user", "vessel")


def running(name, replicas=2):
    return {"replicas": replicas, "runs": f"{name}-old", "health": "ok", "revisions": {f"{name}-older": 1, f"{name}-old": 2}}


def rolled(names, health="ok"):
    return {name: {"runs": f"{name.partition('/')[2]}-new", "health": health} for name in names}


DEPLOYMENTS = [f"deployment/{name}" for name in PROGRAMS]


class ClusterTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        with open(f"{self.folder}/kubectl", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nexec {sys.executable} {HERE}/fake_kubectl.py \"$@\"\n")
        os.chmod(f"{self.folder}/kubectl", 0o755)
        self.put(workloads={
            **{f"deployment/{name}": running(name) for name in PROGRAMS},
            "statefulset/mongo": running("mongo", 3), "statefulset/postgres": running("postgres", 1)})

    def put(self, **changes):
        state = {"workloads": {}, "configmaps": {}, "next": {}, "done": [], "says": {}, "leaving": [], "disks": {}}
        if os.path.exists(f"{self.folder}/state"):
            state = self.state()
        with open(f"{self.folder}/state", "w", encoding="utf-8") as file:
            json.dump(state | changes, file)

    def state(self):
        with open(f"{self.folder}/state", encoding="utf-8") as file:
            return json.load(file)

    def runs(self):
        return {name: one["runs"] for name, one in self.state()["workloads"].items()}

    def script(self, name, *arguments, status=0, text="", **variables):
        """What a script said, on both streams."""
        environment = os.environ | {
            "PATH": f"{self.folder}:{os.environ['PATH']}", "REAL_KUBECTL": shutil.which("kubectl"), "TAG": "v2",
            "FAKE_CLUSTER": f"{self.folder}/state", "POLL_SECONDS": "0.01", "ROLLOUT_TIMEOUT": "0s"} | variables
        done = subprocess.run([f"{HERE}/{name}", *arguments], env=environment, input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout


class DeployTests(ClusterTest):
    def test_a_good_deploy_gets_through_and_can_be_taken_back(self):
        self.put(next=rolled(DEPLOYMENTS))
        said = self.script("deploy.sh", OVERLAY="gke")
        self.assertIn("gke runs v2", said)
        self.assertIn("make undo OVERLAY=gke", said)
        self.assertIn("delete job/mongo-init --ignore-not-found", self.state()["done"])
        said = self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(self.runs()["deployment/vessel"], "vessel-old")
        self.assertIn("back to what ran before: deployment/api, deployment/consignment", said)
        self.assertIn("there is no deploy of gke to take back", self.script("undo.sh", OVERLAY="gke", status=1))

    def test_a_missing_tag_names_all_that_changed_and_one_command_takes_all_back(self):
        before = self.runs()
        self.put(next=rolled(DEPLOYMENTS, "image"))
        said = self.script("deploy.sh", OVERLAY="gke", status=1)
        self.assertIn("pod vessel-new vessel: ImagePullBackOff: no such tag", said)
        self.assertIn("changed by this deploy: " + ", ".join(DEPLOYMENTS), said)
        self.assertIn("make undo OVERLAY=gke", said)
        self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(self.runs(), before)

    def test_a_database_without_a_node_is_what_is_named(self):
        self.put(next=rolled(["statefulset/postgres"], "pending"))
        said = self.script("deploy.sh", OVERLAY="gke", status=1)
        self.assertIn("pod postgres-new has no node: 0/3 nodes are available: 3 Insufficient cpu.", said)
        self.assertNotIn("deployment/", said)
        self.assertLess(said.index("First: earlier"), said.index("Second: later"), "events stand in the order of time")
        self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(self.runs()["statefulset/postgres"], "postgres-old")
        self.assertIn("delete pod/postgres-new --wait=false", self.state()["done"])

    def test_a_program_that_ends_shows_its_status(self):
        self.put(next=rolled(["deployment/user"], "crash"))
        self.assertIn("user: CrashLoopBackOff (restart 4; ended with status 64, Error)",
                      self.script("deploy.sh", OVERLAY="gke", status=1))

    def test_the_second_deploy_that_fails_goes_back_to_what_last_ran_whole(self):
        before = self.runs()
        self.put(next=rolled(DEPLOYMENTS, "image"))
        self.script("deploy.sh", OVERLAY="gke", status=1)
        self.put(next={"deployment/user": {"runs": "user-newer", "health": "crash"}})
        self.script("deploy.sh", OVERLAY="gke", status=1)
        self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(self.runs(), before)

    def test_an_apply_that_stops_half_way_can_be_taken_back(self):
        before = self.runs()
        self.put(next=rolled(["deployment/api"]), apply_fails=True)
        self.assertIn("not all could be applied; back to what ran before, all of it: make undo OVERLAY=gke",
                      self.script("deploy.sh", OVERLAY="gke", status=1))
        self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(self.runs(), before)

    def test_what_was_not_there_before_is_deleted(self):
        self.put(next=rolled(["deployment/vessel-canary"], "crash"))
        self.script("deploy.sh", OVERLAY="canary", status=1)
        self.script("undo.sh", OVERLAY="canary")
        self.assertNotIn("deployment/vessel-canary", self.runs())

    def test_a_database_that_was_not_there_before_stays(self):
        self.put(workloads={}, next=rolled([*DEPLOYMENTS, "statefulset/mongo", "statefulset/postgres"], "pending"))
        self.script("deploy.sh", OVERLAY="gke", status=1)
        self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(sorted(self.runs()), ["statefulset/mongo", "statefulset/postgres"])


class UndeployTests(ClusterTest):
    def setUp(self):
        super().setUp()
        self.put(disks={"pvc-1": "data-mongo-0"})

    def test_without_an_answer_nothing_is_done(self):
        said = self.script("undeploy.sh", status=1, text="\n")
        self.assertIn("pvc-1 data-mongo-0", said)
        self.assertIn("nothing was done", said)
        self.assertEqual(self.state()["done"], [])

    def test_disks_are_made_to_stay_before_their_claims_go(self):
        said = self.script("undeploy.sh", text="shippy\n")
        done = self.state()["done"]
        self.assertIn("Retain", done[0])
        self.assertIn("persistentvolume pvc-1", done[0])
        self.assertEqual(done[1], "delete namespace shippy --ignore-not-found")
        self.assertTrue(any(one.startswith("delete priorityclass,storageclass --selector") for one in done))
        self.assertIn("nothing is left but these disks", said)

    def test_the_canary_alone(self):
        self.script("undeploy.sh", OVERLAY="canary")
        self.assertEqual(self.state()["done"],
                         ["delete deployment,configmap --selector track=canary --ignore-not-found"])


if __name__ == "__main__":
    unittest.main()
