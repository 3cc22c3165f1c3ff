"""Tests of the rules by small histories, each with the one violation that it shows, or with none."""

import unittest

import rules_room
import rules_told
from history import BOOK, CANCEL, History
from rules_room import Vessel

IDS = ["ann", "bob"]


class HistoryBuilder:
    """A history that is written by hand: times are given, not measured."""

    def __init__(self):
        self.history = History("run")
        self.vessels = {"v": Vessel("v", 10, 1_000, ours=True), "w": Vessel("w", 10, 1_000, ours=True)}

    def booking(self, containers=4, weight=100, key=True, user=0):
        return self.history.add_booking(user, key or None, containers, weight)

    def call(self, kind, booking, begin, end, outcome, **detail):
        """`detail`: the consignment's id and its vessel, as far as the answer names them."""
        self.history.now = lambda: begin
        call = self.history.begin(0, kind, 0 if booking is None else booking.user, booking)
        self.history.now = lambda: end
        self.history.end(call, outcome, **detail)
        return call

    def booked(self, begin, end, vessel="v", **asked):
        booking = self.booking(**asked)
        self.call(BOOK, booking, begin, end, "booked", id=f"c{booking.number}", vessel=vessel)
        return booking

    def cancelled(self, booking, begin, end):
        self.call(CANCEL, booking, begin, end, "cancelled", id=booking.id)

    def read(self, begin, end, **booked):
        self.history.add_read(self.call("vessels", None, begin, end, "answered"), booked)

    def item(self, booking, status="BOOKED", **changes):
        """The consignment as a list shows it."""
        return {"id": booking.id or f"c{booking.number}", "description": booking.description, "weight": booking.weight, "status": status,
                "containers": [{"customer_id": booking.customer}] * booking.containers, "vessel_id": booking.vessel,
                "user_id": IDS[booking.user], **changes}


