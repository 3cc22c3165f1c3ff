"""Brings up docker-compose.yml with podman alone, as far as that file goes: for machines without Docker, and without the
systemd that podman's own health checks need.

compose.py up | down | logs SERVICE        The variables of .env come from the environment.
compose.py series                           deployments/series as well, beside the same databases, the gateways at ports 8082
                                            and 8084, the page at 8085
"""

import glob
import os
import re
import subprocess
import sys
import time

import yaml

PROJECT = "shippy-try"
# What all said, kept when they are gone.
LOGS = ".build/containers/logs"
# Of deployments/series: what leads to which port in the container.
SERIES_PORTS = {"api": "8082:8080", "micro": "8084:80", "ui": "8085:80"}
UNDERSTOOD = {
    "image", "build", "command", "environment", "healthcheck", "depends_on", "read_only", "cap_drop", "security_opt",
    "restart", "stop_grace_period", "ports", "volumes", "tmpfs", "sysctls",
}


def podman(*arguments, check=True):
    done = subprocess.run(["podman", *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if check and done.returncode != 0:
        sys.exit(f"compose: podman {' '.join(arguments[:3])} … failed: {done.stdout.strip()}")
    return done


def filled_in(text):
    """Variables as Docker Compose fills them in, before the text is read as YAML; `$$` is left for later."""

    def value(match):
        name, operator, rest = match.group(1), match.group(2), match.group(3)
        if found := os.environ.get(name):
            return found
        if operator == ":?":
            sys.exit(f"compose: {name}: {rest}")
        return rest or ""

    return re.sub(r"(?<!\$)\$\{(\w+)(?:(:[-?])([^}]*))?\}", value, text)


def read(path):
    with open(path, encoding="utf-8") as file:
        compose = yaml.safe_load(filled_in(file.read()))
    # What has a profile is there for those who ask for it by name.
    services = {name: service for name, service in compose["services"].items() if "profiles" not in service}
    for name, service in services.items():
        if unknown := set(service) - UNDERSTOOD:
            sys.exit(f"compose: {name}: {', '.join(sorted(unknown))} is not understood here")
    return services


def words(value):
    return [str(word).replace("$$", "$") for word in value]


def run_arguments(name, service):
    yield from ("--detach", "--name", f"{PROJECT}-{name}", "--network", PROJECT, "--network-alias", name)
    # podman's name server loses a question now and then; asked again after 1 s, not 5, nobody notices.
    yield from ("--dns-option", "timeout:1", "--dns-option", "attempts:5")
    yield from ("--stop-timeout", str(service.get("stop_grace_period", "10s")).rstrip("s"))
    if service.get("read_only"):
        # podman would mount a writable /tmp, /run and /var/tmp by itself; Docker does not.
        yield from ("--read-only", "--read-only-tmpfs=false")
    for flag in ("cap_drop", "security_opt"):
        for value in service.get(flag, []):
            yield from (f"--{flag.replace('_', '-')}", value.replace(":true", ""))
    for key, value in service.get("sysctls", {}).items():
        yield from ("--sysctl", f"{key}={value}")
    for key, value in service.get("environment", {}).items():
        yield from ("--env", f"{key}={value}")
    for value in service.get("tmpfs", []):
        yield from ("--tmpfs", f"{value}:mode=1777")
    for value in service.get("volumes", []):
        yield from ("--volume", f"{PROJECT}-{value}")
    for value in service.get("ports", []):
        yield from ("--publish", value)


def start(name, service):
    image = f"localhost/{service['image']}"
    podman("run", *run_arguments(name, service), image, *words(service.get("command", [])))


def wait_healthy(name, service):
    check = service.get("healthcheck")
    if not check:
        return
    interval, retries = int(check["interval"].rstrip("s")), check["retries"]
    deadline = time.monotonic() + interval * retries
    while time.monotonic() < deadline:
        if podman("exec", f"{PROJECT}-{name}", *words(check["test"][1:]), check=False).returncode == 0:
            print(f"compose: {name} is healthy", flush=True)
            return
        time.sleep(0.5)
    log = podman("logs", "--tail", "20", f"{PROJECT}-{name}", check=False).stdout
    sys.exit(f"compose: {name} is not healthy after {interval * retries} s; its log ends with\n{log}")


def in_order(services):
    """Their names, each after those that it depends on."""
    order = []
    while len(order) < len(services):
        ready = [name for name, service in services.items()
                 if name not in order and set(service.get("depends_on", {})) <= set(order)]
        if not ready:
            sys.exit("compose: some services depend on each other in a circle")
        order += ready
    return order


def up(services):
    podman("network", "create", PROJECT)
    healthy = set()
    for name in in_order(services):
        for needed, how in services[name].get("depends_on", {}).items():
            if how["condition"] == "service_healthy" and needed not in healthy:
                wait_healthy(needed, services[needed])
                healthy.add(needed)
        start(name, services[name])
    for name in services:
        if name not in healthy:
            wait_healthy(name, services[name])


def series(services):
    """Containers as the manifests describe them: image, command and variables. All but the image's tag is as written."""
    network = f"{PROJECT}-series"
    podman("network", "create", network)
    for name in ("mongo", "postgres"):
        podman("network", "connect", "--alias", name, network, f"{PROJECT}-{name}")
    started = []
    for path in sorted(glob.glob("deployments/series/*.yaml")):
        with open(path, encoding="utf-8") as file:
            deployment = next(yaml.safe_load_all(file))
        if deployment["kind"] != "Deployment":
            # The databases are there already.
            continue
        name = deployment["metadata"]["name"]
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        image = container["image"].rpartition(":")[0] + ":" + os.environ["TAG"]
        arguments = ["--detach", "--name", f"{network}-{name}", "--network", network]
        # As Docker and containerd do it by themselves: port 80 is everybody's.
        arguments += ["--sysctl", "net.ipv4.ip_unprivileged_port_start=0"]
        # Service `api` would lead from port 80 to 8080, which a network of podman's can't: so the page finds `micro`.
        if name != "api":
            arguments += ["--network-alias", name]
        for variable in container.get("env", []):
            # What would come from a Secret comes from the environment.
            value = variable.get("value") or os.environ[variable["valueFrom"]["secretKeyRef"]["key"]]
            arguments += ["--env", f"{variable['name']}={value}"]
        if name in SERIES_PORTS:
            arguments += ["--publish", f"127.0.0.1:{SERIES_PORTS[name]}"]
        # A command stands in the place of the image's own, arguments in that of its CMD: no image of ours has an ENTRYPOINT.
        podman("run", *arguments, f"localhost/{image}", *container.get("command", []), *container.get("args", []))
        started.append(name)
    # The gateway came first, by the alphabet: the order does not matter.
    for name in started:
        wait_healthy(f"series-{name}", services[{"micro": "api"}.get(name, name)])


def stopped_badly(name):
    """A program ends with 0 when it is asked to; what stands in for others may do as it likes."""
    done = podman("inspect", "--format", "{{.State.ExitCode}}", f"{PROJECT}-{name}", check=False)
    return done.stdout.strip() if done.returncode == 0 and done.stdout.strip() != "0" else None


def down(services):
    """Callers before those they call, each with the time that it is given."""
    for container in podman("ps", "--all", "--quiet", "--filter", f"name={PROJECT}-series-").stdout.split():
        podman("rm", "--force", container, check=False)
    os.makedirs(LOGS, exist_ok=True)
    for name in reversed(services):
        podman("stop", f"{PROJECT}-{name}", check=False)
        with open(f"{LOGS}/{name}.log", "w", encoding="utf-8") as log:
            log.write(podman("logs", f"{PROJECT}-{name}", check=False).stdout)
        if "build" in services[name] and (status := stopped_badly(name)):
            print(f"compose: {name} ended with status {status}", flush=True)
    for name in services:
        podman("rm", "--force", "--volumes", f"{PROJECT}-{name}", check=False)
        for volume in services[name].get("volumes", []):
            podman("volume", "rm", "--force", f"{PROJECT}-{volume.partition(':')[0]}", check=False)
    for network in (f"{PROJECT}-series", PROJECT):
        podman("network", "rm", "--force", network, check=False)


def main():
    services = read("docker-compose.yml")
    match sys.argv[1:]:
        case ["up"]:
            up(services)
        case ["down"]:
            down({name: services[name] for name in in_order(services)})
        case ["series"]:
            series(services)
        case ["logs", name]:
            print(podman("logs", f"{PROJECT}-{name}").stdout)
        case _:
            sys.exit("compose: say up, down or logs SERVICE")


if __name__ == "__main__":
    main()
