"""The history of a run: every call with its begin and end, and the bookings that the calls belong to."""

import collections
import json
import threading
import time

# Kinds of calls that are repeated until they are answered.
BOOK, CANCEL = "book", "cancel"
# The youngest bookings, whose keys other users use, too.
KEYS_LENT_MAX = 50


class Call:
    """One call. Times are seconds since the run began; `end` is None while it runs."""

    __slots__ = ("number", "caller", "kind", "user", "booking", "begin", "end", "outcome", "detail")

    def __init__(self, number, caller, kind, user, booking, begin):
        self.number, self.caller, self.kind, self.user, self.booking, self.begin = number, caller, kind, user, booking, begin
        self.end, self.outcome, self.detail = None, None, {}

    def plain(self):
        booking = {} if self.booking is None else self.booking.plain()
        return {"call": self.number, "caller": self.caller, "kind": self.kind, "user": self.user, **booking,
                "begin": round(self.begin, 6), "end": None if self.end is None else round(self.end, 6),
                "outcome": self.outcome, **self.detail}

    def line(self):
        """For people: times, who, what, and what came of it."""
        end = f"{self.end:9.3f}" if self.end is not None else "        …"
        what = self.kind if self.booking is None else f"{self.kind} {self.booking.line()}"
        detail = ", ".join(f"{key} {value}" for key, value in self.detail.items())
        return f"{self.begin:9.3f} –{end} s  user {self.user}: {what}: {self.outcome or 'no answer yet'}{f' ({detail})' if detail else ''}"


class Booking:
    """What one caller wants shipped: one consignment, however often the call is repeated."""

    def __init__(self, number, user, key, containers, weight, description):
        self.number, self.user, self.key, self.containers, self.weight = number, user, key, containers, weight
        self.description, self.customer = description, f"customer {number}"
        # Kinds of calls that its caller sends once and then abandons, as a caller does that dies itself.
        self.abandons = set()
        self.calls = []
        # What the first answer BOOKED said, and when it was there.
        self.id, self.vessel, self.told_at = None, None, None
        # When the first Cancel was sent, and when and for which consignment one was answered CANCELLED.
        self.cancel_began, self.cancelled_at, self.cancelled_id = None, None, None

    def plain(self):
        return {"booking": self.number, "key": self.key, "containers": self.containers, "weight": self.weight}

    def line(self):
        return f"#{self.number} ({self.containers} containers, {self.weight} kg, {'key' if self.key else 'no key'})"

    def of_kind(self, kind):
        return [call for call in self.calls if call.kind == kind]

    def has_no_answer(self, kind):
        """Whether none of its calls of a kind was answered."""
        return all(call.outcome in (None, "unknown") for call in self.of_kind(kind))

    @property
    def is_unknown(self):
        """Whether some call that books had no definite answer."""
        return any(call.outcome in (None, "unknown") for call in self.of_kind(BOOK))

    @property
    def is_refused(self):
        """Whether all that callers were told is that no vessel carries it."""
        outcomes = {call.outcome for call in self.of_kind(BOOK)}
        return "refused" in outcomes and outcomes <= {"refused", "unknown"}

    @property
    def ends_refused(self):
        """Whether the last that callers were told is a refusal, and no call without an answer ran beside it or after it."""
        calls = self.of_kind(BOOK)
        refusals = [call.begin for call in calls if call.outcome == "refused"]
        return self.is_refused and all(call.end < max(refusals) for call in calls if call.outcome == "unknown")

    @property
    def is_certain(self):
        """Whether it surely had its room for a while: told BOOKED before anybody asked for its end."""
        return self.told_at is not None and (self.cancel_began is None or self.cancel_began > self.told_at)


class History:
    """All threads write to it. A call begins before it is sent and ends after its answer was read."""

    def __init__(self, run, path=None):
        self.run, self.bookings, self.calls = run, [], []
        # (begin, end, {vessel id: (containers, weight) booked}), as List and Get of vessels answered.
        self.vessel_reads = []
        self.counts = collections.Counter()
        self._borrowed = set()
        self._lock, self._began = threading.Lock(), time.monotonic()
        self._file = open(path, "w", encoding="utf-8") if path else None

    def now(self):
        return time.monotonic() - self._began

    def add_booking(self, user, key, containers, weight):
        """`key` True means one of its own."""
        with self._lock:
            number = len(self.bookings)
            key = self._own_key(number) if key is True else key
            booking = Booking(number, user, key, containers, weight, f"{self.run} {number}")
            self.bookings.append(booking)
            return booking

    def borrow_key(self, user, rng):
        """A key that another user has used and this one has not, if there is one."""
        with self._lock:
            others = [each.key for each in self.bookings[-KEYS_LENT_MAX:]
                      if each.user != user and each.key == self._own_key(each.number) and (user, each.key) not in self._borrowed]
            key = rng.choice(others) if others else None
            self._borrowed.add((user, key))
            return key

    def _own_key(self, number):
        return f"{self.run}-{number}"

    def booking_of(self, description):
        """The booking that asked for a consignment with this description, if one of this run did."""
        run, _, number = str(description).partition(" ")
        if run == self.run and number.isdigit() and int(number) < len(self.bookings):
            return self.bookings[int(number)]
        return None

    def begin(self, caller, kind, user, booking=None):
        with self._lock:
            call = Call(len(self.calls), caller, kind, user, booking, self.now())
            self.calls.append(call)
            if booking is not None:
                booking.calls.append(call)
                if kind == CANCEL and booking.cancel_began is None:
                    booking.cancel_began = call.begin
        return call

    def end(self, call, outcome, **detail):
        with self._lock:
            call.end, call.outcome, call.detail = self.now(), outcome, detail
            self.counts[call.kind, outcome] += 1
            booking = call.booking
            # The ids last: threads that see one rely on the rest.
            if booking is not None and outcome == "booked" and booking.id is None:
                booking.vessel, booking.told_at = detail["vessel"], call.end
                booking.id = detail["id"]
            if booking is not None and outcome == "cancelled" and booking.cancelled_id is None:
                booking.cancelled_at = call.end
                booking.cancelled_id = detail["id"]
            self._write(call.plain())

    def add_read(self, call, booked):
        with self._lock:
            self.vessel_reads.append((call.begin, call.end, booked, call))

    def write(self, **value):
        """Writes a line that is no call."""
        with self._lock:
            self._write(value)

    def close(self):
        if self._file:
            self._file.close()

    def _write(self, value):
        if self._file:
            self._file.write(json.dumps(value) + "\n")
