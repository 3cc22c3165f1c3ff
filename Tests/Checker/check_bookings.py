"""Checks that bookings hold, in any system that answers Shippy's contract by `POST /rpc`: check_bookings.py --url URL.

Concurrent callers book, cancel and read on a small fleet of their own, while --disturb may kill and restart the system's parts.
Then what callers were told is compared with what is stored. docs/reliability.md says what is checked. The status is 0 without
violations, 1 with some, 2 if the run could not begin or a caller failed.
"""

import argparse
import random
import secrets
import signal
import sys
import time

import rules_room
import rules_told
import settle
import system
import violation
from history import History
from violation import Violation, Violations
from workload import Caller, Shared

RUN_SECONDS, UP_SECONDS, SETTLE_SECONDS = 30, 120, 60


def say(text):
    print(f"checker: {text}", flush=True)


def arguments(parser):
    """The options of a run, wherever its system comes from."""
    parser.add_argument("--seconds", type=float, default=RUN_SECONDS, help="how long the callers run (%(default)s)")
    parser.add_argument("--minutes", type=float, help="the same in minutes")
    parser.add_argument("--callers", type=int, default=16, help="concurrent callers (%(default)s)")
    parser.add_argument("--users", type=int, default=4, help="users that the callers act for (%(default)s); each costs a bcrypt hash")
    parser.add_argument("--pause-ms", type=float, default=20, help="a caller's mean pause between calls (%(default)s)")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**9)), help="determines what the callers do")
    parser.add_argument("--settle-seconds", type=float, default=SETTLE_SECONDS,
                        help="how long the system may take until all is BOOKED, CANCELLED or gone (%(default)s)")
    parser.add_argument("--up-seconds", type=float, default=UP_SECONDS,
                        help="how long to wait for answers at all, before the run and after it (%(default)s)")
    parser.add_argument("--disturb", help="a command that kills and restarts things while the callers run; it is ended with SIGTERM")
    parser.add_argument("--operator-token", help="an operator's token: then the whole store is checked, not only what the users see")
    parser.add_argument("--history", help="a file to which every call is written, as JSON lines")


def check(options, url, disturbances=()):
    """One run. Each of `disturbances` has `start` and `stop`; so has what --disturb names. Returns the exit status."""
    seconds = options.seconds if options.minutes is None else 60 * options.minutes
    run = f"check{secrets.token_hex(4)}"
    try:
        checked = system.System(url, run, options.users, options.operator_token, options.up_seconds)
    except system.SetupError as error:
        say(f"the run can't begin: {error}")
        return 2
    history, violations = History(run, options.history), Violations()
    history.write(run=run, url=url, seed=options.seed, seconds=seconds, users=checked.user_ids,
                  vessels=[{"id": each.id, "capacity": each.capacity, "max_weight": each.max_weight, "ours": each.ours}
                           for each in checked.vessels.values()])
    say(f"run {run}, seed {options.seed}: {options.callers} callers for {seconds:g} s")
    shared = Shared(checked, history, violations, options.pause_ms / 1_000)
    disturbances = [*disturbances, *([settle.Disturbance(options.disturb)] if options.disturb else [])]
    threads = [Caller(number, shared, options.seed) for number in range(options.callers)]
    try:
        for disturbance in disturbances:
            disturbance.start()
        for thread in threads:
            thread.start()
        _wait(shared, seconds)
        called = history.now()
    finally:
        shared.stop.set()
        for disturbance in disturbances:
            disturbance.stop()
    error = settle.wait_until_up(checked, history, options.up_seconds)
    if error is None:
        found, took = settle.settle(checked, history, shared, threads, options.settle_seconds)
    else:
        found = [Violation("not settled", "", f"the system does not answer {options.up_seconds:g} s after the calls: {error}")]
        took = options.up_seconds
    shared.give_up.set()
    for thread in threads:
        thread.join()
    violations.add(found)
    violations.add(rules_told.answers(history))
    violations.add(rules_room.reads(history, checked.vessels))
    violations.add(rules_room.oversold(history, checked.vessels))
    for each in violations:
        history.write(violation=each.kind, text=each.text, calls=[call.number for call in each.calls])
    history.close()
    for line in violation.report(violations):
        say(line)
    for line in violation.summary(history, violations, called, took):
        say(line)
    if shared.errors:
        say(f"a caller failed: {shared.errors[0]!r}")
        return 2
    return 1 if len(violations) else 0


def _wait(shared, seconds):
    """Waits while the callers run; returns early if one fails."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not shared.errors:
        time.sleep(min(0.1, max(0.0, deadline - time.monotonic())))


def main():
    # SIGTERM ends it like Ctrl-C, together with what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="where the gateway listens, such as http://localhost:8080")
    arguments(parser)
    options = parser.parse_args()
    return check(options, options.url)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
