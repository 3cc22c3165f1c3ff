"""Structured errors: beside the field that they name, with what to do, with a wait that counts down."""

import uuid

from .errors import CREATE, TWO, problem
from .kit import bad_request, error_info, only, refusal, retry_info

GET = "ConsignmentService.Get"


def run(walk):
    with walk.window("details") as window:
        window.sign_up()
        fields(window)
        real_fields(window)
        full(window)
        retry(window)
        retry_in_lists(window)


def origin_of(window, index):
    return window.page.locator("fieldset").nth(index).get_by_label("Origin").get_attribute("id")


def fields(window):
    window.fill_booking("Detailed", 500, TWO)
    origin = origin_of(window, 1)
    text = "request.containers[1].origin: expected a string"
    with window.answering(only(CREATE, refusal(
            400, text, "shippy.api", details=bad_request(("containers[1].origin", text))))):
        window.book()
        window.check("what the gateway says of a field stands beside it",
                     "Origin expected a string." in problem(window, origin), window.text(f"#{origin}-problem"))
        window.check("and the keyboard is there", window.focused() == origin, window.focused())
    details = bad_request(
        ("containers[1].origin", "containers[1].origin must have at most 200 characters"),
        ("weight", "weight must be above 0"), ("vessel_id", "vessel_id is not for you to say"))
    with window.answering(only(CREATE, refusal(400, "weight must be above 0", details=details))):
        window.book()
        window.check("what a service says of a field stands beside it",
                     "Weight in kg must be above 0." in problem(window, "book-weight"),
                     window.text("#book-weight-problem"))
        window.check("each field has its own", "must have at most 200" in problem(window, origin))
        window.check("the first of them has the keyboard", window.focused() == "book-weight", window.focused())
        summary = window.text("#book-form .form-problem")
        window.check("what belongs to no field is said above the button",
                     "2 fields" in summary and "Vessel_id is not for you to say." in summary, summary)
    with window.answering(only(CREATE, refusal(400, "weight must be above 0", details=[
            None, 7, {"@type": 3}, {"@type": "type.googleapis.com/google.rpc.BadRequest", "field_violations": "x"}]))):
        window.book()
        window.check("details of another shape are left out",
                     window.says("#book-form .form-problem", "Weight must be above 0."))


def real_fields(window):
    """As the services say it, without anything between."""
    page = window.page
    window.fill_booking("Long", 500, [("cust001", "Leith"), ("cust002", "o" * 201)])
    origin = origin_of(window, 1)
    window.book()
    window.check("a service's limit shows beside the container's field",
                 "Origin must have at most 200 characters." in problem(window, origin),
                 window.text(f"#{origin}-problem"))
    window.check("and only there", not window.is_shown("#book-weight-problem"))
    page.fill(f"#{origin}", "Oban")
    page.fill("#book-description", "d" * 1_001)
    window.book()
    window.check("a service's limit shows beside the description",
                 "1000 characters" in problem(window, "book-description").replace(",", ""),
                 window.text("#book-description-problem"))


def full(window):
    page = window.page
    window.fill_booking("Too much", 2147483647, TWO)
    window.check("a full fleet shows before booking", window.says("#fit-status", "No vessel has room for 2 containers"))
    window.book()
    text = problem(window, "book-weight")
    window.check("a full fleet says what to do", "Split the consignment" in text and "add a vessel" in text, text)
    page.click("#book-weight-problem a")
    window.wait("#vessels-view")
    window.check("and leads to where it can be done", window.is_shown("#add-vessel"))
    window.go("book")
    page.fill("#book-weight", "500")


def retry(window):
    page = window.page
    description = f"Patient {uuid.uuid4().hex[:8]}"
    button = page.locator("#book-form button[type=submit]")
    window.fill_booking(description, 500, TWO)
    asked = []

    def refuse(route):
        asked.append(route)
        refusal(429, "the service is overloaded", details=retry_info("2.500s"))(route)

    with window.answering(only(CREATE, refuse)):
        window.book()
        window.check("a wait is said", window.says("#book-form .form-problem", "Wait 3 seconds"))
        window.check("and counts down on the button", window.says("#book-form button[type=submit]", "s")
                     and button.get_attribute("aria-disabled") == "true", button.inner_text())
        window.shot("details-retry")
        button.click(force=True)
        page.press("#book-weight", "Enter")
        page.wait_for_timeout(100)
        window.check("nothing is sent meanwhile", len(asked) == 1, len(asked))
        window.check("then the button can be used again",
                     window.says("#book-form .form-problem", "try again now")
                     and button.get_attribute("aria-disabled") is None and button.inner_text() == "Book",
                     button.inner_text())
        window.check("and readers hear it", window.says("#announcer", "try again now"))
    window.book()
    window.wait("#book-result")
    window.check("then it goes on", description in window.text("#book-result"))


def retry_in_lists(window):
    page = window.page
    button = page.locator("#consignments-refresh")
    with window.answering(only(GET, refusal(429, "slow down", details=retry_info("1s")))):
        window.go("consignments")
        window.check("a list says how long to wait", window.says("#consignments-problem", "Wait 1 second"))
        window.check("and its button waits", button.get_attribute("aria-disabled") == "true")
    window.check("until it is over", window.comes_true(
        "!document.getElementById('consignments-refresh').hasAttribute('aria-disabled')"))
    button.click()
    page.locator("#consignments-problem").wait_for(state="hidden")
    window.list_settles()
    with window.answering(only("VesselService.List", refusal(
            403, "not for you", "shippy.vessel", details=error_info("NOT_THE_OWNER")))):
        window.go("vessels")
        window.check("a known reason has words of its own", window.says("#fleet-problem", "Only the vessel’s owner"))
