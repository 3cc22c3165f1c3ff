"""A gRPC server that plays the vessel service by a script, valid or hostile."""

import socket
import struct
import threading
import time

import http2
from fleet import free_port
from http2 import PREFACE, frame, settings

# Limits of its own: longest life of a connection, and longest time of writing to it.
CONNECTION_SECONDS_MAX = 20
WRITE_SECONDS_MAX = 3


class Upstream:
    """Listens on a port of its own. `play` sets its behaviour from now on; None is well-behaved."""

    def __init__(self, good_reply, health_reply):
        self.port = free_port()
        self.good_reply, self.health_reply = good_reply, health_reply
        self.script, self.problem, self.requests = None, None, 0
        self._connections, self._lock, self._stopped = set(), threading.Lock(), False
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def play(self, script, keep):
        """Changes the script, and closes open connections unless they are to be kept."""
        self.script = script
        if keep:
            return
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            _abort(connection)

    def close(self):
        self._stopped = True
        # A thread in accept() would keep the socket open.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.play([], keep=False)

    def _accept(self):
        while not self._stopped:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        reader, seen, health, deadline = http2.FrameReader(), b"", set(), time.monotonic() + CONNECTION_SECONDS_MAX
        connection.settimeout(WRITE_SECONDS_MAX)
        try:
            greeting = [each for each in self.script or [] if each["at"] == "connect"]
            if greeting:
                self._do(connection, greeting, 0)
            else:
                connection.sendall(settings())
            while time.monotonic() < deadline:
                try:
                    data = connection.recv(65536)
                except socket.timeout:
                    continue
                if not data:
                    return
                if len(seen) < len(PREFACE):
                    seen += data
                    if len(seen) < len(PREFACE):
                        continue
                    if not seen.startswith(PREFACE):
                        self.problem = f"the connection begins with {seen[:40]!r}"
                    data = seen[len(PREFACE):]
                for kind, flags, stream, payload, fields in reader.feed(data):
                    if fields is not None and dict(fields).get(b":path", b"").startswith(b"/grpc.health"):
                        health.add(stream)
                    self._received(connection, self.script, kind, flags, stream, payload, fields, stream in health)
        except ValueError as error:
            self.problem = f"a frame of the gateway's is malformed: {error}"
        except OSError:
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _received(self, connection, script, kind, flags, stream, payload, fields, is_health):
        silent = script is not None and any(each["do"] == "silence" for each in script)
        if kind == http2.SETTINGS and not flags & http2.ACK and not silent:
            connection.sendall(frame(http2.SETTINGS, http2.ACK))
        elif kind == http2.PING and not flags & http2.ACK and not silent:
            connection.sendall(frame(http2.PING, http2.ACK, 0, payload))
        elif kind in (http2.DATA, http2.HEADERS):
            if fields is not None and dict(fields).get(b"te") != b"trailers":
                self.problem = f"a request without te: {fields}"
            if kind == http2.DATA and payload and not silent:
                connection.sendall(http2.window_update(0, len(payload)))
            if flags & http2.END_STREAM:
                self.requests += 1
                good = self.health_reply if is_health else self.good_reply
                self._do(connection, good if script is None else [each for each in script if each["at"] == "reply"], stream)

    @staticmethod
    def _do(connection, steps, stream):
        for step in steps:
            if step["do"] == "frame":
                number = stream if step["stream"] is None else step["stream"]
                connection.sendall(frame(step["kind"], step["flags"], number, step["payload"]))
            elif step["do"] == "bytes":
                # Frames that hold this stream's number, mutated afterwards.
                connection.sendall(step["data"].replace(b"\x7e\x7e\x7e\x7f", struct.pack(">I", stream)))
            elif step["do"] == "pause":
                time.sleep(step["seconds"])
            elif step["do"] == "close":
                connection.shutdown(socket.SHUT_RDWR)
                return
            elif step["do"] == "abort":
                _abort(connection)
                return


def _abort(connection):
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
