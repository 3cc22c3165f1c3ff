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
        state = {"workloads": {}, "configmaps": {}, "next": {}, "done": [], "says": {}, "leaving": [], "disks": {}, "cronjob": {},
                 "job": ""}
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
        said = self.script("deploy.sh", OVERLAY="gke", status=3)
        self.assertIn("pod vessel-new vessel: ImagePullBackOff: no such tag", said)
        self.assertIn("changed by this deploy: " + ", ".join(DEPLOYMENTS), said)
        self.assertIn("make undo OVERLAY=gke", said)
        self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(self.runs(), before)

    def test_a_database_without_a_node_is_what_is_named(self):
        self.put(next=rolled(["statefulset/postgres"], "pending"))
        said = self.script("deploy.sh", OVERLAY="gke", status=3)
        self.assertIn("pod postgres-new has no node: 0/3 nodes are available: 3 Insufficient cpu.", said)
        self.assertNotIn("deployment/", said)
        self.assertLess(said.index("First: earlier"), said.index("Second: later"), "events stand in the order of time")
        self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(self.runs()["statefulset/postgres"], "postgres-old")
        self.assertIn("delete pod/postgres-new --wait=false", self.state()["done"])

    def test_a_program_that_ends_shows_its_status(self):
        self.put(next=rolled(["deployment/user"], "crash"))
        self.assertIn("user: CrashLoopBackOff (restart 4; ended with status 64, Error)",
                      self.script("deploy.sh", OVERLAY="gke", status=3))

    def test_the_second_deploy_that_fails_goes_back_to_what_last_ran_whole(self):
        before = self.runs()
        self.put(next=rolled(DEPLOYMENTS, "image"))
        self.script("deploy.sh", OVERLAY="gke", status=3)
        self.put(next={"deployment/user": {"runs": "user-newer", "health": "crash"}})
        self.script("deploy.sh", OVERLAY="gke", status=3)
        self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(self.runs(), before)

    def test_an_apply_that_stops_half_way_can_be_taken_back(self):
        before = self.runs()
        self.put(next=rolled(["deployment/api"]), apply_fails=True)
        self.assertIn("not all could be applied; back to what ran before, all of it: make undo OVERLAY=gke",
                      self.script("deploy.sh", OVERLAY="gke", status=3))
        self.script("undo.sh", OVERLAY="gke")
        self.assertEqual(self.runs(), before)

    def test_what_was_not_there_before_is_deleted(self):
        self.put(next=rolled(["deployment/vessel-canary"], "crash"))
        self.script("deploy.sh", OVERLAY="canary", status=3)
        self.script("undo.sh", OVERLAY="canary")
        self.assertNotIn("deployment/vessel-canary", self.runs())

    def test_a_database_that_was_not_there_before_stays(self):
        self.put(workloads={}, next=rolled([*DEPLOYMENTS, "statefulset/mongo", "statefulset/postgres"], "pending"))
        self.script("deploy.sh", OVERLAY="gke", status=3)
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
                         ["delete deployment,configmap --selector track=canary --ignore-not-found",
                          "delete configmap deploy-before-canary deploy-before-canary-api --ignore-not-found"])


class BackupTests(ClusterTest):
    def setUp(self):
        super().setUp()
        self.backup = f"{self.folder}/taken"
        self.put(says={"pg_dump": "the dump", "mongodump": "the archive", "cat": "fetched", "stat": "7",
                       "sh": "2026-01-01T031700Z\n2026-01-02T031700Z\nnew\n"})

    def read(self, name):
        with open(f"{self.backup}/{name}", encoding="utf-8") as file:
            return file.read()

    def test_a_backup_is_both_databases_postgresql_first(self):
        self.script("backup.sh", self.backup)
        self.assertEqual((self.read("shippy.pgdump"), self.read("shippy.mongodump")), ("the dump", "the archive"))
        self.assertEqual(os.stat(self.backup).st_mode & 0o77, 0, "others may read it")
        first, second = self.state()["done"]
        self.assertIn("pg_dump", first)
        self.assertIn("mongodump", second)
        self.assertIn("--oplog", second)
        self.assertNotIn("password of root", second.partition("<")[0], "the password is an argument")
        self.assertIn("there already", self.script("backup.sh", self.backup, status=1))

    def test_a_dump_that_fails_leaves_no_backup(self):
        self.put(exec_fails=["mongodump"])
        self.script("backup.sh", self.backup, status=1)
        self.assertFalse(os.path.exists(self.backup))

    def test_the_newest_backup_is_fetched_from_the_disk(self):
        self.script("backup.sh", self.backup, FETCH="1")
        self.assertEqual(self.read("shippy.pgdump"), "fetched")
        done = self.state()["done"]
        self.assertTrue(any("/backup/2026-01-02T031700Z/shippy.pgdump" in one for one in done))
        self.assertIn("delete pod/backup-fetch", done[-1])

    def test_a_file_that_comes_short_is_no_backup(self):
        self.put(says=self.state()["says"] | {"stat": "8"})
        self.assertIn("is not whole", self.script("backup.sh", self.backup, status=1, FETCH="1"))
        self.assertFalse(os.path.exists(self.backup))
        self.assertIn("delete pod/backup-fetch", self.state()["done"][-1])


