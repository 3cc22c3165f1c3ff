"""Room on vessels: what is booked is the sum of what is BOOKED, and never more than there is. Functions of the history and
of what was read; they yield violations.

Two bounds come from the history alone. A booking has its room *surely* from the answer BOOKED until its first Cancel is
sent. It has it *possibly* from its first call until a Cancel of it is answered; or until the refusal, if it was refused;
or for ever, if some answer is unknown.
"""

import bisect
import collections
import itertools

from history import BOOK, CANCEL
from violation import Violation

# Bookings that are tried in pairs and in threes: of more, some are of any size.
PAIRED_MAX, TRIPLED_MAX = 200, 60
# Bookings that are shown where none are of the right size.
OTHERS_MAX = 4
FOR_EVER = float("inf")


class Vessel:
    """A vessel, and what was booked on it when the run began. `ours`: made by this run, so that nobody else books on it."""

    def __init__(self, identifier, capacity, max_weight, ours, base=(0, 0)):
        self.id, self.capacity, self.max_weight, self.ours, self.base = identifier, capacity, max_weight, ours, base

    def line(self):
        return f"vessel {self.id} ({self.capacity} containers, {self.max_weight} kg)"

    def carries(self, containers, weight):
        return containers <= self.capacity and weight <= self.max_weight


class Levels:
    """Sums of room over time: what was added up to an instant, less what was taken off before another."""

    def __init__(self):
        self._changes = {+1: [], -1: []}
        self._sums = None

    def add(self, at, size):
        self._changes[+1].append((at, *size))

    def take_off(self, at, size):
        if at != FOR_EVER:
            self._changes[-1].append((at, *size))

    def between(self, added_until, taken_before):
        """Containers and weight added at or before the first instant and not taken off before the second."""
        if self._sums is None:
            self._sums = {}
            for sign, changes in self._changes.items():
                changes.sort()
                sums = list(itertools.accumulate(changes, lambda total, each: (0, total[1] + each[1], total[2] + each[2]),
                                                 initial=(0, 0, 0)))
                self._sums[sign] = ([each[0] for each in changes], sums)
        times, added = self._sums[+1]
        _, containers, weight = added[bisect.bisect_right(times, added_until)]
        times, taken = self._sums[-1]
        _, less_containers, less_weight = taken[bisect.bisect_left(times, taken_before)]
        return containers - less_containers, weight - less_weight


def size(booking):
    return booking.containers, booking.weight


# MARK: Readings during the run

def read(vessel, booked, call):
    """Checks what a List or Get showed, by itself."""
    containers, weight = booked
    if containers < 0 or weight < 0 or not vessel.carries(containers, weight):
        yield Violation("out of range", vessel.id, f"{vessel.line()} says that {containers} containers and {weight} kg are booked",
                        [call])


def reads(history, vessels):
    """No reading shows less than what was surely booked all the time that it took."""
    surely = collections.defaultdict(Levels)
    for booking in history.bookings:
        if booking.is_certain:
            surely[booking.vessel].add(booking.told_at, size(booking))
            if booking.cancel_began is not None:
                surely[booking.vessel].take_off(booking.cancel_began, size(booking))
    failed = set()
    for begin, end, booked, call in history.vessel_reads:
        for identifier, (containers, weight) in booked.items():
            vessel = vessels.get(identifier)
            if vessel is None or not vessel.ours or identifier in failed:
                continue
            # What was told by `begin`, less what somebody asked to cancel by `end` (at that instant too).
            least = surely[identifier].between(begin, end + 1e-9)
            if containers < least[0] or weight < least[1]:
                failed.add(identifier)
                there = [each for each in history.bookings if each.vessel == identifier and each.is_certain
                         and each.told_at <= begin and (each.cancel_began is None or each.cancel_began > end)]
                words, calls = explained((least[0] - containers, least[1] - weight), there, unknown_at(history, identifier))
                yield Violation("room not taken", identifier, f"{vessel.line()} said at {end:.3f} s that {containers} containers and "
                                f"{weight} kg are booked; told BOOKED by then were {least[0]} and {least[1]}{words}", calls + [call])


def oversold(history, vessels):
    """The bookings that surely have their room at the same time fit on their vessel."""
    by_vessel = collections.defaultdict(list)
    for booking in history.bookings:
        if booking.is_certain:
            by_vessel[booking.vessel].append(booking)
    for identifier, bookings in by_vessel.items():
        vessel = vessels.get(identifier)
        if vessel is None:
            yield Violation("oversold", identifier, f"booking {bookings[0].line()} is on vessel {identifier}, which no list showed",
                            bookings[0].calls)
            continue
        changes = [(booking.told_at, 1, booking) for booking in bookings]
        changes += [(booking.cancel_began, 0, booking) for booking in bookings if booking.cancel_began is not None]
        there, containers, weight = {}, 0, 0
        for at, begins, booking in sorted(changes, key=lambda change: change[:2]):
            sign = 1 if begins else -1
            containers, weight = containers + sign * booking.containers, weight + sign * booking.weight
            if begins:
                there[booking.number] = booking
            else:
                del there[booking.number]
            if not vessel.carries(containers, weight):
                yield Violation("oversold", identifier, f"{vessel.line()} had {containers} containers and {weight} kg BOOKED at {at:.3f} s",
                                told_calls(there.values()))
                break


# MARK: At the end

