"""Violations of the contract: their kinds, and how they and the run are printed."""

import collections

# Kind: what it means, and whether time may still heal it (the contract gives a minute).
KINDS = {
    "unexpected answer": ("an answer that such a call may not get", False),
    "lost booking": ("a caller was told BOOKED or CANCELLED, and the consignment is not there", False),
    "changed booking": ("the consignment differs from what its caller was told", False),
    "other answer": ("a repeat with the same key named another consignment or vessel", False),
    "booked twice": ("one booking has more than one consignment", False),
    "refused yet booked": ("the caller was told that no vessel fits, and the consignment is BOOKED", False),
    "cancel undone": ("a caller was told CANCELLED, and the consignment is something else", False),
    "cancelled unasked": ("the consignment is CANCELLED, and its owner sent no Cancel", False),
    "left pending": ("a consignment is neither BOOKED nor CANCELLED nor gone", True),
    "never answered": ("a repeated call got no answer until the end", True),
    "unknown consignment": ("a consignment that nobody asked for", False),
    "seen by others": ("a caller saw or cancelled another user's consignment", False),
    "listed twice": ("one listing shows an id twice", False),
    "room leaked": ("a vessel says that more is booked than its BOOKED consignments take", True),
    "room not taken": ("a vessel says that less is booked than its BOOKED consignments take", True),
    "out of range": ("a vessel says that less than nothing or more than it carries is booked", False),
    "oversold": ("the bookings on a vessel take more than it carries", False),
    "refused with room": ("NOT_FOUND, though a vessel surely had room all the time", False),
    "not settled": ("the system can't be read at the end", True),
    "nothing booked": ("no call was answered BOOKED, so that nothing was checked", False),
}
# What the last line counts.
LOST = {"lost booking", "changed booking", "cancel undone", "cancelled unasked", "never answered"}
TWICE = {"booked twice", "other answer", "refused yet booked"}
OVERSOLD = {"oversold", "out of range"}
# What is printed at most; --history has every call.
PER_KIND_MAX, LINES_MAX = 3, 20
OUTCOMES = ["booked", "cancelled", "answered", "refused", "unknown", "fault"]


class Violation:
    """`subject`: what it is about. `calls`: the calls that show it."""

    def __init__(self, kind, subject, text, calls=()):
        assert kind in KINDS, kind
        self.kind, self.subject, self.text = kind, subject, text
        self.calls = sorted(set(calls) - {None}, key=lambda call: (call.begin, call.number))

    @property
    def may_heal(self):
        return KINDS[self.kind][1]

    def __repr__(self):
        return f"{self.kind}: {self.text}"


class Violations:
    """Violations from all threads. The first of a kind about a subject counts, further ones are the same."""

    def __init__(self):
        self._found = {}

    def add(self, violations):
        for violation in violations:
            self._found.setdefault((violation.kind, violation.subject), violation)

    def __iter__(self):
        return iter(list(self._found.values()))

    def __len__(self):
        return len(self._found)


# MARK: Printing

def report(violations):
    """Each violation in one line, and beneath it the calls that show it."""
    seen = collections.Counter()
    for violation in violations:
        seen[violation.kind] += 1
        if seen[violation.kind] > PER_KIND_MAX:
            continue
        yield f"VIOLATION {violation.kind}: {violation.text}"
        lines = list(_call_lines(violation.calls))
        yield from (f"  {line}" for line in lines[:LINES_MAX])
        if len(lines) > LINES_MAX:
            yield f"  … and {len(lines) - LINES_MAX} lines more; --history writes every call down"
    for kind, count in seen.items():
        if count > PER_KIND_MAX:
            yield f"and {count - PER_KIND_MAX} more of the kind '{kind}': {KINDS[kind][0]}"


def _call_lines(calls):
    """One line for each call; calls of a booking without an answer share one."""
    rows = {}
    for call in calls:
        key = (call.booking.number, call.kind) if call.booking is not None and call.outcome == "unknown" else call.number
        rows.setdefault(key, []).append(call)
    for row in rows.values():
        yield row[0].line() + (f"; {len(row) - 1} times more, until {row[-1].end:.3f} s" if len(row) > 1 else "")


def summary(history, violations, seconds, settle_seconds):
    """Calls by kind and outcome, and what matters in the last line."""
    yield f"{'calls':<16}" + "".join(f"{each:>11}" for each in OUTCOMES)
    for kind in sorted({kind for kind, _ in history.counts}):
        yield f"{kind:<16}" + "".join(f"{history.counts[kind, each] or '–':>11}" for each in OUTCOMES)
    bookings = history.bookings
    yield (f"{len(bookings)} bookings, {sum(bool(each.key) for each in bookings)} with a key; "
           f"{sum(each.told_at is not None for each in bookings)} told BOOKED, "
           f"{sum(each.cancelled_at is not None for each in bookings)} told CANCELLED, {sum(each.is_refused for each in bookings)} refused, "
           f"{sum(each.is_unknown for each in bookings)} with an unknown answer on the way")
    if not history.counts["book", "refused"]:
        yield "note: the fleet was never full (other vessels may have room), so that its limit was not met"
    count = collections.Counter(violation.kind for violation in violations)
    lost, twice, oversold = (sum(count[kind] for kind in group) for group in (LOST, TWICE, OVERSOLD))
    yield (f"lost {lost}, twice {twice}, oversold {oversold}, other violations {len(violations) - lost - twice - oversold}; "
           f"{seconds:.1f} s of calls, settled {settle_seconds:.1f} s later")
