"""Load from outside the cluster, in two parts that are counted together: the load generator's, at a fixed rate, and
callers of our own for the calls that it does not make. All over HTTP/1.1 connections that are kept.
"""

import http.client
import itertools
import json
import os
import random
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import kube
import table

# Longer than the gateway lets any call take, so that the answer is the gateway's.
CALL_SECONDS = 15
STOP_SECONDS = 30
START_SECONDS = 60
PASSWORD = "correct horse"
FIND = {"capacity": 3, "max_weight": 1000}
BOOKING = {"description": "Try", "weight": 1, "containers": [{"customer_id": "cust001", "origin": "Manchester"}]}


class Connection:
    """One HTTP/1.1 connection to one address, opened when it is needed and kept."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.http = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=CALL_SECONDS)

    def call(self, method, path, body=None, headers=None):
        """The status, or how it failed, and the answer."""
        self.drop_if_ended()
        try:
            self.http.request(method, path, body, headers or {})
            answer = self.http.getresponse()
            return str(answer.status), answer.read()
        # Before Python 3.10 a socket's is no TimeoutError.
        except (socket.timeout, TimeoutError):
            self.http.close()
            return "timed out", b""
        except (OSError, http.client.HTTPException):
            self.http.close()
            return "lost", b""

    def drop_if_ended(self):
        """A server may end an idle connection, and a caller that sees so before it sends has lost nothing."""
        if self.http.sock is not None and select.select([self.http.sock], [], [], 0)[0]:
            self.http.close()

    def rpc(self, service, method, request, token=None, key=None):
        headers = {"content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if key:
            headers["idempotency-key"] = key
        body = json.dumps({"service": service, "method": method, "request": request})
        return self.call("POST", "/rpc", body, headers)


def get_status(url, seconds=2):
    """Of a GET; `None` where nothing answers."""
    connection = Connection(url)
    connection.http.timeout = seconds
    status, _ = connection.call("GET", urllib.parse.urlsplit(url).path or "/")
    connection.http.close()
    return int(status) if status.isdigit() else None


class Account:
    """Somebody who signed up for this run, and what the run stored."""

    def __init__(self, gateway):
        self.run = f"{time.time_ns():x}"
        self.numbers = itertools.count()
        # Vessels whose keyed Create was answered.
        self.stored = set()
        status, body = Connection(gateway).rpc("user", "UserService.Create", self.person())
        if status != "200":
            raise kube.ClusterError(f"nobody can sign up: {status} {body.decode(errors='replace')[:200]}")
        self.token = json.loads(body)["token"]["token"]

    def person(self):
        return {"name": "Try", "email": f"try-{self.name()}@example.com", "password": PASSWORD}

    def name(self):
        return f"{self.run}-{next(self.numbers)}"


class Caller:
    """A thread that calls again and again, over a connection of its own.

    What it does is a generator that makes one call at a time: it yields kind, guarantee and the call, and gets the status
    and the answer.
    """

    def __init__(self, url, steps, pause):
        self.connection, self.steps, self.pause = Connection(url), steps, pause
        self.counts = {}
        self.longest_pause = 0.0
        self.waits_since = None
        self.error = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            self.call_again_and_again()
        except Exception as error:  # An answer without what it should hold, say: the row must not pass for good.
            self.error = error
        self.end_pause(time.monotonic())

    def call_again_and_again(self):
        steps = self.steps(self.connection)
        kind, guarantee, call = next(steps)
        while not self.stopping.wait(self.pause()):
            begun = time.monotonic()
            status, body = call()
            self.record(kind, guarantee, status, begun)
            kind, guarantee, call = steps.send((status, body))

    def record(self, kind, guarantee, status, begun):
        if self.waits_since is None:
            self.waits_since = begun
        counts = self.counts.setdefault(kind, table.Counts(guarantee))
        counts.add(1, {} if status == "200" else {status: 1})
        if status == "200":
            self.end_pause(time.monotonic())

    def end_pause(self, now):
        """From the first call without a good answer to the next good answer."""
        if self.waits_since is not None:
            self.longest_pause = max(self.longest_pause, now - self.waits_since)
            self.waits_since = None


def find(connection):
    while True:
        yield "find", "idempotent", lambda: connection.rpc("vessel", "VesselService.FindAvailable", FIND)


def show_page(connection):
    """The page and a call through it: nginx stands before the gateway there."""
    while True:
        yield "page", "idempotent", lambda: connection.call("GET", "/")
        yield "page's find", "idempotent", lambda: connection.rpc("vessel", "VesselService.FindAvailable", FIND)


def validate(account):
    def steps(connection):
        while True:
            yield "validate", "idempotent", lambda: connection.rpc(
                "user", "UserService.ValidateToken", {"token": account.token})
    return steps


def store_vessels(account, has_key):
    def steps(connection):
        while True:
            name = account.name()
            # Out of service, so that no booking goes there.
            vessel = {"name": f"try-{name}", "capacity": 1, "max_weight": 1, "available": False}
            key = f"vessel-{name}" if has_key else None
            status, _ = yield ("create with key" if has_key else "create", "keyed" if has_key else None,
                               lambda: connection.rpc("vessel", "VesselService.Create", vessel, key=key))
            if has_key and status == "200":
                account.stored.add(vessel["name"])
    return steps


def book_and_cancel(account):
    def steps(connection):
        while True:
            key = f"booking-{account.name()}"
            status, body = yield "book", "keyed", lambda: connection.rpc(
                "consignment", "ConsignmentService.Create", BOOKING, account.token, key)
            if status != "200":
                continue
            booked = {"id": json.loads(body)["consignment"]["id"]}
            yield "cancel", "idempotent", lambda: connection.rpc(
                "consignment", "ConsignmentService.Cancel", booked, account.token)
    return steps


def sign_up(account):
    def steps(connection):
        while True:
            person = account.person()
            yield "sign up", "keyed", lambda: connection.rpc("user", "UserService.Create", person, key=person["email"])
    return steps


class Load:
    """All callers, and the load generator beside them, from `start` to `stop`."""

    def __init__(self, folder, scenario):
        self.report_path = f"{folder}/{scenario}.load.json"
        self.log_path = f"{folder}/{scenario}.load.log"
        self.callers = []
        self.generator = None

    def add(self, url, steps, pause_seconds, count=1, varies=False):
        def pause():
            return random.uniform(0, 2 * pause_seconds) if varies else pause_seconds
        self.callers += [Caller(url, steps, pause) for _ in range(count)]

    def add_everything(self, gateway, page, account):
        """About 70 calls a second."""
        self.add(gateway, find, 0.05, count=2)
        self.add(gateway, validate(account), 0.1)
        self.add(gateway, store_vessels(account, has_key=True), 0.5)
        self.add(gateway, store_vessels(account, has_key=False), 0.5)
        self.add(gateway, book_and_cancel(account), 0.1, count=2)
        # A password costs 50 ms of processor time.
        self.add(gateway, sign_up(account), 1)
        if page:
            self.add(page, show_page, 0.2)

    def start(self, generator=None, gateway=None, rate=0):
        """Begins, and returns when the load is there."""
        if generator:
            self.start_generator(generator, gateway, rate)
        for caller in self.callers:
            caller.thread.start()

    def start_generator(self, program, gateway, rate):
        if os.path.exists(self.report_path):
            os.remove(self.report_path)
        with open(self.log_path, "wb") as log:
            self.generator = subprocess.Popen(
                [program, "--url", gateway, "--allow-remote", "--rate", str(rate), "--duration", "2h", "--mix",
                 "booking=1,listing=4", "--keys", "--users", "2", "--connections", "64", "--timeout", f"{CALL_SECONDS}s",
                 "--json", self.report_path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        # It signs people up first, and shows a line for each second of load.
        deadline = time.monotonic() + START_SECONDS
        while os.path.getsize(self.log_path) == 0 and self.generator.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if self.generator.poll() is not None or os.path.getsize(self.log_path) == 0:
            raise kube.ClusterError(f"the load generator does not start: {self.last_words()}")

    def stop(self):
        """Ends it. Calls that are under way may end."""
        for caller in self.callers:
            caller.stopping.set()
        if self.generator and self.generator.poll() is None:
            # The first one asks for its report.
            kube.end_group(self.generator, signal.SIGINT, STOP_SECONDS)
        for caller in self.callers:
            if caller.thread.is_alive():
                caller.thread.join(STOP_SECONDS)

    def count_into(self, row):
        for caller in self.callers:
            row.count(caller.counts, caller.longest_pause)
            if caller.error:
                row.fail(f"a caller got what is no answer: {caller.error!r}")
        if not self.generator:
            return
        try:
            with open(self.report_path, encoding="utf-8") as file:
                report = json.load(file)
            row.count(*table.from_generator(report))
        except (OSError, ValueError, KeyError) as error:
            row.fail(f"no report of the load generator ({error!r}): {self.last_words()}")
            return
        row.warnings += report.get("generator", {}).get("warnings", [])

    def last_words(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return " ".join(file.read().split("\n")[-3:]).strip() or "no word"


def stored_twice_or_lost(gateway, account):
    """Of the vessels of this run: names that are stored more than once, and names that were answered and are not there."""
    connection, found, page_token = Connection(gateway), {}, ""
    while True:
        status, body = connection.rpc("vessel", "VesselService.List", {"page_size": 1000, "page_token": page_token})
        if status != "200":
            raise kube.ClusterError(f"the vessels can't be listed: {status}")
        answer = json.loads(body)
        for vessel in answer.get("vessels", []):
            if vessel["name"].startswith(f"try-{account.run}-"):
                found[vessel["name"]] = found.get(vessel["name"], 0) + 1
        page_token = answer.get("next_page_token", "")
        if not page_token:
            break
    return sorted(name for name, count in found.items() if count > 1), sorted(account.stored - found.keys())
