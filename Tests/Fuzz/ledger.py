"""Remembers what the system confirmed as stored, and reads it back."""

import json

from fleet import SECRET, Finding
import values

# Records of each kind that are read back at the end. Users need a password hash each, which is slow on purpose.
VESSELS_MAX = 300
USERS_MAX = 20
PAGES_MAX = 2_000
SEEDS = "vessel00"


class Ledger:
    """`part.send` makes the calls."""

    def __init__(self, part):
        self.part = part
        self.vessels, self.consignments, self.users = {}, {}, {}

    def note(self, step, answer):
        """Notes a 200: what it reports as stored must be there from now on."""
        if answer.get("created") and "vessel" in answer:
            vessel = answer["vessel"]
            if vessel["id"] in self.vessels and self.vessels[vessel["id"]] != vessel:
                raise Finding("id given twice", f"{self.vessels[vessel['id']]} and {vessel}")
            self.vessels[vessel["id"]] = vessel
        elif answer.get("created") and "consignment" in answer:
            self.consignments[answer["consignment"]["id"]] = answer["consignment"]
        elif "user" in answer and step["expect"].get("password"):
            self.users[answer["user"]["email"]] = (answer["user"]["id"], step["expect"]["password"])
        if "finds" in step["expect"] and "vessel" in answer:
            self._check_fit(*step["expect"]["finds"], answer["vessel"])

    def _check_fit(self, capacity, weight, vessel):
        """FindAvailable's answer is large enough, and no known vessel is a tighter fit."""
        size = (vessel.get("capacity", 0), vessel.get("max_weight", 0))
        if size[0] < capacity or size[1] < weight:
            raise Finding("vessel too small", f"{capacity}, {weight}: {vessel}")
        known = [(each["capacity"], each["max_weight"]) for each in self.vessels.values()
                 if each["capacity"] >= capacity and each["max_weight"] >= weight and each.get("available")]
        if known and min(known) < size:
            raise Finding("not the tightest fit", f"{capacity}, {weight}: {vessel}, though there is one of {min(known)}")
        if vessel["id"] not in self.vessels and not vessel["id"].startswith(SEEDS):
            raise Finding("unknown vessel", f"{vessel}")

    # MARK: At the end

    def check(self):
        for vessel in list(self.vessels.values())[:VESSELS_MAX]:
            if not vessel.get("available"):
                continue
            wanted = (vessel["capacity"], vessel["max_weight"])
            answer = self._call("vessel", "VesselService.FindAvailable", {"capacity": wanted[0], "max_weight": wanted[1]})
            self._check_fit(*wanted, answer["vessel"])
        for email, (identifier, password) in list(self.users.items())[:USERS_MAX]:
            self._call("user", "UserService.Auth", {"email": email, "password": password})
            found = self._call("user", "UserService.Get", {"id": identifier}, subject=identifier)["user"]
            if found["id"] != identifier or "password" in found:
                raise Finding("user differs", f"{found}")
        found = {}
        for subject in ("user0", "user1", "user2", "fuzz"):
            token = ""
            for _ in range(PAGES_MAX):
                page = self._call("consignment", "ConsignmentService.Get", {"page_token": token}, subject=subject)
                found.update((each["id"], each) for each in page.get("consignments", []))
                token = page.get("next_page_token", "")
                if not token:
                    break
        for identifier, consignment in self.consignments.items():
            if found.get(identifier) != consignment:
                raise Finding("lost write", f"{consignment} was stored; now there is {found.get(identifier)}")

    def _call(self, service, method, request, subject="fuzz"):
        body = json.dumps({"service": service, "method": method, "request": request}).encode()
        response, answer = self.part.send({
            "path": "/rpc", "body": body, "headers": [
                ["content-type", b"application/json"],
                ["authorization", b"Bearer " + values.token(SECRET, subject).encode()]]})
        if response.status != 200:
            raise Finding("lost write", f"{method} {request}: {response.status} {response.body[:500]!r}")
        return answer