def sums(history, vessels, shown, lists):
    """Each vessel says that booked is what its BOOKED consignments take. `shown`: booked containers and weight by vessel
    id; `lists`: the consignments of each user."""
    totals, members = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(list)
    # By id: a fault may show one consignment to several users.
    for item in {each.get("id"): each for each in itertools.chain(*lists)}.values():
        if item.get("status") == "BOOKED":
            totals[item.get("vessel_id")][0] += len(item.get("containers", []))
            totals[item.get("vessel_id")][1] += item.get("weight", 0)
            members[item.get("vessel_id")].append(history.booking_of(item.get("description")))
    for identifier, vessel in vessels.items():
        if identifier not in shown:
            yield Violation("not settled", identifier, f"{vessel.line()} is not listed at the end")
            continue
        says = shown[identifier][0] - vessel.base[0], shown[identifier][1] - vessel.base[1]
        takes = tuple(totals[identifier])
        there = [booking for booking in members[identifier] if booking is not None]
        text = (f"{vessel.line()} says that {says[0]} containers and {says[1]} kg are booked{'' if vessel.ours else ' since the run began'}; "
                f"its {len(members[identifier])} BOOKED consignments take {takes[0]} and {takes[1]}")
        if says[0] > takes[0] or says[1] > takes[1]:
            booked = set(there)
            gone = [each for each in history.bookings if each not in booked and each.vessel in (identifier, None)]
            words, calls = explained((says[0] - takes[0], says[1] - takes[1]), gone, unknown_at(history, identifier))
            yield Violation("room leaked", identifier, text + words, calls)
        if says[0] < takes[0] or says[1] < takes[1]:
            # Some that are there never took their room; or some that are gone gave it back with each Cancel.
            again = [each for each in history.bookings if each.vessel == identifier for _ in each.of_kind(CANCEL)[1:]]
            words, calls = explained((takes[0] - says[0], takes[1] - says[1]), there + again, again or unknown_at(history, identifier))
            yield Violation("room not taken", identifier, text + words, calls)
        if vessel.ours and not vessel.carries(*takes):
            yield Violation("oversold", identifier, text, told_calls(there))


def explained(missing, candidates, others):
    """What shows why room is wrong by `missing` (containers, weight): its words, and the calls. The fewest of `candidates`
    that are of that size together explain it, those first whose calls did not all go well; else some of `others` may."""
    odd = [each for each in candidates if any(call.outcome != "booked" for call in each.calls)]
    for count, group in ((1, odd), (2, odd[-PAIRED_MAX:]), (3, odd[-TRIPLED_MAX:]), (1, candidates)):
        for some in itertools.combinations(group, count):
            if sum(each.containers for each in some) == missing[0] and sum(each.weight for each in some) == missing[1]:
                return "; of that size: " + " and ".join(f"#{each.number}" for each in some), calls_of(some)
    return "; no few bookings are of that size, these may explain it" if others else "", calls_of(others[-OTHERS_MAX:])


def unknown_at(history, identifier):
    """The bookings that may be on a vessel and had an unknown answer."""
    return [each for each in history.bookings if each.vessel in (identifier, None) and any(call.outcome == "unknown" for call in each.calls)]


def calls_of(bookings):
    return [call for booking in bookings for call in booking.calls]


def told_calls(bookings):
    """Of each booking only the answer BOOKED."""
    return [call for booking in bookings for call in booking.calls if call.outcome == "booked" and call.end == booking.told_at]


# MARK: Refusals

def refusals(history, vessels, found):
    """NOT_FOUND is right only if no vessel surely had room all the time. `found`: by booking number, the vessel of the
    consignment that the lists show at the end."""
    ours = {identifier: vessel for identifier, vessel in vessels.items() if vessel.ours}
    possibly = {identifier: Levels() for identifier in ours}
    for booking in history.bookings:
        for identifier, begin, end in _possible_room(booking, found.get(booking.number)):
            for each in possibly if identifier is None else [identifier] if identifier in possibly else []:
                possibly[each].add(begin, size(booking))
                possibly[each].take_off(end, size(booking))
    for call in history.calls:
        if call.outcome != "refused" or call.kind not in (BOOK, "find"):
            continue
        own = (0, 0) if call.booking is None else size(call.booking)
        wanted = own if call.booking is not None else (call.detail["containers"], call.detail["weight"])
        # A repeat may answer what the first call answered.
        begin = call.begin if call.booking is None else call.booking.calls[0].begin
        for vessel in ours.values():
            taken = possibly[vessel.id].between(call.end, begin)
            # Less the booking itself, which is among those that possibly had room.
            if vessel.carries(taken[0] - own[0] + wanted[0], taken[1] - own[1] + wanted[1]):
                calls = call.booking.calls if call.booking is not None else [call]
                yield Violation("refused with room", vessel.id, f"{wanted[0]} containers and {wanted[1]} kg were refused, and {vessel.line()} "
                                f"had at most {taken[0] - own[0]} and {taken[1] - own[1]} booked from {begin:.3f} to {call.end:.3f} s", calls)
                break


def _possible_room(booking, found):
    """When and where a booking may have had room: (vessel id, or None for any; begin; end)."""
    calls, cancels = booking.of_kind(BOOK), booking.of_kind(CANCEL)
    if not calls:
        return
    begin, told = calls[0].begin, FOR_EVER if booking.told_at is None else booking.told_at
    last = max(call.end or FOR_EVER for call in calls if call.begin <= told)
    vessel = booking.vessel or found
    if booking.is_unknown or any(call.outcome not in ("booked", "refused") for call in calls):
        yield None, begin, FOR_EVER
    elif vessel is None:
        yield None, begin, last
    else:
        # While calls of one key run beside each other, another vessel may have had it for a moment.
        yield None, begin, last
        released = FOR_EVER
        if booking.cancelled_at is not None and all(call.outcome == "cancelled" for call in cancels):
            released = max(call.end for call in cancels if call.begin <= booking.cancelled_at)
        if released > last:
            yield vessel, last, released
