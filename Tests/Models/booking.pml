/*
 * The booking of consignments: which steps the consignment service, its worker and the vessel service take, and in
 * which order. check.py lets spin visit every state that can be reached.
 *
 *     Create   store PENDING, with the key if there is one -> Reserve -> confirm: PENDING to BOOKED -> answer
 *                                                                    \-> none fits: undo
 *              An intent that another call with the key undid: begin anew, with a fresh id.
 *     undo     PENDING to UNDOING and drop the key -> answer -> Release -> delete
 *     Cancel   PENDING or BOOKED to OWED -> answer -> Release -> OWED to CANCELLED
 *     worker   PENDING without key: undo. PENDING with key: on from Reserve. UNDOING or OWED: on from Release.
 *
 * An arrow waits: what follows it happens only when the write is stored, or the answer is there. "PENDING to BOOKED" is
 * a conditional write. Where the status is another one by now, nothing is written, and the caller is answered by what
 * the document says. OWED is a cancelled consignment whose release is owed.
 *
 * The model has no program counters. Any number of calls, repeats of calls and workers may be under way, each at any
 * step, with an answer that it got long ago. So the model keeps, for each consignment, which answers some program got;
 * a step may be taken as soon as some program can have reached it, and ever after. This covers any number of failures:
 *   - A program that crashed takes no further step, and no step has to be taken. The same holds for a lost request, a
 *     lost answer, and a call whose deadline passed.
 *   - A request that arrives late or again is a step that is taken late or again.
 *
 * Reserve and Release are one step each here, as on SQLite. reservation.pml has the steps that they take on MongoDB.
 */

/* Faults, each an order or a condition that is taken out. check.py shows that an invariant is violated then, so that
 * none can be spared. "spin -DFAULT=NAME" plants one. */
#define RESERVE_BEFORE_INTENT 1
#define RESERVE_TAKES_ROOM_AGAIN 2
#define CONFIRM_BEFORE_RESERVE 3
#define CONFIRM_UNCONDITIONAL 4
#define ANSWER_BEFORE_CONFIRM 5
#define UNDO_UNCONDITIONAL 6
#define UNDO_WITHOUT_RELEASE 7
#define ANSWER_BEFORE_UNDO 8
#define CANCEL_UNCONDITIONAL 9
#define RELEASE_BEFORE_CANCEL 10
#define RELEASE_BEFORE_UNDO 11
#define RELEASE_WITHOUT_TOMBSTONE 12
#define RELEASE_GIVES_ROOM_AGAIN 13
#define DELETE_BEFORE_RELEASE 14
#define CANCELLED_BEFORE_RELEASE 15
#define KEY_NOT_UNIQUE 16
#define REPEAT_WITH_THE_SAME_ID 17
#define WORKER_IGNORES_KEY 18
#define WORKER_IGNORES_PENDING 19
#define WORKER_IGNORES_RELEASES 20
#ifndef FAULT
#define FAULT 0
#endif
byte fault = FAULT;

/* Three consignments. Number 2 is the fresh id of a repeat with the key of number 1, after number 1 was undone. */
#define IDS 4
#define SIZE(c) ((c) == 1 || (c) == 2 -> 2 : 1)
#define KEY(c) ((c) == 0 -> 0 : ((c) == 3 -> 2 : 1))

/* Two vessels, numbers 1 and 2, with room for one and for two: not for all that is asked for. */
#define CAPACITY(v) (v)

/* The store of the consignment service. GONE was deleted. Callers see UNDOING as gone, and OWED as cancelled. */
mtype = { NEVER, PENDING, BOOKED, UNDOING, GONE, OWED, CANCELLED };
mtype status[IDS] = NEVER;
byte vessel[IDS];

/* The store of the vessel service. The place of a consignment is NONE, the number of a vessel, or RELEASED. */
#define NONE 0
#define RELEASED 3
byte place[IDS];
short left[3];

/* The answers that some program got from the vessel service. */
byte got_vessel[IDS];
bool got_full[IDS];
bool got_released[IDS];

/* What callers were told. They are told at the earliest moment: told later, less would be promised. */
bool told_booked[IDS];
bool told_cancelled[IDS];
bool told_full[IDS];

/* No call is made any more, and those under way crashed: from here on there is only the worker. */
bool calls_ended;

/* ---- Invariants, checked after every step ---- */

