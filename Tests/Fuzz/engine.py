"""Runs inputs against a part, watches it meanwhile, and makes findings small and repeatable."""

import collections
import json
import random
import re
import threading
import time

from case import Case, plain, smaller, unplain
from fleet import Finding

# Processor time that one input may cost all programs of a part together, in seconds; debug builds, so generous. What it
# costs to watch them meanwhile is on top.
INPUT_CPU_SECONDS_MAX = 1.0
WATCH_CPU_SHARE = 0.15
# How long a well-behaved caller may wait at any time, in seconds. The machine may be busy with other things.
LIVE_SECONDS_MAX = 5
PROBE_PAUSE_SECONDS = 0.2
# How often memory and logs are looked at, in seconds.
CHECK_SECONDS = 1.0
FINDINGS_MAX = 8
SHRINK_SECONDS = 45
SHRINK_RUNS = 300
# Findings after which the programs are as good as before.
HARMLESS = re.compile("status|error without|malformed|repeat|long error|secret in an answer|no answer|not rej|another|answers")
# What must not be, whatever the bytes are. Other findings are about what these bytes mean, so they are not cut.
ANY_BYTES = re.compile("ended|memory|processor|served|malformed|long|secret|left open|log$|^no answer|^status [0-9]+$")
# Inputs before a finding that are kept with it: one of them may be the cause.
RECENT = 30


class Part:
    """What is fuzzed in one go: programs, a way to make inputs, and what has to be true."""

    name = ""
    memory_mib = 320
    allow_errors = False
    # Whether SIGTERM ends its programs with status 0.
    stops = True
    # What an input may cost; a part that sends large ones measures what a plain one costs and allows for it.
    cpu_seconds_max = INPUT_CPU_SECONDS_MAX

    def __init__(self):
        self.fleet = None
        self.counts = collections.Counter()

    def prepare(self):
        """What making inputs takes. No programs."""

    def open(self):
        """Starts the programs."""

    def close(self):
        """Ends them."""
        if self.fleet:
            self.fleet.close()
            self.fleet = None

    def reset(self):
        """Lets go of connections that a finding left as they were."""

    def make(self, rng):
        """An input. From `rng` alone, so that a seed and an index say which."""

    def run(self, case):
        """Does the input's steps and checks what comes of them; raises Finding."""

    def probes(self):
        """Well-behaved callers: functions that raise Finding or OSError when they are not served."""
        return []

    def finish(self):
        """What has to be true at the end."""


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
    """A part that is open, with its prober."""

    def __init__(self, part):
        self.part, self.prober = part, None
        self.most_cpu, self.most_memory, self.slowest = 0.0, 0.0, 0.0
        self._checked = 0.0

    def open(self):
        self.part.open()
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
            # The end of a program shows itself as a lost connection before it can be waited for.
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
        limit = self.part.cpu_seconds_max + WATCH_CPU_SHARE * elapsed
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


