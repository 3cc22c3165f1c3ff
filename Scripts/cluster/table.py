"""What was counted, as a table: the sums of each scenario, Markdown for docs/kubernetes.md, JSON for programs."""

import json
import os

OK, FAILED, NOT_POSSIBLE = "ok", "failed", "not possible"
# What a caller, or the gateway on its behalf, may send again.
REPEATABLE = {"idempotent", "keyed"}
FORMAT = 1


class Counts:
    """Calls of one kind: how many, and how those that failed did."""

    def __init__(self, guarantee):
        self.guarantee = guarantee
        self.calls = 0
        self.failures = {}

    def add(self, calls, failures):
        self.calls += calls
        for outcome, count in failures.items():
            if count:
                self.failures[outcome] = self.failures.get(outcome, 0) + count

    @property
    def failed(self):
        return sum(self.failures.values())


def from_generator(report):
    """Counts by kind, and the longest pause in seconds, of the load generator's report.

    A call that was refused with 429 has failed, too: the load is far below what the system carries.
    """
    kinds = {}
    # With --keys, a booking carries a key. A log-in or a listing may be sent again as it is; a sign-up may not.
    for kind, guarantee in (("booking", "keyed"), ("listing", "idempotent"), ("login", "idempotent"), ("signup", None)):
        figures = report["total"]["kinds"].get(kind)
        if figures is None:
            continue
        failures = {**figures["statuses"], "429": figures["refused"], "lost": figures["lost"],
                    "timed out": figures["timedOut"], "not sent": figures["notSent"]}
        kinds[kind] = counts = Counts(guarantee)
        counts.add(figures["offered"], failures)
    return kinds, generator_pause(report["tenths"])


def generator_pause(tenths):
    """Seconds: the slowest answer, or the longest stretch in which every call failed."""
    slowest = max([0.0, *tenths["maxMilliseconds"]]) / 1000
    longest = current = 0
    for offered, accepted in zip(tenths["offered"], tenths["accepted"]):
        # A tenth in which nothing was sent says nothing.
        if accepted:
            current = 0
        elif offered:
            current += 1
        longest = max(longest, current)
    return max(slowest, longest / 10)


class Row:
    """One scenario: what happened, what became of the calls, and what else is to be said."""

    def __init__(self, name, what, dns_cache=None):
        self.name, self.what = name, what
        # Seconds for which CoreDNS kept answers; none where it had its own cache.
        self.dns_cache = dns_cache
        self.state, self.notes = OK, []
        # What the load generator says about itself.
        self.warnings = []
        self.kinds = {}
        self.pause_seconds = self.took_seconds = None

    def count(self, kinds, pause_seconds):
        for kind, counts in kinds.items():
            self.kinds.setdefault(kind, Counts(counts.guarantee)).add(counts.calls, counts.failures)
        self.pause_seconds = max(self.pause_seconds or 0, pause_seconds)

    def fail(self, why):
        self.state = FAILED
        self.notes.append(why)

    def not_possible(self, why):
        self.state = NOT_POSSIBLE
        self.notes.append(why)

    @property
    def calls(self):
        return sum(counts.calls for counts in self.kinds.values())

    @property
    def failed(self):
        return sum(counts.failed for counts in self.kinds.values())

    @property
    def failed_repeatable(self):
        return sum(counts.failed for counts in self.kinds.values() if counts.guarantee in REPEATABLE)

    @property
    def is_good(self):
        return self.state != FAILED and self.failed_repeatable == 0

    def cells(self):
        what = f"{self.what}: {'; '.join(self.notes)}" if self.notes else self.what
        what = what.replace("|", "/")
        if self.state == NOT_POSSIBLE:
            return [what, "not possible", "", "", "", ""]
        if self.state == FAILED:
            what += " (failed)"
        return [what, f"{self.calls:,}", self.failures(), f"{self.failed_repeatable:,}" if self.failed_repeatable else "none",
                seconds(self.pause_seconds), seconds(self.took_seconds)]

    def failures(self):
        """Such as `3: 2 create 503, 1 find lost`."""
        parts = [f"{count:,} {kind} {outcome}" for kind, counts in sorted(self.kinds.items())
                 for outcome, count in sorted(counts.failures.items())]
        return f"{self.failed:,}: {', '.join(parts)}" if parts else "none"

    def as_json(self):
        return {
            "scenario": self.name, "what": self.what, "dnsCache": self.dns_cache, "state": self.state, "notes": self.notes,
            "warnings": self.warnings, "calls": self.calls,
            "failed": self.failed, "failedRepeatable": self.failed_repeatable, "pauseSeconds": self.pause_seconds,
            "tookSeconds": self.took_seconds,
            "kinds": {kind: {"guarantee": counts.guarantee, "calls": counts.calls, "failures": counts.failures}
                      for kind, counts in self.kinds.items()}}


def seconds(value):
    if value is None:
        return "–"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


HEADINGS = ["what happens", "calls", "failed", "of these idempotent or keyed", "longest pause", "took"]


def markdown(about, rows):
    lines = [", ".join(f"{name}: {text}" for name, text in about.items()), ""]
    # Rows of several caches stand in one table.
    for cells in [["DNS cache", *HEADINGS], ["---"] * (len(HEADINGS) + 1),
                  *(["as it is" if row.dns_cache is None else f"{row.dns_cache} s", *row.cells()] for row in rows)]:
        lines.append("|" + "|".join(cells) + "|" if cells[0] == "---" else f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def clear(folder):
    """An earlier run's table must not pass for that of one that fails before its first scenario."""
    os.makedirs(folder, exist_ok=True)
    for name in ("table.md", "table.json"):
        if os.path.exists(f"{folder}/{name}"):
            os.remove(f"{folder}/{name}")


def write(folder, about, rows):
    """Both files whole, or as they were: a run may be interrupted at any time."""
    content = {"format": FORMAT, "about": about, "rows": [row.as_json() for row in rows]}
    for name, text in (("table.md", markdown(about, rows)), ("table.json", json.dumps(content, indent=2) + "\n")):
        with open(f"{folder}/{name}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(f"{folder}/{name}.new", f"{folder}/{name}")
