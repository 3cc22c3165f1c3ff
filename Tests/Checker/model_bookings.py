"""The model's consignment service: Create stores an intent, reserves and confirms; Cancel releases; a worker completes what
a crash left behind.

A consignment is PENDING, BOOKED, CANCELLED or UNDOING. UNDOING is shown to nobody: its room is given back, then it is
deleted. Every change of status is a conditional write, one atomic step.
"""

import datetime
import threading
import time
import uuid

from model_services import Crashed, Refused, Service, Unavailable

PENDING, BOOKED, CANCELLED, UNDOING = "PENDING", "BOOKED", "CANCELLED", "UNDOING"
# The age from which the worker takes an intent for left behind. It may be wrong; only speed depends on it.
LEFT_SECONDS = 0.3
WORKER_PAUSE_SECONDS = 0.1
# Consignments made within this time are one to the fault coarse-pages.
COARSE_SECONDS = 0.02


class Bookings(Service):
    def __init__(self, conditions, vessels, network):
        super().__init__(conditions)
        self._vessels, self._network = vessels, network
        # By id, oldest first; and the ids by caller and key.
        self._records, self._keys = {}, {}
        # With the fault answer-before-stored, what a crash takes back.
        self._unsaved = []

    def lose_memory(self):
        for record, before in self._unsaved:
            record.update(before)
        self._unsaved = []
        if self.conditions.has("forget-key"):
            self._keys = {}

    # MARK: Create

    def create(self, user, request, key):
        process = self.process()
        process.step()
        wanted = request["description"], request["weight"], len(request["containers"])
        if self.conditions.has("reserve-before-intent"):
            return self._create_late(user, request, key, process)
        with process:
            scope = None if self.conditions.has("keys-of-all") else user
            record = self._records.get(self._keys.get((scope, key))) if key else None
            if record is None:
                record = self._intent(user, request, key and (scope, key))
            elif record["wanted"] != wanted:
                raise Refused(409, "Conflict", "another request had this key", "KEY_REUSED")
            status = record["status"]
        if status == UNDOING:
            raise Unavailable()
        if status == PENDING:
            process.step()
            self._drive(record, process)
        return self._answer(record, process)

    def _intent(self, user, request, key):
        """Stores the consignment as PENDING, and its key with it. Within an atomic step."""
        record = {"id": uuid.uuid4().hex, "user": user, "key": key, "status": PENDING, "vessel": None, "is_release_due": False,
                  "wanted": (request["description"], request["weight"], len(request["containers"])),
                  "containers": request["containers"], "at": time.monotonic(),
                  "created_at": datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")}
        self._records[record["id"]] = record
        if key:
            self._keys[key] = record["id"]
        return record

    def _create_late(self, user, request, key, process):
        """Create with the fault reserve-before-intent."""
        with process:
            known = self._records.get(self._keys.get((user, key)))
        if known is not None:
            return self._answer(known, process)
        identifier = uuid.uuid4().hex
        vessel = self._network.call(self._vessels.reserve, identifier, len(request["containers"]), request["weight"])
        process.step()
        with process:
            other = self._records.get(self._keys.get((user, key))) if key else None
            if other is None:
                record = self._intent(user, request, key and (user, key))
                del self._records[record["id"]]
                record.update(id=identifier, status=BOOKED, vessel=vessel)
                self._records[identifier] = record
                if key:
                    self._keys[user, key] = identifier
        if other is not None:
            self._network.call(self._vessels.release, identifier)
            return self._answer(other, process)
        return self._answer(record, process)

    def _answer(self, record, process):
        with process:
            if record["status"] not in (BOOKED, CANCELLED):
                raise Unavailable()
            return {"created": True, "consignment": self._shown(record)}

    def _drive(self, record, process):
        """Reserves, then confirms; undoes the intent if no vessel fits. Several callers may do it at once, or again."""
        _, weight, containers = record["wanted"]
        try:
            vessel = self._network.call(self._vessels.reserve, record["id"], containers, weight)
        except Refused as refusal:
            if refusal.code == 404:
                self._undo(record, process)
                with process:
                    if record["status"] in (BOOKED, CANCELLED):
                        return
                raise
            # Released: it was cancelled or undone meanwhile.
            with process:
                if record["status"] == CANCELLED:
                    return
            raise Unavailable() from None
        except Unavailable:
            if not self.conditions.has("confirm-without-reserve"):
                raise
            vessel = self._vessels.find(containers, weight)["vessel"]["id"]
        process.step()
        with process:
            if record["status"] == PENDING or self.conditions.has("unconditional-confirm"):
                if self.conditions.has("answer-before-stored"):
                    self._unsaved = self._unsaved[-3:] + [(record, {"status": PENDING, "vessel": None})]
                record.update(status=BOOKED, vessel=vessel)
                self._records[record["id"]] = record

    def _undo(self, record, process):
        """Releases what a Reserve without an answer may have taken, then deletes the intent and its key."""
        with process:
            if record["status"] == PENDING:
                record["status"] = UNDOING
            if record["status"] != UNDOING:
                return
        process.step()
        if self.conditions.has("delete-before-release"):
            self._delete(record, process)
            process.step()
        self._network.call(self._vessels.release, record["id"])
        process.step()
        self._delete(record, process)

    def _delete(self, record, process):
        with process:
            self._records.pop(record["id"], None)
            if record["key"] and self._keys.get(record["key"]) == record["id"]:
                del self._keys[record["key"]]

    # MARK: Cancel

    def cancel(self, user, identifier):
        process = self.process()
        process.step()
        with process:
            record = self._records.get(identifier)
            is_own = record is not None and (user in (record["user"], None) or self.conditions.has("others-cancel"))
            if not is_own or record["status"] == UNDOING:
                raise Refused(404, "Not Found", "no such consignment", "NOT_FOUND")
        if self.conditions.has("release-before-cancel"):
            self._network.call(self._vessels.release, identifier)
            process.step()
        with process:
            if record["status"] == UNDOING:
                raise Refused(404, "Not Found", "no such consignment", "NOT_FOUND")
            if record["status"] != CANCELLED:
                # The same step stores that its room is still to be released.
                record.update(status=CANCELLED, is_release_due=not self.conditions.has("forget-release"))
        process.step()
        try:
            self._network.call(self._vessels.release, identifier)
        except Unavailable:
            if not self.conditions.has("forget-release"):
                raise
        with process:
            record["is_release_due"] = False
            return {"consignment": self._shown(record)}

    # MARK: Reading

    def get(self, user, identifier):
        process = self.process()
        with process:
            record = self._records.get(identifier)
            if record is None or record["status"] == UNDOING or not self._may_see(user, record):
                raise Refused(404, "Not Found", "no such consignment", "NOT_FOUND")
            return {"consignment": self._shown(record)}

    def list(self, user, page_size, after):
        """`user` None is an operator. `after`: when the last one shown was made."""
        process = self.process()
        with process:
            found = [each for each in self._records.values() if each["status"] != UNDOING and self._may_see(user, each)]
            place = float(after or -1)
            found = [each for each in found if each["at"] > place]
            page = found[:page_size]
            last = page[-1]["at"] if page else place
            last += COARSE_SECONDS if self.conditions.has("coarse-pages") else 0
            more = {"next_page_token": repr(last)} if len(found) > page_size else {}
            return {"consignments": [self._shown(each) for each in page], **more}

    def _may_see(self, user, record):
        return user is None or record["user"] == user or self.conditions.has("sees-others")

    @staticmethod
    def _shown(record):
        description, weight, _ = record["wanted"]
        return {"id": record["id"], "description": description, "weight": weight, "containers": record["containers"],
                "vessel_id": record["vessel"], "status": record["status"], "created_at": record["created_at"], "user_id": record["user"]}

    # MARK: The worker

    def start_worker(self):
        if not self.conditions.has("no-worker"):
            threading.Thread(target=self._work, daemon=True).start()

    def _work(self):
        while True:
            time.sleep(WORKER_PAUSE_SECONDS)
            with self.store:
                left = [each for each in self._records.values() if (each["status"] in (PENDING, UNDOING) or each["is_release_due"])
                        and time.monotonic() - each["at"] > LEFT_SECONDS]
            for record in left:
                try:
                    self._complete(record, self.process())
                except (Crashed, Unavailable, Refused):
                    pass

    def _complete(self, record, process):
        """Drives an intent with a key on, as its caller can ask again; undoes one without."""
        process.step()
        with process:
            status, is_release_due = record["status"], record["is_release_due"]
        if is_release_due:
            self._network.call(self._vessels.release, record["id"])
            with process:
                record["is_release_due"] = False
        elif status == PENDING and record["key"]:
            self._drive(record, process)
        elif status in (PENDING, UNDOING):
            self._undo(record, process)
