"""Checks the models in this folder with spin: all states of each, and that each planted fault is found.

check.py [--verbose]   prints a line for each check and ends with status 1 if one fails; --verbose shows what spin says.

A model holds if no state that can be reached violates an assertion or is a deadlock, if every run terminates, and
if each step is taken in some state: of a step that is never taken anything could be claimed. At the top of each model
are its faults, each of which takes one order or one condition out of it. The model sees a fault if spin then finds that
an assertion is violated.

To see how a fault goes wrong, step by step, in a copy of this folder:
    spin -DFAULT=UNDO_WITHOUT_RELEASE -run booking.pml; spin -DFAULT=UNDO_WITHOUT_RELEASE -t -p -g booking.pml
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent

# The models, and the macros that make a model another, larger one that must hold as well.
MODELS = {"booking.pml": [None, "FULL_AT_ANY_TIME"], "reservation.pml": [None, "THREE_RESERVES"]}

# Each takes about 100 MiB. More would be a sign that a change made a model too large.
MEMORY_MIB = 600
# Many times what a check takes on a busy machine.
TIMEOUT_SECONDS = 300
DEPTH_MAX = 100_000
# 2 to this power: a table that holds the states of a model without long chains.
HASH_BITS = 20


class Failure(Exception):
    """What is wrong, in one line."""


class Runner:
    """Runs programs in a temporary folder, and ends them when this program is ended."""

    def __init__(self, folder):
        self.folder = folder
        self.compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
        if not shutil.which("spin") or not self.compiler:
            raise Failure("spin or a C compiler is missing; run: Scripts/install.sh test")
        self.running = set()
        self.is_ending = False

    def run(self, arguments, folder, **variables):
        # What a compiler that is ended leaves behind goes with the folder.
        environment = {**os.environ, "TMPDIR": self.folder, "LC_ALL": "C", **variables}
        with subprocess.Popen(
            arguments, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            self.running.add(process)
            try:
                if self.is_ending:
                    process.kill()
                output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                raise Failure(f"{arguments[0]} took more than {TIMEOUT_SECONDS} s") from None
            finally:
                process.kill()
                self.running.discard(process)
        return process.returncode, output

    def end(self):
        self.is_ending = True
        for process in list(self.running):
            process.kill()

    def build(self, model, variant, *options):
        """Compiles a verifier for a model and returns its folder."""
        folder = tempfile.mkdtemp(dir=self.folder)
        shutil.copy(FOLDER / model, folder)
        macros = ["-DFAULT_FROM_ENVIRONMENT", *([f"-D{variant}"] if variant else [])]
        # "-o3": each assertion stays a statement of its own, so that messages name its line.
        status, output = self.run(["spin", f"-P{self.compiler} -E -x c", *macros, "-o3", "-a", model], folder)
        if status != 0 or not os.path.exists(f"{folder}/pan.c"):
            raise Failure(f"spin does not take it: {output.strip()}")
        # "-DNOREDUCE": every step concerns what all share, so that partial order reduction finds no state to leave out.
        settings = ["-O1", "-w", f"-DMEMLIM={MEMORY_MIB}", "-DNOREDUCE", *options]
        status, output = self.run([self.compiler, *settings, "-o", "pan", "pan.c"], folder)
        if status != 0:
            raise Failure(f"the verifier does not compile: {output.strip()}")
        return folder

    def verify(self, folder, fault=0, *options):
        """Visits all states of a model, or those up to the first error, and returns what the verifier says."""
        arguments = ["./pan", f"-m{DEPTH_MAX}", f"-w{HASH_BITS}", *options]
        return self.run(arguments, folder, FAULT=str(fault))[1]


def faults(model):
    """The names and numbers of the faults of a model: the macros before FAULT itself."""
    found = re.findall(r"^#define (\w+) (\d+)$", (FOLDER / model).read_text().split("#ifndef FAULT\n")[0], re.MULTILINE)
    if not found or [int(number) for _, number in found] != list(range(1, len(found) + 1)):
        raise Failure(f"{model}: the faults are not numbered from 1")
    return found


def violated(output, folder):
    """File and line of the assertion that does not hold; None if they hold. The verifier itself shows only its text."""
    assertion = re.search(r"^pan:1: assertion violated (.*) \(at depth \d+\)$", output, re.MULTILINE)
    if not assertion:
        return None
    moves = pathlib.Path(f"{folder}/pan.m").read_text()
    return re.findall(r"STATE \d+ - (\S+:\d+) - ", moves[: moves.index(f'"{assertion.group(1)}"')])[-1]


def check_is_complete(output, folder):
    if "errors: 0" not in output:
        error = re.search(r"^pan:1: (.*)", output, re.MULTILINE)
        line = violated(output, folder)
        raise Failure(f"violates {line}" if line else error.group(1) if error else output.strip())
    for sign in ("Search not completed", "search depth too small", "out of memory"):
        if sign in output:
            raise Failure(f"not all states were visited: {sign}")


def check_steps_are_taken(output):
    sections = re.split(r"^unreached in (?:proctype )?(\w+)\n", output, flags=re.MULTILINE)
    for name, section in zip(sections[1::2], sections[2::2]):
        for line, step in re.findall(r"^\t(\S+), state \d+, \"(.*)\"$", section, re.MULTILINE):
            # "assert(false)" stands for a step that must not be taken; a fault's steps are not taken without it.
            if name != "Faults" and step not in ("-end-", "assert(0)") and "run Faults" not in step:
                raise Failure(f"a step is never taken: {step}, {line}")


def check_all_states(runner, model, variant):
    """All states of a model, then its faults, by one verifier."""
    folder = runner.build(model, variant, "-DSAFETY")
    output = runner.verify(folder)
    check_is_complete(output, folder)
    # A variant may leave out calls, and with them steps.
    if not variant:
        check_steps_are_taken(output)
    states = re.search(r"(\d+) states, stored", output).group(1)
    yield f"holds in each of {states} states", output
    missed = []
    for name, number in [] if variant else faults(model):
        output = runner.verify(folder, number)
        if line := violated(output, folder):
            yield f"sees the fault {name}: it violates {line}", output
        else:
            missed.append(name)
    if missed:
        raise Failure(f"does not see {', '.join(missed)}")


def check_ends(runner, model, variant):
    """No run goes on for ever. As no step is labelled as progress, a cycle without progress is any cycle."""
    folder = runner.build(model, variant, "-DNP")
    output = runner.verify(folder, 0, "-l")
    check_is_complete(output, folder)
    yield "has no endless run", output


def run_all(folder, is_verbose):
    """Runs all checks, as many at a time as there are processors, and returns the number of those that failed."""
    runner = Runner(folder)

    def run(check, model, variant):
        name = f"{model} {variant}" if variant else model
        try:
            for result, output in check(runner, model, variant):
                print(f"models: {name} {result}{chr(10) + output if is_verbose else ''}", flush=True)
            return 0
        except Failure as failure:
            if not runner.is_ending:
                print(f"models: ✘ {name}: {failure}", flush=True)
            return 1

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        def end(signal_number, _):
            runner.end()
            pool.shutdown(wait=False, cancel_futures=True)
            sys.exit(128 + signal_number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, end)
        # The long ones first. A variant has the same steps as its model, so that its runs end as well.
        checks = [pool.submit(run, check_all_states, model, name) for model in MODELS for name in MODELS[model][1:]]
        for model in MODELS:
            checks += [pool.submit(run, check, model, None) for check in (check_ends, check_all_states)]
        return sum(check.result() for check in checks)


def main():
    start = time.monotonic()
    try:
        if set(MODELS) != {path.name for path in FOLDER.glob("*.pml")}:
            raise Failure("MODELS does not name the models that are here")
        with tempfile.TemporaryDirectory(prefix="shippy-models-") as folder:
            failed = run_all(folder, "--verbose" in sys.argv[1:])
    except Failure as failure:
        print(f"models: ✘ {failure}")
        return 1
    print(f"models: {failed} failed" if failed else f"models: all hold ({time.monotonic() - start:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
