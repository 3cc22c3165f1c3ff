"""One call of `POST /rpc`, and what its answer means to the caller."""

import http.client
import json
import urllib.parse

# Longer than the gateway's own deadline (5 s) and its wait for a connection (2 s): what is not answered by then is lost.
TIMEOUT_SECONDS = 10
# A longer Retry-After is not waited for.
PAUSE_SECONDS_MAX = 5
# Statuses after which the caller doesn't know whether the call was carried out.
UNKNOWN = {408, 429, 499}
# The id of errors that the gateway itself answers: the call reached no service.
GATEWAY_ID = "shippy.api"


class Answer:
    """`status`: the HTTP status, None without an answer; `body`: the JSON object; `why`: one or two words for people."""

    def __init__(self, status, body, why, pause_seconds=None):
        self.status, self.body, self.why, self.pause_seconds = status, body, why, pause_seconds

    @property
    def is_ok(self):
        return self.status == 200

    @property
    def is_unknown(self):
        return self.status is None or self.status >= 500 or self.status in UNKNOWN

    @property
    def is_not_found(self):
        """NOT_FOUND of a service, as opposed to a method or path that the gateway does not have."""
        return self.status == 404 and self.body.get("id") != GATEWAY_ID

    @property
    def reason(self):
        """The reason in the error's details (google.rpc.ErrorInfo), or an empty text."""
        details = self.body.get("details")
        found = [each.get("reason") for each in details if isinstance(each, dict)] if isinstance(details, list) else []
        return next((each for each in found if isinstance(each, str)), "")


class Client:
    """A caller with one connection. Not for two threads at a time."""

    def __init__(self, url, timeout_seconds=TIMEOUT_SECONDS):
        parts = urllib.parse.urlsplit(url)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + "/rpc"
        self._timeout_seconds, self._connection = timeout_seconds, None

    def call(self, method, request, token=None, key=None):
        """`method` is `service/Service.Method`. Never raises for what the other side does."""
        service, name = method.split("/")
        headers = {"content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if key:
            headers["idempotency-key"] = key
        body = json.dumps({"service": service, "method": name, "request": request})
        try:
            if self._connection is None:
                self._connection = self._kind(self._host, self._port, timeout=self._timeout_seconds)
            self._connection.request("POST", self._path, body.encode(), headers)
            response = self._connection.getresponse()
            data = response.read()
        except TimeoutError:
            self.close()
            return Answer(None, {}, "timeout")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(None, {}, f"connection lost ({type(error).__name__})")
        if response.will_close:
            self.close()
        return self._read(response, data)

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @staticmethod
    def _read(response, data):
        try:
            body = json.loads(data)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            # A proxy may answer 502 with a page of its own; with 200 the caller can't make anything of it.
            return Answer(502 if response.status == 200 else response.status, {}, f"{response.status}, no JSON object")
        pause = response.headers.get("retry-after", "")
        return Answer(response.status, body, f"{response.status}", min(float(pause), PAUSE_SECONDS_MAX) if pause.isdigit() else None)