#define ON_VESSEL(c) (place[c] == 1 || place[c] == 2)
#define HELD(c, v) (place[c] == v -> SIZE(c) : 0)
#define HELD_ON(v) (HELD(0, v) + HELD(1, v) + HELD(2, v) + HELD(3, v))

/* A document has its key until it is undone. */
#define HAS_KEY(c) (status[c] == PENDING || status[c] == BOOKED || status[c] == OWED || status[c] == CANCELLED)

inline check(c) {
    /* No vessel is oversold, and its room is what its reservations leave. */
    assert(left[1] >= 0 && left[1] == CAPACITY(1) - HELD_ON(1));
    assert(left[2] >= 0 && left[2] == CAPACITY(2) - HELD_ON(2));

    /* All programs may crash now, and the worker finds only PENDING, UNDOING and OWED: the rest must be right. */
    assert(status[c] != NEVER || !ON_VESSEL(c));
    assert(status[c] != GONE || !ON_VESSEL(c));
    assert(status[c] != CANCELLED || !ON_VESSEL(c));
    assert(status[c] != BOOKED || place[c] == vessel[c]);
    /* Nor may the worker find an intent whose Reserve will always be refused. */
    assert(status[c] != PENDING || place[c] != RELEASED);

    /* What callers were told stays true. */
    assert(!told_booked[c] || status[c] == BOOKED || told_cancelled[c]);
    assert(!told_cancelled[c] || status[c] == OWED || status[c] == CANCELLED);
    assert(!told_full[c] || status[c] == UNDOING || status[c] == GONE);

    /* With a key, a consignment goes only after Reserve answered that none fits; and a key books once. */
    assert(KEY(c) == 0 || (status[c] != UNDOING && status[c] != GONE) || got_full[c]);
    assert(!HAS_KEY(1) || !HAS_KEY(2))
}

/* What may be left when nobody has anything to do. */
#define SETTLED(c) (status[c] == NEVER || status[c] == BOOKED || status[c] == GONE || status[c] == CANCELLED)

/* ---- When a step may be taken ---- */

/* To store an intent with its key, or to find the one that has the key, is one step: one transaction in SQLite, one document
 * in MongoDB. Were it two, the key and then the intent, a call that stands still between them would store an intent that a
 * repeat has undone meanwhile: as REPEAT_WITH_THE_SAME_ID does. */
#define MAY_STORE(c) (!calls_ended && (status[c] == NEVER && (c != 2 || KEY_IS_FREE) || MAY_STORE_AGAIN(c)))
#define KEY_IS_FREE (fault == KEY_NOT_UNIQUE || status[1] != NEVER && !HAS_KEY(1) && fault != REPEAT_WITH_THE_SAME_ID)
#define MAY_STORE_AGAIN(c) (fault == REPEAT_WITH_THE_SAME_ID && c == 1 && status[c] == GONE)

/* A request was sent once its intent was stored, and may arrive at any time from then on. */
#define MAY_RESERVE(c) (status[c] != NEVER || fault == RESERVE_BEFORE_INTENT)
#define TAKES_ROOM(c) (place[c] == NONE || fault == RESERVE_TAKES_ROOM_AGAIN && ON_VESSEL(c))
#define FITS(c, v) (left[v] >= SIZE(c))
/* On MongoDB, Reserve may answer so when room is about to be given back (see the top of reservation.pml). */
#ifdef FULL_AT_ANY_TIME
#define IS_FULL(c) true
#else
#define IS_FULL(c) (!FITS(c, 1) && !FITS(c, 2))
#endif

#define MAY_CONFIRM(c) ((got_vessel[c] != NONE || fault == CONFIRM_BEFORE_RESERVE) \
    && (status[c] == PENDING || fault == CONFIRM_UNCONDITIONAL && (status[c] == UNDOING || status[c] == OWED)))

/* A call undoes when none fits; the worker undoes, besides, what has no key. */
#define WANTS_UNDO(c) ((got_full[c] || KEY(c) == 0 || fault == WORKER_IGNORES_KEY) \
    && !(fault == WORKER_IGNORES_PENDING && calls_ended))
#define MAY_UNDO(c) (WANTS_UNDO(c) && (status[c] == PENDING || fault == UNDO_UNCONDITIONAL && status[c] == BOOKED))

#define MAY_CANCEL(c) (!calls_ended \
    && (status[c] == PENDING || status[c] == BOOKED || fault == CANCEL_UNCONDITIONAL && status[c] == UNDOING))

