"""Hostile values and mutations, all drawn from a `random.Random`, so that a seed and an index determine them."""

import base64
import hashlib
import hmac
import json

# Characters that are costly to compare, count or hash by canonical equivalence or by grapheme cluster.
MARKS = ["\u0301\u0323", "\u093f\u094d\u0915", "\u0915\u094d", "\U0001f468\u200d", "\U0001f1e6", "\u1100\u1161", "\u0f71\u0f72"]
ODD = [
    "\0", "\x01", "\x1f", "\x7f", "\x80", "\u00df", "\u0130", "\u0149", "\u01f0", "\u0390", "\u2028", "\u2029", "\u202e",
    "\ufeff", "\ufffd", "\uffff", "\U0010ffff", "\ufb03", "\u1e9e", "\u212b", "\uac00", "'", '"', "\\", "/", "%", "%00",
    "$where", "'; DROP TABLE vessels; --", "../../etc/passwd", "${jndi:ldap://127.0.0.1/}", "{{7*7}}", "\r\nx: y",
]
INTEGERS = [
    0, -0, 1, -1, 2, 7, 127, 128, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32 - 1, 2**32,
    2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 2**64, 10**30,
]
# Texts of numbers, valid in JSON or nearly.
NUMBERS = [
    "0", "-0", "1.0", "1e2", "1E+2", "100e-2", "1.5", "-1", "+5", "05", "0x10", "1e400", "-1e400", "1e-400", ".5", "5.", "1e",
    "--1", "NaN", "Infinity", "-Infinity", "1_000", "\u0661", "2147483647", "2147483648", "-2147483648", "-2147483649",
    "9223372036854775808", "1" + "0" * 400, "0." + "0" * 400 + "1", "1e0000000000000000002", "214748364.7e1",
]


def text(rng, longest=40):
    """A plain text."""
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz ABC0123456789-_.") for _ in range(rng.randint(1, longest)))


def length(rng, most):
    """A length: mostly small, sometimes a limit or a number next to it."""
    kind = rng.random()
    if kind < 0.6:
        size = rng.randint(0, 40)
    elif kind < 0.9:
        size = rng.choice([63, 64, 65, 72, 73, 127, 128, 199, 200, 201, 254, 255, 256, 257, 999, 1000, 1001, 1024, 4096])
    else:
        size = int(10 ** rng.uniform(3, 6))
    return min(size, most)


def hostile_text(rng, most=20_000):
    """A text that is costly or confusing, of at most about `most` characters."""
    kind = rng.randrange(6)
    size = length(rng, most)
    if kind == 0:
        return "a" + rng.choice(MARKS) * max(1, size // 2)
    if kind == 1:
        return "".join(rng.choice(ODD) for _ in range(min(size, 200)))
    if kind == 2:
        return rng.choice(MARKS) * max(1, size // 2) + text(rng)
    if kind == 3:
        return text(rng, 3) * (size // 2 + 1)
    if kind == 4:
        return "".join(chr(rng.choice([rng.randrange(0x250), rng.randrange(0xd800), rng.randrange(0xe000, 0x10ffff)]))
                       for _ in range(min(size, 300)))
    return rng.choice(ODD) * max(1, size // 8)


def marks(rng, size):
    """A costly text of at most `most` bytes."""
    mark = rng.choice(MARKS).encode()
    return b"a" + mark * ((size - 1) // len(mark))


def mutate(rng, data, rounds=None):
    """Bytes mutated in a few places: flipped, dropped, duplicated, cut, swapped, or with something odd inserted."""
    data = bytearray(data)
    for _ in range(rounds or rng.choice([1, 1, 1, 2, 3, 8])):
        at = rng.randrange(len(data) + 1)
        span = rng.choice([1, 1, 2, 4, 16, 64])
        kind = rng.randrange(8)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[at % len(data)] = rng.randrange(256)
        elif kind == 2:
            del data[at:at + span]
        elif kind == 3:
            data[at:at] = data[at:at + span] * rng.choice([1, 2, 50])
        elif kind == 4:
            del data[at:]
        elif kind == 5:
            data[at:at] = rng.choice(ODD).encode("utf-8", "surrogatepass")
        elif kind == 6:
            other = rng.randrange(len(data) + 1)
            data[at:at + span], data[other:other + span] = data[other:other + span], data[at:at + span]
        else:
            data[at:at] = rng.choice([
                b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", b"\r\n", b"\n", b"{", b"[", b"}", b'"',
                b"\\u0000", b"\\ud800", b"\\", b",", b":", b"null", b"1e999", rng.randbytes(span)])
    return bytes(data)


def pieces(rng, data, most=12):
    """`data` cut into pieces at random places."""
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(most)))
    return [piece for piece in (data[a:b] for a, b in zip([0] + cuts, cuts + [len(data)])) if piece]


# MARK: Tokens

def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(secret, subject, roles=(), **changes):
    """A token like those of the user service. Valid until the year 2100, so that an input is the same in every run."""
    claims = {
        "iss": "shippy.user", "sub": subject, "iat": 1_700_000_000, "exp": 4_102_444_800,
        "user": {"id": subject, "name": "Fuzz", "company": "", "email": "fuzz@example.com", "roles": list(roles)},
    }
    claims.update(changes)
    head = _base64url(b'{"alg":"HS256","typ":"JWT"}')
    body = head + b"." + _base64url(json.dumps(claims, separators=(",", ":")).encode())
    return (body + b"." + _base64url(hmac.new(secret.encode(), body, hashlib.sha256).digest())).decode()


def bad_token(rng, secret):
    """An invalid token."""
    good = token(secret, "somebody")
    head, claims, signature = good.split(".")
    return rng.choice([
        lambda: token("x" * 40, "somebody"),
        lambda: token(secret, "somebody", exp=1_700_000_001),
        lambda: token(secret, "somebody", iss="somebody.else"),
        lambda: token(secret, ""),
        lambda: token(secret, "somebody", nbf=4_102_444_800),
        lambda: token(secret, "somebody", aud="another"),
        lambda: _base64url(b'{"alg":"none"}').decode() + "." + claims + ".",
        lambda: _base64url(b'{"alg":"HS256","alg":"none"}').decode() + "." + claims + "." + signature,
        lambda: good[:-2],
        lambda: good + "A",
        lambda: f"{head}.{claims}",
        lambda: ".".join([head, _base64url(b"{" * 3000).decode(), signature]),
        lambda: ".".join([head, _base64url(json.dumps({"sub": "a" + MARKS[0] * 500}).encode()).decode(), signature]),
        lambda: "." * rng.randrange(1, 4000),
        lambda: "x" * rng.choice([1, 8_191, 8_192, 8_193, 12_000]),
    ])()
