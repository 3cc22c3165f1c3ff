/*
 * Reserve and Release of the vessel service on MongoDB, where only the write of one document is atomic: a standalone
 * server has no transactions. check.py lets spin visit every state that can be reached.
 *
 * A vessel's document has its room (left) and entries: what was begun on it and is not settled. A reservation R is a
 * document of its own; its _id is the consignment's, so that the first insert wins. Each entry has an op, an id that is
 * fresh for every call. R names the op that made it HELD, also when it is RELEASED, and the op that made it RELEASED.
 *
 *     Reserve  1. Read R. HELD: answer its vessel. RELEASED: refuse.
 *              2. Find a vessel with room. In one write, if it still has room: take the room, add an entry.
 *                 None has room: look for entries of a Reserve for this consignment, on any vessel. If there is one, go
 *                 on with it from 3. If not, read R after that: if it is there, answer as in 1; if not, none fits.
 *              3. Insert R as HELD on this vessel by this op, unless R is there.
 *              4. Read R. This op made it HELD: remove the entry. Otherwise, in one write, if the entry is there: give
 *                 the room back, remove the entry. Answer as in 1.
 *     Release  1. Read R. Not there: insert it as RELEASED and answer; if it is there by now, read it again.
 *                 RELEASED: do 4 for the op that made it so, if there is one, and answer.
 *              2. Add an entry to the vessel. Its room stays as it is.
 *              3. HELD to RELEASED by this op, if it is HELD.
 *              4. Read R. This op made it RELEASED: in one write, if the entry is there: give the room back, remove the
 *                 entry. Another op or none: remove the entry, and do 4 for that other op. Answer.
 *     Helper   Any program that finds an entry goes on with it from 3, whether or not its call still runs.
 *
 * As in booking.pml there are no program counters. A call and any number of helpers may be at any step, each with what
 * it read long ago. A program that crashed takes no further step. A call adds at most one entry, so that its number
 * is its op.
 *
 * For the services, Reserve happens when R becomes HELD, and Release when it becomes RELEASED. Before the one and after
 * the other a vessel has less room than its reservations leave, never more. So Reserve may answer that none fits because
 * of room that calls for other consignments are about to give back.
 */

/* Faults, each an order or a condition that is taken out. check.py shows that an invariant is violated then, so that
 * none can be spared. "spin -DFAULT=NAME" plants one. */
#define HELD_BEFORE_ROOM_IS_TAKEN 1
#define HELD_OVERWRITES 2
#define SAME_OP_AGAIN 3
#define REMOVE_BEFORE_HELD 4
#define GIVE_BACK_WITHOUT_READING 5
#define GIVE_BACK_WITHOUT_ENTRY 6
#define NO_RESERVATION_MEANS_OTHER 7
#define HELD_MEANS_OWN 8
#define FULL_WITHOUT_LOOKING 9
#define FULL_READS_BEFORE_LOOKING 10
#define RELEASE_WITHOUT_TOMBSTONE 11
#define RELEASED_UNCONDITIONAL 12
#define RELEASED_BY_HELPER_MEANS_OTHER 13
#define RELEASED_FORGETS_FIRST_OP 14
#define RELEASED_IS_DELETED 15
#define GIVE_BACK_AT_ONCE 16
#define GIVE_BACK_BEFORE_RELEASED 17
#define ANSWER_WITHOUT_READING 18
#define NO_HELPER 19
#ifndef FAULT
#define FAULT 0
#endif
byte fault = FAULT;

/* Calls 1 to 3 are Reserve for consignment 0, call 4 for consignment 1. Calls 5 and 6 are Release of 0, call 7 of 1. */
#define IDS 2
#define CALLS 8
#ifdef THREE_RESERVES
#define RUN_CALLS run Reserve(1, 0); run Reserve(2, 0); run Reserve(3, 0); run Reserve(4, 1); run Release(5, 0)
#else
#define RUN_CALLS run Reserve(1, 0); run Reserve(2, 0); run Reserve(4, 1); \
    run Release(5, 0); run Release(6, 0); run Release(7, 1)
#endif

/* Vessels 1 and 2 have room for one consignment each. */
#define CAPACITY 1

/* Reservations. */
mtype = { ABSENT, HELD, RELEASED };
mtype state[IDS] = ABSENT;
byte vessel[IDS];
byte reserve_op[IDS];
byte release_op[IDS];

/* Vessels: their room, and for each call the vessel that has its entry, or 0. */
short left[3];
byte entry[CALLS];

/* What programs know. began: the call may do its step 2. added: where the entry of a call is or was. saw: whether R was
 * read to name the op of the entry. search: how far a call is on the way to answer that none fits. */
mtype = { UNREAD, OWN, OTHER, BLOCKED, CHECKED };
bool began[CALLS];
byte added[CALLS];
mtype saw[CALLS] = UNREAD;
mtype search[CALLS] = UNREAD;

