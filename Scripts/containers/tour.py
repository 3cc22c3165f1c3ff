"""Runs the README's tour by curl in one shell and compares what comes with what the README shows.

Ids, tokens and the like differ from run to run, so their values are not compared, but that they are there is.

tour.py [--in-use]      On a system that people use there are other vessels and bookings: so what comes must have the fields
                        that the README shows, and its statuses. No vessel is stored, and somebody new signs up, whose
                        booking is cancelled at the end. With less left behind it can be taken after each rollout.
                        GATEWAY=HOST:PORT says where, if not at localhost:8080.
"""

import json
import os
import subprocess
import sys
import time

SHOWN_GATEWAY = "localhost:8080"
# Somebody may have a vessel that carries what is too much for those in the README.
TOO_HEAVY = "2147483647"
CHANGING = {"id", "token", "created_at", "user_id"}


def steps(text):
    """Commands of the tour, each with the line that the README shows beneath it, if it shows one."""
    section = text.partition("## A tour by curl")[2].partition("\n## ")[0]
    lines = section.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(("$ curl", "$ TOKEN=", "$ ID=")):
            following = lines[number + 1] if number + 1 < len(lines) else ""
            yield line[2:], following if following.startswith("{") else None


def shape(value, name=""):
    if isinstance(value, dict):
        return {key: shape(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    # The seeded vessel's id is its name, and the ids of errors are the services'.
    return "…" if name in CHANGING and value != "vessel001" and not str(value).startswith("shippy.") else value


# What must be as shown also where other things are stored.
TELLING = {"code", "status", "valid", "created", "reason"}


def fits(answer, expected, name=""):
    """Whether an answer has all the fields that are expected, and the same statuses."""
    if isinstance(expected, dict):
        return isinstance(answer, dict) and all(
            key in answer and fits(answer[key], part, key) for key, part in expected.items())
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) >= len(expected) and all(
            fits(one, part, name) for one, part in zip(answer, expected))
    return answer == expected if name in TELLING else isinstance(answer, type(expected))


def in_use(tour):
    """The tour without what stays behind, for somebody new."""
    email = f"tour-{time.time_ns()}@example.com"
    return [(command.replace("ewan@example.com", email).replace("900000000", TOO_HEAVY), expected)
            for command, expected in tour if "VesselService.Create" not in command]


def main(arguments):
    with open("README.md", encoding="utf-8") as file:
        tour = list(steps(file.read()))
    if len(tour) < 8:
        sys.exit("tour: the README's tour was not found")
    is_in_use = arguments == ["--in-use"]
    if is_in_use:
        tour = in_use(tour)
    gateway = os.environ.get("GATEWAY", SHOWN_GATEWAY)
    tour = [(command.replace(SHOWN_GATEWAY, gateway), expected) for command, expected in tour]
    agrees = fits if is_in_use else lambda answer, expected: shape(answer) == shape(expected)
    mark = "-- end of answer --"
    script = "".join(f"{command}\nprintf '\\n%s\\n' '{mark}'\n" for command, _ in tour)
    done = subprocess.run(["bash", "-s"], input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    answers = [answer.strip() for answer in done.stdout.split(mark)]
    failures = 0
    for (command, expected), answer in zip(tour, answers):
        try:
            good = expected is None or agrees(json.loads(answer), json.loads(expected))
        except json.JSONDecodeError:
            good = False
        failures += not good
        print(f"tour: {'good' if good else 'BAD'}: {command[:60]}… → {answer[:150]}")
        if not good:
            print(f"tour: expected {expected}", file=sys.stderr)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
