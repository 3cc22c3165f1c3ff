"""Tests of the checker: nothing is found in the model that is right, under crashes; each planted fault is found in the model
that has it. `test_checker.py ModelTests` or `test_checker.py RuleTests` runs a part."""

import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from model_system import FAULTS
from test_rules import RuleTests  # noqa: F401, its tests are run here

FOLDER = pathlib.Path(__file__).parent
SECONDS, FAULT_SETTLE_SECONDS, RIGHT_SETTLE_SECONDS = 2.5, 2, 30
# Runs at the same time. A run mostly waits.
RUNS = 5
# A fault shows by chance, so it has several runs.
SEEDS_MAX = 5
RUN_SECONDS_MAX = 120
# Ends a program with the thread that started it, even when this program is killed.
BOUND = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-B"]
# How often things go wrong in the model, for faults that need that often or not at all.
ROUGH = {
    "unconditional-confirm": ["--stalls", "0.06"],
    "confirm-without-reserve": ["--messages", "0.3"],
    "no-tombstone": ["--messages", "0.3"],
    "delete-before-release": ["--messages", "0.6"],
    "release-before-cancel": ["--messages", "0.5"],
    "forget-release": ["--messages", "0.3"],
    "forget-key": ["--crashes", "0.002"],
    "answer-before-stored": ["--crashes", "0.002"],
    "refuse-with-room": ["--calm"],
    "oversell": ["--calm"],
}


def run(seed, model_flags, checker_flags=(), settle_seconds=RIGHT_SETTLE_SECONDS, disturb=None):
    """One run of the checker over a model of its own. Returns its status and what it printed."""
    with subprocess.Popen([*BOUND, str(FOLDER / "model_system.py"), "--seed", str(seed), *model_flags],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as model:
        try:
            url = re.search("http://.*", model.stdout.readline()).group()
            disturbance = ["--disturb", disturb.format(pid=model.pid)] if disturb else []
            done = subprocess.run(
                [*BOUND, str(FOLDER / "check_bookings.py"), "--url", url, "--seconds", str(SECONDS), "--pause-ms", "8",
                 "--settle-seconds", str(settle_seconds), "--seed", str(seed), *disturbance, *checker_flags],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_SECONDS_MAX)
            return done.returncode, done.stdout
        finally:
            model.kill()


def found(output):
    """The kinds of violations in what the checker printed."""
    return set(re.findall("VIOLATION ([a-z ]+):", output))


class ModelTests(unittest.TestCase):
    """Runs over the model."""

    def test_right(self):
        """The model without faults shows no violation, whatever crashes, stalls, gets lost or is delivered twice."""
        crash = f"{sys.executable} -B -c 'import os, time\nwhile True: time.sleep(0.4); os.kill({{pid}}, 10)'"
        with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(RUNS) as pool:
            jobs = {
                "usual": pool.submit(run, 1, []),
                "crashes": pool.submit(run, 2, ["--crashes", "0.003", "--messages", "0.2"]),
                "stalls": pool.submit(run, 3, ["--stalls", "0.03"]),
                "calm": pool.submit(run, 4, ["--calm"]),
                "disturbed": pool.submit(run, 5, ["--crashes", "0"], disturb=crash),
                "operator": pool.submit(run, 6, ["--operator-token", "op"],
                                        ["--operator-token", "op", "--history", f"{folder}/history.jsonl"]),
            }
            for name, job in jobs.items():
                with self.subTest(name):
                    status, output = job.result()
                    self.assertEqual(status, 0, output)
                    self.assertIn("lost 0, twice 0, oversold 0, other violations 0", output)
                    if name == "calm":
                        self.assertNotIn("never full", output)
            with open(f"{folder}/history.jsonl", encoding="utf-8") as file:
                self.assertGreater(len(file.readlines()), 100)

    def test_faults(self):
        """Each planted fault ends the run with status 1 and a violation of a kind that fits it."""
        with concurrent.futures.ThreadPoolExecutor(RUNS) as pool:
            jobs = {fault: pool.submit(self._find, fault, kinds) for fault, (_, kinds) in FAULTS.items()}
            for fault, job in jobs.items():
                with self.subTest(fault):
                    self.assertTrue(*job.result())

    @staticmethod
    def _find(fault, kinds):
        outputs = []
        for seed in range(SEEDS_MAX):
            status, output = run(seed, ["--fault", fault, *ROUGH.get(fault, [])], settle_seconds=FAULT_SETTLE_SECONDS)
            if status == 1 and found(output) & kinds:
                return True, ""
            outputs.append(output)
        return False, f"{fault} shows as none of {sorted(kinds)}:\n" + "\n".join(outputs)

    def test_no_system(self):
        """A system that does not answer, or not as the contract says, is no system without faults."""
        done = subprocess.run([*BOUND, str(FOLDER / "check_bookings.py"), "--url", "http://127.0.0.1:1", "--seconds", "1",
                               "--up-seconds", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 2, done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=1)
