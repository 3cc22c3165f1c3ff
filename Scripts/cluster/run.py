"""Deploys the overlay `local`, takes the README's tour, and counts what calls from outside are lost while pods are rolled,
scaled, killed and drained. Scripts/try_cluster.sh calls it, and says how.
"""

import datetime
import json
import os
import re
import sys
import time

import coredns
import kube
import load
import scenarios
import table
from kube import ClusterError
from undo import Interrupted, Undo

FOLDER = os.environ.get("FOLDER", ".build/try-cluster")
# The scripts that are called; tests put others in their places.
STEPS = os.environ.get("STEPS", "Scripts")
GATEWAY_PORT, PAGE_PORT = 30080, 30081
GATEWAY_SECONDS = 120
# Steady load before something happens.
BEFORE_SECONDS = float(os.environ.get("BEFORE_SECONDS", "3"))
# And after it, beyond the time for which a DNS cache may keep the address of a pod that is gone.
AFTER_SECONDS = 10
# Metrics are read through the API server, which may reach a pod only where its NetworkPolicies let everybody.
METRICS_POLICY = {
    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "try-cluster-metrics"},
    "spec": {"podSelector": {"matchLabels": {"app": "vessel"}}, "policyTypes": ["Ingress"],
             "ingress": [{"ports": [{"port": 9090}]}]}}


def say(text):
    print(f"try-cluster: {text}", flush=True)


