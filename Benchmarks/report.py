#!/usr/bin/env python3
"""What the load generator's JSON says about overload.

report.py capacity CAPACITY.json                              the capacity found, as a number
report.py summary RATE|CAPACITY.json OVERLOAD.json            the figures, for people
report.py rows RATE|CAPACITY.json OVERLOAD.json               the same as rows of a Markdown table
report.py write DOCUMENT.md RATE|CAPACITY.json OVERLOAD.json  puts those between the document's marks for results, and the
                                                              plot beside the JSON to DOCUMENT.svg

The second of the phases in OVERLOAD.json is the overload; before and after it the system has little to do.
"""
import json
import pathlib
import shutil
import sys

BEGIN = "<!-- results: written by Benchmarks/report.py write -->"
END = "<!-- end of results -->"
# Kinds of calls that take tens of milliseconds of processor time each.
HASHING = {"login", "signup"}
WORST_SECONDS = 10


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def capacity_of(word):
    """A rate, or the JSON of a search."""
    try:
        return float(word)
    except ValueError:
        pass
    found = read(word).get("capacity")
    if not found or found["capacity"] <= 0:
        sys.exit(f"report.py: {word}: no rate held")
    if found.get("isInterrupted"):
        print(f"report.py: {word}: the search was interrupted: the capacity is at least this", file=sys.stderr)
    return found["capacity"]


def number(value, digits=1):
    return "-" if value is None else f"{value:,.{digits}f}"


def p99_of(figures_of_kind):
    latency = figures_of_kind.get("latency")
    return latency["p99Milliseconds"] if latency else None


def p99(phase):
    return p99_of(phase["all"])


def figures(capacity, report):
    """Pairs of a name and its figure, then what the goal is."""
    if len(report["phases"]) != 3:
        sys.exit("report.py: the run has no three phases: before, overload, after")
    before, over, after = report["phases"]
    loaded = over["all"]
    unloaded = p99(before)
    failures = loaded["refused"] + loaded["failed"]
    rows = [
        ("capacity", f"{number(capacity, 0)}/s", ""),
        (
            "offered in the overload", f"{number(loaded['offeredRate'], 0)}/s for {number(over['seconds'] / 60)} min, "
            f"{number(loaded['offeredRate'] / capacity)} × capacity", "",
        ),
        ("goodput in the overload", f"{number(loaded['goodput'], 0)}/s, {number(100 * loaded['goodput'] / capacity)} % of capacity", "at least 95 %"),
        ("goodput in its worst 10 s", worst(report, over, capacity), "at least 90 %"),
        ("p99 of the accepted, before", f"{number(unloaded, 2)} ms at {number(before['all']['offeredRate'], 0)}/s", ""),
        (
            "p99 of the accepted, in the overload, log-ins and sign-ups apart",
            f"{number(p99_without_hashing(over), 2)} ms (with them {number(p99(over), 2)} ms)", "at most 250 ms",
        ),
        (
            "of what was not accepted, refused with 429",
            f"{number(loaded['refused'], 0)} of {number(failures, 0)}, "
            f"{number(loaded['refusedWithRetryAfter'], 0)} with Retry-After", "all",
        ),
        ("other failures in the overload", other_failures(loaded), "none"),
    ]
    for kind, own in sorted(over["kinds"].items()):
        earlier = before["kinds"].get(kind)
        rows.append((
            f"{kind} in the overload", f"{number(100 * own['accepted'] / own['offered'])} % accepted, "
            f"p99 {number(p99_of(own), 2)} ms ({number(p99_of(earlier) if earlier else None, 2)} before)", "",
        ))
    for process in report["processes"]:
        if len(process["phases"]) < 2:
            continue
        phase = process["phases"][1]
        slope = phase.get("kibPerMinute")
        rows.append((
            f"memory of {process['name']}, begin and end of the overload",
            f"{number(phase['beginKiB'] / 1024)} and {number(phase['endKiB'] / 1024)} MiB, "
            f"{number(slope / 1024 if slope is not None else None, 2)} MiB a minute", "flat",
        ))
    for recovery in report["recovery"]:
        for part in recovery["parts"]:
            seconds = part.get("seconds")
            who = part.get("kind", "all")
            bound = f"99 % accepted, p99 at most {number(part['boundMilliseconds'], 1)} ms"
            rows.append((
                f"after the load's end, until {who} is back: {bound}",
                f"{number(seconds)} s" if seconds is not None else f"not in {number(after['seconds'], 0)} s", "2 s",
            ))
    own = report["generator"]
    rows.append((
        "load generator", f"{number(100 * own['processorShare'], 0)} % of a processor, came late by p99 "
        f"{number(own.get('lagP99Milliseconds'), 2)} ms", "",
    ))
    return rows


