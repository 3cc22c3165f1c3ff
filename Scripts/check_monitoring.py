"""Checks the alert rules and the dashboard in deployments/monitoring, and that docs/operations.md says what to do.

check_monitoring.py [PAGE...]   prints a line for each finding and ends with status 1 if there is one. PAGEs are what
programs answered at /metrics: then each metric and label that a rule or a panel asks for must be on one of them. PromQL is
read, and the rules are tried out, by promtool.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

FOLDER = "deployments/monitoring"
DOCUMENT = "docs/operations.md"

# What Prometheus itself adds to series, and what prometheus.yaml tells it to add.
TARGET_LABELS = {"job", "instance", "app", "pod", "namespace"}
# What prometheus.yaml calls the programs.
JOB = "shippy"
# Series that Prometheus makes by itself.
OWN_METRICS = {"up"}
SEVERITIES = {"critical", "warning"}
# What a runbook says.
PARTS = ("Meaning", "Impact", "Diagnosis", "Mitigation")
# Grafana's variables, as they are when it asks.
VARIABLES = {"$__rate_interval": "5m", "$app": ".*"}
KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "start", "end"}
GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}


def read():
    with open(f"{FOLDER}/alerts.yaml", encoding="utf-8") as file:
        alerts = yaml.safe_load(file)
    with open(f"{FOLDER}/dashboard.json", encoding="utf-8") as file:
        dashboard = json.load(file)
    with open(DOCUMENT, encoding="utf-8") as file:
        document = file.read()
    return alerts, dashboard, document


def check(alerts, dashboard, document, pages=None):
    """All findings, as texts."""
    findings = [*alert_rules(alerts), *sections(alerts, document), *dashboard_rules(dashboard)]
    findings += promql(alerts, dashboard)
    if pages is not None:
        findings += unknown_names(alerts, dashboard, pages)
    return findings


def rules_of(alerts):
    return [rule for group in alerts["groups"] for rule in group["rules"]]


def alert_rules(alerts):
    seen = set()
    for rule in rules_of(alerts):
        name = rule.get("alert", "?")
        if name in seen:
            yield f"{name}: there are two of that name"
        seen.add(name)
        if rule.get("labels", {}).get("severity") not in SEVERITIES:
            yield f"{name}: its severity is none of {', '.join(sorted(SEVERITIES))}"
        for text in ("summary", "description"):
            if not rule.get("annotations", {}).get(text):
                yield f"{name}: it has no {text}"
        if rule.get("annotations", {}).get("runbook_url") != f"{DOCUMENT}#runbook-{name.lower()}":
            yield f"{name}: its runbook_url does not lead to its section"
        # What looks back over a time has waited already.
        if "for" not in rule and not re.search(r"\[\d+[mh]\]", rule.get("expr", "")):
            yield f"{name}: it has no 'for', so that a single bad moment rings it"
        # Prometheus may be shared with programs that have metrics of the same names.
        expression = rule.get("expr", "")
        for metric in sorted(set(names(expression)) - {""}):
            if re.search(rf'\b{metric}\b(?!\{{\s*job="{JOB}")', expression):
                yield f"{name}: {metric} is also taken from other jobs; begin its selector with job=\"{JOB}\""


def sections(alerts, document):
    names = {rule.get("alert") for rule in rules_of(alerts)}
    runbooks = dict(re.findall(r"^### Runbook: (Shippy\w+)$(.*?)(?=^##|\Z)", document, re.MULTILINE | re.DOTALL))
    yield from (f"{DOCUMENT}: {name} has no section" for name in sorted(names - set(runbooks)))
    yield from (f"{DOCUMENT}: {title} is no alert" for title in sorted(set(runbooks) - names))
    for title, text in runbooks.items():
        yield from (f"{DOCUMENT}: {title} does not say its {part}" for part in PARTS if f"*{part}" not in text)


def dashboard_rules(dashboard):
    if dashboard.get("schemaVersion", 0) < 36:
        yield "dashboard: its schemaVersion is too old for what is in it"
    variables = {one.get("name"): one.get("type") for one in dashboard.get("templating", {}).get("list", [])}
    if variables.get("datasource") != "datasource":
        yield "dashboard: there is no variable for the source"
    ids = [panel.get("id") for panel in dashboard["panels"]]
    if len(set(ids)) != len(ids):
        yield "dashboard: two panels have one id"
    for panel in dashboard["panels"]:
        title = panel.get("title", "?")
        place = panel.get("gridPos", {})
        if place.get("x", 0) + place.get("w", 99) > 24:
            yield f"dashboard: {title} is wider than the page"
        if panel.get("type") == "row":
            continue
        if not panel.get("targets"):
            yield f"dashboard: {title} asks for nothing"
        for one in [panel, *panel.get("targets", [])]:
            if one.get("datasource", {}).get("uid") != "${datasource}":
                yield f"dashboard: {title} has a source of its own"


def expressions(alerts, dashboard):
    """Where each stands, and its text."""
    for rule in rules_of(alerts):
        yield rule.get("alert", "?"), rule.get("expr", "")
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"dashboard: {panel.get('title')}", filled_in(target.get("expr", ""))
    for annotation in dashboard.get("annotations", {}).get("list", []):
        yield f"dashboard: {annotation.get('name')}", filled_in(annotation.get("expr", ""))


def filled_in(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def promql(alerts, dashboard):
    """What promtool says of all expressions, and of the rules' own tests."""
    if shutil.which("promtool") is None:
        yield "promtool is missing, which reads PromQL; it is in Debian's package prometheus"
        return
    listed = list(expressions(alerts, dashboard))
    records = [{"record": f"expression_{number}", "expr": text} for number, (_, text) in enumerate(listed)]
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/expressions.yaml"
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump({"groups": [{"name": "all", "rules": records}]}, file)
        said = promtool("check", "rules", path)
        for line in said.splitlines():
            if match := re.search(r'record "expression_(\d+)".*?: (.*)|expression_(\d+)', line):
                number = int(match.group(1) or match.group(3))
                yield f"{listed[number][0]}: {match.group(2) or line}"
        if said and not re.search(r"expression_\d+", said):
            yield f"promtool: {said}"
        path = f"{folder}/alerts.yaml"
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(alerts, file)
        shutil.copy(f"{FOLDER}/alerts_test.yaml", folder)
        yield from (f"promtool: {text}" for text in [promtool("check", "rules", path)] if text)
        yield from (f"alerts_test.yaml: {text}" for text in [promtool("test", "rules", f"{folder}/alerts_test.yaml")] if text)
        # Debian's promtool knows no Kubernetes: what finds the targets is left out, what is done with them is not.
        with open(f"{FOLDER}/prometheus.yaml", encoding="utf-8") as file:
            settings = yaml.safe_load(file)
        for job in settings["scrape_configs"]:
            job.pop("kubernetes_sd_configs", None)
        with open(f"{folder}/prometheus.yaml", "w", encoding="utf-8") as file:
            yaml.safe_dump(settings, file)
        yield from (f"prometheus.yaml: {text}" for text in [promtool("check", "config", f"{folder}/prometheus.yaml")] if text)
    tested = open(f"{FOLDER}/alerts_test.yaml", encoding="utf-8").read()
    for rule in rules_of(alerts):
        if f'alertname="{rule.get("alert")}"' not in tested:
            yield f"alerts_test.yaml: nothing rings {rule.get('alert')}"


