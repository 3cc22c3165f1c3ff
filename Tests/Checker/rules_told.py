"""What callers were told holds. Functions of the history and of what was read; they yield violations."""

import collections

from history import BOOK, CANCEL
from violation import Violation

# Bookings that are drawn until one fits.
TRIES = 20
BOOKED, PENDING, CANCELLED = "BOOKED", "PENDING", "CANCELLED"


def shown(history, user_ids, user, item, begin, end):
    """Checks one consignment that `user` was shown by a call that ran from `begin` to `end`. `user_ids`: the ids of the
    run's users."""
    booking, identifier, status = history.booking_of(item.get("description")), item.get("id"), item.get("status")
    if booking is None or identifier is None:
        yield Violation("unknown consignment", identifier, f"user {user} is shown {brief(item)}, which nobody asked for")
        return
    calls = booking.calls
    if booking.user != user or item.get("user_id", user_ids[user]) != user_ids[user]:
        yield Violation("seen by others", identifier, f"user {user} is shown {brief(item)}, which is user {booking.user}'s", calls)
        return
    yield from as_asked(booking, item)
    if status not in (BOOKED, PENDING, CANCELLED):
        yield Violation("unexpected answer", "status", f"{brief(item)} has the status {status!r}", calls)
        return
    is_cancel_sent = booking.cancel_began is not None and booking.cancel_began <= end
    if identifier == booking.cancelled_id and booking.cancelled_at < begin and status != CANCELLED:
        yield Violation("cancel undone", identifier, f"{brief(item)} was answered CANCELLED at {booking.cancelled_at:.3f} s", calls)
    elif status == CANCELLED and not is_cancel_sent:
        yield Violation("cancelled unasked", identifier, f"{brief(item)}, and its owner had sent no Cancel", calls)
    elif identifier == booking.id and booking.told_at < begin and not is_cancel_sent and status != BOOKED:
        yield Violation("changed booking", identifier, f"{brief(item)} was answered BOOKED at {booking.told_at:.3f} s", calls)
    if identifier == booking.id and booking.told_at < begin and status == BOOKED and item.get("vessel_id") != booking.vessel:
        yield Violation("changed booking", identifier, f"{brief(item)} was answered as on vessel {booking.vessel}", calls)


def as_asked(booking, item):
    """Checks a consignment against what was asked for."""
    containers = [each.get("customer_id") for each in item.get("containers", [])]
    if item.get("weight") != booking.weight or containers != [booking.customer] * booking.containers:
        yield Violation("changed booking", item.get("id"), f"{brief(item)} was asked for as {booking.line()}", booking.calls)


def brief(item):
    """A consignment in a few words."""
    return (f"consignment {item.get('id')} ({len(item.get('containers', []))} containers, {item.get('weight')} kg, "
            f"vessel {item.get('vessel_id')}, {item.get('status')})")


def told(booking, begin):
    """The ids of the consignments that any reading from `begin` on has to find, as a caller was told of them before."""
    if booking.id is not None and booking.told_at < begin:
        yield booking.id
    if booking.cancelled_id is not None and booking.cancelled_at < begin and booking.cancelled_id != booking.id:
        yield booking.cancelled_id


def all_told(history, user, begin):
    """The same for all bookings of a user: (id, booking)."""
    return [(identifier, booking) for booking in list(history.bookings) if booking.user == user for identifier in told(booking, begin)]


def some_told(history, user, begin, rng):
    """One of these, if a few tries find one."""
    for _ in range(TRIES if history.bookings else 0):
        booking = rng.choice(history.bookings)
        found = list(told(booking, begin)) if booking.user == user else []
        if found:
            return rng.choice(found), booking
    return None


