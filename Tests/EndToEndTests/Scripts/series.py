"""Prints a JSON line for each container of the given manifests: name, image, words (command and arguments) and env.

series.py FILE...
"""

import json
import sys

import yaml


def containers(path):
    with open(path, encoding="utf-8") as file:
        for thing in yaml.safe_load_all(file):
            # The databases are others' programs.
            if thing["kind"] == "Deployment":
                yield from thing["spec"]["template"]["spec"]["containers"]


for path in sys.argv[1:]:
    for container in containers(path):
        env = {one["name"]: one.get("value", "of-a-secret-that-is-long-enough-to-be-taken")
               for one in container.get("env", [])}
        words = [*container.get("command", []), *container.get("args", [])]
        print(json.dumps({"name": container["name"], "image": container["image"], "words": words, "env": env}))
