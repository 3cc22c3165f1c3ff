"""What people see when something is wrong with what they typed, or with the services."""

import uuid

from .kit import PASSWORD, only, refusal

CREATE = "ConsignmentService.Create"
TWO = [("cust001", "Leith"), ("cust002", "Hull")]


def run(walk):
    with walk.window("errors, account") as window:
        account(window)
    with walk.window("errors, booking") as window:
        window.sign_up()
        fields(window)
        services(window)
        waiting(window)
        lost_answer(window)


def problem(window, field):
    """What is said beside a field; also that readers can tell it belongs there."""
    page = window.page
    page.locator(f"#{field}-problem").wait_for()
    linked = f"{field}-problem" in page.get_attribute(f"#{field}", "aria-describedby").split()
    window.check(f"the problem of {field} is tied to it",
                 linked and page.get_attribute(f"#{field}", "aria-invalid") == "true")
    return window.text(f"#{field}-problem")


def account(window):
    page = window.page
    window.open("signup")
    page.click("#signup-form button[type=submit]")
    window.check("each empty field says what it wants", "name" in problem(window, "signup-name")
                 and "email" in problem(window, "signup-email") and "password" in problem(window, "signup-password"))
    window.check("the first of them has the keyboard", window.focused() == "signup-name", window.focused())
    window.check("a summary is read out", "3 fields" in window.text("#signup-form .form-problem"))
    page.fill("#signup-name", "Ada")
    window.check("a solved problem goes away", not window.is_shown("#signup-name-problem"))
    window.fill_signup("Ada", "", "not an address", "short")
    page.click("#signup-form button[type=submit]")
    window.check("a bad address is named", "address" in problem(window, "signup-email"))
    window.check("a short password is named", "8" in problem(window, "signup-password"))
    window.fill_signup("Ada", "", "ada@example.com", "é" * 40)
    page.click("#signup-form button[type=submit]")
    window.check("a password too long in bytes is named", "72" in problem(window, "signup-password"))
    window.sign_up()
    taken = window.email
    page.click("#logout")
    window.open("signup")
    window.fill_signup("Eve", "", taken.upper(), PASSWORD)
    page.click("#signup-form button[type=submit]")
    window.check("a taken address is named", "account with this email" in problem(window, "signup-email"))
    page.click("#signup-email-problem a")
    window.wait("#login-view")
    window.log_in(taken, "wrong password")
    window.check("a wrong password is named", "wrong" in problem(window, "login-password"))
    window.check("and the field has the keyboard", window.focused() == "login-password")
    page.check("[data-shows-password=login-password]")
    window.check("a password can be looked at", page.get_attribute("#login-password", "type") == "text")
    with window.answering(refusal(429, "slow down", "shippy.user", {"retry-after": "2"})):
        window.log_in(taken)
        window.check("too many tries say how long to wait", window.says("#login-form .form-problem", "2 seconds"))
    window.check("and when the wait is over", window.says("#login-form .form-problem", "try again now"))
    window.log_in(taken)
    window.wait("#book-view")
    window.check("then it goes on", not window.is_shown("#login-view"))


def fields(window):
    page = window.page
    window.book()
    window.check("an empty booking names its fields", "sending" in problem(window, "book-description")
                 and "weight" in problem(window, "book-weight"))
    window.shot("errors-booking-empty")
    window.fill_booking("Too much", 2147483647, TWO)
    window.check("that nothing fits shows before booking",
                 window.says("#fit-status", "No vessel has room for 2 containers"))
    window.book()
    window.check("and is said beside the weight", "No vessel has room for 2 containers" in problem(window, "book-weight")
                 and "add a vessel" in window.text("#book-weight-problem"),
                 window.text("#book-weight-problem"))
    page.fill("#book-weight", "2147483648")
    window.book()
    window.check("too large a number is named", "at most" in problem(window, "book-weight"))
    page.fill("#book-weight", "0")
    window.book()
    window.check("nothing is no weight", "above 0" in problem(window, "book-weight"))
    page.fill("#book-weight", "500")
    with window.answering(only(CREATE, refusal(400, "something <b>else</b>"))):
        window.book()
        window.check("what belongs to no field is said above the button",
                     window.says("#book-form .form-problem", "Something <b>else</b>."))


