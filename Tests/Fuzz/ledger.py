"""Remembers what the system confirmed as stored, and reads it back."""

import json

from fleet import SECRET, Finding
import values

# Records of each kind that are read back at the end. Users need a password hash each, which is slow on purpose.
VESSELS_MAX = 300
USERS_MAX = 20
PAGES_MAX = 2_000


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
        """FindAvailable's answer has room for what was asked. Which vessel fits most tightly is judged at the end, when nobody
        books any more."""
        if vessel.get("available") is False:
            raise Finding("closed vessel", f"{capacity}, {weight}: {vessel}")
        room = _room(vessel)
        if room[0] < capacity or room[1] < weight:
            raise Finding("vessel too small", f"{capacity}, {weight}: {vessel}")

    # MARK: At the end

    def check(self):
        fleet = self._fleet()
        for identifier, vessel in self.vessels.items():
            if _unbooked(fleet.get(identifier, {})) != _unbooked(vessel):
                raise Finding("lost write", f"{vessel} was stored; now there is {fleet.get(identifier)}")
        offered = [vessel for vessel in fleet.values() if vessel.get("available", True)]
        for vessel in offered[:VESSELS_MAX]:
            containers, weight = _room(vessel)
            best = min((each for each in offered if _room(each)[0] >= containers and _room(each)[1] >= weight),
                       key=lambda each: (_room(each), each["id"].encode()))
            answer = self._call("vessel", "VesselService.FindAvailable", {"capacity": containers, "max_weight": weight})
            if answer["vessel"]["id"] != best["id"]:
                raise Finding("not the tightest fit", f"{containers}, {weight}: {answer['vessel']}, though there is {best}")
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
            # Somebody may have cancelled it since.
            if {**found.get(identifier, {}), "status": ""} != {**consignment, "status": ""}:
                raise Finding("lost write", f"{consignment} was stored; now there is {found.get(identifier)}")

    def _fleet(self):
        fleet, token = {}, ""
        while True:
            page = self._call("vessel", "VesselService.List", {"page_size": 1000, "page_token": token})
            fleet.update((each["id"], each) for each in page.get("vessels", []))
            token = page.get("next_page_token", "")
            if not token:
                return fleet

    def _call(self, service, method, request, subject="fuzz"):
        body = json.dumps({"service": service, "method": method, "request": request}).encode()
        response, answer = self.part.send({
            "path": "/rpc", "body": body, "headers": [
                ["content-type", b"application/json"],
                ["authorization", b"Bearer " + values.token(SECRET, subject).encode()]]})
        if response.status != 200:
            raise Finding("lost write", f"{method} {request}: {response.status} {response.body[:500]!r}")
        return answer


def _room(vessel):
    """What is left of a vessel: containers and kg."""
    return (vessel.get("capacity", 0) - vessel.get("booked_containers", 0),
            vessel.get("max_weight", 0) - vessel.get("booked_weight", 0))


def _unbooked(vessel):
    return {name: value for name, value in vessel.items() if not name.startswith("booked_")}
