"""Several vessel services behind one name, under steady load through the gateway: started before their database, scaled
up, killed, all replaced one by one. Prints what failed in each phase. No call that may be repeated may fail, and no Create
may be done twice.

rollout.py run | down        The images are there already (Scripts/try_rollout.sh).
"""

import collections
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request

import pymongo

NETWORK = "shippy-roll"
PORT = 8083
SHARE_SECONDS = 10
KILLS = 3
FINDERS, CREATORS = 4, 4
FIND_PAUSE_SECONDS, CREATE_PAUSE_SECONDS = 0.02, 0.02
UNKNOWN = "no answer"


def podman(*arguments, check=True):
    done = subprocess.run(["podman", *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and done.returncode != 0:
        sys.exit(f"rollout: podman {' '.join(arguments[:4])} … failed: {done.stdout.strip()}")
    return done.stdout.strip()


def start(name, alias, image, *command, options=()):
    podman("run", "--detach", "--name", f"{NETWORK}-{name}", "--network", NETWORK, "--network-alias", alias,
           "--read-only", "--cap-drop", "ALL", *options, f"localhost/shippy/{image}:{os.environ['TAG']}", *command)


def start_vessel(name):
    start(name, "vessel", "vessel-service", "./shippy-vessel-service", "--seed", options=("--env", "DB_HOST=mongo:27017"))


def start_ready(name):
    start_vessel(name)
    wait(f"readiness of {name}", lambda: status_of(name, "/readyz") == 200, 20)
    return name


def start_mongo():
    podman("run", "--detach", "--name", f"{NETWORK}-mongo", "--network", NETWORK, "--network-alias", "mongo",
           "localhost/mongo:8.0")


def address(name):
    template = f'{{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}'
    return podman("inspect", "--format", template, f"{NETWORK}-{name}")


def status_of(name, path):
    try:
        return urllib.request.urlopen(f"http://{address(name)}:9090{path}", timeout=2).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def wait(what, condition, seconds):
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            sys.exit(f"rollout: {what}: not within {seconds} s")
        time.sleep(0.1)
    return time.monotonic() - begun


def found(name):
    """FindAvailable calls that this service has answered."""
    text = urllib.request.urlopen(f"http://{address(name)}:9090/metrics", timeout=2).read().decode()
    lines = re.findall(r'^rpc_server_call_duration_seconds_count\{[^}]*FindAvailable[^}]*\} (\S+)', text, re.MULTILINE)
    return sum(float(line) for line in lines)


class Load:
    """Calls through the gateway from several threads, each on a connection of its own that it keeps."""

    def __init__(self):
        self.phase = "before"
        self.outcomes = collections.defaultdict(collections.Counter)
        self.slowest = collections.defaultdict(float)
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.tries = collections.Counter()
        self.plain = set()
        self.threads = [threading.Thread(target=self.find) for _ in range(FINDERS)]
        self.threads += [threading.Thread(target=self.create, args=(number,)) for number in range(CREATORS)]
        for thread in self.threads:
            thread.start()

    def call(self, connection, kind, method, request, headers):
        body = json.dumps({"service": "vessel", "method": f"VesselService.{method}", "request": request})
        begun = time.monotonic()
        try:
            connection.request("POST", "/rpc", body, {"content-type": "application/json", **headers})
            answer = connection.getresponse()
            answer.read()
            outcome = answer.status
        except (OSError, http.client.HTTPException):
            connection.close()
            outcome = UNKNOWN
        with self.lock:
            self.outcomes[self.phase][kind, outcome] += 1
            self.slowest[self.phase] = max(self.slowest[self.phase], time.monotonic() - begun)
        return outcome

    def find(self):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=15)
        while not self.stopping.wait(FIND_PAUSE_SECONDS):
            self.call(connection, "find", "FindAvailable", {"capacity": 300, "max_weight": 1000}, {})

    def create(self, thread):
        """Every other one with a key, which is sent again until it is answered; those without are sent once."""
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=15)
        number = 0
        while not self.stopping.wait(CREATE_PAUSE_SECONDS):
            number += 1
            has_key = number % 2 == 0
            name = f"{'keyed' if has_key else 'plain'}-{thread}-{number}"
            vessel = {"name": name, "capacity": 1, "max_weight": 1, "available": True}
            outcome = None
            while outcome != 200:
                headers = {"idempotency-key": name} if has_key else {}
                outcome = self.call(connection, "create with key" if has_key else "create", "Create", vessel, headers)
                self.tries[name] += 1
                if not has_key:
                    if outcome == 200:
                        self.plain.add(name)
                    break

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def report(self):
        for phase, outcomes in self.outcomes.items():
            good = sum(count for (_, outcome), count in outcomes.items() if outcome == 200)
            bad = [f"{count} × {kind}: {outcome}" for (kind, outcome), count in outcomes.items() if outcome != 200]
            slowest = f"slowest {self.slowest[phase] * 1000:.0f} ms"
            print(f"rollout: {phase}: {good} calls answered, {slowest}; failed: {', '.join(bad) or 'none'}")

    def failed(self, *kinds):
        return sum(count for outcomes in self.outcomes.values() for (kind, outcome), count in outcomes.items()
                   if outcome != 200 and kind in kinds)