class RuleTests(unittest.TestCase):
    def setUp(self):
        self.builder = HistoryBuilder()

    def expect(self, violations, *kinds):
        self.assertEqual(sorted({each.kind for each in violations}), sorted(kinds))

    def at_the_end(self, items, begin=100.0):
        lists = [[each for each in items if each["user_id"] == identifier] for identifier in IDS]
        return list(rules_told.at_the_end(self.builder.history, IDS, lists, begin, begin + 1))

    # MARK: What callers were told

    def test_told(self):
        """BOOKED stays BOOKED, on its vessel and of its size; a Cancel that was only sent may have been done."""
        builder = self.builder
        booking = builder.booked(1, 2)
        self.expect(self.at_the_end([builder.item(booking)]))
        self.expect(self.at_the_end([]), "lost booking")
        self.expect(self.at_the_end([builder.item(booking, vessel_id="w")]), "changed booking")
        self.expect(self.at_the_end([builder.item(booking, weight=99)]), "changed booking")
        self.expect(self.at_the_end([builder.item(booking, containers=[])]), "changed booking")
        self.expect(self.at_the_end([builder.item(booking, "PENDING")]), "changed booking", "left pending")
        self.expect(self.at_the_end([builder.item(booking, "CANCELLED")]), "cancelled unasked")
        self.expect(self.at_the_end([builder.item(booking, None)]), "unexpected answer")
        self.expect(self.at_the_end([builder.item(booking), builder.item(booking)]), "listed twice")
        builder.call(CANCEL, booking, 3, 4, "unknown", id=booking.id)
        booking.abandons = {CANCEL}
        self.expect(self.at_the_end([builder.item(booking)]))
        self.expect(self.at_the_end([builder.item(booking, "CANCELLED")]))

    def test_cancelled(self):
        """CANCELLED stays CANCELLED, and is there."""
        builder = self.builder
        booking = builder.booked(1, 2)
        builder.cancelled(booking, 3, 4)
        self.expect(self.at_the_end([builder.item(booking, "CANCELLED")]))
        self.expect(self.at_the_end([builder.item(booking)]), "cancel undone")
        self.expect(self.at_the_end([]), "lost booking")
        # A reading that began before the answer may show either.
        self.expect(rules_told.shown(builder.history, IDS, 0, builder.item(booking), 3.5, 5))

    def test_at_the_same_time(self):
        """What a caller is told after a reading began does not bind that reading."""
        builder = self.builder
        booking = builder.booked(1, 2)
        self.expect(rules_told.listed(builder.history, IDS, 0, [], 1.5, 3))
        self.expect(rules_told.listed(builder.history, IDS, 0, [], 2.5, 3), "lost booking")
        self.expect(rules_told.shown(builder.history, IDS, 0, builder.item(booking, "PENDING"), 1.5, 3))

    def test_whose(self):
        builder = self.builder
        booking = builder.booked(1, 2, user=1)
        self.expect(rules_told.listed(builder.history, IDS, 0, [builder.item(booking)], 3, 4), "seen by others")
        self.expect(rules_told.listed(builder.history, IDS, 1, [builder.item(booking, user_id="ann")], 3, 4), "seen by others")
        self.expect(rules_told.listed(builder.history, IDS, 0, [{"id": "x", "description": "another run"}], 3, 4), "unknown consignment")

    def test_keys(self):
        """A keyed booking has one consignment, and is answered by it each time."""
        builder = self.builder
        booking = builder.booked(1, 2)
        builder.call(BOOK, booking, 3, 4, "booked", id=booking.id, vessel="v")
        self.expect(rules_told.answers(builder.history))
        self.expect(self.at_the_end([builder.item(booking), builder.item(booking, id="other")]), "booked twice")
        builder.call(BOOK, booking, 5, 6, "booked", id=booking.id, vessel="w")
        self.expect(rules_told.answers(builder.history), "other answer")

    def test_unknown(self):
        """A call without an answer may have booked, once; with a key it is answered in the end."""
        builder = self.builder
        booking = builder.booking(key=False)
        builder.call(BOOK, booking, 1, 2, "unknown")
        self.expect(self.at_the_end([]))
        self.expect(self.at_the_end([builder.item(booking, vessel_id="v")]))
        self.expect(self.at_the_end([builder.item(booking, "PENDING")]), "left pending")
        self.expect(self.at_the_end([builder.item(booking, id=each, vessel_id="v") for each in "ab"]), "booked twice")
        keyed = builder.booking()
        builder.call(BOOK, keyed, 1, 2, "unknown")
        self.expect(self.at_the_end([]), "never answered")
        builder.call(BOOK, keyed, 3, 4, "refused")
        self.expect(self.at_the_end([]))
        self.expect(self.at_the_end([builder.item(keyed, vessel_id="v")]), "refused yet booked")
        self.expect(rules_told.answers(builder.history), "nothing booked")
        # A repeat that was refused first, and then sent once more, may book.
        builder.call(BOOK, keyed, 5, 6, "unknown")
        self.expect(self.at_the_end([builder.item(keyed, vessel_id="v")]))

    def test_cancel_of_what_was_told(self):
        builder = self.builder
        booking = builder.booked(1, 2)
        builder.call(CANCEL, booking, 3, 4, "refused", id=booking.id)
        self.expect(rules_told.answers(builder.history), "lost booking")

    # MARK: Room

    def test_sums(self):
        """What a vessel says is booked is the sum of its BOOKED consignments; the booking that explains a difference is
        shown."""
        builder = self.builder
        there, gone = builder.booked(1, 2), builder.booked(3, 4, containers=3, weight=77)
        builder.cancelled(gone, 5, 6)
        lists = [[builder.item(there), builder.item(gone, "CANCELLED")], []]
        self.expect(rules_room.sums(builder.history, builder.vessels, {"v": (4, 100), "w": (0, 0)}, lists))
        leaked = list(rules_room.sums(builder.history, builder.vessels, {"v": (7, 177), "w": (0, 0)}, lists))
        self.expect(leaked, "room leaked")
        self.assertEqual(leaked[0].calls, gone.calls)
        missed = list(rules_room.sums(builder.history, builder.vessels, {"v": (0, 0), "w": (0, 0)}, lists))
        self.expect(missed, "room not taken")
        self.assertEqual(missed[0].calls, there.calls)
        builder.cancelled(gone, 7, 8)
        twice = list(rules_room.sums(builder.history, builder.vessels, {"v": (1, 23), "w": (0, 0)}, lists))
        self.expect(twice, "room not taken")
        self.assertEqual(twice[0].calls, gone.calls)

    def test_sums_of_others(self):
        """Of a vessel that others book on, too, the difference since the run began counts."""
        builder = self.builder
        builder.vessels = {"v": Vessel("v", 10, 1_000, ours=False, base=(2, 20))}
        booking = builder.booked(1, 2)
        lists = [[builder.item(booking)], []]
        self.expect(rules_room.sums(builder.history, builder.vessels, {"v": (6, 120)}, lists))
        self.expect(rules_room.sums(builder.history, builder.vessels, {"v": (4, 100)}, lists), "room not taken")

    def test_out_of_range(self):
        vessel = self.builder.vessels["v"]
        self.expect(rules_room.read(vessel, (10, 1_000), None))
        for booked in ((11, 0), (0, 1_001), (-1, 0), (0, -1)):
            self.expect(rules_room.read(vessel, booked, None), "out of range")

    def test_reads(self):
        """A reading shows at least what was BOOKED before it began and not cancelled before it ended."""
        builder = self.builder
        booking = builder.booked(1, 2)
        builder.read(1.5, 3, v=(0, 0))
        self.expect(rules_room.reads(builder.history, builder.vessels))
        builder.cancelled(booking, 5, 6)
        builder.read(4, 5, v=(0, 0))
        self.expect(rules_room.reads(builder.history, builder.vessels))
        builder.read(3, 4, v=(3, 100))
        self.expect(rules_room.reads(builder.history, builder.vessels), "room not taken")

    def test_oversold(self):
        """Bookings that overlap for sure fit, in containers and in weight."""
        builder = self.builder
        first = builder.booked(1, 2, containers=6)
        builder.cancelled(first, 3, 5)
        builder.booked(2, 4, containers=6)
        self.expect(rules_room.oversold(builder.history, builder.vessels))
        builder.booked(5, 6, containers=1, weight=901)
        violations = list(rules_room.oversold(builder.history, builder.vessels))
        self.expect(violations, "oversold")
        self.assertEqual(len(violations[0].calls), 2)

    def test_oversold_unknown_vessel(self):
        self.builder.booked(1, 2, vessel="x")
        self.expect(rules_room.oversold(self.builder.history, self.builder.vessels), "oversold")

    # MARK: Refusals

    def refused(self, begin, end, **asked):
        booking = self.builder.booking(**asked)
        self.builder.call(BOOK, booking, begin, end, "refused", why="FLEET_FULL")
        return booking

    def refusals(self, found=None):
        return list(rules_room.refusals(self.builder.history, self.builder.vessels, found or {}))

    def test_refused_when_full(self):
        builder = self.builder
        for vessel in "vw":
            builder.booked(1, 2, vessel, containers=7)
        self.refused(3, 4)
        self.expect(self.refusals())
        self.refused(5, 6, containers=3, weight=50)
        self.expect(self.refusals(), "refused with room")

    def test_refused_after_a_cancel(self):
        """Room counts as free once the Cancel is answered, and not before."""
        builder = self.builder
        first = builder.booked(1, 2, containers=10)
        builder.booked(1, 2, "w", containers=10)
        builder.cancelled(first, 3, 5)
        self.refused(4, 6)
        self.expect(self.refusals())
        self.refused(7, 8)
        self.expect(self.refusals(), "refused with room")

    def test_refused_beside_unknown(self):
        """A call without an answer may hold room anywhere, for ever; a refused one until its refusal."""
        builder = self.builder
        self.refused(1, 4, containers=7)
        self.refused(2, 3, containers=4)
        self.expect(self.refusals())
        builder.call(BOOK, builder.booking(containers=7, key=False), 5, 6, "unknown")
        self.refused(8, 9, containers=4)
        self.expect(self.refusals())

    def test_refused_find(self):
        self.builder.call("find", None, 1, 2, "refused", containers=11, weight=1)
        self.expect(self.refusals())
        self.builder.call("find", None, 3, 4, "refused", containers=10, weight=1_000)
        self.expect(self.refusals(), "refused with room")


if __name__ == "__main__":
    unittest.main(verbosity=1)
