"""Asks a running Prometheus everything that deployments/monitoring asks, and says what is wrong with the answers.

ask_prometheus.py PORT TARGETS   goes on asking until so many targets are up and all is well, for a minute.
"""

import json
import os
import sys
import time
import urllib.parse
import urllib.request

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
sys.path.insert(0, os.path.join(ROOT, "Scripts"))
import check_monitoring  # noqa: E402

# In place of Grafana's choice: scrapes come each second here.
RATE = "10s"
# Nobody is refused, and no service is away, while the test runs.
MAY_BE_EMPTY = {
    "dashboard: Refused with RESOURCE_EXHAUSTED", "dashboard: Errors of the gateway's own making", "dashboard: Starts"}
TIMEOUT_SECONDS = 60


def ask(port, path, **parameters):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
        return json.load(answer)["data"]


def findings(port, targets):
    """What is wrong now, and how many questions were asked."""
    alerts, dashboard, _ = check_monitoring.read()
    texts = []
    up = ask(port, "/api/v1/query", query="sum(up)")["result"]
    if not up or float(up[0]["value"][1]) != targets:
        texts.append(f"not {targets} targets are up")
    rules = [rule for group in ask(port, "/api/v1/rules")["groups"] for rule in group["rules"]]
    if len(rules) != len(check_monitoring.rules_of(alerts)):
        texts.append(f"{len(rules)} rules were read")
    texts += [f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}" for rule in rules if rule["health"] != "ok"]
    expressions = list(check_monitoring.expressions(alerts, dashboard))
    for place, expression in expressions:
        result = ask(port, "/api/v1/query", query=expression)["result"]
        if place.startswith("dashboard: ") and place not in MAY_BE_EMPTY and not result:
            texts.append(f"{place}: nothing comes of {expression}")
    return texts, len(expressions)


def main(port, targets):
    os.chdir(ROOT)
    check_monitoring.VARIABLES["$__rate_interval"] = RATE
    deadline = time.monotonic() + TIMEOUT_SECONDS
    texts = ["nothing was answered"]
    while texts and time.monotonic() < deadline:
        time.sleep(0.5)
        try:
            texts, count = findings(port, targets)
        except OSError as error:
            texts = [str(error)]
    if texts:
        sys.exit("\n".join(texts))
    print(f"{count} answers, no findings")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
