"""The real programs, run as processes on the embedded store, and what the system reports about them."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("SHIPPY_PROGRAMS", ROOT / ".build/debug"))
SECRET = "fuzz-jwt-secret-Zk3qXw8vUy5tRs2p-0123456789"
# Secrets: no answer and no log line may hold the first of these, or a password; all of them begin with the second.
PASSWORD = "pw-Geheim7Q"
SECRETS = [SECRET.encode(), PASSWORD.encode()]
START_SECONDS = 60
_ports = random.SystemRandom()
_TICKS = os.sysconf("SC_CLK_TCK")


class Finding(Exception):
    """A fault. `kind` names it in a word or two: inputs with the same kind are the same finding."""

    def __init__(self, kind, detail):
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail = kind, detail


def free_port():
    """A free port, below those that the system gives to outgoing connections."""
    while True:
        port = _ports.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Program:
    """One program: started, watched and ended. It keeps its ports when it is restarted."""

    def __init__(self, name, folder, flags=(), env=None):
        self.name, self.folder = name, pathlib.Path(folder)
        self.port, self.admin = free_port(), free_port()
        executable = PROGRAMS / ("shippy-api-gateway" if name == "gateway" else f"shippy-{name}-service")
        where = "address" if name == "gateway" else "server_address"
        # The program ends with the fuzzer, even when the fuzzer is killed.
        self.command = ["setpriv", "--pdeathsig", "KILL", str(executable), f"--{where}=127.0.0.1:{self.port}",
                        f"--admin_address=127.0.0.1:{self.admin}", *flags]
        self.env = {
            "PATH": os.environ.get("PATH", ""), "SWIFT_BACKTRACE": "enable=no", "MONGOC_DISABLE_SHM": "1",
            "JWT_SECRET": SECRET, "DB_HOST": f"sqlite:{self.folder / name}.db", **(env or {}),
        }
        self.process = None
        self.log_path = self.folder / f"{name}.log"
        self._log_at = 0

    def start(self):
        with open(self.log_path, "ab") as log:
            # A process group of its own: Ctrl-C reaches only the fuzzer, which ends its programs itself.
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.env, process_group=0)

    def wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.check_alive()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise Finding("not ready", f"{self.name} is not ready after {START_SECONDS} s; see {self.log_path}")
            time.sleep(0.05)

    def stop(self, kill=False):
        """Ends the program; returns the exit status."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    # MARK: What the system and its log say

    def check_alive(self):
        if self.process.poll() is not None:
            tail = self.log_path.read_bytes()[-2_000:].decode(errors="replace")
            raise Finding(f"{self.name} ended", f"status {self.process.returncode}; its log ends:\n{tail}")

    def cpu_seconds(self):
        try:
            stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return 0.0
        fields = stat.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_mib(self):
        try:
            for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        except (FileNotFoundError, ProcessLookupError):
            pass
        return 0.0

    def descriptors(self):
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except (FileNotFoundError, ProcessLookupError):
            return 0

    def check_log(self, allow_errors=False):
        """Reads new log lines. They must be JSON, hold no secret, and no error except in lines about calls:
        malformed messages are INTERNAL, as with other gRPC servers."""
        with open(self.log_path, "rb") as log:
            log.seek(self._log_at)
            data = log.read()
        data = data[:data.rfind(b"\n") + 1]
        self._log_at += len(data)
        for secret in SECRETS:
            if secret in data:
                at = data.index(secret)
                raise Finding("secret in a log", f"{self.name}: {data[max(0, at - 300):at + 100]!r}")
        for line in data.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                raise Finding("odd line in a log", f"{self.name}: {line[:500]!r}") from None
            if event.get("level") in ("error", "critical") and event.get("message") != "call" and not allow_errors:
                raise Finding("error in a log", f"{self.name}: {line[:1_000].decode(errors='replace')}")


class Fleet:
    """Programs that belong together, in a temporary folder."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="shippy-fuzz-")
        self.programs = {}

    def add(self, name, flags=(), **env):
        self.programs[name] = Program(name, self._folder.name, flags, env)
        return self.programs[name]

    @staticmethod
    def whole(gateway_flags=(), gateway=True):
        """All services, with a gateway in front of them."""
        fleet = Fleet()
        fleet.add("email")
        fleet.add("user", EMAIL_ADDRESS=fleet.address("email"))
        fleet.add("vessel", ["--seed"], USER_ADDRESS=fleet.address("user"))
        fleet.add("consignment", VESSEL_ADDRESS=fleet.address("vessel"), USER_ADDRESS=fleet.address("user"))
        if gateway:
            fleet.add("gateway", gateway_flags, **{
                f"{name.upper()}_ADDRESS": fleet.address(name) for name in ("vessel", "user", "consignment")})
        return fleet

    def __getitem__(self, name):
        return self.programs[name]

    def address(self, name):
        return f"127.0.0.1:{self.programs[name].port}"

    def start(self):
        for program in self.programs.values():
            program.start()
        for program in self.programs.values():
            program.wait_ready()

    def stop(self, kill=False):
        """Ends all programs, the gateway first. Returns the exit statuses."""
        return {program.name: program.stop(kill) for program in reversed(self.programs.values())}

    def close(self):
        self.stop(kill=True)
        self._folder.cleanup()

    def cpu_seconds(self):
        return sum(program.cpu_seconds() for program in self.programs.values())

    def check(self, memory_mib, allow_errors=False):
        """Every program lives, keeps to its memory and has logged no error and no secret."""
        for program in self.programs.values():
            program.check_alive()
            program.check_log(allow_errors)
            resident = program.resident_mib()
            if resident > memory_mib:
                raise Finding("memory", f"{program.name} has {resident:.0f} MiB resident, more than {memory_mib}")
