"""The model's vessel service: vessels, and the room on them as reservations by consignment id."""

import itertools

from model_services import Refused, Service


class Vessels(Service):
    """Keeps what is booked as numbers on each vessel, which faults can make wrong."""

    def __init__(self, conditions):
        super().__init__(conditions)
        self._vessels, self._keys, self._numbers = {}, {}, itertools.count(1)
        # By consignment id: vessel id, containers and weight.
        self._reservations = {}
        # Consignment ids that were released, before or after they were reserved: they can't be reserved any more.
        self._released = set()

    def create(self, owner, request, key):
        process = self.process()
        process.step()
        with process:
            if key and (owner, key) in self._keys:
                return {"created": True, "vessel": dict(self._keys[owner, key])}
            vessel = {"id": f"v{next(self._numbers)}", "booked_containers": 0, "booked_weight": 0, "owner_id": owner,
                      **{name: request[name] for name in ("name", "capacity", "max_weight", "available")}}
            self._vessels[vessel["id"]] = vessel
            self._keys[owner, key] = dict(vessel)
            return {"created": True, "vessel": dict(vessel)}

    def get(self, identifier):
        process = self.process()
        with process:
            if identifier not in self._vessels:
                raise Refused(404, "Not Found", f"no vessel {identifier}")
            return {"vessel": dict(self._vessels[identifier])}

    def list(self, page_size, after):
        process = self.process()
        with process:
            found = [dict(each) for each in self._vessels.values()][after:after + page_size + 1]
        more = {"next_page_token": str(after + page_size)} if len(found) > page_size else {}
        return {"vessels": found[:page_size], **more}

    def find(self, containers, weight):
        process = self.process()
        process.step()
        with process:
            return {"vessel": dict(self._fit(containers, weight))}

    def _fit(self, containers, weight):
        """The tightest fit on what is left."""
        fitting = []
        for vessel in self._vessels.values():
            left = vessel["capacity"] - vessel["booked_containers"], vessel["max_weight"] - vessel["booked_weight"]
            if left[0] >= containers and left[1] >= weight:
                fitting.append((left, vessel["id"]))
        if not fitting or self.conditions.has("refuse-with-room") and self.conditions.happens(0.1):
            raise Refused(404, "Not Found", f"no vessel carries {containers} containers and {weight} kg", "FLEET_FULL")
        return self._vessels[min(fitting)[1]]

    def reserve(self, identifier, containers, weight):
        process = self.process()
        process.step()
        if self.conditions.has("oversell"):
            with process:
                vessel = self._fit(containers, weight)
            process.step()
        with process:
            if identifier in self._released:
                raise Refused(400, "Bad Request", "the consignment was released", "RELEASED")
            if identifier in self._reservations:
                return self._reservations[identifier][0]
            if not self.conditions.has("oversell"):
                vessel = self._fit(containers, weight)
            self._reservations[identifier] = vessel["id"], containers, weight
            vessel["booked_containers"] += containers
            vessel["booked_weight"] += weight
        process.step()
        return vessel["id"]

    def release(self, identifier):
        process = self.process()
        process.step()
        with process:
            known = self._reservations.get(identifier)
            if not self.conditions.has("release-twice"):
                self._reservations.pop(identifier, None)
                if known is not None or not self.conditions.has("no-tombstone"):
                    self._released.add(identifier)
            if known is not None:
                vessel = self._vessels[known[0]]
                vessel["booked_containers"] -= known[1]
                vessel["booked_weight"] -= known[2]
        process.step()