def share(names):
    before = {name: found(name) for name in names}
    time.sleep(2)
    calls = {name: found(name) - before[name] for name in names}
    return {name: count / max(1, sum(calls.values())) for name, count in calls.items()}


def run():
    podman("network", "create", NETWORK)
    start_vessel("vessel-1")
    start("api", "api", "api-gateway", "./shippy-api-gateway", "--services=vessel",
          options=("--publish", f"127.0.0.1:{PORT}:8080"))
    time.sleep(2)
    if (early := status_of("vessel-1", "/readyz")) != 503:
        sys.exit(f"rollout: a service without its database says {early}")
    start_mongo()
    seconds = wait("readiness of the gateway", lambda: status_of("api", "/readyz") == 200, 30)
    print(f"rollout: started in the wrong order: ready {seconds:.1f} s after the database was started", flush=True)

    load = Load()
    load.phase = "one service"
    time.sleep(5)
    load.phase = "scaled from one to three"
    start_vessel("vessel-2")
    start_vessel("vessel-3")
    names = ["vessel-1", "vessel-2", "vessel-3"]
    wait("readiness of three", lambda: all(status_of(name, "/readyz") == 200 for name in names), 20)
    begun = time.monotonic()
    wait("a fair share for each", lambda: min(share(names).values()) > 0.2, SHARE_SECONDS + 2)
    seconds = time.monotonic() - begun
    print(f"rollout: each of three has its share {seconds:.1f} s after they were ready, on old connections", flush=True)

    load.phase = f"{KILLS} killed by -9, each replaced afterwards"
    number = len(names)
    for _ in range(KILLS):
        podman("kill", "--signal", "KILL", f"{NETWORK}-{names.pop(0)}")
        time.sleep(2)
        number += 1
        names.append(start_ready(f"vessel-{number}"))
        time.sleep(2)
    load.phase = "all replaced one by one"
    for old in names:
        number += 1
        start_ready(f"vessel-{number}")
        # As a cluster does it but for the pause before: SIGTERM, while the name still leads here.
        podman("stop", "--time", "35", f"{NETWORK}-{old}")
        if (status := podman("inspect", "--format", "{{.State.ExitCode}}", f"{NETWORK}-{old}")) != "0":
            sys.exit(f"rollout: {old} ended with status {status}")
    time.sleep(3)
    load.stop()
    load.report()

    vessels = pymongo.MongoClient(f"mongodb://{address('mongo')}:27017/?directConnection=true")["shippy"]["vessels"]
    stored = collections.Counter(one["name"] for one in vessels.find({}, {"name": 1}) if "-" in one["name"])
    twice = [name for name, count in stored.items() if count > 1]
    answered = [*load.plain, *(name for name in load.tries if name.startswith("keyed"))]
    lost = [name for name in answered if not stored[name]]
    again = sum(1 for count in load.tries.values() if count > 1)
    print(f"rollout: {len(stored)} vessels created, {again} of them sent again with their key; done twice: {len(twice)}, "
          f"answered and not stored: {len(lost)}")
    if load.failed("find") or twice or lost:
        sys.exit("rollout: calls were lost, or done twice")


def down():
    for container in podman("ps", "--all", "--quiet", "--filter", f"name={NETWORK}-", check=False).split():
        podman("rm", "--force", "--time", "1", container, check=False)
    podman("network", "rm", "--force", NETWORK, check=False)


if __name__ == "__main__":
    {"run": run, "down": down}[sys.argv[1]]()
