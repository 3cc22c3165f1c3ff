"""What a run puts back at its end, whatever ends it: an error, Ctrl-C, SIGTERM or SIGHUP."""

import contextlib
import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal that asks this program to end."""

    def __init__(self, number):
        super().__init__(number)
        self.status = 128 + number


class Undo(contextlib.ExitStack):
    """Steps that are taken at the end of a block, the last one first.

    No signal interrupts a step, and one that fails does not keep the others from being taken: it is said, and `failed`
    is set.
    """

    failed = False
    _under_way = 0
    # A signal that came while a step was taken.
    _waiting = None
    _is_interrupted = False

    def later(self, what, call, *arguments):
        self.callback(self._take, what, call, arguments)

    @staticmethod
    def _take(what, call, arguments):
        Undo._under_way += 1
        try:
            call(*arguments)
        except Exception as error:
            Undo.failed = True
            print(f"try-cluster: {what}: {error}", file=sys.stderr)
        finally:
            Undo._under_way -= 1
        if Undo._waiting and not Undo._under_way and not Undo._is_interrupted:
            Undo._interrupt(Undo._waiting)

    @staticmethod
    def watch_signals():
        for number in SIGNALS:
            signal.signal(number, Undo._heard)

    @staticmethod
    def ignore_signals():
        """All is put back. A late signal must not change the status: at Python's own end it would kill."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    @staticmethod
    def _heard(number, _frame):
        if Undo._under_way or Undo._is_interrupted:
            Undo._waiting = number
            print("try-cluster: still putting things back", file=sys.stderr)
        else:
            Undo._interrupt(number)

    @staticmethod
    def _interrupt(number):
        Undo._is_interrupted = True
        raise Interrupted(number)
