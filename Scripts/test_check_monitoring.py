"""Proves that check_monitoring.py sees each break that it is there for: takes what is in deployments/monitoring, breaks one
thing, and looks for the finding."""

import copy
import os
import sys

from check_monitoring import check, expressions, names, read, rules_of

# As a page would have them: every name and label that is used, and so none that is not.
SOME_METRIC = "shippy_ready"


def rule(parts, name="ShippyPoolSaturated"):
    return next(one for one in rules_of(parts["alerts"]) if one["alert"] == name)


def panel(parts, title="p99 by method"):
    return next(one for one in parts["dashboard"]["panels"] if one["title"] == title)


def put(mapping, key, value):
    mapping[key] = value


# What is done, and a part of the finding that must come of it.
BREAKS = [
    ("an alert without severity", lambda p: rule(p).pop("labels"), "severity is none"),
    ("an unknown severity", lambda p: put(rule(p)["labels"], "severity", "page"), "severity is none"),
    ("no summary", lambda p: rule(p)["annotations"].pop("summary"), "no summary"),
    ("no description", lambda p: rule(p)["annotations"].pop("description"), "no description"),
    ("a runbook of another's", lambda p: put(rule(p)["annotations"], "runbook_url", "docs/operations.md#x"), "runbook_url"),
    ("an alert that does not wait", lambda p: rule(p, "ShippyPoolDisconnected").pop("for"), "no 'for'"),
    ("a rule that reads other programs too", lambda p: put(rule(p), "expr", 'pool_queued{pool="p"} > 1'), "from other jobs"),
    ("two of a name", lambda p: p["alerts"]["groups"][0]["rules"].append(rule(p)), "two of that name"),
    ("an alert that nobody explains", lambda p: put(p, "document", p["document"].replace("### Runbook: ShippyMailAge\n", "")),
     "ShippyMailAge has no section"),
    ("a section about no alert", lambda p: put(p, "document", p["document"] + "\n### Runbook: ShippyNothing\n"),
     "ShippyNothing is no alert"),
    ("a runbook without what to do", lambda p: put(p, "document", p["document"].replace("*Mitigation:*", "")),
     "ShippyMailAge does not say its Mitigation"),
    ("a rule that is not PromQL", lambda p: put(rule(p), "expr", "pool_queued / > 1"), "ShippyPoolSaturated: "),
    ("a panel that is not PromQL", lambda p: put(panel(p)["targets"][0], "expr", "rate(x)"), "p99 by method: "),
    ("a threshold that never rings", lambda p: put(rule(p), "expr", "pool_queued / pool_queue_capacity > 5"),
     "alerts_test.yaml: "),
    ("an alert that nothing rings", lambda p: put(rule(p), "alert", "ShippyOther"), "nothing rings ShippyOther"),
    ("an unknown metric in a rule", lambda p: put(rule(p), "expr", "pool_waiting > 1"), "no program has pool_waiting"),
    ("an unknown label in a rule", lambda p: put(rule(p), "expr", 'pool_queued{store="x"} > 1'), "has the label store"),
    ("an unknown label in a grouping", lambda p: put(rule(p), "expr", "sum by (store) (pool_queued) > 1"),
     "nothing in it has the label store"),
    ("an unknown metric in a panel", lambda p: put(panel(p)["targets"][0], "expr", "rpc_calls"), "no program has rpc_calls"),
    ("an unknown label in a legend", lambda p: put(panel(p)["targets"][0], "legendFormat", "{{method}}"), "its legend shows"),
    ("a panel that asks for nothing", lambda p: panel(p).pop("targets"), "asks for nothing"),
    ("a panel with a source of its own", lambda p: put(panel(p), "datasource", {"uid": "P1"}), "a source of its own"),
    ("two panels of one id", lambda p: put(panel(p), "id", 1), "one id"),
    ("a panel off the page", lambda p: put(panel(p)["gridPos"], "x", 20), "wider than the page"),
    ("an old dashboard", lambda p: put(p["dashboard"], "schemaVersion", 16), "schemaVersion"),
    ("no variable for the source", lambda p: p["dashboard"]["templating"]["list"].pop(0), "no variable for the source"),
]

# What the reader of PromQL must find.
READINGS = [
    ('sum by (a, b) (rate(x{c="d{", e!~"f"}[5m])) / on (g) group_left (h) y', {"": {"a", "b", "g", "h"}, "x": {"c", "e"}, "y": set()}),
    ("max without (a) (x offset 5m) unless y and vector(1) > bool 2e3", {"": {"a"}, "x": set(), "y": set()}),
]


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    alerts, dashboard, document = read()
    known = {}
    for _, expression in expressions(alerts, dashboard):
        used = names(expression)
        for metric in set(used) - {""}:
            known.setdefault(metric, set()).update(used[metric], used.get("", set()))
    failures = [f"{text}: read as {names(text)}" for text, expected in READINGS if names(text) != expected]
    if SOME_METRIC not in known:
        failures.append(f"{SOME_METRIC} was not found in any expression")
    good = {"alerts": alerts, "dashboard": dashboard, "document": document}
    before = set(check(**good, pages=known))
    for name, destroy, expected in BREAKS:
        parts = copy.deepcopy(good)
        destroy(parts)
        new = set(check(**parts, pages=known)) - before
        if not any(expected in text for text in new):
            failures.append(f"{name}: expected '{expected}', got {sorted(new) or 'nothing'}")
    for text in failures:
        print(text, file=sys.stderr)
    print(f"monitoring: {len(BREAKS) - len(failures)} of {len(BREAKS)} breaks seen")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