class NightlyBackupTests(unittest.TestCase):
    """What the CronJob's containers run, with a stand-in for mongodump."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.disk = f"{self.folder}/disk"
        os.makedirs(f"{self.disk}/new")
        for day in range(1, 4):
            os.mkdir(f"{self.disk}/2026-01-0{day}T031700Z")

    def dump(self, program):
        with open(f"{self.folder}/mongodump", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\ncat >{self.folder}/config\n{program}\n")
        os.chmod(f"{self.folder}/mongodump", 0o755)
        environment = os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}", "FOLDER": self.disk, "KEPT": "2",
                                    "MONGO_ROOT_PASSWORD": "secret"}
        return subprocess.run(["sh", f"{HERE}/../deployments/databases/backup/mongo.sh"], env=environment,
                              stdout=subprocess.DEVNULL).returncode

    def test_a_backup_gets_its_name_when_it_is_whole_and_the_oldest_go(self):
        self.assertEqual(self.dump('echo "$@" | grep -q -e --oplog'), 0)
        kept = sorted(os.listdir(self.disk))
        self.assertEqual(len(kept), 2)
        self.assertEqual(kept[0], "2026-01-03T031700Z")
        with open(f"{self.folder}/config", encoding="utf-8") as file:
            self.assertEqual(file.read(), "password: secret\n")

    def test_a_dump_that_fails_is_no_backup_and_deletes_none(self):
        self.assertNotEqual(self.dump("exit 1"), 0)
        self.assertEqual(sorted(os.listdir(self.disk)), [*(f"2026-01-0{day}T031700Z" for day in range(1, 4)), "new"])


class RestoreTests(ClusterTest):
    def setUp(self):
        super().setUp()
        self.backup = f"{self.folder}/taken"
        os.mkdir(self.backup)
        for name in ("shippy.pgdump", "shippy.mongodump"):
            with open(f"{self.backup}/{name}", "w", encoding="utf-8") as file:
                file.write(f"content of {name}")
        workloads = self.state()["workloads"]
        workloads["deployment/api"]["replicas"] = 3
        workloads["deployment/email"]["replicas"] = 0
        self.put(workloads=workloads, leaving=[0, 1, 4])

    def replicas(self):
        return {name.partition("/")[2]: one["replicas"] for name, one in self.state()["workloads"].items()
                if name.startswith("deployment/")}

    def where(self, part, after=0):
        """The number of the first thing that was done that holds this part."""
        done = self.state()["done"]
        found = [number for number, one in enumerate(done) if number >= after and part in one]
        self.assertTrue(found, f"{part} is not among {done[after:]}")
        return found[0]

    def test_it_restores_only_once_all_pods_are_gone_and_brings_back_as_many(self):
        before = self.replicas()
        said = self.script("restore.sh", self.backup)
        order = [
            # Both can be read, before anything is stopped.
            self.where("pg_restore --list"), self.where("--dryRun"),
            self.where('"suspend": true'), self.where("scale deployment/api --replicas=0"),
            self.where("look: 4 pods"), self.where("look: 1 pods"), self.where("look: 0 pods"),
            self.where("pg_restore --username=shippy --dbname=shippy_restored"),
            self.where("ALTER DATABASE shippy RENAME"),
            self.where("--oplogReplay --drop"),
            self.where("DROP DATABASE shippy_replaced"),
            self.where("scale deployment/api --replicas=3"), self.where('"suspend": false'),
            self.where("rollout status deployment/api"),
        ]
        self.assertEqual(order, sorted(order))
        self.assertEqual(self.replicas(), before)
        self.assertIn("< content of shippy.pgdump", self.state()["done"][order[7]])
        self.assertIn("< content of shippy.mongodump", self.state()["done"][order[9]])
        self.assertFalse(any("password of root" in one.partition("<")[0] for one in self.state()["done"]))
        self.assertIn("rm -f /tmp/restore.yaml", self.state()["done"][-1])
        self.assertIn("restored from", said)

    def test_pods_that_stay_keep_it_from_restoring(self):
        self.put(leaving=[2] * 50)
        said = self.script("restore.sh", self.backup, status=1, STOP_SECONDS="6")
        self.assertIn("nothing was restored", said)
        self.assertIn("make restore RESUME=1", said)
        self.assertFalse(any("--exit-on-error" in one or "--drop" in one for one in self.state()["done"]))

    def test_a_backup_that_cannot_be_read_stops_nothing(self):
        for program in ("pg_restore", "--dryRun"):
            self.put(exec_fails=[program])
            self.assertIn("nothing was done", self.script("restore.sh", self.backup, status=1))
            self.assertFalse(any("scale" in one for one in self.state()["done"]))

    def test_after_a_failure_the_programs_stay_stopped_and_their_numbers_are_known(self):
        before = self.replicas()
        self.put(exec_fails=["--exit-on-error"])
        self.assertIn("not done. Again", self.script("restore.sh", self.backup, status=1))
        self.assertEqual(set(self.replicas().values()), {0})
        self.assertFalse(any("RENAME" in one for one in self.state()["done"]))
        self.put(exec_fails=[], leaving=[])
        self.script("restore.sh", self.backup)
        self.assertEqual(self.replicas(), before)

    def test_the_programs_can_be_started_as_it_is(self):
        before = self.replicas()
        self.put(exec_fails=["--oplogReplay --drop"])
        self.script("restore.sh", self.backup, status=1)
        self.script("restore.sh", RESUME="1")
        self.assertEqual(self.replicas(), before)
        self.assertEqual(self.state()["cronjob"], {})

    def test_half_a_backup_is_none(self):
        os.remove(f"{self.backup}/shippy.mongodump")
        self.assertIn("there is no", self.script("restore.sh", self.backup, status=1))
        self.assertEqual(self.state()["done"], [])


class RehearsalTests(ClusterTest):
    def test_it_ends_as_the_job_does(self):
        self.put(job="SuccessCriteriaMet Complete")
        self.assertIn("can be restored", self.script("rehearse.sh"))
        self.put(job="FailureTarget Failed")
        self.assertIn("it can't be restored", self.script("rehearse.sh", status=1))
        self.assertIn("create job restore-rehearsal-by-hand --from=cronjob/restore-rehearsal", self.state()["done"])


if __name__ == "__main__":
    unittest.main()
