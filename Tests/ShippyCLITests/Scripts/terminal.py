"""Runs a program on a terminal of its own and types what it asks for.

terminal.py STEPS PROGRAM ARGUMENT...: STEPS is a JSON list of pairs, each a text to wait for and what is typed then. Prints
what the terminal showed and, on a last line, whether it still shows what is typed; ends with the program's status.
"""

import json
import os
import pty
import select
import signal
import sys
import termios
import time

SECONDS_MAX = 30


def main():
    steps = json.loads(sys.argv[1])
    pid, terminal = pty.fork()
    if pid == 0:
        # As a shell on a terminal starts it; tests that run in the background ignore Ctrl-C.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(sys.argv[2], sys.argv[2:])
    end = time.monotonic() + SECONDS_MAX
    shown = b""
    seen = 0
    while True:
        if steps and (at := shown.find(steps[0][0].encode(), seen)) >= 0:
            seen = at + len(steps[0][0].encode())
            os.write(terminal, steps.pop(0)[1].encode())
        if time.monotonic() > end:
            sys.exit(f"terminal.py: still waiting; shown so far: {shown!r}")
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(terminal, 4096)
        except OSError:
            # Linux says so when the program has let go of its end.
            break
        if not part:
            break
        shown += part
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    echoes = termios.tcgetattr(terminal)[3] & termios.ECHO
    sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
    print("\nthe terminal shows what is typed" if echoes else "\nthe terminal is silent")
    sys.stdout.flush()
    os._exit(status if status >= 0 else 128 - status)


main()
