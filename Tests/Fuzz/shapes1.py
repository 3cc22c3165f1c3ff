"""Malformed and ambiguous HTTP/1.1 requests, and the answers that a server must give."""

import re

BAD_NAMES = [b"x y", b"x\t", b"", b"x\x00", b"x\xff", b"(x)", b" x", b"x\x7f", b'"x"', b"x\r"]
BAD_HOSTS = [b"a b", b"a/b", b"u@h", b"h:99999999", b"[::1", b"a\x00b", b"::1", b"h:x", b"a\\b", b"<a>"]


def smuggling(rng):
    """A request whose end can be read in two ways; it contains another request, which must never be answered."""
    inner = f"s{rng.getrandbits(48):012x}"
    hidden = f"GET /healthz HTTP/1.1\r\nhost: a\r\nx-request-id: {inner}\r\n\r\n".encode()
    n = len(hidden)
    post = b"POST /rpc HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    chunked = b"0\r\n\r\n" + hidden
    data = rng.choice([
        post + b"content-length: %d\r\ntransfer-encoding: chunked\r\n\r\n" % len(chunked) + chunked,
        post + b"transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n" + chunked,
        post + b"content-length: 0\r\ncontent-length: %d\r\n\r\n" % n + hidden,
        post + b"content-length: 0, %d\r\n\r\n" % n + hidden,
        post + b"content-length: +0\r\n\r\n" + hidden,
        post + b"content-length: -1\r\n\r\n" + hidden,
        post + b"content-length: 0x0\r\n\r\n" + hidden,
        post + b"content-length:\r\n\r\n" + hidden,
        post + b"content-length: 18446744073709551616\r\n\r\n" + hidden,
        post + b"content-length : 0\r\n\r\n" + hidden,
        post + b"content-length: 0\r\n %d\r\n\r\n" % n + hidden,
        post + b"transfer-encoding: xchunked\r\n\r\n" + chunked,
        post + b"transfer-encoding: chunked, identity\r\n\r\n" + chunked,
        post + b"transfer-encoding: identity\r\n\r\n" + chunked,
        post + b"transfer-encoding: gzip, chunked\r\n\r\n" + chunked,
        post + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n" + chunked,
        post + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n" + chunked,
        post + b"transfer-encoding : chunked\r\n\r\n" + chunked,
        post + b"transfer-encoding:\x0bchunked\r\n\r\n" + chunked,
        post + b"transfer-encoding: \x00chunked\r\n\r\n" + chunked,
        post + b"transfer-encoding: \"chunked\"\r\n\r\n" + chunked,
        post + b"transfer-encoding: chunked;x=y\r\n\r\n" + chunked,
        post + b" transfer-encoding: chunked\r\n\r\n" + chunked,
        post + b"x: y\r\n\ttransfer-encoding: chunked\r\n\r\n" + chunked,
        post + b"x: y\rtransfer-encoding: chunked\r\n\r\n" + chunked,
        post + b"x: y\x00\r\n\r\n" + hidden,
        post.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n" + chunked,
        post + b"transfer-encoding: chunked\r\n\r\n" + rng.choice([
            b"%x \x00\r\n" % n, b"-%x\r\n" % n, b"+%x\r\n" % n, b"0x%x\r\n" % n, b"g\r\n", b"\r\n", b"ffffffffffffffffff\r\n",
            b"%x\n" % n, b"%x\r" % n, b"00000000000000000000000000000000000000001;\x00\r\n", b";x\r\n"]) + hidden,
        post + b"transfer-encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n" + hidden,
        post + b"transfer-encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n" + hidden,
        post + b"transfer-encoding: chunked\r\n\r\n0\r\nx y: z\r\n\r\n" + hidden,
        post + b"transfer-encoding: chunked\r\n\r\n0\r\ncontent-length: %d\r\n\r\n" % n + hidden,
        post + b"transfer-encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" + hidden,
        post + b"transfer-encoding: chunked\r\n\r\n" + rng.choice([
            b"0;", b"0;;", b"0;x=", b"0; x", b"0 ;x", b'0;x="', b'0;x="y"z', b"0;x\ry"]) + b"\r\n\r\n" + hidden,
    ])
    return [{"do": "send", "data": data, "reject": "framing", "hidden": [inner]}]


