"""Databases for the programs under the checker: a MongoDB wire server and PostgreSQL, in temporary folders of their own.

An answered write survives their SIGKILL, as it does where the system is in earnest.
"""

import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "Fuzz"))
import fleet as programs  # noqa: E402, ports and faults are those of the programs

START_SECONDS = 60
PASSWORD = "checker"


class Database:
    """A server that can be killed and started again on its port and data, as `fleet.Program` can."""

    def __init__(self, name):
        self.name, self.port = name, programs.free_port()
        self.folder = tempfile.mkdtemp(prefix=f"shippy-checker-{name}-")
        self._process = None

    def command(self):
        """The program and its arguments."""
        raise NotImplementedError

    def start(self):
        with open(f"{self.folder}.log", "ab") as log:
            # It ends with the checker. PostgreSQL's programs find themselves by leaving their folder and coming back, and nobody
            # may not enter all of ours.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                process_group=0, cwd=self.folder)

    def wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.check_alive()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise programs.Finding("not ready", f"{self.name} does not listen; {self._log_end()}") from None
                time.sleep(0.05)

    def check_alive(self):
        if self._process.poll() is not None:
            raise programs.Finding(f"{self.name} ended", f"status {self._process.returncode}; {self._log_end()}")

    def _log_end(self):
        tail = pathlib.Path(f"{self.folder}.log").read_bytes()[-2_000:].decode(errors="replace")
        return f"its log ends:\n{tail}"

    def stop(self, kill=False):
        if self._process is None:
            return
        if self._process.poll() is None:
            # PostgreSQL's SIGINT is its quick shutdown.
            os.killpg(self._process.pid, signal.SIGKILL if kill else signal.SIGINT)
            self._process.wait()
        self._process = None

    def close(self):
        self.stop(kill=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        pathlib.Path(f"{self.folder}.log").unlink(missing_ok=True)


class MongoDB(Database):
    """SecantusDB, of the environment for the tests (Scripts/install.sh test)."""

    def __init__(self):
        venv = os.path.abspath(os.environ.get("SHIPPY_TEST_VENV", programs.ROOT / ".build/test-venv"))
        self._program = f"{venv}/bin/secantusd-py"
        if not os.path.exists(self._program):
            raise programs.Finding("no MongoDB wire server", f"{self._program} is missing; run: Scripts/install.sh test")
        super().__init__("mongo")

    def command(self):
        return [self._program, "--port", str(self.port), "--storage-path", f"{self.folder}/data", "--log-level", "ERROR",
                "--cache-size", "64M", "--sync-on-commit"]

    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}/shippy"


class PostgreSQL(Database):
    """Debian's. It does not run as root; then it runs as nobody."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            raise programs.Finding("no PostgreSQL", "initdb is missing; run: Scripts/install.sh test")
        self._tools = found[-1]
        super().__init__("postgres")
        try:
            self._make_cluster()
        except BaseException:
            self.close()
            raise

    def _make_cluster(self):
        password = f"{self.folder}/password"
        pathlib.Path(password).write_text(f"{PASSWORD}\n")
        self._as_server = []
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in (self.folder, password):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            self._as_server = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        made = subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", *self._as_server, f"{self._tools}/initdb", f"--pgdata={self.folder}/data",
             "--auth=scram-sha-256", "--username=shippy", f"--pwfile={password}", "--encoding=UTF8", "--locale=C",
             "--no-instructions"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=self.folder)
        if made.returncode:
            raise programs.Finding("no PostgreSQL", f"initdb ended with {made.returncode}: {made.stderr[-2_000:]}")

    def command(self):
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", "shared_buffers=16MB",
                    "log_min_messages=warning"]
        return [*self._as_server, f"{self._tools}/postgres", "-D", f"{self.folder}/data",
                *(word for setting in settings for word in ("-c", setting))]

    def stop(self, kill=False):
        super().stop(kill)
        if kill:
            self._wait_for_backends()

    def _wait_for_backends(self):
        """They have sessions of their own and end when they notice that the server is gone; it does not start before that."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if subprocess.run(["pgrep", "--full", f"postgres.*{self.folder}/data"], stdout=subprocess.DEVNULL).returncode:
                return
            time.sleep(0.05)

    def uri(self):
        return f"postgresql://shippy:{PASSWORD}@127.0.0.1:{self.port}/postgres"
