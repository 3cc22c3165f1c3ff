"""A model of the system, in memory: it answers over HTTP what the checker calls, follows the booking protocol, crashes between
its steps, and has the faults that --fault plants: model_system.py [--port PORT] [--fault NAME].

Its stores survive crashes, as databases do. SIGUSR1 crashes both services.
"""

import argparse
import http.server
import json
import secrets
import signal
import sys
import threading
import time

from model_bookings import Bookings
from model_services import CRASHES, MESSAGES, STALLS, Conditions, Crashed, Network, Refused, Unavailable
from model_vessels import Vessels

# Planted faults: what they are, and the kinds of violations that show them.
FAULTS = {
    "reserve-before-intent": ("room is taken before the intent is stored", {"room leaked"}),
    "release-twice": ("a repeated Release gives the room back once more", {"room not taken", "out of range"}),
    "confirm-without-reserve": ("a booking is confirmed though its Reserve was not answered", {"room not taken", "oversold"}),
    "unconditional-confirm": ("confirm does not look whether the intent is still PENDING", {"cancel undone", "room not taken"}),
    "no-tombstone": ("a Reserve that comes after its Release takes room", {"room leaked"}),
    "forget-key": ("keys are lost in a crash", {"booked twice", "other answer"}),
    "keys-of-all": ("keys do not count for each caller alone", {"unexpected answer"}),
    "sees-others": ("callers see all consignments", {"seen by others"}),
    "others-cancel": ("callers can cancel all consignments", {"seen by others"}),
    "oversell": ("Reserve checks, then sets", {"oversold", "out of range"}),
    "release-before-cancel": ("Cancel gives the room back before it is stored", {"room not taken"}),
    "delete-before-release": ("an intent is forgotten before its room is given back", {"room leaked"}),
    "forget-release": ("Cancel does not store that room is still to be given back", {"room leaked"}),
    "no-worker": ("nobody ends what a crash left behind", {"left pending"}),
    "answer-before-stored": ("a crash loses bookings that were answered", {"changed booking", "lost booking"}),
    "refuse-with-room": ("full is answered though there is room", {"refused with room"}),
    "coarse-pages": ("the next page begins after the instant of the last one shown", {"lost booking"}),
}
PAGE_DEFAULT, PAGE_MAX = 100, 1_000


class Model:
    """The users, and the services that calls go to."""

    def __init__(self, conditions, operator_token=None):
        self.vessels = Vessels(conditions)
        self.bookings = Bookings(conditions, self.vessels, Network(conditions))
        self.bookings.start_worker()
        self._users, self._answers, self._operator_token = {}, {}, operator_token

    def crash(self):
        self.vessels.crash()
        self.bookings.crash()

    def answer(self, method, request, token, key):
        """The answer to one call; raises Refused, Unavailable or Crashed."""
        if method == "UserService.Create":
            return self._sign_up(request, key)
        if method == "VesselService.Get":
            return self.vessels.get(request["id"])
        if method == "VesselService.List":
            return self.vessels.list(page_size(request), int(request.get("page_token") or 0))
        if method == "VesselService.FindAvailable":
            return self.vessels.find(request["capacity"], request["max_weight"])
        if token and token == self._operator_token:
            user = None
        elif token in self._users:
            user = self._users[token]
        else:
            raise Refused(401, "Unauthorized", "no good token")
        if method == "VesselService.Create":
            return self.vessels.create(user, request, key)
        if method == "ConsignmentService.Create":
            return self.bookings.create(user, request, key)
        if method == "ConsignmentService.Cancel":
            return self.bookings.cancel(user, request["id"])
        if method == "ConsignmentService.Get" and request.get("id"):
            return self.bookings.get(user, request["id"])
        if method == "ConsignmentService.Get":
            return self.bookings.list(user, page_size(request), request.get("page_token"))
        raise Refused(404, "Not Found", f"no method {method}")

    def _sign_up(self, request, key):
        if (request["email"], key) not in self._answers:
            identifier, token = secrets.token_hex(8), secrets.token_hex(16)
            self._users[token] = identifier
            self._answers[request["email"], key] = {"user": {"id": identifier, "email": request["email"]}, "token": {"token": token}}
        return self._answers[request["email"], key]


def page_size(request):
    return min(request.get("page_size") or PAGE_DEFAULT, PAGE_MAX)


def as_json(value):
    """As protobuf's JSON: what has its default value is left out."""
    if isinstance(value, dict):
        plain = {name: as_json(each) for name, each in value.items()}
        return {name: each for name, each in plain.items() if each}
    return [as_json(each) for each in value] if isinstance(value, list) else value


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else each answer waits for the acknowledgement of its header.
    wbufsize = -1
    model = None

    def do_GET(self):
        self._send(200, {"status": "ok"})

    def do_POST(self):
        call = json.loads(self.rfile.read(int(self.headers["content-length"])))
        token = self.headers.get("authorization", "").removeprefix("Bearer ") or None
        try:
            self._send(200, as_json(self.model.answer(call["method"], call["request"], token, self.headers.get("idempotency-key"))))
        except Refused as refusal:
            details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": refusal.reason, "domain": "shippy"}]
            self._send(refusal.code, {"id": f"shippy.{call['service']}", "code": refusal.code, "detail": str(refusal),
                                      "status": refusal.status, "details": details if refusal.reason else []})
        except Unavailable:
            self._send(503, {"id": f"shippy.{call['service']}", "code": 503, "detail": "not available", "status": "Service Unavailable"})
        except Crashed:
            self.close_connection = True

    def _send(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Callers may leave at any time."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(*_)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="\n".join(f"{name:<24}{text}" for name, (text, _) in FAULTS.items()))
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; without it a free one, which is printed")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--fault", action="append", default=[], choices=FAULTS, help="a planted fault; see below")
    parser.add_argument("--crashes", type=float, default=CRASHES, help="chance of a crash at each step (%(default)s)")
    parser.add_argument("--stalls", type=float, default=STALLS, help="chance of a step that takes long (%(default)s)")
    parser.add_argument("--messages", type=float, default=MESSAGES,
                        help="share of messages between the services that are lost, late or delivered twice (%(default)s)")
    parser.add_argument("--calm", action="store_true", help="nothing of the three")
    parser.add_argument("--crash-seconds", type=float, help="crash both services that often as well")
    parser.add_argument("--operator-token", help="a token that sees and cancels everything")
    options = parser.parse_args()
    shares = (0, 0, 0) if options.calm else (options.crashes, options.stalls, options.messages)
    Handler.model = Model(Conditions(options.seed, options.fault, *shares), options.operator_token)
    # Not in the signal handler itself, which runs in a thread that may hold a lock.
    signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=Handler.model.crash).start())
    server = Server(("127.0.0.1", options.port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"model: http://127.0.0.1:{server.server_port}", flush=True)
    while True:
        time.sleep(options.crash_seconds or 3_600)
        if options.crash_seconds:
            Handler.model.crash()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