class Run:
    def __init__(self, undo):
        variable = os.environ.get
        self.folder, self.undo = FOLDER, undo
        self.tag, self.registry = os.environ["TAG"], os.environ["REGISTRY"]
        self.generator, self.rate = os.environ["LOAD_GENERATOR"], float(variable("RATE", "50"))
        self.gateway, self.page = url_of("GATEWAY"), url_of("PAGE")
        self.node_exec = variable("NODE_EXEC", "")
        self.keeps, self.takes_away = variable("KEEP") == "1", variable("UNDEPLOY") == "yes"
        self.dns_caches = variable("DNS_CACHE", "").split()
        for text in self.dns_caches:
            if not (text.isascii() and text.isdigit()):
                sys.exit(f"try-cluster: DNS_CACHE={text} is no number of seconds")
        # Seconds, of those the one that CoreDNS has at the moment; none where it has its own.
        self.dns_cache = None
        self.chosen = chosen_scenarios(variable("SCENARIOS", ""))
        self.account = None
        self.rows = []

    @property
    def dns_seconds(self):
        """How long an answer may be kept, where that is not known the usual."""
        return 30 if self.dns_cache is None else self.dns_cache

    @property
    def after_seconds(self):
        return float(os.environ.get("AFTER_SECONDS", self.dns_seconds + AFTER_SECONDS))

    # What is put there, each with what takes it away again

    def deploy(self):
        is_there = kube.run(["kubectl", "get", "namespace", kube.NAMESPACE, "--ignore-not-found", "--output=name"])[1].strip()
        if is_there and not (self.keeps or self.takes_away):
            raise ClusterError("the namespace shippy is there already. This deploys over it, stores things and kills pods: say "
                               "KEEP=1 to leave it there afterwards, or UNDEPLOY=yes to take it away")
        disks = {kube.name_of(one) for one in kube.objects("persistentvolumes")}
        self.undo.later("Shippy is still there", self.leave, disks)
        self.step("secrets.sh")
        self.step("deploy.sh", OVERLAY="local")
        return not is_there

    def step(self, script, *arguments, **variables):
        status, _ = kube.run([f"{STEPS}/{script}", *arguments], capture=False, variables=variables)
        if status != 0:
            raise ClusterError(f"{script} ended with status {status}")

    def leave(self, disks):
        if self.keeps:
            say("KEEP=1: the programs stay, one pod of each")
            kube.scale(kube.PROGRAMS, 1)
            return
        say("taking it away")
        self.step("undeploy.sh", YES="1", OVERLAY="")
        for disk in kube.objects("persistentvolumes"):
            # Only those that were made for this run. Whoever made them deletes them, too.
            if kube.name_of(disk) not in disks and disk["spec"].get("claimRef", {}).get("namespace") == kube.NAMESPACE:
                kube.kubectl("patch", "persistentvolume", kube.name_of(disk), "--patch",
                             json.dumps({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}))

    def allow_metrics(self):
        name = METRICS_POLICY["metadata"]["name"]
        self.undo.later(f"the NetworkPolicy {name} is still there",
                        kube.kubectl, "delete", "networkpolicy", name, "--ignore-not-found")
        kube.kubectl("apply", "--filename=-", text=json.dumps(METRICS_POLICY))

    def prepare_dns(self):
        """Also where this run changes nothing: one that was killed may have."""
        if coredns_is_there() and coredns.put_back():
            say("CoreDNS had the cache of a run that was killed; it has its own again")
        if self.dns_caches:
            self.undo.later("CoreDNS does not have its own Corefile again", coredns.put_back)

    def set_dns_cache(self, seconds):
        say(f"CoreDNS keeps answers for {seconds} s until the end of this run, or until another time is set")
        coredns.change(seconds)
        self.dns_cache = seconds

    # Where it is called

    def find_gateway(self):
        """The first address of a node at which the NodePort answers, unless GATEWAY says one."""
        candidates = [self.gateway] if self.gateway else [
            f"http://{address}:{GATEWAY_PORT}" for address in kube.node_addresses(kube.ready_nodes())]

        def unanswered():
            for url in candidates:
                if load.get_status(f"{url}/readyz") == 200:
                    self.gateway = url
                    return ""
            return f"no gateway is ready at {', '.join(candidates)}; say GATEWAY=http://HOST:PORT"
        kube.wait_until(unanswered, GATEWAY_SECONDS)
        self.page = self.page or f"{self.gateway.rpartition(':')[0]}:{PAGE_PORT}"
        if load.get_status(self.page) != 200:
            say(f"no page at {self.page}, so it is not called; say PAGE=http://HOST:PORT")
            self.page = ""

    def tour(self, is_new):
        say(f"taking the README's tour at {self.gateway}")
        command = [sys.executable, "-B", f"{STEPS}/containers/tour.py", *([] if is_new else ["--in-use"])]
        status, _ = kube.run(command, capture=False, variables={"GATEWAY": self.gateway.partition("://")[2]})
        if status != 0:
            raise ClusterError("the tour went wrong")

    # Scenarios

    def take(self, scenario):
        row = table.Row(scenario.name, scenario.what, self.dns_cache)
        self.rows.append(row)
        if scenario.name.startswith("rollout-ui") and not self.page:
            row.not_possible("the page is not reached from here")
            return row
        if self.needs_scaling(scenario.replicas):
            kube.scale(kube.PROGRAMS, scenario.replicas)
        kube.wait_settled()
        cache = "" if self.dns_cache is None else f"-dns-{self.dns_cache}"
        callers = load.Load(self.folder, f"{scenario.name}{cache}")
        callers.add_everything(self.gateway, self.page, self.account)
        if scenario.adds_load:
            scenario.adds_load(self, callers)
        try:
            callers.start(self.generator, self.gateway, self.rate)
            time.sleep(BEFORE_SECONDS)
            begun = time.monotonic()
            scenario.action(self, row)
            # Where a scenario also takes back what it did, it says itself how long the rest took.
            row.took_seconds = row.took_seconds or time.monotonic() - begun
            time.sleep(self.after_seconds)
        except ClusterError as error:
            row.fail(str(error))
        finally:
            callers.stop()
        callers.count_into(row)
        return row

    def needs_scaling(self, replicas):
        found = kube.objects("deployments")
        return any(one["spec"].get("replicas") != replicas for one in found if kube.name_of(one) in kube.PROGRAMS)

    def about(self):
        version = json.loads(kube.kubectl("version", "--output=json")).get("serverVersion", {}).get("gitVersion", "unknown")
        return {
            "Kubernetes": version, "nodes": str(len(kube.objects("nodes"))), "images": self.tag,
            "DNS cache": " and ".join(f"{text} s" for text in self.dns_caches) or "as the cluster has it",
            "load": f"{self.rate:g} calls a second by the load generator and about 70 by callers of ours",
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")}

    def everything(self):
        is_new = self.deploy()
        self.allow_metrics()
        self.find_gateway()
        self.tour(is_new)
        self.prepare_dns()
        self.account = load.Account(self.gateway)
        about = self.about()
        for seconds in self.dns_caches or [None]:
            if seconds is not None:
                self.set_dns_cache(int(seconds))
            self.take_all(about)
        return self.check_stored(about)

    def take_all(self, about):
        for scenario in self.chosen:
            say(f"{scenario.name}: {scenario.what}")
            row = self.take(scenario)
            say("  " + ", ".join(f"{name} {cell}" for name, cell in zip(table.HEADINGS[1:], row.cells()[1:]) if cell)
                + "".join(f"; {note}" for note in row.notes))
            table.write(self.folder, about, self.rows)

    def check_stored(self, about):
        row = table.Row("stored", "vessels that were stored with a key")
        twice, lost = load.stored_twice_or_lost(self.gateway, self.account)
        row.notes.append(f"{len(self.account.stored):,} answered, {len(twice)} stored twice, {len(lost)} not stored")
        if twice or lost:
            row.fail(", ".join([*twice, *lost][:5]))
        say(row.notes[0])
        about = {**about, row.what: row.notes[0]}
        table.write(self.folder, about, self.rows)
        return row.is_good and all(one.is_good for one in self.rows)


def coredns_is_there():
    return bool(kube.kubectl("get", "configmap", coredns.CONFIG_MAP, "--ignore-not-found", "--output=name",
                             namespace=coredns.SYSTEM).strip())


def chosen_scenarios(text):
    every = scenarios.all_scenarios()
    names = text.split()
    if unknown := set(names) - {one.name for one in every}:
        sys.exit(f"try-cluster: SCENARIOS: {', '.join(sorted(unknown))} is not among: {' '.join(one.name for one in every)}")
    return [one for one in every if not names or one.name in names]


def url_of(variable):
    """http://HOST:PORT as the environment says it, or nothing."""
    text = os.environ.get(variable, "").rstrip("/")
    if text and not re.fullmatch(r"http://(\[[0-9A-Fa-f:]+\]|[^/:@?#]+):\d+", text):
        sys.exit(f"try-cluster: {variable}={text} is not http://HOST:PORT")
    return text


def main():
    Undo.watch_signals()
    table.clear(FOLDER)
    try:
        with Undo() as undo:
            is_good = Run(undo).everything()
    except ClusterError as error:
        print(f"try-cluster: {error}", file=sys.stderr)
        return 1
    except Interrupted as error:
        Undo.ignore_signals()
        print("try-cluster: interrupted; what was counted until then is in the table", file=sys.stderr)
        return error.status
    say(f"the table is in {FOLDER}/table.md and table.json")
    if Undo.failed:
        say("not all could be put back; see above")
    say("all well" if is_good else "calls were lost that may be repeated, or a scenario failed; see the table")
    return 0 if is_good and not Undo.failed else 1


if __name__ == "__main__":
    sys.exit(main())
