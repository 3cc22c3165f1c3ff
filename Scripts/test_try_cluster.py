"""Tests try_cluster.sh without a cluster: a stand-in for kubectl and one for the load generator on the path
(cluster/fake_cluster.py), and a gateway of our own that is called as the real one is. Of kubectl itself only `kustomize` is
asked.
"""

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/cluster")
import coredns  # noqa: E402
import scenarios  # noqa: E402
import table  # noqa: E402

KUBEADM = """.:53 {
    errors
    health {
       lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       ttl 5
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
    }
    reload # { as it is
}
example.com:53 {
    cache 60
    forward . 10.0.0.1
}
"""


class CorefileTests(unittest.TestCase):
    def test_a_cache_replaces_that_of_the_cluster_alone(self):
        changed = coredns.with_cache(KUBEADM, 30)
        ours, _, others = changed.partition("example.com:53")
        self.assertIn("    cache 30\n}\n", ours)
        self.assertEqual(ours.count("cache"), 1)
        self.assertIn("       pods insecure\n        ttl 30\n    }", ours)
        self.assertNotIn("ttl 5", ours)
        self.assertIn("cache 60", others)

    def test_without_a_cache_all_else_stays(self):
        changed = coredns.with_cache(KUBEADM, 0)
        self.assertEqual(changed, KUBEADM.replace("    cache 30 {\n       disable success cluster.local\n    }\n", ""))

    def test_answers_of_a_plugin_without_a_block_last_as_long_as_the_cache(self):
        self.assertEqual(coredns.with_cache(". {\n    kubernetes cluster.local\n}\n", 60),
                         ". {\n    kubernetes cluster.local {\n        ttl 60\n    }\n    cache 60\n}\n")

    def test_what_cannot_be_read_is_not_changed(self):
        with self.assertRaises(coredns.kube.ClusterError):
            coredns.with_cache(".:53 {\n    kubernetes cluster.local\n", 30)


class TableTests(unittest.TestCase):
    def row(self, **kinds):
        row = table.Row("some", "something")
        for guarantee, (calls, failures) in kinds.items():
            counts = table.Counts(None if guarantee == "plain" else guarantee)
            counts.add(calls, failures)
            row.count({guarantee: counts}, 0.25)
        return row

    def test_only_what_may_be_repeated_fails_a_row(self):
        row = self.row(plain=(1000, {"503": 2}), keyed=(500, {}))
        self.assertEqual((row.calls, row.failed, row.failed_repeatable, row.is_good), (1500, 2, 0, True))
        self.assertEqual(row.cells(), ["something", "1,500", "2: 2 plain 503", "none", "0.2 s", "–"])
        for guarantee in ("keyed", "idempotent"):
            row = self.row(**{guarantee: (1000, {"lost": 1})})
            self.assertEqual((row.failed_repeatable, row.is_good), (1, False))

    def test_two_loads_add_up_and_the_longer_pause_counts(self):
        row = self.row(keyed=(10, {"503": 1}))
        more = table.Counts("keyed")
        more.add(5, {"503": 2, "lost": 1})
        row.count({"keyed": more}, 3.5)
        self.assertEqual((row.calls, row.failed, row.kinds["keyed"].failures), (15, 4, {"503": 3, "lost": 1}))
        self.assertEqual(row.pause_seconds, 3.5)

    def test_the_load_generators_report_is_counted(self):
        figures = {"offered": 50, "refused": 1, "statuses": {"503": 2}, "lost": 3, "timedOut": 4, "notSent": 5}
        kinds, pause = table.from_generator({
            "total": {"kinds": {"booking": figures, "signup": figures}},
            # Four tenths without a good answer, among them one in which nothing was sent.
            "tenths": {"offered": [9, 9, 9, 0, 9, 9], "accepted": [9, 0, 0, 0, 0, 9],
                       "maxMilliseconds": [120, -1, -1, -1, -1, 80]}})
        self.assertEqual((kinds["booking"].calls, kinds["booking"].failed, kinds["booking"].guarantee), (50, 15, "keyed"))
        self.assertIsNone(kinds["signup"].guarantee)
        self.assertAlmostEqual(pause, 0.3)
        self.assertAlmostEqual(table.generator_pause({"offered": [9], "accepted": [9], "maxMilliseconds": [1500]}), 1.5)

    def test_what_is_not_possible_fails_nothing_and_a_failure_does(self):
        row = table.Row("drain-node", "a node drained")
        row.not_possible("there is one node")
        self.assertEqual((row.is_good, row.cells()[:2]), (True, ["a node drained: there is one node", "not possible"]))
        row = self.row(keyed=(1, {}))
        row.fail("no calls by a|b")
        self.assertFalse(row.is_good)
        self.assertEqual(table.markdown({"nodes": "1"}, [row]).splitlines()[-1],
                         "| as it is | something: no calls by a/b (failed) | 1 | none | none | 0.2 s | – |")

    def test_each_row_says_how_long_dns_answers_were_kept(self):
        text = table.markdown({}, [table.Row("a", "x", 0), table.Row("a", "x", 30)])
        self.assertEqual([line.split(" | ")[0] for line in text.splitlines()[-2:]], ["| 0 s", "| 30 s"])


