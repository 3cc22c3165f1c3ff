"""Requests for every public method: valid ones with their expected answers, and odd ones."""

import json
import re

import values
from fleet import PASSWORD
from protos import Protos

# Short name of the service, the method as in /rpc, and its weight. A password hash takes a tenth of a second.
_WEIGHTS = [
    ("vessel", "VesselService.Create", 6), ("vessel", "VesselService.FindAvailable", 6), ("user", "UserService.Create", 1),
    ("user", "UserService.Auth", 1), ("user", "UserService.Get", 5), ("user", "UserService.GetAll", 5),
    ("user", "UserService.ValidateToken", 5), ("auth", "Auth.ValidateToken", 3),
    ("consignment", "ConsignmentService.Create", 8), ("consignment", "ConsignmentService.Get", 5),
]
METHODS = [(service, method) for service, method, weight in _WEIGHTS for _ in range(weight)]


class Raw(str):
    """JSON text that is written verbatim."""


class Pairs(list):
    """An object as (name, value) pairs, so that a name can occur twice."""


def dump(rng, value):
    """JSON text, in one of the many ways to write it."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        value = Pairs(value.items())
    space = rng.choice(["", "", " ", "\n"]) if isinstance(value, (Pairs, list)) else ""
    if isinstance(value, Pairs):
        return "{" + f",{space}".join(f"{dump(rng, str(k))}:{space}{dump(rng, v)}" for k, v in value) + space + "}"
    if isinstance(value, list):
        return "[" + f",{space}".join(dump(rng, item) for item in value) + space + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=any("\ud800" <= c <= "\udfff" for c in value) or rng.random() < 0.2)
    return json.dumps(value)


class Messages:
    def __init__(self, secret):
        self.secret = secret
        self.protos = Protos()

    def bearer(self, rng, subject=None):
        token = values.token(self.secret, subject or f"user{rng.randrange(3)}").encode()
        return [["authorization", b"Bearer " + token]] if rng.random() < 0.7 else [["token", token]]

    def valid(self, rng, method):
        """A request, its headers, and the expected answer."""
        name = method[1]
        unique = f"{rng.getrandbits(64):016x}"
        if name == "VesselService.Create":
            request = {"name": values.text(rng, 150) + "x", "capacity": rng.randint(1, 2**31 - 1),
                       "max_weight": rng.choice([1, 2**31 - 1, rng.randint(1, 300_000)])}
            if rng.random() < 0.5:
                request["id"] = f"v{unique}"
            if rng.random() < 0.5:
                request["available"] = rng.random() < 0.8
            return self._camel(rng, request), [], {"status": [200], "stores": True}
        if name == "VesselService.FindAvailable":
            request = {"capacity": rng.randint(0, 2**31 - 1), "max_weight": rng.randint(0, 200_000)}
            return self._camel(rng, request), [], {"status": [200, 404], "finds": [request["capacity"], request["max_weight"]]}
        if name == "UserService.Create":
            request = {"name": values.text(rng) + "x", "email": f"u{unique}@example.com", "password": PASSWORD + unique,
                       "company": values.text(rng)}
            return request, [], {"status": [200], "stores": True, "password": request["password"]}
        if name == "UserService.Auth":
            return {"email": f"u{unique}@example.com", "password": PASSWORD + unique}, [], {"status": [401]}
        if name.endswith("ValidateToken"):
            if rng.random() < 0.5:
                return {"token": values.bad_token(rng, self.secret)}, [], {"status": [401]}
            return {"token": values.token(self.secret, "somebody")}, [], {"status": [200]}
        if name == "UserService.Get":
            return {"id": f"nobody{unique}"}, self.bearer(rng, f"nobody{unique}"), {"status": [404]}
        if name == "UserService.GetAll":
            return {"page_size": rng.choice([0, 1, 1000, 2**31 - 1])}, self.bearer(rng), {"status": [200, 403]}
        if name == "ConsignmentService.Get":
            return {"page_size": rng.choice([0, 1, 1000, 2**31 - 1])}, self.bearer(rng), {"status": [200]}
        containers = [{"id": values.text(rng), "customer_id": values.text(rng), "origin": values.text(rng),
                       "user_id": values.text(rng)} for _ in range(rng.choice([1, 1, 2, 5, 100]))]
        request = {"description": values.text(rng), "weight": rng.randint(1, 50_000), "containers": containers}
        return self._camel(rng, request), self.bearer(rng), {"status": [200], "stores": True}

    def _camel(self, rng, request):
        """Field names in snake_case or in lowerCamelCase."""
        if rng.random() < 0.7:
            return request
        return {re.sub(r"_(.)", lambda match: match.group(1).upper(), key): value for key, value in request.items()}

    # MARK: Odd ones

    def odd(self, rng, method):
        request, headers, expect = self.valid(rng, method)
        pairs = Pairs(request.items())
        if not pairs:
            return request, headers, expect
        change = rng.randrange(7)
        at = rng.randrange(len(pairs))
        name, value = pairs[at]
        if change == 0:
            # The same field twice, perhaps by its other name.
            pairs.insert(rng.randrange(len(pairs) + 1), (rng.choice([name, self._other(name)]), rng.choice([value, None, value])))
            return pairs, headers, {"status": [400], "why": " for a field given twice"}
        if change == 1 and isinstance(value, int) and not isinstance(value, bool):
            wrong = rng.choice([2**31, -(2**31) - 1, Raw("1.5"), Raw("1e400"), "+5", "05", "0x10", " 5", "5 ", "", "x", Raw("05"),
                                Raw("+5"), Raw("0x10"), Raw("NaN"), "NaN", "1.5", True, {}, [], [1], Raw("1e30")])
            pairs[at] = (name, wrong)
            snake = re.sub(r"([A-Z])", lambda match: "_" + match.group(1).lower(), name)
            is_json = not isinstance(wrong, Raw) or wrong in ("1.5", "1e400", "1e30")
            return pairs, headers, {"status": [400], "why": " for a malformed number", **({"names": [snake]} if is_json else {})}
        if change == 2 and isinstance(value, str):
            pairs[at] = (name, rng.choice([5, True, {}, [], 1.5, Raw("\"\\ud800\""), Raw("\"\\x\""), Raw("\"\t\"")]))
            return pairs, headers, {"status": [400], "why": " for a wrong type"}
        if change == 3:
            unknown = "x" + values.hostile_text(rng, 3_000)
            pairs.insert(rng.randrange(len(pairs) + 1), (unknown, rng.choice([1, None, {}, "a"])))
            return pairs, headers, {"status": [400], "why": " for an unknown field"}
        if change == 4:
            depth = rng.choice([1, 10, 99, 100, 101, 1_000, 10_000])
            pairs[at] = (name, Raw(rng.choice([("[", "]"), ('{"a":', "}")])[0] * depth))
            if rng.random() < 0.7:
                opening, closing = rng.choice([("[", "]"), ('{"a":', "}"), ('{"containers":[', "]}")])
                pairs[at] = (name, Raw(opening * depth + "1" + closing * depth))
            return pairs, headers, {"mutated": True}
        if change == 5:
            pairs[at] = (name, Raw(rng.choice(values.NUMBERS)))
            return pairs, headers, {}
        pairs[at] = (name, rng.choice([values.hostile_text(rng), values.hostile_text(rng), rng.choice(values.INTEGERS), None]))
        return pairs, headers, {"mutated": True} if name == "password" else {}

    @staticmethod
    def _other(name):
        if "_" in name:
            return re.sub(r"_(.)", lambda match: match.group(1).upper(), name)
        return re.sub(r"([A-Z])", lambda match: "_" + match.group(1).lower(), name)
