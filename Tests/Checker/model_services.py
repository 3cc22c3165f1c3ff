"""What the model's services are made of: processes that crash between steps, stores that survive, and a network that loses,
delays and repeats messages."""

import random
import threading
import time

# Shares of steps that crash or stall, and of messages that are not delivered once and at once.
CRASHES, STALLS, MESSAGES = 0.001, 0.006, 0.08
# How long a service is down after a crash.
DOWN_SECONDS = (0.05, 0.3)
STEP_SECONDS_MAX = 0.004
# A stall is longer than the worker's patience, so that it takes over a call's work while the call still goes on.
STALL_SECONDS = (0.3, 0.7)
# How late a delayed or repeated message arrives.
DELAY_SECONDS = (0.02, 0.6)


class Crashed(Exception):
    """The process ended while it handled the call. What it had stored by then stays."""


class Unavailable(Exception):
    """No answer: the other service is down, or a message was lost. Whether it did its work is unknown."""


class Refused(Exception):
    """A definite answer that is an error."""

    def __init__(self, code, status, detail, reason=None):
        super().__init__(detail)
        self.code, self.status, self.detail, self.reason = code, status, detail, reason


class Conditions:
    """What goes wrong: the planted faults, and how often steps crash or stall and messages fail. The random numbers of all
    threads come from one seed."""

    def __init__(self, seed, faults=(), crashes=CRASHES, stalls=STALLS, messages=MESSAGES):
        self.faults, self.crashes, self.stalls, self.messages = frozenset(faults), crashes, stalls, messages
        self._rng, self._lock = random.Random(seed), threading.Lock()

    def has(self, fault):
        return fault in self.faults

    def happens(self, share):
        with self._lock:
            return self._rng.random() < share

    def between(self, low, high):
        with self._lock:
            return self._rng.uniform(low, high)


class Service:
    """A service that can crash: the calls that it handles then end at their next step, and their work stays where it is."""

    def __init__(self, conditions):
        self.conditions = conditions
        self.store = threading.RLock()
        self._generation, self._up_at = 0, 0.0

    def process(self):
        """The process that handles a new call. Raises Unavailable while the service is down."""
        with self.store:
            if time.monotonic() < self._up_at:
                raise Unavailable()
            return Process(self, self._generation)

    def crash(self):
        with self.store:
            self._generation += 1
            self._up_at = time.monotonic() + self.conditions.between(*DOWN_SECONDS)
            self.lose_memory()

    def lose_memory(self):
        """What a crash takes with it: nothing, unless a fault is planted."""

    def check(self, generation):
        if generation != self._generation:
            raise Crashed()


class Process:
    """A process of a service, as a call sees it. `with` it, a call takes one atomic step on the store."""

    def __init__(self, service, generation):
        self._service, self._generation = service, generation

    def step(self):
        """Between two steps time passes, and the service may crash."""
        conditions = self._service.conditions
        if conditions.happens(conditions.crashes):
            self._service.crash()
        stalls = conditions.happens(conditions.stalls)
        time.sleep(conditions.between(*STALL_SECONDS) if stalls else conditions.between(0, STEP_SECONDS_MAX))
        self._service.check(self._generation)

    def __enter__(self):
        self._service.store.acquire()
        try:
            self._service.check(self._generation)
        except Crashed:
            self._service.store.release()
            raise
        return self

    def __exit__(self, *_):
        self._service.store.release()


class Network:
    """Calls to another service. A message may be lost, or arrive when nobody waits any more; the answer may be lost; or the
    message arrives twice."""

    def __init__(self, conditions):
        self._conditions = conditions

    def call(self, method, *arguments):
        if self._conditions.happens(self._conditions.messages):
            how = int(self._conditions.between(0, 4))
            if how == 0:
                raise Unavailable()
            if how == 1:
                self._late(method, arguments)
                raise Unavailable()
            if how == 2:
                self._deliver(method, arguments)
                raise Unavailable()
            self._late(method, arguments)
        try:
            return method(*arguments)
        except Crashed:
            raise Unavailable() from None

    def _late(self, method, arguments):
        timer = threading.Timer(self._conditions.between(*DELAY_SECONDS), self._deliver, (method, arguments))
        timer.daemon = True
        timer.start()

    @staticmethod
    def _deliver(method, arguments):
        try:
            method(*arguments)
        except (Refused, Unavailable, Crashed):
            pass