class Gateway(http.server.BaseHTTPRequestHandler):
    """Answers as the system does, also as the page. What `fails` names is answered with 503."""

    protocol_version = "HTTP/1.1"
    fails = ()
    loses = False
    vessels = {}
    lock = threading.Lock()

    def do_GET(self):
        self.answer(200, {})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method, body, key = request["method"], request["request"], self.headers["idempotency-key"]
        if f"{method}{' keyed' if key else ''}" in self.fails:
            return self.answer(503, {})
        if method == "VesselService.Create":
            with self.lock:
                if not (self.loses and key):
                    self.vessels[body["name"]] = body
        if method == "VesselService.List":
            with self.lock:
                return self.answer(200, {"vessels": list(self.vessels.values())})
        return self.answer(200, {"token": {"token": "t"}, "consignment": {"id": "c"}})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class RunTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.handler = type("Handler", (Gateway,), {"vessels": {}})
        self.server = Server(("127.0.0.1", 0), self.handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.port = self.server.server_address[1]
        fake = f"{sys.executable} {HERE}/cluster/fake_cluster.py"
        self.executable("kubectl", f"exec {fake} kubectl \"$@\"")
        self.executable("load-generator", f"exec {fake} load-generator \"$@\"")
        # The steps that other tests test. The first deploy makes what the stand-in has.
        for step in ("secrets.sh", "deploy.sh", "undeploy.sh"):
            self.executable(step, f'echo "{step} $OVERLAY $YES" >>{self.folder}/steps; [ ! -e {self.folder}/fails-{step} ]')
        os.mkdir(f"{self.folder}/containers")
        with open(f"{self.folder}/containers/tour.py", "w", encoding="utf-8") as file:
            file.write(f"import os, sys\nopen('{self.folder}/steps', 'a').write(f'tour.py {{os.environ[\"GATEWAY\"]}} "
                       "{sys.argv[1:]}\\n')\n")
        self.state = {
            "deployments": {"shippy": {name: 1 for name in ("vessel", "user", "consignment", "email", "api", "ui")}},
            "pods": {"shippy": [{"name": "mongo-0", "app": "mongo", "restarts": 0, "node": "one", "disk": True}]},
            "nodes": ["one"], "closed": [], "evictions_refused": 0, "disks": ["earlier"], "last": 0, "looks": 0, "idle": ["none"], "faults": [],
            "coredns": {"metadata": {}, "data": {"Corefile": KUBEADM}}, "done": [], "booking": {}, "node_port": self.port}
        for app in self.state["deployments"]["shippy"]:
            self.state["pods"]["shippy"].append({"name": f"{app}-0", "app": app, "restarts": 0, "node": "one"})
        self.variables = {"KEEP": "1"}

    def executable(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(f"{self.folder}/{name}", 0o755)

    def start(self, names):
        with open(f"{self.folder}/state", "w", encoding="utf-8") as file:
            json.dump(self.state, file)
        return subprocess.Popen([f"{HERE}/try_cluster.sh"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={
            **os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "REAL_KUBECTL": shutil.which("kubectl"),
            "FAKE_CLUSTER": f"{self.folder}/state", "STEPS": self.folder, "FOLDER": f"{self.folder}/out", "TAG": "v2",
            "LOAD_GENERATOR": f"{self.folder}/load-generator", "GATEWAY": f"http://127.0.0.1:{self.port}",
            "PAGE": f"http://127.0.0.1:{self.port}", "POLL_SECONDS": "0.01", "WAIT_SECONDS": "5", "BEFORE_SECONDS": "0.2",
            "AFTER_SECONDS": "0", "SHARE_SECONDS": "0", "SCENARIOS": names, "GATEWAY_SECONDS": "1", **self.variables})

    def finish(self, process, status):
        said, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, status, said)
        with open(f"{self.folder}/state", encoding="utf-8") as file:
            self.state = json.load(file)
        return said

    def run_it(self, names, status=0):
        return self.finish(self.start(names), status)

    def steps(self):
        with open(f"{self.folder}/steps", encoding="utf-8") as file:
            return file.read().splitlines()

    def rows(self):
        with open(f"{self.folder}/out/table.json", encoding="utf-8") as file:
            return {row["scenario"]: row for row in json.load(file)["rows"]}

    def corefile(self):
        return self.state["coredns"]["data"]["Corefile"]

    def assert_corefile_is_back(self):
        self.assertEqual(self.corefile(), KUBEADM)
        self.assertEqual(self.state["coredns"]["metadata"].get("annotations", {}), {})

    def test_a_good_run_counts_both_loads_and_leaves_what_was_there(self):
        self.variables["BEFORE_SECONDS"] = "0.7"
        said = self.run_it("rollout-vessel-1 rollout-all-2")
        self.assertIn("all well", said)
        self.assertEqual(self.steps()[:3], ["secrets.sh  ", "deploy.sh local ", f"tour.py 127.0.0.1:{self.port} ['--in-use']"])
        self.assertNotIn("undeploy.sh", " ".join(self.steps()))
        rows = self.rows()
        self.assertEqual(list(rows), ["rollout-vessel-1", "rollout-all-2"])
        kinds = rows["rollout-vessel-1"]["kinds"]
        self.assertEqual(kinds["booking"]["calls"], 100)
        for kind in ("find", "page", "validate", "create with key", "create", "book", "cancel"):
            self.assertGreater(kinds[kind]["calls"], 0, kind)
        self.assertEqual(rows["rollout-vessel-1"]["failed"], 0)
        with open(f"{self.folder}/out/table.md", encoding="utf-8") as file:
            text = file.read()
        self.assertIn("Kubernetes: v1.36.0", text)
        self.assertIn("| as it is | rollout of all, 2 replicas |", text)
        done = self.state["done"]
        self.assertIn("rollout restart deployment/vessel", done)
        self.assertEqual(self.state["deployments"]["shippy"]["vessel"], 1, "KEEP=1 leaves `local` as it was deployed")
        self.assertTrue(any(one.startswith("delete networkpolicy") for one in done))
        self.assertFalse(any("coredns" in one for one in done), "nobody asked for another cache")

    def test_a_failed_call_with_a_key_fails_the_run(self):
        self.handler.fails = ("VesselService.Create keyed",)
        self.variables["BEFORE_SECONDS"] = "0.7"
        self.assertIn("calls were lost that may be repeated", self.run_it("rollout-vessel-1", status=1))
        row = self.rows()["rollout-vessel-1"]
        self.assertEqual(row["failedRepeatable"], row["kinds"]["create with key"]["calls"])
        self.assertGreater(row["pauseSeconds"], 0)

    def test_a_failed_booking_of_the_load_generator_fails_the_run(self):
        self.state["booking"] = {"lost": 1}
        self.run_it("rollout-vessel-1", status=1)
        self.assertEqual(self.rows()["rollout-vessel-1"]["failedRepeatable"], 1)

    def test_a_failed_call_without_a_key_does_not(self):
        self.handler.fails = ("VesselService.Create",)
        self.variables["BEFORE_SECONDS"] = "0.7"
        self.run_it("rollout-vessel-1")
        row = self.rows()["rollout-vessel-1"]
        self.assertGreater(row["failed"], 0)
        self.assertEqual(row["failedRepeatable"], 0)

    def test_a_vessel_that_was_answered_and_is_not_stored_fails_the_run(self):
        self.handler.loses = True
        self.variables["BEFORE_SECONDS"] = "0.7"
        self.assertIn("0 stored twice", self.run_it("rollout-vessel-1", status=1))

    def test_what_was_there_before_is_not_touched_unless_somebody_says_so(self):
        self.variables = {}
        self.assertIn("the namespace shippy is there already", self.run_it("rollout-vessel-1", status=1))
        self.assertFalse(os.path.exists(f"{self.folder}/steps"))
        self.assertEqual(self.state["done"], [])
        self.variables = {"KEEP": "1", "UNDEPLOY": "yes"}
        self.assertIn("say one of them", self.run_it("rollout-vessel-1", status=1))

    def test_it_is_taken_away_also_when_a_step_fails(self):
        self.variables = {"UNDEPLOY": "yes", "DNS_CACHE": "30"}
        with open(f"{self.folder}/containers/tour.py", "w", encoding="utf-8") as file:
            file.write("raise SystemExit(1)")
        self.assertIn("the tour went wrong", self.run_it("rollout-vessel-1", status=1))
        self.assertEqual(self.steps()[-1], "undeploy.sh  1")
        # Only disks that came with this run go.
        self.assertFalse(any("persistentvolume" in one for one in self.state["done"]))

    def test_the_dns_cache_is_put_back_when_it_is_over_and_when_something_fails(self):
        self.variables["DNS_CACHE"] = "30"
        self.run_it("rollout-vessel-1")
        patches = [one for one in self.state["done"] if one.startswith("patch configmap coredns")]
        self.assertEqual(len(patches), 2)
        self.assertIn("cache 30\\n}", patches[0])
        self.assertIn("rollout status deployment.apps/coredns --timeout=5m", self.state["done"])
        self.assert_corefile_is_back()
        self.state["done"], self.state["faults"] = [], ["rollout restart deployment/vessel"]
        self.assertIn("rollout restart deployment/vessel failed", self.run_it("rollout-vessel-1", status=1))
        self.assertEqual(self.rows()["rollout-vessel-1"]["state"], "failed")
        self.assert_corefile_is_back()

    def test_several_dns_caches_are_taken_one_after_the_other(self):
        self.variables["DNS_CACHE"] = "0 30"
        self.run_it("rollout-vessel-1 rollout-user-1")
        with open(f"{self.folder}/out/table.json", encoding="utf-8") as file:
            content = json.load(file)
        self.assertEqual([(row["scenario"], row["dnsCache"]) for row in content["rows"]],
                         [("rollout-vessel-1", 0), ("rollout-user-1", 0), ("rollout-vessel-1", 30), ("rollout-user-1", 30)])
        self.assertEqual(content["about"]["DNS cache"], "0 s and 30 s")
        patches = [one for one in self.state["done"] if one.startswith("patch configmap coredns")]
        self.assertEqual(len(patches), 3)
        self.assertNotIn("cache 30", patches[0].partition('"data"')[2])
        self.assertIn("cache 30\\n}", patches[1])
        self.assert_corefile_is_back()
        self.variables["DNS_CACHE"] = "0 soon"
        self.assertIn("DNS_CACHE=soon is no number of seconds", self.run_it("rollout-vessel-1", status=1))

    def test_what_a_killed_run_left_in_coredns_is_put_back_first(self):
        self.state["coredns"] = {"metadata": {"annotations": {coredns.ANNOTATION: KUBEADM}}, "data": {"Corefile": "changed"}}
        self.assertIn("CoreDNS had the cache of a run that was killed", self.run_it("rollout-vessel-1"))
        self.assert_corefile_is_back()

    def test_it_puts_all_back_when_it_is_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                self.variables = {"UNDEPLOY": "yes", "DNS_CACHE": "0", "SLOW": "1"}
                self.state["done"] = []
                process = self.start("rollout-vessel-1")
                deadline = time.monotonic() + 60
                while "rollout restart deployment/vessel" not in self.read_done() and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.assertNotIn("cache 30", self.read("coredns")["data"]["Corefile"])
                process.send_signal(number)
                # A second one must not keep it from putting things back.
                time.sleep(0.2)
                process.send_signal(number)
                said = self.finish(process, 128 + number)
                self.assertIn("interrupted", said)
                self.assert_corefile_is_back()
                self.assertEqual(self.steps()[-1], "undeploy.sh  1")
                self.assertTrue(any(one.startswith("delete networkpolicy") for one in self.state["done"]))

    def read(self, field):
        with open(f"{self.folder}/state", encoding="utf-8") as file:
            return json.load(file)[field]

    def read_done(self):
        return self.read("done")

    def test_what_cannot_be_put_back_is_said_and_the_rest_is(self):
        self.variables["DNS_CACHE"] = "30"
        self.state["faults"] = ["delete networkpolicy"]
        said = self.run_it("rollout-vessel-1", status=1)
        self.assertIn("the NetworkPolicy try-cluster-metrics is still there", said)
        self.assert_corefile_is_back()

    def test_new_pods_must_get_calls(self):
        self.run_it("scale-headless scale-clusterip")
        rows = self.rows()
        self.assertIn("the new ones have calls 0 s and 0 s after they are ready", rows["scale-headless"]["notes"])
        self.assertIn("delete namespace shippy-series --ignore-not-found", self.state["done"])
        with open(f"{self.folder}/out/series/rendered.yaml", encoding="utf-8") as file:
            text = file.read()
        for part in ("image: shippy/vessel-service:v2", "sqlite:/data/vessel.db", "MAX_CONNECTION_AGE",
                     "namespace: shippy-series"):
            self.assertIn(part, text)
        self.state["idle"] = ["vessel-"]
        self.variables["WAIT_SECONDS"] = "1"
        self.run_it("scale-headless scale-clusterip", status=1)
        for row in self.rows().values():
            self.assertIn("no calls by vessel-", row["notes"][0])
        self.assertNotIn("shippy-series", self.state["deployments"])

    def test_the_manifests_of_the_series_run_as_they_were_written(self):
        self.run_it("series")
        self.assertIn("somebody signed up and booked through micro", self.rows()["series"]["notes"][0])
        with open(f"{self.folder}/out/series-written.json", encoding="utf-8") as file:
            things = {(one["kind"], one["metadata"]["name"]): one for one in json.load(file)["items"]}
        pod = things["Deployment", "micro"]["spec"]["template"]["spec"]
        self.assertEqual((pod["containers"][0]["image"], pod["containers"][0]["args"][0]), ("shippy/api-gateway:v2", "api"))
        self.assertNotIn("StatefulSet", {kind for kind, _ in things})
        with open(f"{self.folder}/out/series-databases/rendered.yaml", encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("volumeClaimTemplates", text)
        self.assertIn("name: POSTGRES_PASSWORD\n          value: password\n", text)
        self.assertIn("set env deployment/user --from=secret/shippy --keys=JWT_SECRET", self.state["done"])
        self.assertIn("delete namespace shippy-series --ignore-not-found", self.state["done"])
        self.handler.fails = ("ConsignmentService.Create",)
        self.variables["WAIT_SECONDS"] = "1"
        self.run_it("series", status=1)
        self.assertIn("ConsignmentService.Create: 503", self.rows()["series"]["notes"][0])

    def test_killing_is_by_force_unless_the_node_can_be_reached(self):
        self.run_it("kill-vessel")
        self.assertIn("deleted by force, without NODE_EXEC: SIGTERM, and 2 s later SIGKILL", self.rows()["kill-vessel"]["notes"])
        self.assertEqual(len([one for one in self.state["done"] if "--grace-period=0 --force" in one]), 2)
        self.state["done"] = []
        self.variables["NODE_EXEC"] = f"{sys.executable} {HERE}/cluster/fake_cluster.py node"
        self.run_it("kill-vessel")
        self.assertIn("kill -9 on the node", self.rows()["kill-vessel"]["notes"])
        self.assertEqual(len([one for one in self.state["done"] if one.startswith("kill vessel-")]), 2)

    def test_on_a_single_node_the_programs_are_evicted_as_their_budgets_allow(self):
        self.state["evictions_refused"] = 3
        self.run_it("drain-node")
        row = self.rows()["drain-node"]
        self.assertEqual(row["state"], "ok")
        self.assertIn("pods can go to one node only: all 12 pods of the programs evicted", row["notes"][0])
        asked = [one for one in self.state["done"] if one.startswith("create --raw")]
        self.assertEqual((len(asked), len(set(asked))), (15, 12))
        self.assertFalse(any(one.startswith("create") and "mongo" in one for one in self.state["done"]))
        self.assertFalse(any(one.startswith("drain") for one in self.state["done"]))
        self.state["faults"], self.state["done"] = ["/eviction"], []
        self.run_it("drain-node", status=1)
        self.assertIn("can't be evicted", self.rows()["drain-node"]["notes"][-1])

    def test_a_node_with_a_database_is_drained_of_its_programs(self):
        self.state["nodes"] = ["one", "two"]
        self.state["pods"]["shippy"].append({"name": "postgres-0", "app": "postgres", "restarts": 0, "node": "two", "disk": True})
        self.run_it("drain-node")
        drained = [one for one in self.state["done"] if one.startswith("drain")]
        self.assertEqual(len(drained), 1)
        self.assertIn("--pod-selector=app in (vessel,user,consignment,email,api,ui)", drained[0])
        self.assertIn("its database stays", self.rows()["drain-node"]["notes"][0])
        self.assertEqual({one["name"] for one in self.state["pods"]["shippy"] if one.get("disk")}, {"mongo-0", "postgres-0"})
        self.assertEqual(self.state["closed"], [])

    def test_a_node_is_drained_where_another_one_can_take_its_pods(self):
        # The databases' disks are on the first.
        self.state["nodes"] = ["one", "two"]
        for one in self.state["pods"]["shippy"]:
            one["node"] = "two" if one["app"] in ("api", "vessel") else "one"
        self.run_it("drain-node")
        self.assertEqual(self.rows()["drain-node"]["state"], "ok")
        self.assertEqual(self.state["closed"], [])
        self.assertIn("uncordon two", self.state["done"])

    def test_a_gateway_is_drained_under_connections_that_are_kept(self):
        self.run_it("drain-gateway")
        self.assertEqual(self.state["done"].count("rollout restart deployment/api"), 2)
        self.assertGreater(self.rows()["drain-gateway"]["kinds"]["find"]["calls"], 60)

    def test_an_unknown_scenario_is_said_before_anything_is_done(self):
        said = self.run_it("rollout-nothing", status=1)
        self.assertIn("rollout-nothing is not among: rollout-vessel-1", said)
        self.assertEqual(self.state["done"], [])


class ScenarioTests(unittest.TestCase):
    def test_names_are_unique_and_all_is_rolled_with_one_and_with_two(self):
        names = [one.name for one in scenarios.all_scenarios()]
        self.assertEqual(len(names), len(set(names)))
        for program in (*scenarios.kube.PROGRAMS, "all"):
            for replicas in (1, 2):
                self.assertIn(f"rollout-{program}-{replicas}", names)

    def test_a_kill_on_a_node_hits_the_container_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            for process, group in (("11", "0::/kubepods/cri-containerd-abc.scope"), ("12", "0::/kubepods/other")):
                os.makedirs(f"{folder}/{process}")
                with open(f"{folder}/{process}/cgroup", "w", encoding="utf-8") as file:
                    file.write(group)
            script = scenarios.KILL.replace("/proc/", f"{folder}/").replace("kill -9", "echo")
            done = subprocess.run(["sh", "-c", script, "abc"], text=True, stdout=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stdout), (0, "11\n"))
            self.assertEqual(subprocess.run(["sh", "-c", script, "xyz"]).returncode, 1)


if __name__ == "__main__":
    unittest.main()
