"""Strict reader of HTTP/1.1 responses: rejects what RFC 9112 does not allow a server to send."""

import json
import re
import socket

from fleet import SECRETS, Finding

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
ERROR_BYTES_MAX = 8 * 1024
HEAD_BYTES_MAX = 64 * 1024


class Response:
    def __init__(self, status, headers, body, version):
        self.status, self.headers, self.body, self.version = status, headers, body, version

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        return values[0] if values else None

    @property
    def closes(self):
        return (self.header("connection") or "").lower() == "close"


class Closed(Exception):
    """The server closed the connection between responses."""


class Client:
    """One connection."""

    def __init__(self, port, timeout=15):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.ended = False

    def send(self, data):
        """Sends bytes; False when the server takes no more."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def end(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.socket.close()

    def _fill(self):
        if self.ended:
            return False
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
        self.buffer += data
        return bool(data)

    def response(self, to_head=False):
        """The next response that is not 1xx; Closed when there is none. `socket.timeout` when none comes in time.

        `to_head`: whether the request was HEAD, whose response has no body; None when that is unknown."""
        while True:
            while b"\r\n\r\n" not in self.buffer:
                if len(self.buffer) > HEAD_BYTES_MAX:
                    raise Finding("malformed response", f"a head without an end: {self.buffer[:300]!r}")
                if not self._fill():
                    if self.buffer:
                        raise Finding("malformed response", f"the connection ended within a head: {self.buffer[:300]!r}")
                    raise Closed
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            status, headers, version = parse_head(head)
            if status == 100:
                continue
            body = self._body(status, headers, to_head)
            return Response(status, headers, body, version)

    def _body(self, status, headers, to_head):
        lengths = [value for name, value in headers if name == "content-length"]
        if any(name == "transfer-encoding" for name, _ in headers):
            raise Finding("malformed response", f"a transfer encoding was not expected: {headers}")
        if status in (204, 304):
            if status == 204 and lengths:
                raise Finding("malformed response", f"204 with a content-length: {headers}")
            return b""
        if len(lengths) != 1 or not lengths[0].isdigit():
            raise Finding("malformed response", f"content-length is {lengths}: {status} {headers}")
        length = int(lengths[0])
        if to_head is None:
            # The next response begins where the body would, so there is no body.
            while len(self.buffer) < min(length, 9) and self._fill():
                pass
            to_head = not self.buffer or self.buffer.startswith(b"HTTP/1.1 ")
        if to_head:
            return b""
        while len(self.buffer) < length:
            if not self._fill():
                raise Finding("malformed response", f"the body has {len(self.buffer)} of {length} bytes: {status}")
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return body


def parse_head(head):
    """Status, header fields with names in lower case, version."""
    lines = head.split(b"\r\n")
    match = re.fullmatch(rb"(HTTP/1\.1) ([1-5][0-9][0-9]) ([\t -~\x80-\xff]*)", lines[0])
    if not match:
        raise Finding("malformed response", f"status line {lines[0][:200]!r}")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name) or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise Finding("malformed response", f"header line {line[:200]!r}")
        headers.append((name.decode().lower(), value.strip(b" \t").decode("latin-1")))
    names = [name for name, _ in headers]
    for single in ("content-length", "content-type", "date", "connection", "x-request-id"):
        if names.count(single) > 1:
            raise Finding("malformed response", f"{single} is there twice: {headers}")
    return int(match.group(2)), headers, match.group(1)


def _no_duplicates(pairs):
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a name is there twice")
    return out


def parse_json(body):
    """JSON, strictly: UTF-8, no NaN, no duplicate names."""
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")
    return json.loads(body.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=refuse)


# Errors repeat a name that there is not. A mutation may make one of the secret's own text: whoever sends it as a name has
# published it.
ECHOED_NAME = re.compile(rb'(?:unknown field|service) \\".*?", "status"', re.DOTALL)


def check_secrets(data):
    data = ECHOED_NAME.sub(b"", data)
    for secret in SECRETS:
        if secret in data:
            at = data.index(secret)
            raise Finding("secret in an answer", repr(data[max(0, at - 300):at + 100]))


def check_answer(response, allowed, to_head=False, error_bytes_max=ERROR_BYTES_MAX):
    """Rules for every answer of the gateway. Returns the body as JSON, if it is JSON."""
    status, body = response.status, response.body
    if status not in allowed:
        raise Finding(f"status {status}", f"{response.headers} {body[:500]!r}")
    check_secrets(body + repr(response.headers).encode())
    if response.header("date") is None:
        raise Finding("malformed response", f"no date: {response.headers}")
    if status >= 400:
        return check_error(response, to_head, error_bytes_max)
    if not body or status in (204, 304) or "json" not in (response.header("content-type") or ""):
        return None
    try:
        return parse_json(body)
    except ValueError as error:
        raise Finding("malformed answer", f"{error}: {body[:500]!r}") from None


def check_error(response, to_head, error_bytes_max):
    status, body = response.status, response.body
    for needed, where in (("allow", 405), ("retry-after", 429), ("www-authenticate", 401)):
        # A message of too many elements is refused for good: there is no time to come back after.
        if status == 429 and b'"TOO_MANY_ELEMENTS"' in body:
            continue
        if status == where and not response.header(needed):
            raise Finding("malformed error", f"{status} without {needed}: {response.headers}")
    if to_head or not body and response.header("content-length") != "0":
        return None
    if len(body) > error_bytes_max:
        raise Finding("long error text", f"{len(body)} bytes: {body[:200]!r}")
    try:
        error = parse_json(body)
        text = [error["id"], error["detail"], error["status"]]
        good = error["code"] == status and all(isinstance(each, str) for each in text) and error["id"].startswith("shippy.")
    except (ValueError, KeyError, TypeError) as problem:
        raise Finding("malformed error", f"{problem!r}: {body[:500]!r}") from None
    if not good or response.header("content-type") != "application/json":
        raise Finding("malformed error", f"{response.status} {response.headers} {body[:500]!r}")
    return error
