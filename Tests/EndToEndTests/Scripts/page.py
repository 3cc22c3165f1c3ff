"""Walks the web page in a real browser, as people do, and says of each thing whether it is as it should be.

    page.py BASE_URL FOLDER [PART...]

BASE_URL is a gateway with the page and all services, with the seeded vessels and none smaller. FOLDER takes screenshots.
PART limits the walk to some of its parts. OPERATOR_EMAIL is an operator whose password is that of all who sign up here.
Prints a line for each check; ends with 1 if one failed, with 2 if the walk itself did. Needs Playwright for Python and
a Chromium (CHROMIUM, or /usr/bin/chromium).
"""

import os
import signal
import sys
import threading
import time
import traceback

from playwright.sync_api import sync_playwright

from pagewalk import bookings, details, errors, fleet, injection, keyboard, looks, operators, sessions, story
from pagewalk.kit import Walk

DEADLINE_SECONDS = 570
PARTS = {
    "story": story, "fleet": fleet, "bookings": bookings, "operators": operators, "errors": errors,
    "details": details, "sessions": sessions, "injection": injection, "keyboard": keyboard, "looks": looks}


class Late(Exception):
    pass


def stop(number, _frame):
    raise Late("the time is up" if number == signal.SIGALRM else "stopped from outside")


def main(base, folder, parts):
    os.makedirs(folder, exist_ok=True)
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, stop)
    signal.alarm(DEADLINE_SECONDS)
    # If even the tidy end hangs: the browser ends by itself when this process does.
    last = threading.Timer(DEADLINE_SECONDS + 20, os._exit, [2])
    last.daemon = True
    last.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        try:
            walk = Walk(browser, base.rstrip("/"), folder, os.environ.get("OPERATOR_EMAIL", ""))
            for name in parts or PARTS:
                began = time.monotonic()
                print(f"== {name}", flush=True)
                try:
                    PARTS[name].run(walk)
                except Late:
                    raise
                except Exception as error:
                    # The other parts may still tell something.
                    traceback.print_exc(limit=3)
                    walk.check(f"the part '{name}' can be walked to its end", False, str(error).split("\n")[0])
                    walk.close_all()
                print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)
        finally:
            signal.alarm(0)
            browser.close()
    print(f"{walk.passed} passed, {len(walk.failed)} failed")
    for name in walk.failed:
        print(f"failed: {name}")
    return 1 if walk.failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or set(sys.argv[3:]) - set(PARTS):
        sys.exit(__doc__)
    try:
        sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
    except Late as late:
        print(f"FAIL {late}")
        sys.exit(2)