/* What callers were told, at the earliest moment. */
byte told_vessel[IDS];
bool told_released[IDS];

/* All calls crashed: from here on there are only helpers. */
bool calls_ended;

/* ---- Invariants, checked after every step ---- */

/* The room that is taken for a consignment: by its reservation, and by entries that will give it back. */
#define HOLDS(c, v) (state[c] == HELD && vessel[c] == v -> 1 : 0)
#define RESERVING(o, c, v) (entry[o] == v && reserve_op[c] != o -> 1 : 0)
#define RELEASING(o, c, v) (entry[o] == v && state[c] == RELEASED && release_op[c] == o -> 1 : 0)
#define TAKEN_0(v) (HOLDS(0, v) + RESERVING(1, 0, v) + RESERVING(2, 0, v) + RESERVING(3, 0, v) \
    + RELEASING(5, 0, v) + RELEASING(6, 0, v))
#define TAKEN_1(v) (HOLDS(1, v) + RESERVING(4, 1, v) + RELEASING(7, 1, v))

inline check(c) {
    /* No vessel is oversold, and what is taken leaves its room, neither more nor less. */
    assert(left[1] >= 0 && left[1] == CAPACITY - TAKEN_0(1) - TAKEN_1(1));
    assert(left[2] >= 0 && left[2] == CAPACITY - TAKEN_0(2) - TAKEN_1(2));
    /* All calls of Reserve for a consignment answer the same vessel. */
    assert(told_vessel[c] == 0 || vessel[c] == 0 || vessel[c] == told_vessel[c]);
    /* What was released is never held again. */
    assert(!told_released[c] || state[c] != HELD)
}

/* ---- When a step may be taken ---- */

/* Calls that are alike begin in the order of their numbers: any other order is the same with other numbers. */
#define MAY_BEGIN(o) (!calls_ended && !began[o] && (o == 1 || o == 4 || o == 5 || o == 7 || began[o - 1]))
#define MAY_ADD(o) (!calls_ended && began[o] && (added[o] == 0 || fault == SAME_OP_AGAIN && entry[o] == 0))
#define HELP (!calls_ended || fault != NO_HELPER)

#define MAY_HOLD(o, c) (HELP && added[o] != 0 \
    && (state[c] == ABSENT || fault == HELD_OVERWRITES && state[c] == HELD && reserve_op[c] != o))
#define MAY_READ(o) (HELP && added[o] != 0 && saw[o] == UNREAD)
#define READS_RESERVATION(c) (state[c] != ABSENT || fault == NO_RESERVATION_MEANS_OTHER)
#define RESERVED_BY(o, c) (reserve_op[c] == o || fault == HELD_MEANS_OWN && state[c] == HELD)

#define MAY_RELEASE(o, c) (HELP && added[o] != 0 \
    && (state[c] == HELD || fault == RELEASED_UNCONDITIONAL && state[c] == RELEASED && release_op[c] != o))
#define RELEASED_BY_OTHER(o, c) (release_op[c] != o || fault == RELEASED_BY_HELPER_MEANS_OTHER)

#define MAY_GIVE_BACK(o) (HELP && (entry[o] != 0 || fault == GIVE_BACK_WITHOUT_ENTRY && added[o] != 0))
#define MAY_REMOVE(o) (HELP && entry[o] != 0)

/* A vessel has no room because of what was taken for the consignment itself, by another call of Reserve for it. A call
 * that finds that must not answer that none fits. It looks for entries first and reads R then, so it finds either. */
#define IS_BLOCKED_BY_ITSELF(c) (c == 0 \
    -> left[1] == 0 && TAKEN_0(1) > 0 || left[2] == 0 && TAKEN_0(2) > 0 \
    :  left[1] == 0 && TAKEN_1(1) > 0 || left[2] == 0 && TAKEN_1(2) > 0)
#define NO_ENTRY_FOR(c) (c == 0 -> entry[1] + entry[2] + entry[3] == 0 : entry[4] == 0)
#define FIRST_CHECK(c) (fault == FULL_WITHOUT_LOOKING \
    || (fault == FULL_READS_BEFORE_LOOKING -> state[c] == ABSENT : NO_ENTRY_FOR(c)))
#define SECOND_CHECK(c) (fault == FULL_READS_BEFORE_LOOKING -> NO_ENTRY_FOR(c) : state[c] == ABSENT)

/* ---- The steps. Each is one read, or one write of one document ---- */

inline take_room(o, v) {
    left[v] = left[v] - 1; entry[o] = v; added[o] = v;
    check(c)
}

inline give_back(o) {
    left[added[o]] = left[added[o]] + 1; entry[o] = 0;
    check(c)
}