/* From these there is no way back. */
#define ENDS(c) (status[c] == UNDOING || status[c] == GONE || status[c] == OWED || status[c] == CANCELLED)
#define MAY_RELEASE(c) ((ENDS(c) \
    || fault == RELEASE_BEFORE_CANCEL && MAY_CANCEL(c) || fault == RELEASE_BEFORE_UNDO && MAY_UNDO(c)) \
    && !(fault == WORKER_IGNORES_RELEASES && calls_ended))

#define MAY_DELETE(c) (status[c] == UNDOING && (got_released[c] || fault == DELETE_BEFORE_RELEASE))
#define MAY_END_CANCEL(c) (status[c] == OWED && (got_released[c] || fault == CANCELLED_BEFORE_RELEASE))

/* ---- The steps. Each is one atomic write to one store ---- */

/* Any vessel with room will do: no invariant depends on the choice. */
inline reserve_on(c, v) {
    place[c] = v;
    left[v] = left[v] - SIZE(c);
    got_vessel[c] = v;
    check(c)
}

/* The reservation stays as RELEASED, also where there was none: it refuses a Reserve that comes later. */
inline release(c) {
    left[got_vessel[c]] = left[got_vessel[c]] + (ON_VESSEL(c) -> SIZE(c) : 0);
    place[c] = (place[c] == NONE && fault == RELEASE_WITHOUT_TOMBSTONE -> NONE : RELEASED);
    got_released[c] = true;
    check(c)
}

proctype Steps(byte c) {
end:
    do
    :: atomic { MAY_STORE(c) -> status[c] = PENDING; check(c) }

    /* Reserve. A repeat changes nothing and gets the same answer, so it is no step of its own. The same goes for
     * Release. */
    :: atomic { MAY_RESERVE(c) && TAKES_ROOM(c) && FITS(c, 1) -> reserve_on(c, 1) }
    :: atomic { MAY_RESERVE(c) && TAKES_ROOM(c) && FITS(c, 2) -> reserve_on(c, 2) }
    :: atomic { MAY_RESERVE(c) && TAKES_ROOM(c) && IS_FULL(c) && !got_full[c] -> got_full[c] = true; check(c) }

    :: atomic { MAY_CONFIRM(c) ->
        status[c] = BOOKED; vessel[c] = got_vessel[c]; told_booked[c] = true; check(c) }
    :: atomic { MAY_UNDO(c) -> status[c] = UNDOING; told_full[c] = got_full[c]; check(c) }
    :: atomic { MAY_CANCEL(c) -> status[c] = OWED; told_cancelled[c] = true; check(c) }

    :: atomic { MAY_RELEASE(c) && (ON_VESSEL(c) || place[c] == NONE && !got_released[c]) -> release(c) }
    :: atomic { MAY_DELETE(c) -> status[c] = GONE; check(c) }
    :: atomic { MAY_END_CANCEL(c) -> status[c] = CANCELLED; check(c) }
    od
}

/* Steps that only a fault takes. */
proctype Faults(byte c) {
end:
    do
    :: atomic { fault == ANSWER_BEFORE_CONFIRM && got_vessel[c] != NONE && status[c] == PENDING && !told_booked[c] ->
        told_booked[c] = true }
    :: atomic { fault == ANSWER_BEFORE_UNDO && got_full[c] && status[c] == PENDING && !told_full[c] ->
        told_full[c] = true }
    :: atomic { fault == UNDO_WITHOUT_RELEASE && MAY_UNDO(c) && place[c] == NONE -> status[c] = GONE; check(c) }
    :: atomic { fault == RELEASE_GIVES_ROOM_AGAIN && place[c] == RELEASED && got_vessel[c] != NONE ->
        left[got_vessel[c]] = left[got_vessel[c]] + SIZE(c); check(c) }
    od
}

init {
    atomic {
#ifdef FAULT_FROM_ENVIRONMENT
        /* One verifier for all faults: to compile one for each takes longer than to run it. */
        c_code { if (getenv("FAULT")) now.fault = atoi(getenv("FAULT")); };
#endif
        left[1] = CAPACITY(1); left[2] = CAPACITY(2);
        run Steps(0); run Steps(1); run Steps(2); run Steps(3);
        if
        :: fault != 0 -> run Faults(0); run Faults(1); run Faults(2); run Faults(3)
        :: else
        fi
    }
    calls_ended = true;
end:
    /* When the worker has no step left to take, nothing is half done. */
    timeout -> assert(SETTLED(0) && SETTLED(1) && SETTLED(2) && SETTLED(3))
}
