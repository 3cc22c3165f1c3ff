"""Prints a JSON line for each container of the given manifests: name, image, words (command and arguments) and env.

series.py FILE...
"""

import json
import sys

import yaml


def containers(path):
    with open(path, encoding="utf-8") as file:
        for thing in yaml.safe_load_all(file):
            yield from thing["spec"].get("template", {}).get("spec", {}).get("containers", [])


for path in sys.argv[1:]:
    for container in containers(path):
        env = {one["name"]: one.get("value", "of-a-secret-that-is-long-enough-to-be-taken")
               for one in container.get("env", [])}
        words = [*container.get("command", []), *container.get("args", [])]
        print(json.dumps({"name": container["name"], "image": container["image"], "words": words, "env": env}))