def listed(history, user_ids, user, items, begin, end):
    """Checks a complete listing of a user's consignments."""
    for item in items:
        yield from shown(history, user_ids, user, item, begin, end)
    seen = collections.Counter(item.get("id") for item in items)
    for identifier, count in seen.items():
        if count > 1:
            yield Violation("listed twice", identifier, f"user {user}'s list shows consignment {identifier} {count} times")
    for identifier, booking in all_told(history, user, begin):
        if identifier not in seen:
            yield missing(booking, identifier, f"user {user}'s list from {begin:.3f} to {end:.3f} s does not show it")


def missing(booking, identifier, how):
    told = BOOKED if identifier == booking.id else CANCELLED
    return Violation("lost booking", identifier, f"consignment {identifier}, answered {told}, is not there: {how}", booking.calls)


# MARK: Answers

def answers(history):
    """Checks what the calls that book and cancel were answered."""
    for booking in list(history.bookings):
        yield from _same_answers(booking)
        for call in list(booking.calls):
            if call.kind == CANCEL and call.outcome == "refused" and booking.told_at is not None \
                    and booking.told_at < call.begin and call.detail["id"] == booking.id:
                yield missing(booking, booking.id, f"its owner's Cancel at {call.begin:.3f} s is NOT_FOUND")
    if not any(booking.told_at is not None for booking in history.bookings):
        yield Violation("nothing booked", "", f"none of {len(history.bookings)} bookings was answered BOOKED")


def _same_answers(booking):
    """A repeat with the same key answers what the first call answered."""
    named = [call for call in booking.of_kind(BOOK) if call.outcome in ("booked", "cancelled")]
    for call in named[1:]:
        first, other = named[0].detail, call.detail
        differs = first["id"] != other["id"] or first["vessel"] and other["vessel"] and first["vessel"] != other["vessel"]
        if differs:
            yield Violation("other answer", booking.number, f"booking {booking.line()} was answered as consignment {first['id']} on "
                            f"vessel {first['vessel']}, then as {other['id']} on {other['vessel']}", booking.calls)
            return


def fault(history, call, answer):
    """A definite answer that is wrong for a valid call, unless a Cancel overtook the call: then Create may be refused."""
    booking = call.booking
    if call.kind == BOOK and booking.cancel_began is not None and booking.cancel_began <= history.now():
        return
    text = str(answer.body.get("detail", answer.body))[:300]
    yield Violation("unexpected answer", (call.kind, answer.why, text[:40]), f"{call.kind} was answered {answer.why}: {text}",
                    booking.calls if booking else [call])


# MARK: At the end

def at_the_end(history, user_ids, lists, begin, end):
    """Checks everything that was asked for against the lists of all users, read from `begin` to `end`: `lists` has a list
    of consignments for each user."""
    found = collections.defaultdict(list)
    for user, items in enumerate(lists):
        yield from listed(history, user_ids, user, items, begin, end)
        for item in items:
            booking = history.booking_of(item.get("description"))
            if booking is not None and booking.user == user:
                found[booking.number].append(item)
            if item.get("status") == PENDING:
                yield Violation("left pending", item.get("id"), f"{brief(item)} at the end", booking.calls if booking else [])
    for booking in list(history.bookings):
        yield from _outcome(booking, found[booking.number])


def _outcome(booking, items):
    what = " and ".join(brief(item) for item in items)
    if len({item.get("id") for item in items}) > 1:
        yield Violation("booked twice", booking.number, f"booking {booking.line()} has {what}", booking.calls)
    if booking.ends_refused and any(item.get("status") == BOOKED for item in items):
        yield Violation("refused yet booked", booking.number, f"booking {booking.line()} was refused, and there is {what}", booking.calls)
    for kind in (BOOK, CANCEL):
        calls = booking.of_kind(kind)
        is_repeated = kind not in booking.abandons and (kind == CANCEL or booking.key)
        if calls and is_repeated and booking.has_no_answer(kind):
            yield Violation("never answered", booking.number, f"{kind} {booking.line()}: {len(calls)} calls, no answer", booking.calls)
