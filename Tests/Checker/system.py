"""The system under the checker: its users, the fleet that the run books on, and how its state is read."""

import itertools
import random
import secrets
import time

from client import Client
from rules_room import Vessel

# Containers and kg. Some vessels run out of containers first, some of weight, so that both become the limit.
FLEET = [(24, 60_000), (120, 6_000), (40, 20_000), (12, 100_000), (60, 9_000), (30, 12_000)]
PAGE_MAX = 1_000
PAGES_MAX = 10_000


class SetupError(Exception):
    """The run can't begin."""


class ReadError(Exception):
    """A reading got no answer. `answer` is what came instead."""

    def __init__(self, method, answer):
        super().__init__(f"{method}: {answer.why}")
        self.method, self.answer = method, answer


class User:
    def __init__(self, identifier, token):
        self.id, self.token = identifier, token


def sign_up(client, run, number, deadline):
    """Signs a user up, who books and sees consignments. Costs the system a bcrypt hash."""
    request = {"name": f"Checker {number}", "company": "Checker", "email": f"checker-{run}-{number}@example.com",
               "password": secrets.token_urlsafe(24)}
    body = _stored(client, "user/UserService.Create", request, None, f"{run}-user-{number}", deadline)
    try:
        return User(body["user"]["id"], body["token"]["token"])
    except (KeyError, TypeError):
        raise SetupError(f"user/UserService.Create: no id or token in {sorted(body)}") from None


def make_fleet(client, run, token, deadline):
    """Stores the vessels, which belong to the token's user."""
    for number, (capacity, max_weight) in enumerate(FLEET):
        request = {"name": f"Checker {run} {number}", "capacity": capacity, "max_weight": max_weight, "available": True}
        body = _stored(client, "vessel/VesselService.Create", request, token, f"{run}-vessel-{number}", deadline)
        try:
            yield Vessel(body["vessel"]["id"], capacity, max_weight, ours=True)
        except (KeyError, TypeError):
            raise SetupError(f"vessel/VesselService.Create: no vessel in {sorted(body)}") from None


def until_answered(client, method, request, token, key, deadline):
    """Repeats a call until its answer is definite, or the deadline passes."""
    while True:
        answer = client.call(method, request, token, key)
        if not answer.is_unknown or time.monotonic() > deadline:
            return answer
        time.sleep(answer.pause_seconds or random.uniform(0.1, 0.3))


def _stored(client, method, request, token, key, deadline):
    answer = until_answered(client, method, request, token, key, deadline)
    if not answer.is_ok:
        raise SetupError(f"{method}: {answer.why}: {str(answer.body)[:300]}")
    return answer.body


# MARK: Reading

def pages(client, method, field, token, page_size, deadline=0):
    """Everything that a paged method lists. Raises ReadError when a page gets no answer until the deadline."""
    items, page_token = [], ""
    for _ in range(PAGES_MAX):
        request = {"page_size": page_size, **({"page_token": page_token} if page_token else {})}
        answer = until_answered(client, method, request, token, None, deadline)
        found = answer.body.get(field, [])
        if not answer.is_ok or not isinstance(found, list):
            raise ReadError(method, answer)
        items += found
        page_token = answer.body.get("next_page_token", "")
        if not page_token:
            return items
    raise ReadError(method, answer)


def vessels(client, page_size=PAGE_MAX, deadline=0):
    return pages(client, "vessel/VesselService.List", "vessels", None, page_size, deadline)


def consignments(client, token, page_size=PAGE_MAX, deadline=0):
    return pages(client, "consignment/ConsignmentService.Get", "consignments", token, page_size, deadline)


def booked(vessel):
    """What a vessel says is booked: containers and weight. JSON leaves zeros out."""
    return vessel.get("booked_containers", 0), vessel.get("booked_weight", 0)


class State:
    """What the system says at the end: vessels, and the consignments of each user. Not one instant: who reads while
    something still changes reads again."""

    def __init__(self, system, history, deadline=0):
        self.begin = history.now()
        self.vessels = {each["id"]: booked(each) for each in vessels(system.client, deadline=deadline)}
        self.lists, self.unknown = system.read_lists(history, deadline)
        self.end = history.now()
        # By booking number.
        self.vessels_of_bookings = {}
        for item in itertools.chain(*self.lists):
            booking = history.booking_of(item.get("description"))
            if booking is not None and item.get("vessel_id"):
                self.vessels_of_bookings[booking.number] = item["vessel_id"]


class System:
    """Users and fleet of a run."""

    def __init__(self, url, run, users, operator_token, up_seconds):
        self.url, self.client, self.operator_token = url, Client(url), operator_token
        deadline = time.monotonic() + up_seconds
        self.users = [sign_up(self.client, run, number, deadline) for number in range(users)]
        self.user_ids = [user.id for user in self.users]
        # Vessels of others, which a booking may land on when ours are full.
        try:
            self.vessels = {each["id"]: Vessel(each["id"], each.get("capacity", 0), each.get("max_weight", 0), False, booked(each))
                            for each in vessels(self.client, deadline=deadline)}
            self._unknown_before = {each["id"] for each in consignments(self.client, operator_token, deadline=deadline)} if operator_token else set()
        except ReadError as error:
            raise SetupError(f"{error}: {str(error.answer.body)[:300]}") from None
        self.vessels.update((vessel.id, vessel) for vessel in make_fleet(self.client, run, self.users[0].token, deadline))

    def read_lists(self, history, deadline):
        """The consignments of each user, and those of nobody in this run, which only an operator sees."""
        lists, unknown = [consignments(self.client, user.token, deadline=deadline) for user in self.users], []
        if self.operator_token:
            for item in consignments(self.client, self.operator_token, deadline=deadline):
                if history.booking_of(item.get("description")) is None and item.get("id") not in self._unknown_before:
                    unknown.append(item)
        return lists, unknown
