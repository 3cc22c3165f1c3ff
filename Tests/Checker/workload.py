"""The callers: threads that book, cancel and read, and check at once what they are shown."""

import random
import threading
import time

import rules_room
import rules_told
import system
from client import Client
from history import BOOK, CANCEL
from violation import Violation

PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX = 0.05, 1.0
# The fleet fills up in one half of each period and empties in the other, so that both are met again and again.
PERIOD_SECONDS = 3.0
# What callers do, in the half that fills and in the half that empties the fleet, by weight.
FILLING = {"book": 60, "cancel": 6, "get": 10, "list": 4, "vessels": 10, "vessel": 4, "find": 4, "foreign": 2}
EMPTYING = {**FILLING, "book": 25, "cancel": 45}
# Shares: of bookings with a key, and of those with a key that another user has used; of calls that are made again later, or by
# two callers at once; of calls that are not repeated though their answer is unknown; of PENDING consignments that are cancelled.
KEYED, KEY_OF_ANOTHER = 0.75, 0.05
AGAIN, AGAIN_AT_ONCE, ABANDONS = 0.15, 0.10, 0.15
CANCEL_PENDING = 0.5


class Shared:
    """What the callers of a run share."""

    def __init__(self, checked, history, violations, pause_seconds):
        self.system, self.history, self.violations, self.pause_seconds = checked, history, violations, pause_seconds
        # By user: bookings that were told BOOKED and not cancelled yet, and calls to make once more.
        self.booked, self.again = [[] for _ in checked.users], [[] for _ in checked.users]
        self.stop, self.give_up = threading.Event(), threading.Event()
        self.errors = []
        self._lock = threading.Lock()

    def put(self, items, item):
        with self._lock:
            items.append(item)

    def take(self, items, rng):
        """Removes one at random, if there is one."""
        with self._lock:
            if not items:
                return None
            at = rng.randrange(len(items))
            items[at], items[-1] = items[-1], items[at]
            return items.pop()