def p99_without_hashing(phase):
    """The p99 of all kinds but those that hash a password, taken together, by their curves."""
    kinds = [own for kind, own in phase["kinds"].items() if kind not in HASHING and own["accepted"] > 0]
    if not kinds:
        return None
    # That of all lies between the least and the largest of the kinds.
    low, high = min(p99_of(own) for own in kinds), max(p99_of(own) for own in kinds)
    slow_max = 0.01 * sum(own["accepted"] for own in kinds)
    for _ in range(40):
        middle = (low + high) / 2
        if sum(own["accepted"] * share_slower(own["latency"]["curve"], middle) for own in kinds) > slow_max:
            low = middle
        else:
            high = middle
    return high


def share_slower(curve, milliseconds):
    """The share of what a curve of (percentile, milliseconds) says that took longer, interpolated."""
    before = (0, 0)
    for percentile, time in curve:
        if time > milliseconds:
            part = (milliseconds - before[1]) / (time - before[1])
            return 1 - (before[0] + part * (percentile - before[0])) / 100
        before = (percentile, time)
    return 0


def worst(report, phase, capacity):
    """The rate of accepted calls in the phase's worst stretch of WORST_SECONDS."""
    begin = round(10 * phase["from"])
    accepted = report["tenths"]["accepted"][begin:begin + round(10 * phase["seconds"])]
    length = min(10 * WORST_SECONDS, len(accepted))
    if length == 0:
        return "-"
    least = min(sum(accepted[at:at + length]) / length * 10 for at in range(len(accepted) - length + 1))
    return f"{number(least, 0)}/s, {number(100 * least / capacity)} % of capacity"


def other_failures(loaded):
    parts = [f"status {status}: {count}" for status, count in sorted(loaded["statuses"].items())]
    parts += [f"{name}: {loaded[key]}" for name, key in
              (("connection lost", "lost"), ("timed out", "timedOut"), ("not sent", "notSent")) if loaded[key]]
    return ", ".join(parts) or "none"


def table(capacity, report):
    lines = [
        f"Measured {report['began']} on {report['machine']}, load generator included; mix `{report['mix']}`, "
        f"{report['arrivals']} arrivals, time-out {number(report['timeoutSeconds'], 0)} s.",
        "",
        "| what | figure | goal |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {figure} | {goal} |" for name, figure, goal in figures(capacity, report)]
    lines += [f"\nWarning of the load generator: {warning}." for warning in report["generator"]["warnings"]]
    return "\n".join(lines)


def write(document, capacity, source):
    path = pathlib.Path(document)
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"report.py: {document} has not its two marks for results, once each")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    plot = pathlib.Path(source).with_suffix(".svg")
    picture = path.with_suffix(".svg")
    drawn = f"\n\n![Requests and latencies over the run]({picture.name})" if plot.exists() else ""
    path.write_text(f"{head}{BEGIN}\n{table(capacity, read(source))}{drawn}\n{END}{tail}", encoding="utf-8")
    if plot.exists():
        shutil.copyfile(plot, picture)


def main(words):
    match words:
        case ["capacity", path]:
            print(f"{capacity_of(path):.1f}")
        case ["summary", capacity, path]:
            for name, figure, goal in figures(capacity_of(capacity), read(path)):
                print(f"{name + ':':<82} {figure}" + (f"   (goal: {goal})" if goal else ""))
            for warning in read(path)["generator"]["warnings"]:
                print(f"warning of the load generator: {warning}")
        case ["rows", capacity, path]:
            print(table(capacity_of(capacity), read(path)))
        case ["write", document, capacity, path]:
            write(document, capacity_of(capacity), path)
        case _:
            sys.exit(__doc__)


main(sys.argv[1:])
