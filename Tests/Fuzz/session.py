"""A part, and the invariants that are checked while its inputs run."""

import collections
import threading
import time

from fleet import Finding

# Processor time that one input may cost all programs of a part together, in seconds, and for each MiB of it; generous,
# because of debug builds. The cost of watching them comes on top.
INPUT_CPU_SECONDS_MAX = 0.6
INPUT_CPU_SECONDS_PER_MIB = 4.0
WATCH_CPU_SHARE = 0.15
# Longest wait of a well-behaved caller at any time, in seconds. The machine may be busy with other work.
LIVE_SECONDS_MAX = 5
PROBE_PAUSE_SECONDS = 0.2
# Interval at which memory and logs are checked, in seconds.
CHECK_SECONDS = 1.0
# File descriptors that a program may hold more at the end than at the start, seconds after all callers have left.
DESCRIPTORS_MORE_MAX = 40
LEAVE_SECONDS_MAX = 15


class Part:
    """A unit of fuzzing: programs, a generator of inputs, and invariants."""

    name = ""
    memory_mib = 320
    allow_errors = False
    # Whether SIGTERM ends its programs with status 0.
    stops = True
    # Cost limit of an input. A small input that costs much is as much a finding as a large one that costs very much.
    cpu_seconds_max = INPUT_CPU_SECONDS_MAX
    cpu_seconds_per_mib = INPUT_CPU_SECONDS_PER_MIB

    def __init__(self):
        self.fleet = None
        self.counts = collections.Counter()

    def prepare(self):
        """Prepares what making inputs needs; starts no programs."""

    def open(self):
        """Starts the programs."""

    def close(self):
        """Ends them."""
        if self.fleet:
            self.fleet.close()
            self.fleet = None

    def reset(self):
        """Drops connections that a finding left behind."""

    def make(self, rng):
        """Makes an input, from `rng` alone, so that a seed and an index determine it."""

    def run(self, case):
        """Carries out the input's steps and checks the result; raises Finding."""

    def probes(self):
        """Well-behaved callers: functions that raise Finding or OSError when they are not served."""
        return []

    def finish(self):
        """Checks that apply at the end."""


class Prober:
    """Calls a part's probes again and again, on a thread of its own."""

    def __init__(self, part):
        self.finding, self.slowest = None, 0.0
        self._stop = threading.Event()
        self._probes = part.probes()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while self._probes and not self._stop.wait(PROBE_PAUSE_SECONDS):
            for probe in self._probes:
                began = time.monotonic()
                try:
                    probe()
                except Finding as finding:
                    self._found(finding)
                except Exception as error:  # Whatever it is, the caller was not served.
                    self._found(Finding("not served", f"{probe.__name__}: {error!r}"))
                waited = time.monotonic() - began
                self.slowest = max(self.slowest, waited)
                if waited > LIVE_SECONDS_MAX:
                    self._found(Finding("not served", f"{probe.__name__} took {waited:.1f} s"))

    def _found(self, finding):
        if not self._stop.is_set():
            self.finding = self.finding or finding

    def check(self):
        if self.finding:
            raise self.finding

    def stop(self):
        self._stop.set()
        self._thread.join(LIVE_SECONDS_MAX + 1)


class Session:
    """A running part, with its prober."""

    def __init__(self, part):
        self.part, self.prober = part, None
        self.most_cpu, self.most_memory, self.slowest = 0.0, 0.0, 0.0
        self._checked, self._descriptors = 0.0, {}

    def open(self):
        self.part.open()
        self._descriptors = {name: program.descriptors() for name, program in self.part.fleet.programs.items()}
        self.prober = Prober(self.part)

    def close(self):
        if self.prober:
            self.prober.stop()
            self.slowest = max(self.slowest, self.prober.slowest)
            self.prober = None
        self.part.close()

    def run(self, case):
        fleet = self.part.fleet
        began, before = time.monotonic(), fleet.cpu_seconds()
        try:
            self.part.run(case)
        except (OSError, Finding) as error:
            # A program's end shows as a lost connection before the process can be waited for.
            time.sleep(0.1)
            for program in fleet.programs.values():
                program.check_alive()
            if isinstance(error, Finding):
                raise
            raise Finding("not served", f"{case.what}: {error!r}") from error
        for program in fleet.programs.values():
            program.check_alive()
        elapsed, cpu = time.monotonic() - began, fleet.cpu_seconds() - before
        self.most_cpu = max(self.most_cpu, cpu)
        mib = sum(len(data) for step in case.steps for data in step.values() if isinstance(data, bytes)) / (1 << 20)
        limit = self.part.cpu_seconds_max + self.part.cpu_seconds_per_mib * mib + WATCH_CPU_SHARE * elapsed
        if cpu > limit:
            raise Finding("processor time", f"{cpu:.2f} s for one input in {elapsed:.1f} s, more than {limit:.2f}")
        self.prober.check()
        if time.monotonic() - self._checked > CHECK_SECONDS:
            self.check()

    def check(self):
        self._checked = time.monotonic()
        self.prober.check()
        for program in self.part.fleet.programs.values():
            self.most_memory = max(self.most_memory, program.resident_mib())
        self.part.fleet.check(self.part.memory_mib, self.part.allow_errors)

    def check_descriptors(self):
        """When only the prober is connected, the programs hold no other connections."""
        self.part.reset()
        deadline = time.monotonic() + LEAVE_SECONDS_MAX
        for name, program in self.part.fleet.programs.items():
            while program.descriptors() > self._descriptors[name] + DESCRIPTORS_MORE_MAX:
                if time.monotonic() > deadline:
                    raise Finding("descriptors left open", f"{name}: {program.descriptors()} instead of {self._descriptors[name]}")
                time.sleep(0.1)
