"""What becomes of bookings: their state and time, Cancel with a question before it, and those that are pending."""

import json
import re
import uuid

from .kit import error_info, only, refusal

CREATE = "ConsignmentService.Create"
CANCEL = "ConsignmentService.Cancel"
GET = "ConsignmentService.Get"


def run(walk):
    for scheme, width in [("light", 1280), ("dark", 360)]:
        with walk.window(f"bookings {width}", width=width, color_scheme=scheme) as window:
            window.sign_up()
            state(window)
            question(window)
            cancel(window)
            failing(window)
            pending(window)
            pending_result(window)
    with walk.window("bookings in German", locale="de-DE", timezone_id="Europe/Berlin") as window:
        window.sign_up()
        made_at(window)


def cancel_button(window, description):
    return window.row(description).get_by_role("button", name="Cancel")


def state(window):
    for number in range(3):
        window.add_consignment(f"Crate {number}", 20 + number)
    window.go("consignments")
    window.list_settles()
    rows = window.page.locator("#consignments-rows tr").all_inner_texts()
    window.check("the newest is first", len(rows) == 3 and "Crate 2" in rows[0] and "Crate 0" in rows[2], rows)
    window.check("each is booked", all("Booked" in row for row in rows), rows)
    window.check("each says when", all(re.search(r"\d{1,2} \w+ \d{4}, \d\d:\d\d", row) for row in rows), rows)
    window.check("nobody but an operator reads whose they are", not window.is_shown("#consignments-owner"))


def question(window):
    page = window.page
    button = cancel_button(window, "Crate 1")
    button.focus()
    page.keyboard.press("Enter")
    window.wait("#cancel-dialog")
    text = window.text("#cancel-dialog")
    window.check("a question comes first",
                 "Cancel this booking?" in text and "Crate 1" in text and "21 kg" in text, text)
    window.check("the safe answer has the keyboard", window.focused() == "cancel-keep", window.focused())
    window.shot(f"bookings-question-{page.viewport_size['width']}")
    reached = set()
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.add(window.focused())
    window.check("the keyboard reaches both answers and nothing of the page behind",
                 {"cancel-keep", "cancel-confirm"} <= reached <= {"cancel-keep", "cancel-confirm", "BODY"}, reached)
    page.keyboard.press("Escape")
    page.locator("#cancel-dialog").wait_for(state="hidden")
    window.check("Escape keeps the booking", "Booked" in window.row("Crate 1").inner_text())
    window.check("and gives the keyboard back", button.evaluate("button => button === document.activeElement"))
    button.click()
    page.click("#cancel-keep")
    page.locator("#cancel-dialog").wait_for(state="hidden")
    window.check("so does the other answer", "Booked" in window.row("Crate 1").inner_text())


def cancel(window):
    page = window.page
    row = window.row("Crate 1")
    booked = next(one for one in window.all_consignments() if one["description"] == "Crate 1")
    before = window.vessel(booked["vessel_id"])
    row.locator("summary").click()
    cancel_button(window, "Crate 1").click()
    held = []
    with window.answering(only(CANCEL, held.append)):
        page.click("#cancel-confirm")
        window.check("waiting shows in the question", window.says("#cancel-confirm", "Cancelling…"))
        window.holds(held)
        page.locator("#cancel-confirm").click(force=True)
        page.keyboard.press("Escape")
        window.check("nothing is sent twice, and the answer is waited for",
                     len(held) == 1 and window.is_shown("#cancel-dialog"), len(held))
        window.holds(held).continue_()
        page.locator("#cancel-dialog").wait_for(state="hidden")
    window.check("it is cancelled", window.row_says("Crate 1", "Cancelled"), row.inner_text())
    window.check("readers hear it", window.says("#announcer", "Cancelled: Crate 1"))
    window.check("and can't be cancelled again", not cancel_button(window, "Crate 1").is_visible())
    window.check("the keyboard stays in its row", row.evaluate("row => row.contains(document.activeElement)"))
    window.check("what was unfolded stays so", row.locator("details[open]").count() == 1)
    after = window.vessel(booked["vessel_id"])
    room = before["booked_containers"] - after.get("booked_containers", 0)
    window.check("its room is given back", room == 1, [before, after])
    page.click("#consignments-refresh")
    window.list_settles()
    window.check("a refresh says the same", "Cancelled" in row.inner_text(), row.inner_text())
    page.reload()
    window.list_settles()
    window.check("and so does a reload", window.row_says("Crate 1", "Cancelled"))