class Engine:
    def __init__(self, folder, say, ignore=None, shrink_seconds=SHRINK_SECONDS):
        """`ignore`: a regular expression of kinds that are known and not reported."""
        self.folder, self.say, self.ignore, self.shrink_seconds = folder, say, ignore, shrink_seconds
        self.findings = 0

    # MARK: Fuzzing

    def fuzz(self, part, seed, seconds, first=0, last=None, until_found=False):
        """Runs inputs for so many seconds, or those from `first` to `last`."""
        part.prepare()
        session = Session(part)
        seen, recent, index = collections.Counter(), collections.deque(maxlen=RECENT), first
        try:
            session.open()
            began = time.monotonic()
            deadline = began + seconds
            while time.monotonic() < deadline if last is None else index <= last:
                case = part.make(random.Random(f"{seed}/{part.name}/{index}"))
                recent.append(case)
                try:
                    session.run(case)
                except Finding as finding:
                    paused = time.monotonic()
                    self._found(session, finding, case, list(recent), seed, index, seen)
                    deadline += min(time.monotonic() - paused, self.shrink_seconds)
                    if until_found:
                        return
                    if len(seen) >= FINDINGS_MAX:
                        self.say(f"{part.name}: {FINDINGS_MAX} kinds of findings, enough")
                        break
                index += 1
            self._report(session, index - first, time.monotonic() - began)
            try:
                session.check()
                part.finish()
                if part.stops:
                    self._check_stop(part)
            except Finding as finding:
                self._found(session, finding, Case("at the end", []), list(recent), seed, index, seen, again=False)
        finally:
            session.close()

    def _check_stop(self, part):
        """After all of it, SIGTERM still ends every program, with status 0."""
        for name, status in part.fleet.stop().items():
            if status != 0:
                raise Finding("does not stop", f"{name}: status {status} after SIGTERM")
        for program in part.fleet.programs.values():
            program.check_log(part.allow_errors)

    def _report(self, session, count, elapsed):
        part = session.part
        self.say(f"{part.name}: {count} inputs in {elapsed:.0f} s; {session.most_cpu:.2f} s of processor time for the dearest, "
                 f"{session.most_memory:.0f} MiB resident at most, slowest probe {max(session.slowest, session.prober.slowest):.2f} s")
        self.say(f"{part.name}: " + ", ".join(f"{key} {value}" for key, value in sorted(part.counts.items(), key=str)))

    # MARK: Findings

    def _found(self, session, finding, case, recent, seed, index, seen, again=True):
        key = (finding.kind, re.sub(r"[0-9]+", "", case.what))
        if self.ignore and re.search(self.ignore, f"{finding.kind} {case.what}"):
            self._renew(session, finding)
            return
        seen[key] += 1
        if seen[key] > 1:
            self._renew(session, finding)
            return
        self.findings += 1
        self.say(f"FOUND in {session.part.name}, input {index} ({case.what}): {finding.kind}: {finding.detail[:1_500]}")
        self._renew(session, finding)
        repeats, small = False, case
        if again:
            repeats, small, finding = self._shrink(session, case, recent, finding)
        name = re.sub(r"[^a-z0-9]+", "-", f"{session.part.name}-{finding.kind}-{seed}-{index}".lower())
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({
            "part": session.part.name, "kind": finding.kind, "detail": finding.detail, "seed": seed, "index": index,
            "what": case.what, "repeats": repeats, "steps": plain(small.steps),
            "recent": [] if repeats else [{"what": each.what, "steps": plain(each.steps)} for each in recent],
        }, indent=1))
        again = "it repeats" if repeats else f"alone it does not repeat; with what came before: FROM={max(0, index - RECENT)}"
        self.say(f"  {again}. To replay: make fuzz REPLAY={path}, or PARTS={session.part.name} SEED={seed} FROM={index} TO={index}")

    @staticmethod
    def _renew(session, finding):
        """Starts the programs anew where the finding may have left something behind."""
        if HARMLESS.match(finding.kind):
            session.part.reset()
        else:
            session.close()
            session.open()

    def _fails(self, session, case):
        """The finding that a case comes to, if any; the programs are then started anew."""
        try:
            session.run(case)
            time.sleep(0.05)
            session.check()
        except Finding as finding:
            self._renew(session, finding)
            return finding
        return None

    def _shrink(self, session, case, recent, finding):
        """Whether it repeats, the smallest input found that still comes to the same kind, and what that says."""
        deadline, runs = time.monotonic() + self.shrink_seconds, 0
        # Logs and memory are looked at now and then, so that an input before may be to blame.
        for case in reversed(recent):
            first = self._fails(session, case)
            if first is not None and first.kind == finding.kind:
                break
            if time.monotonic() > deadline:
                return False, recent[-1], finding
        else:
            return False, recent[-1], finding
        best, finding = case.steps, first
        progress = True
        while progress:
            progress = False
            for steps in smaller(best, cut=bool(ANY_BYTES.search(finding.kind))):
                runs += 1
                if time.monotonic() > deadline or runs > SHRINK_RUNS:
                    return True, Case(case.what, best), finding
                found = self._fails(session, Case(case.what, steps))
                if found and found.kind == finding.kind:
                    best, finding, progress = steps, found, True
                    break
        return True, Case(case.what, best), finding

    def replay(self, part, saved):
        part.prepare()
        session = Session(part)
        try:
            session.open()
            cases = [Case(each["what"], unplain(each["steps"])) for each in saved["recent"]]
            for case in cases + [Case(saved["what"], unplain(saved["steps"]))]:
                try:
                    session.run(case)
                    session.check()
                except Finding as finding:
                    self.findings += 1
                    self.say(f"FOUND ({case.what}): {finding.kind}: {finding.detail}")
                    return
            self.say("nothing found")
        finally:
            session.close()
