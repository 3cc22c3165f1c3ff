"""What surrounds the calls: a disturbance while they run; then the system settles, and its state is read and judged."""

import concurrent.futures
import os
import shlex
import signal
import subprocess
import time

import rules_room
import rules_told
import system
from client import Client
from violation import Violation

POLL_SECONDS = 0.25
# A state without violations is read once more after this time: messages that arrive late must not change it.
SECOND_READING_SECONDS = 1.0
# How long a reading without an answer is repeated, once the system has settled.
READ_SECONDS_MAX = 20
DISTURBANCE_END_SECONDS_MAX = 60
READERS = 8


class Disturbance:
    """A command that kills and restarts things while the callers run. SIGTERM asks it to end; it may first restore what it
    has stopped."""

    def __init__(self, command):
        self._command, self._process = shlex.split(command), None

    def start(self):
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, process_group=0)

    def stop(self):
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(DISTURBANCE_END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            pass
        # What it may have left running in its process group.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def wait_until_up(checked, history, seconds):
    """Waits until the state can be read. Returns what prevents it after `seconds`, else None."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            system.State(checked, history)
            return None
        except system.ReadError as error:
            if time.monotonic() > deadline:
                return error
        time.sleep(POLL_SECONDS)


def settle(checked, history, shared, threads, seconds):
    """Reads the state until it shows nothing that time may heal, for `seconds` at most. Returns the violations, and how
    long it took."""
    began = time.monotonic()
    deadline = began + seconds
    while True:
        is_late = time.monotonic() > deadline
        if is_late:
            shared.give_up.set()
            for thread in threads:
                thread.join()
        found, state = judge(checked, history)
        may_heal = any(violation.may_heal for violation in found) or any(thread.is_alive() for thread in threads)
        if is_late or not may_heal:
            break
        time.sleep(POLL_SECONDS)
    took = time.monotonic() - began
    if not found:
        found = _by_id(checked, history)
        time.sleep(SECOND_READING_SECONDS)
        again, state = judge(checked, history, time.monotonic() + READ_SECONDS_MAX)
        found += again
    if state is not None:
        found += rules_room.refusals(history, checked.vessels, state.vessels_of_bookings)
    return found, took


def judge(checked, history, deadline=0):
    """Reads the state once. Returns the violations that it shows, and the state, None if there was no answer."""
    try:
        state = system.State(checked, history, deadline)
    except system.ReadError as error:
        return [Violation("not settled", "", f"the state can't be read: {error}")], None
    found = list(rules_told.at_the_end(history, checked.user_ids, state.lists, state.begin, state.end))
    found += [Violation("unknown consignment", each.get("id"), f"{rules_told.brief(each)}, which nobody asked for") for each in state.unknown]
    found += rules_room.sums(history, checked.vessels, state.vessels, state.lists)
    for identifier, vessel in checked.vessels.items():
        if identifier in state.vessels:
            found += rules_room.read(vessel, state.vessels[identifier], None)
    return found, state


def _by_id(checked, history):
    """Each consignment that a caller was told of is also there by its id."""
    deadline = time.monotonic() + READ_SECONDS_MAX

    def look(user, part):
        client, found = Client(checked.url), []
        for identifier, booking in part:
            begin = history.now()
            answer = system.until_answered(client, "consignment/ConsignmentService.Get", {"id": identifier}, checked.users[user].token,
                                           None, deadline)
            item = answer.body.get("consignment")
            if answer.is_unknown:
                found.append(Violation("not settled", "get", f"consignment {identifier} can't be read: {answer.why}"))
                break
            if not answer.is_ok or not isinstance(item, dict) or item.get("id") != identifier:
                found.append(rules_told.missing(booking, identifier, f"Get by its id is answered {answer.why}"))
            else:
                found += rules_told.shown(history, checked.user_ids, user, item, begin, history.now())
        client.close()
        return found

    jobs = []
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        for user in range(len(checked.users)):
            told = rules_told.all_told(history, user, history.now())
            jobs += [pool.submit(look, user, told[first::READERS]) for first in range(READERS)]
    return [each for job in jobs for each in job.result()]