def services(window):
    page = window.page
    window.fill_booking("Careful", 500, TWO)
    cases = [
        (refusal(503, "no route"), "not there right now"), (refusal(504, "late"), "no answer in time"),
        (refusal(500, "internal error", headers={"x-request-id": "abc-123"}), "abc-123"),
        (refusal(413), "more than fits"), (refusal(429), "Too many tries"),
        (lambda route: route.fulfill(status=502, body="<h1>Bad gateway"), "not there right now"),
        (lambda route: route.fulfill(status=200, body="<h1>Captive portal"), "not one of Shippy"),
        (lambda route: route.abort(), "can’t be reached"),
    ]
    for handle, words in cases:
        with window.answering(only(CREATE, handle)):
            window.book()
            window.check(f"a failing service says: {words}", window.says("#book-form .form-problem", words),
                         window.text("#book-form .form-problem"))
    window.check("people hear that a second try is safe", "booked twice" in window.text("#book-form .form-problem"))
    window.check("nothing typed is lost", page.input_value("#book-description") == "Careful")
    with window.answering(only("VesselService.FindAvailable", refusal(503, "gone", "shippy.vessel"))):
        page.fill("#book-weight", "501")
        window.check("a fleet that can't be asked says so", window.says("#fit-status", "can’t be asked"))
    page.click("#fit-again")
    window.check("and can be asked again", window.says("#fit-status", "can carry"))
    page.context.set_offline(True)
    window.check("being offline is said", window.says("#offline", "offline"))
    window.book()
    window.check("and said for the booking", window.says("#book-form .form-problem", "You are offline"))
    window.shot("errors-offline")
    page.context.set_offline(False)
    window.page.locator("#offline").wait_for(state="hidden")
    with window.answering(refusal(503, "gone")):
        window.go("consignments")
        window.check("a list that can't be had says so", window.says("#consignments-problem", "not there right now"))
        window.shot("errors-list")
    page.click("#consignments-refresh")
    page.locator("#consignments-problem").wait_for(state="hidden")
    window.list_settles()
    window.go("book")
    window.check("what was typed outlasts a look elsewhere", page.input_value("#book-description") == "Careful")


def waiting(window):
    page = window.page
    held = []
    button = page.locator("#book-form button[type=submit]")
    window.fill_booking("Patient", 500, TWO)
    with window.answering(only(CREATE, held.append)):
        window.book()
        window.check("waiting shows on the button", window.says("#book-form button", "Booking…"))
        window.holds(held)
        window.check("and to readers", button.get_attribute("aria-disabled") == "true"
                     and page.get_attribute("#book-form", "aria-busy") == "true"
                     and window.says("#announcer", "Booking…"))
        window.check("the button keeps the keyboard", page.evaluate("document.activeElement.type") == "submit")
        # Playwright itself would wait for an `aria-disabled` button.
        button.click(force=True)
        page.press("#book-weight", "Enter")
        page.get_by_role("button", name="Remove container 2", exact=True).click()
        window.check("nothing is sent twice", len(held) == 1, len(held))
        window.check("what is being sent stays", page.locator("fieldset").count() == 2
                     and not page.locator("#book-weight").is_editable())
        window.shot("waiting")
        window.holds(held).continue_()
        window.wait("#book-result")
    window.check("afterwards all is as before", button.inner_text() == "Book"
                 and page.locator("#book-weight").is_editable())


def lost_answer(window):
    page = window.page
    description = f"Lost and found {uuid.uuid4()}"
    keys = []

    def lose(route):
        keys.append(route.request.headers.get("idempotency-key"))
        route.fetch()
        route.abort()

    def note(route):
        keys.append(route.request.headers.get("idempotency-key"))
        route.continue_()

    window.fill_booking(description, 500, TWO)
    with window.answering(only(CREATE, lose)):
        window.book()
        window.says("#book-form .form-problem", "can’t be reached")
    with window.answering(only(CREATE, note)):
        # Something else in between, and back: it is still the same consignment.
        page.fill("#book-weight", "501")
        page.fill("#book-weight", "500")
        window.book()
        window.wait("#book-result")
        stored = [c["id"] for c in window.all_consignments() if c["description"] == description]
        window.check("a second try after a lost answer makes no twin",
                     stored == [page.text_content("#result-id")], stored)
        window.check("it had the same key", keys[0] and keys[0] == keys[1], keys)
        window.fill_booking(description, 500, TWO)
        window.book()
        window.wait("#book-result")
        stored = [c for c in window.all_consignments() if c["description"] == description]
        window.check("the same once more on purpose is another one",
                     len(stored) == 2 and keys[2] != keys[1], len(stored))
