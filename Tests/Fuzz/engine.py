"""Runs inputs against a part; minimizes and repeats findings."""

import collections
import json
import pathlib
import random
import re
import time

from case import Case, plain, smaller, unplain
from fleet import Finding
from session import Session

FINDINGS_MAX = 8
SHRINK_SECONDS = 45
SHRINK_RUNS = 300
# Findings after which the programs work as before.
HARMLESS = re.compile("status|error without|malformed|repeat|long error|secret in an answer|no answer|not rej|another|answers")
# Findings that are faults whatever the bytes are. Others depend on the meaning of the bytes, so those are not cut.
ANY_BYTES = re.compile("ended|memory|processor|served|malformed|long|secret|left open|log$|^no answer|^status [0-9]+$")
CORPUS = pathlib.Path(__file__).with_name("corpus")
# Inputs before a finding that are stored with it: one of them may be the cause.
RECENT = 30


class Engine:
    def __init__(self, folder, say, ignore=None, shrink_seconds=SHRINK_SECONDS):
        """`ignore`: a regular expression of known kinds, which are not reported."""
        self.folder, self.say, self.ignore, self.shrink_seconds = folder, say, ignore, shrink_seconds
        self.findings = 0

    # MARK: Fuzzing

    def fuzz(self, part, seed, seconds, first=0, last=None, until_found=False):
        """Runs inputs for `seconds`, or those from `first` to `last`."""
        part.prepare()
        session = Session(part)
        seen, recent, index = collections.Counter(), collections.deque(maxlen=RECENT), first
        try:
            try:
                session.open()
            except Finding as finding:
                self.findings += 1
                self.say(f"FOUND in {part.name}, at its start: {finding.kind}: {finding.detail[:1_500]}")
                return
            began = time.monotonic()
            deadline = began + seconds
            corpus = self._corpus(part) if first == 0 and last is None else []
            while corpus or (time.monotonic() < deadline if last is None else index <= last):
                case = corpus.pop() if corpus else part.make(random.Random(f"{seed}/{part.name}/{index}"))
                index += not case.what.startswith("corpus")
                recent.append(case)
                try:
                    session.run(case)
                except Finding as finding:
                    paused = time.monotonic()
                    self._found(session, finding, case, list(recent), seed, index - 1, seen)
                    deadline += min(time.monotonic() - paused, self.shrink_seconds)
                    if until_found:
                        return
                    if len(seen) >= FINDINGS_MAX:
                        self.say(f"{part.name}: {FINDINGS_MAX} kinds of findings, enough")
                        break
            self._report(session, index - first, time.monotonic() - began)
            try:
                session.check()
                session.check_descriptors()
                part.finish()
                if part.stops:
                    self._check_stop(part)
            except Finding as finding:
                self._found(session, finding, Case("at the end", []), list(recent), seed, index, seen, again=False)
        finally:
            session.close()

    @staticmethod
    def _corpus(part):
        """Inputs that were findings once, which are tried first: files in the format of findings."""
        saved = [(path.stem, json.loads(path.read_text())) for path in sorted(CORPUS.glob(f"{part.name}-*.json"))]
        return [Case(f"corpus {name} ({each['what']})", unplain(each["steps"])) for name, each in saved if each["part"] == part.name]

    def _check_stop(self, part):
        """At the end SIGTERM still ends every program, with status 0."""
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
        name = re.sub(r"[^a-z0-9]+", "-", f"{session.part.name}-{finding.kind}-{seed}-{index}-{case.what}".lower())[:120]
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({
            "part": session.part.name, "kind": finding.kind, "detail": finding.detail, "seed": seed, "index": index,
            "what": case.what, "repeats": repeats, "steps": plain(small.steps),
            "recent": [] if repeats else [{"what": each.what, "steps": plain(each.steps)} for each in recent],
        }, indent=1))
        again = "it repeats" if repeats else f"alone it does not repeat; with what came before: FROM={max(0, index - RECENT)}"
        by_number = "" if case.what.startswith("corpus") else f", or PARTS={session.part.name} SEED={seed} FROM={index} TO={index}"
        self.say(f"  {again}. To replay: make fuzz REPLAY={path}{by_number}")

    @staticmethod
    def _renew(session, finding):
        """Restarts the programs if the finding may have left something behind."""
        if HARMLESS.match(finding.kind):
            session.part.reset()
        else:
            session.close()
            session.open()

    def _fails(self, session, case):
        """The finding that a case produces, if any; the programs are then restarted."""
        try:
            session.run(case)
            time.sleep(0.05)
            session.check()
        except Finding as finding:
            self._renew(session, finding)
            return finding
        return None

    def _shrink(self, session, case, recent, finding):
        """Whether it repeats, the smallest input that still produces the same kind, and the text of that finding."""
        deadline, runs = time.monotonic() + self.shrink_seconds, 0
        # Logs and memory are checked at intervals, so that an earlier input may be the cause.
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