class Caller(threading.Thread):
    """A caller, who acts for one user until `stop` is set. Calls that have to be answered are repeated after that, too, until
    `give_up` is set."""

    def __init__(self, number, shared, seed):
        super().__init__(daemon=True)
        self.number, self.shared, self.history = number, shared, shared.history
        self.user = number % len(shared.system.users)
        self.token = shared.system.users[self.user].token
        self.rng = random.Random(f"{seed}/{number}")
        self.client = Client(shared.system.url)

    def run(self):
        try:
            while not self.shared.stop.is_set():
                self._act()
                time.sleep(self.rng.expovariate(1 / self.shared.pause_seconds) if self.shared.pause_seconds else 0)
        except Exception as error:  # Without its callers a run would find nothing.
            self.shared.errors.append(error)
            raise
        finally:
            self.client.close()

    def _act(self):
        again = self.shared.take(self.shared.again[self.user], self.rng)
        if again is not None:
            kind, booking, identifier = again
            self._book(booking) if kind == BOOK else self._cancel(booking, identifier)
            return
        shares = FILLING if self.history.now() % PERIOD_SECONDS < PERIOD_SECONDS / 2 else EMPTYING
        getattr(self, "_do_" + self.rng.choices(list(shares), shares.values())[0])()

    # MARK: Booking

    def _do_book(self):
        containers = self.rng.choice([1, 1, 1, 2, 2, 3, 4, 6, 9])
        # Many different weights, so that a difference in room names the booking that it comes from.
        weight = self.rng.randint(20, 400) if self.rng.random() < 0.6 else self.rng.randint(400, 3_000)
        booking = self.history.add_booking(self.user, self._key(), containers, weight)
        booking.abandons = {kind for kind in (BOOK, CANCEL) if self.rng.random() < ABANDONS}
        if booking.key and self.rng.random() < AGAIN_AT_ONCE:
            self.shared.put(self.shared.again[self.user], (BOOK, booking, None))
        self._book(booking)
        if booking.id is None:
            return
        self.shared.put(self.shared.booked[self.user], booking)
        if booking.key and self.rng.random() < AGAIN:
            self.shared.put(self.shared.again[self.user], (BOOK, booking, None))

    def _key(self):
        """No key, a new one, or one that another user has used: keys count per caller."""
        if self.rng.random() > KEYED:
            return None
        borrowed = self.history.borrow_key(self.user, self.rng) if self.rng.random() < KEY_OF_ANOTHER else None
        return borrowed or True

    def _book(self, booking):
        """Create: once without a key; with one until it is answered, unless its caller abandons it."""
        containers = [{"customer_id": booking.customer, "origin": "Rotterdam"}] * booking.containers
        request = {"description": booking.description, "weight": booking.weight, "containers": containers}
        self._repeat(BOOK, booking, "consignment/ConsignmentService.Create", request, booking.key)

    def _booked(self, call, answer):
        """Records a 200 to Create. CANCELLED is right only if somebody asked for it."""
        item = answer.body.get("consignment")
        item = item if isinstance(item, dict) else {}
        status, identifier, vessel = item.get("status"), item.get("id"), item.get("vessel_id")
        is_cancelled = status == rules_told.CANCELLED and call.booking.cancel_began is not None
        if answer.body.get("created") is not True or not identifier or not (is_cancelled or status == rules_told.BOOKED and vessel):
            return self._fault(call, answer)
        self.history.end(call, "cancelled" if is_cancelled else "booked", id=identifier, vessel=vessel)
        self._found(rules_told.as_asked(call.booking, item))

    # MARK: Cancelling

    def _do_cancel(self):
        booking = self.shared.take(self.shared.booked[self.user], self.rng)
        if booking is None:
            return
        if self.rng.random() < AGAIN_AT_ONCE:
            self.shared.put(self.shared.again[self.user], (CANCEL, booking, booking.id))
        self._cancel(booking, booking.id)
        if self.rng.random() < AGAIN:
            self.shared.put(self.shared.again[self.user], (CANCEL, booking, booking.id))

    def _cancel(self, booking, identifier):
        self._repeat(CANCEL, booking, "consignment/ConsignmentService.Cancel", {"id": identifier}, None)

    def _cancelled(self, call, answer, identifier):
        item = answer.body.get("consignment")
        if not isinstance(item, dict) or item.get("status") != rules_told.CANCELLED or item.get("id") != identifier:
            return self._fault(call, answer)
        self.history.end(call, "cancelled", id=identifier)

    # MARK: Calls

    def _repeat(self, kind, booking, method, request, key):
        is_repeated = kind not in booking.abandons and (kind == CANCEL or key)
        pause = PAUSE_SECONDS_FIRST
        while True:
            call = self.history.begin(self.number, kind, self.user, booking)
            answer = self.client.call(method, request, self.token, key)
            if answer.is_unknown:
                self.history.end(call, "unknown", why=answer.why, **({"id": request["id"]} if kind == CANCEL else {}))
            elif answer.is_not_found:
                self.history.end(call, "refused", why=answer.reason or "NOT_FOUND", **({"id": request["id"]} if kind == CANCEL else {}))
            elif not answer.is_ok:
                self._fault(call, answer)
            elif kind == BOOK:
                self._booked(call, answer)
            else:
                self._cancelled(call, answer, request["id"])
            if not (is_repeated and answer.is_unknown) or self.shared.give_up.is_set():
                return
            time.sleep(max(answer.pause_seconds or 0, pause * self.rng.uniform(0.5, 1.5)))
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    def _fault(self, call, answer):
        self.history.end(call, "fault", why=answer.why)
        self._found(rules_told.fault(self.history, call, answer))

    def _found(self, violations):
        self.shared.violations.add(violations)

    # MARK: Reading

    def _read(self, kind, method, request, token=None):
        """One call that reads. Returns the call, and its answer if that is 200 or NOT_FOUND."""
        call = self.history.begin(self.number, kind, self.user)
        answer = self.client.call(method, request, token)
        if answer.is_ok or answer.is_not_found:
            return call, answer
        self._no_reading(call, answer)
        return call, None

    def _read_pages(self, kind, read):
        """A listing, page by page. Returns the call, and the items if every page was answered."""
        call = self.history.begin(self.number, kind, self.user)
        try:
            items = read()
        except system.ReadError as error:
            self._no_reading(call, error.answer)
            return call, None
        self.history.end(call, "answered", count=len(items))
        return call, items

    def _no_reading(self, call, answer):
        if answer.is_unknown:
            self.history.end(call, "unknown", why=answer.why)
        else:
            self._fault(call, answer)

    def _do_get(self):
        """One of the user's consignments, by its id."""
        told = rules_told.some_told(self.history, self.user, self.history.now(), self.rng)
        if told is None:
            return
        identifier, booking = told
        call, answer = self._read("get", "consignment/ConsignmentService.Get", {"id": identifier}, self.token)
        if answer is None:
            return
        self.history.end(call, "answered" if answer.is_ok else "refused", id=identifier)
        item = answer.body.get("consignment")
        if isinstance(item, dict) and item.get("id") == identifier:
            self._found(rules_told.shown(self.history, self.shared.system.user_ids, self.user, item, call.begin, call.end))
        else:
            self._found([rules_told.missing(booking, identifier, f"its owner's Get at {call.begin:.3f} s was answered {answer.why}")])

    def _do_list(self):
        """All of the user's consignments. One that is PENDING may be cancelled."""
        page_size = self.rng.choice([7, 50, 200, 1_000])
        call, items = self._read_pages("list", lambda: system.consignments(self.client, self.token, page_size))
        if items is None:
            return
        self._found(rules_told.listed(self.history, self.shared.system.user_ids, self.user, items, call.begin, call.end))
        pending = [each for each in items if each.get("status") == rules_told.PENDING]
        if pending and self.rng.random() < CANCEL_PENDING:
            item = self.rng.choice(pending)
            booking = self.history.booking_of(item.get("description"))
            if booking is not None and booking.user == self.user:
                self._cancel(booking, item["id"])

    def _do_vessels(self):
        page_size = self.rng.choice([3, 1_000])
        call, items = self._read_pages("vessels", lambda: system.vessels(self.client, page_size))
        if items is not None:
            self._vessels_shown(call, items)

    def _do_vessel(self):
        identifier = self.rng.choice([each.id for each in self.shared.system.vessels.values() if each.ours])
        call, answer = self._read("vessel", "vessel/VesselService.Get", {"id": identifier})
        if answer is None:
            return
        if not answer.is_ok:
            self._fault(call, answer)
            return
        self.history.end(call, "answered", id=identifier)
        self._vessels_shown(call, [answer.body.get("vessel", {})])

    def _vessels_shown(self, call, items):
        shown = {each.get("id"): system.booked(each) for each in items}
        for identifier, vessel in self.shared.system.vessels.items():
            if identifier in shown:
                self._found(rules_room.read(vessel, shown[identifier], call))
        self.history.add_read(call, shown)

    def _do_find(self):
        containers, weight = self.rng.randint(1, 10), self.rng.randint(20, 3_000)
        request = {"capacity": containers, "max_weight": weight}
        call, answer = self._read("find", "vessel/VesselService.FindAvailable", request)
        if answer is None:
            return
        self.history.end(call, "answered" if answer.is_ok else "refused", containers=containers, weight=weight)
        if answer.is_ok:
            vessel = answer.body.get("vessel", {})
            taken = system.booked(vessel)
            if taken[0] + containers > vessel.get("capacity", 0) or taken[1] + weight > vessel.get("max_weight", 0):
                self._found([Violation("out of range", vessel.get("id"), f"FindAvailable of {request} was answered {vessel}", [call])])

    def _do_foreign(self):
        """Another user's consignment: nobody else can see or cancel it."""
        others = [user for user in range(len(self.shared.system.users)) if user != self.user]
        told = rules_told.some_told(self.history, self.rng.choice(others), self.history.now(), self.rng) if others else None
        if told is None:
            return
        identifier, booking = told
        kind, method = self.rng.choice([("foreign get", "Get"), ("foreign cancel", "Cancel")])
        call, answer = self._read(kind, f"consignment/ConsignmentService.{method}", {"id": identifier}, self.token)
        if answer is None:
            return
        self.history.end(call, "answered" if answer.is_ok else "refused", id=identifier)
        if answer.is_ok:
            self._found([Violation("seen by others", booking.number, f"user {self.user}'s {method} of user {booking.user}'s booking "
                                   f"{booking.line()} was answered 200", booking.calls + [call])])