def promtool(*words):
    """Nothing when it is content, else what it says."""
    done = subprocess.run(["promtool", *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return "" if done.returncode == 0 else " ".join(done.stdout.split())


TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<number>[0-9][0-9a-zA-Z.]*)"""
    r"""|(?P<other>\S)"""
)


def names(expression):
    """The metrics of an expression, each with the labels that are asked of it; under "" the labels that results are
    grouped by. For expressions that promtool can read."""
    tokens = [(match.lastgroup, match.group()) for match in TOKEN.finditer(expression)]
    used = {}
    metric = ""
    position = 0

    def closing(start, bracket):
        return next(index for index in range(start, len(tokens)) if tokens[index][1] == bracket)

    while position < len(tokens):
        kind, text = tokens[position]
        following = tokens[position + 1][1] if position + 1 < len(tokens) else ""
        if kind == "name" and text in GROUPING and following == "(":
            end = closing(position, ")")
            used.setdefault("", set()).update(word for sort, word in tokens[position:end][2:] if sort == "name")
            position = end
        elif text == "{":
            end = closing(position, "}")
            inner = tokens[position + 1:end]
            used.setdefault(metric, set()).update(
                word for index, (sort, word) in enumerate(inner) if sort == "name" and inner[index + 1][1] in "=!")
            position = end
        elif text == "[":
            position = closing(position, "]")
        elif kind == "name" and following != "(" and following not in GROUPING and text.lower() not in KEYWORDS:
            metric = text
            used.setdefault(metric, set())
        position += 1
    return used


def read_pages(paths):
    """The labels of each sample name on the pages."""
    from prometheus_client.parser import text_string_to_metric_families

    known = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for family in text_string_to_metric_families(file.read()):
                for sample in family.samples:
                    known.setdefault(sample.name, set()).update(sample.labels)
    return known


def unknown_names(alerts, dashboard, known):
    for place, expression in expressions(alerts, dashboard):
        used = names(expression)
        metrics = set(used) - {""}
        reach = set(TARGET_LABELS)
        for metric in metrics - OWN_METRICS:
            if metric not in known:
                yield f"{place}: no program has {metric}"
                continue
            reach |= known[metric]
            yield from (f"{place}: no {metric} has the label {label}"
                        for label in sorted(used[metric] - known[metric] - TARGET_LABELS))
        if metrics <= set(known) | OWN_METRICS:
            yield from (f"{place}: nothing in it has the label {label}" for label in sorted(used.get("", set()) - reach))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            reach = set().union(TARGET_LABELS, *(known.get(name, set()) for name in names(filled_in(target["expr"]))))
            for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
                if label not in reach:
                    yield f"dashboard: {panel['title']}: its legend shows {label}, which nothing has"


def main(paths):
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    alerts, dashboard, document = read()
    findings = check(alerts, dashboard, document, read_pages(paths) if paths else None)
    for text in findings:
        print(f"monitoring: {text}", file=sys.stderr)
    count = sum(1 for _ in expressions(alerts, dashboard))
    print(f"monitoring: {len(rules_of(alerts))} alerts, {count} expressions, {len(findings) or 'no'} findings")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