proctype Reserve(byte o, c) {
end:
    do
    /* 1 */
    :: atomic { MAY_BEGIN(o) && state[c] == ABSENT -> began[o] = true }

    /* 2. Any vessel with room will do: no invariant depends on the choice. */
    :: atomic { MAY_ADD(o) && left[1] > 0 -> take_room(o, 1) }
    :: atomic { MAY_ADD(o) && left[2] > 0 -> take_room(o, 2) }
    :: atomic { MAY_ADD(o) && search[o] == UNREAD && IS_BLOCKED_BY_ITSELF(c) -> search[o] = BLOCKED }
    :: atomic { MAY_ADD(o) && search[o] == BLOCKED && FIRST_CHECK(c) -> search[o] = CHECKED }
    :: atomic { MAY_ADD(o) && search[o] == CHECKED && SECOND_CHECK(c) -> assert(false) }

    /* 3 */
    :: atomic { MAY_HOLD(o, c) ->
        state[c] = HELD; vessel[c] = added[o]; reserve_op[c] = o;
        told_vessel[c] = (told_vessel[c] == 0 -> vessel[c] : told_vessel[c]); check(c) }

    /* 4 */
    :: atomic { MAY_READ(o) && READS_RESERVATION(c) -> saw[o] = (RESERVED_BY(o, c) -> OWN : OTHER) }
    :: atomic { saw[o] == OWN && MAY_REMOVE(o) -> entry[o] = 0; check(c) }
    :: atomic { saw[o] == OTHER && MAY_GIVE_BACK(o) -> give_back(o) }
    od
}

proctype Release(byte o, c) {
end:
    do
    /* 1 */
    :: atomic { !calls_ended && state[c] == ABSENT && !told_released[c] ->
        state[c] = (fault == RELEASE_WITHOUT_TOMBSTONE -> ABSENT : RELEASED); told_released[c] = true; check(c) }
    :: atomic { MAY_BEGIN(o) && state[c] == HELD -> began[o] = true }

    /* 2 */
    :: atomic { MAY_ADD(o) ->
        entry[o] = vessel[c]; added[o] = vessel[c];
        left[vessel[c]] = left[vessel[c]] + (fault == GIVE_BACK_AT_ONCE -> 1 : 0); check(c) }

    /* 3 */
    :: atomic { MAY_RELEASE(o, c) ->
        state[c] = RELEASED; release_op[c] = o; told_released[c] = true;
        reserve_op[c] = (fault == RELEASED_FORGETS_FIRST_OP -> 0 : reserve_op[c]); check(c) }

    /* 4 */
    :: atomic { MAY_READ(o) && state[c] == RELEASED && release_op[c] == o -> saw[o] = OWN }
    :: atomic { MAY_READ(o) && state[c] == RELEASED && RELEASED_BY_OTHER(o, c) -> saw[o] = OTHER }
    :: atomic { saw[o] == OWN && MAY_GIVE_BACK(o) -> give_back(o) }
    :: atomic { saw[o] == OTHER && MAY_REMOVE(o) -> entry[o] = 0; check(c) }
    od
}

/* Steps that only a fault takes, at the entry of a Reserve (call 1) and of a Release (call 5) for consignment 0. */
proctype Faults(byte c) {
end:
    do
    :: atomic { fault == HELD_BEFORE_ROOM_IS_TAKEN && began[1] && state[c] == ABSENT ->
        state[c] = HELD; vessel[c] = 1; reserve_op[c] = 1; check(c) }
    :: atomic { fault == REMOVE_BEFORE_HELD && entry[1] != 0 && state[c] == ABSENT -> entry[1] = 0; check(c) }
    :: atomic { fault == GIVE_BACK_WITHOUT_READING && entry[1] != 0 -> give_back(1) }
    :: atomic { fault == GIVE_BACK_BEFORE_RELEASED && entry[5] != 0 && state[c] == HELD -> give_back(5) }
    :: atomic { fault == ANSWER_WITHOUT_READING && added[1] != 0 && told_vessel[c] == 0 -> told_vessel[c] = added[1] }
    :: atomic { fault == RELEASED_IS_DELETED && state[c] == RELEASED && release_op[c] == 5 && entry[5] == 0 ->
        state[c] = ABSENT; reserve_op[c] = 0; release_op[c] = 0 }
    od
}

init {
    atomic {
#ifdef FAULT_FROM_ENVIRONMENT
        /* One verifier for all faults: to compile one for each takes longer than to run it. */
        c_code { if (getenv("FAULT")) now.fault = atoi(getenv("FAULT")); };
#endif
        left[1] = CAPACITY; left[2] = CAPACITY;
        RUN_CALLS;
        if
        :: fault != 0 -> run Faults(0)
        :: else
        fi
    }
    calls_ended = true;
end:
    /* When the helpers have no step left to take, no entry is left: only reservations take room. */
    timeout -> assert(entry[1] + entry[2] + entry[3] + entry[4] + entry[5] + entry[6] + entry[7] == 0)
}