def malformed(rng):
    """Heads that RFC 9112 and 9110 forbid: one refusal, and the rest is not read."""
    inner = f"s{rng.getrandbits(48):012x}"
    after = f"GET /healthz HTTP/1.1\r\nhost: a\r\nx-request-id: {inner}\r\n\r\n".encode()
    line, host = b"GET /healthz HTTP/1.1\r\n", b"host: a\r\n"
    data = rng.choice([
        lambda: line + b"\r\n",
        lambda: line + host + host + b"\r\n",
        lambda: line + b"host: " + rng.choice(BAD_HOSTS) + b"\r\n\r\n",
        lambda: line + host + rng.choice(BAD_NAMES) + b": y\r\n\r\n",
        lambda: line + host + b"no colon\r\n\r\n",
        lambda: line + host + b"x: a" + bytes([rng.choice([0, 1, 8, 11, 12, 27, 31, 127])]) + b"b\r\n\r\n",
        lambda: rng.choice([b"GET /healthz", b"GET /healthz HTTP/1",
                            b"GET /healthz http/1.1", b"GET /healthz HTTP/2.0", b"GET /healthz HTTP/1.10", b"GET\t/healthz HTTP/1.1",
                            b"GET healthz HTTP/1.1", b"G(T /healthz HTTP/1.1", b"GET /a b HTTP/1.1", b"GET * HTTP/1.1",
                            b"GET /\x00 HTTP/1.1", b"GET /\x7f HTTP/1.1", b"GET http:///healthz HTTP/1.1",
                            b"GET http://u:p@a/healthz HTTP/1.1", b"GET ftp://a/healthz HTTP/1.1", b"CONNECT a:80 HTTP/1.1",
                            b"CONNECT /healthz HTTP/1.1", b" GET /healthz HTTP/1.1", b"GET  /healthz HTTP/1.1", b"GET /healthz  HTTP/1.1",
                            b"GET /healthz HTTP/1.1 ", b"GET /healthz RTSP/1.0", b"SOURCE /healthz ICE/1.0", b"\nGET /healthz HTTP/1.1",
                            b"\rGET /healthz HTTP/1.1", b"GET /\xc3\xa9 HTTP/1.1"]) + b"\r\n" + host + b"\r\n",
    ])()
    why = " ".join(re.findall("[a-z]+", repr(data.replace(host, b"")).lower()))[:60]
    return [{"do": "send", "data": data + after, "reject": why, "hidden": [inner]}]


def limits(rng):
    line, host = b"GET /healthz HTTP/1.1\r\n", b"host: a\r\nconnection: close\r\n"
    big = 16 * 1024
    data, status = rng.choice([
        (line + host + b"x: " + b"y" * (big - 200) + b"\r\n\r\n", [200]),
        (line + host + b"x: " + b"y" * (big + 100) + b"\r\n\r\n", [431]),
        (line + host + b"x" * (big + 100), [431, 400]),
        (line + host + b"x: y\r\n" * 4_000 + b"\r\n", [431]),
        (b"GET /" + b"a" * (big + 100) + b" HTTP/1.1\r\n" + host + b"\r\n", [431, 414]),
        (b"GET /healthz HTTP/1.1\r\n" + host + b"cookie: a\r\n" * 90 + b"\r\n", [200]),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"content-length: 1048577\r\n\r\n" + b"x" * 1000, [413]),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"content-length: 9223372036854775807\r\n\r\n", [413]),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"content-length: 18446744073709551616\r\n\r\n", [413]),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", [413]),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"content-length: 1048577\r\nexpect: 100-continue\r\n\r\n", [413]),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"transfer-encoding: chunked\r\n\r\n" + b"10000\r\n" + b" " * 65536 + b"\r\n", None),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"transfer-encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 17, [413]),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 20_000 + b"0\r\n\r\n", [400]),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"transfer-encoding: chunked\r\n\r\n1;" + b"x" * 100_000 + b"\r\n", [400, 413, 431]),
        (b"POST /rpc HTTP/1.1\r\n" + host + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 20_000, [400, 413, 431]),
        (b"\r\n" * 2_000 + line + host + b"\r\n", None),
        ((line + b"host: a\r\n\r\n") * 3_000, None),
    ])
    return [{"do": "send", "data": data, "first": status}]