def failing(window):
    page = window.page
    cancel_button(window, "Crate 0").click()
    with window.answering(only(CANCEL, refusal(503, "gone"))):
        page.click("#cancel-confirm")
        window.check("a cancel that fails says why, where it was asked",
                     window.says("#cancel-problem", "not there right now") and window.is_shown("#cancel-dialog"))
    with window.answering(only(CANCEL, refusal(
            404, "you have no consignment with this id", details=error_info("UNKNOWN_CONSIGNMENT")))):
        page.click("#cancel-confirm")
        window.check("one that is gone says so", window.says("#cancel-problem", "no longer there"))
    page.click("#cancel-keep")
    cancel_button(window, "Crate 0").click()
    window.check("the next question has no old problem", not window.is_shown("#cancel-problem"))
    page.click("#cancel-keep")


def pending(window):
    """Bookings that are not settled yet can't be made on purpose, so answers are changed on their way."""
    page = window.page
    description = f"Undecided {uuid.uuid4().hex[:8]}"
    stored = window.add_consignment(description)
    asked = []

    def undecided(route):
        request = json.loads(route.request.post_data)["request"]
        if request.get("id") == stored["id"]:
            asked.append(request["id"])
            # Twice it is still pending.
            if len(asked) > 2:
                return route.continue_()
        answer = route.fetch().json()
        for one in answer.get("consignments", []) + [answer.get("consignment", {})]:
            if one.get("id") == stored["id"]:
                one["status"] = "PENDING"
                one.pop("vessel_id", None)
        return route.fulfill(status=200, body=json.dumps(answer), headers={"content-type": "application/json"})

    with window.answering(only(GET, undecided)):
        page.click("#consignments-refresh")
        window.check("one that is not settled is pending", window.row_says(description, "Pending"))
        window.check("it has no vessel yet", window.row_says(description, "None yet"))
        window.check("and is settled without a reload", window.row_says(description, "Booked"), asked)
        window.check("by a few questions about it alone", len(asked) == 3, len(asked))
    window.check("readers hear it", window.says("#announcer", f"Booked: {description}"))
    window.check("and its vessel has a name", window.row_says(description, "Kane's"))

    def gone(route):
        if json.loads(route.request.post_data)["request"].get("id"):
            return refusal(404, "none", details=error_info("UNKNOWN_CONSIGNMENT"))(route)
        answer = route.fetch().json()
        answer["consignments"][-1]["status"] = "PENDING"
        return route.fulfill(status=200, body=json.dumps(answer), headers={"content-type": "application/json"})

    with window.answering(only(GET, gone)):
        page.click("#consignments-refresh")
        window.check("one that was undone says so", window.row_says(description, "Not booked"))

    def old(route):
        answer = route.fetch().json()
        for one in answer["consignments"]:
            for name in ("status", "created_at"):
                one.pop(name, None)
        return route.fulfill(status=200, body=json.dumps(answer), headers={"content-type": "application/json"})

    with window.answering(only(GET, old)):
        page.reload()
        window.list_settles()
        window.check("one from before there were states has none",
                     page.locator("#consignments-rows .chip:visible, #consignments-rows time").count() == 0)


def pending_result(window):
    """What a repeat after a lost answer may find: a booking that is not settled yet."""

    def undecided(route):
        answer = route.fetch().json()
        answer["consignment"]["status"] = "PENDING"
        answer["consignment"].pop("vessel_id")
        route.fulfill(status=200, body=json.dumps(answer), headers={"content-type": "application/json"})

    window.go("book")
    window.fill_booking("Soon", 30, [("cust001", "Leith")])
    with window.answering(only(CREATE, undecided)):
        window.book()
        window.check("a pending outcome promises no vessel", window.says("#result-title", "Accepted"))
        window.shot(f"bookings-pending-{window.page.viewport_size['width']}")
    window.check("and becomes certain by itself", window.says("#result-title", "Booked on Kane's"))


def made_at(window):
    window.add_consignment("Kiste")
    window.go("consignments")
    window.list_settles()
    text = window.row("Kiste").locator("time").inner_text()
    window.check("times are written as people do there", re.fullmatch(r"\d\d\.\d\d\.\d{4}, \d\d:\d\d", text), text)
