"""Runs the checker over the real programs, which are killed and started again at random moments meanwhile:
run_programs.py --minutes 5 [--bin .build/release] [--databases | --mongo URI --postgres URI].

Vessel, consignment and user get SIGKILL and come back on the same port and store. With --databases the programs have a MongoDB
wire server and PostgreSQL of their own, which are killed too; --disturb may name a command that does that to others. What this
program starts ends with it, whatever happens.
"""

import argparse
import os
import pathlib
import random
import signal
import sys
import threading
import time

import check_bookings
import databases
from check_bookings import say

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Fuzz"))
import fleet as programs  # noqa: E402, the programs are started as the fuzzer does it

KILLED = ["vessel", "consignment", "user"]
# How long a killed program stays away.
AWAY_SECONDS = (0.1, 2.0)


def start_programs(options):
    """All programs with a gateway in front, on empty embedded stores or on the databases that were given. No seeded
    vessels: others' room would keep the fleet from getting full."""
    programs.PROGRAMS = pathlib.Path(options.bin)
    flags = [f"--log_level={options.log_level}"]
    documents = {"DB_HOST": options.mongo} if options.mongo else {}
    users = {"DB_HOST": options.postgres} if options.postgres else {}
    fleet = programs.Fleet()
    fleet.add("email", flags, **documents)
    fleet.add("user", flags, EMAIL_ADDRESS=fleet.address("email"), **users)
    fleet.add("vessel", flags, USER_ADDRESS=fleet.address("user"), **documents)
    fleet.add("consignment", flags, VESSEL_ADDRESS=fleet.address("vessel"), USER_ADDRESS=fleet.address("user"), **documents)
    fleet.add("gateway", flags, **{f"{name.upper()}_ADDRESS": fleet.address(name) for name in KILLED})
    fleet.start()
    return fleet


class Killer:
    """Kills one of the programs after the other. A disturbance of the checker's: `stop` leaves all running."""

    def __init__(self, victims, mean_seconds, seed):
        self._victims, self._mean_seconds = victims, mean_seconds
        names = [victim.name for victim in victims]
        self._rng = random.Random(f"{seed}/kills/{names}")
        self._stopping, self._all_up, self._over = threading.Event(), threading.Event(), threading.Event()
        self.kills, self.error = {name: 0 for name in names}, None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._stopping.set()
        if self._thread.is_alive():
            self._all_up.wait()
        say("killed: " + ", ".join(f"{name} {count} times" for name, count in self.kills.items()))

    def close(self):
        """The programs end with the thread that started them, so it stays until they are no longer needed."""
        self._stopping.set()
        if self._thread.is_alive():
            self._all_up.wait()
        self._over.set()

    def _run(self):
        try:
            while not self._stopping.wait(self._rng.expovariate(1 / self._mean_seconds)):
                program = self._rng.choice(self._victims)
                # One that has ended by itself is a fault, not a kill.
                program.check_alive()
                program.stop(kill=True)
                self.kills[program.name] += 1
                self._stopping.wait(self._rng.uniform(*AWAY_SECONDS))
                program.start()
        except programs.Finding as finding:
            self.error = finding
        finally:
            self._all_up.set()
        self._over.wait()


def main():
    # SIGTERM ends it like Ctrl-C: with everything that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = programs.ROOT
    built = next((each for each in (root / ".build/release", root / ".build/debug") if (each / "shippy-api-gateway").exists()), None)
    parser.add_argument("--bin", default=built, help="where the programs are (.build/release, else .build/debug)")
    parser.add_argument("--mongo", help="a mongodb:// URI for vessels, consignments and emails; without it the embedded store")
    parser.add_argument("--postgres", help="a postgresql:// URI for users; without it the embedded store")
    parser.add_argument("--databases", action="store_true", help="a MongoDB wire server and PostgreSQL of its own, killed now and then")
    parser.add_argument("--database-mean-seconds", type=float, default=20, help="mean time between two kills of those (%(default)s)")
    parser.add_argument("--mean-seconds", type=float, default=3, help="mean time between two kills (%(default)s); 0: none")
    parser.add_argument("--kill", nargs="*", default=KILLED, choices=KILLED, help="which programs are killed (all three)")
    parser.add_argument("--log-level", default="error", help="of the programs (%(default)s)")
    check_bookings.arguments(parser)
    options = parser.parse_args()
    if options.bin is None or not os.path.exists(f"{options.bin}/shippy-api-gateway"):
        say(f"the programs are not in {options.bin or root / '.build'}; run: swift build")
        return 2
    servers, fleet, killers = [], None, []
    try:
        if options.databases:
            for make in (databases.MongoDB, databases.PostgreSQL):
                servers.append(make())
                servers[-1].start()
            for server in servers:
                server.wait_ready()
            options.mongo, options.postgres = (server.uri() for server in servers)
        fleet = start_programs(options)
        if options.mean_seconds and options.kill:
            killers.append(Killer([fleet[name] for name in options.kill], options.mean_seconds, options.seed))
        if servers:
            killers.append(Killer(servers, options.database_mean_seconds, options.seed))
        status = check_bookings.check(options, f"http://{fleet.address('gateway')}", killers)
        for error in (killer.error for killer in killers if killer.error):
            say(f"{error}")
            status = 1
        for program in [*fleet.programs.values(), *servers]:
            program.check_alive()
        if status and options.history:
            say(f"all calls are in {options.history}")
        return status
    except programs.Finding as finding:
        say(f"{finding}")
        return 2
    finally:
        for killer in killers:
            killer.close()
        for each in [fleet, *servers]:
            if each:
                each.close()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
