"""The whole story: sign up, book, see the vessel, reload, log out and in again, turn pages, add a vessel, cancel."""

import json
import re
import uuid

from .kit import SERIES

PAGE_SIZE = 20


def run(walk):
    with walk.window("story") as window:
        first_visit(window)
        description = booking(window)
        list_and_reload(window, description)
        containers(window)
        paging(window)
        vessel(window)
        other_account(window)
    with walk.window("story in German", locale="de-DE") as window:
        numbers(window)
    with walk.window("policy") as window:
        policy(window)
        # What it tried on purpose is no complaint.
        window.complaints.clear()
        window.page.evaluate("window.walkViolations = []")


def first_visit(window):
    page = window.page
    window.open()
    window.check("a stranger sees the login", window.is_shown("#login-view")
                 and not window.is_shown("nav a[href='#book']") and window.is_shown("nav a[href='#vessels']"))
    window.open("consignments")
    window.check("what needs a login asks for it", window.is_shown("#login-view"))
    page.click("text=Sign up")
    window.wait("#signup-view")
    window.sign_up()
    window.check("signing up logs in", window.text("#account-name") == "Ada Lovelace")
    window.check("and leads on to where one was going", window.is_shown("#consignments-view"))
    window.go("book")
    window.check("the title says where one is", page.title() == "Book a consignment · Shippy", page.title())
    window.check("it says until when", "until" in window.text("#account-until"), window.text("#account-until"))


def booking(window):
    page = window.page
    asked = []
    page.on("request", lambda request: request.url.endswith("/rpc") and asked.append(request.post_data))
    page.locator("#book-weight").press_sequentially("55000", delay=30)
    window.check("the vessel shows while typing", window.says("#fit-status", "can carry 1 container and 55,000"))
    finds = [text for text in asked if "FindAvailable" in text]
    window.check("typing on asks once", len(finds) == 1, finds)
    description = f"This is a test consignment {uuid.uuid4()}"
    window.fill_booking(description, 55000, SERIES)
    window.check("more containers ask again", window.says("#fit-status", "can carry 3 containers and 55,000"))
    window.check("it shows what room there is", re.search(
        r"3 of \d+ free\s+Weight\s+55,000 of [\d,]+ kg free", window.text("#fit-room")), window.text("#fit-room"))
    window.book()
    window.wait("#book-result")
    window.check("it is booked on the seeded vessel, by its name",
                 window.text("#result-title") == "Booked on Kane's Salty Secret", window.text("#result-title"))
    window.check("the outcome is read out and gone on from", window.focused() == "result-title", window.focused())
    page.locator("#book-result summary").click()
    window.check("the vessel's id is there to be copied", window.text("#result-vessel-id") == "vessel001",
                 window.text("#result-vessel-id"))
    window.check("the form is empty again",
                 page.input_value("#book-weight") == "" and page.locator("fieldset").count() == 1)
    sent = json.loads([text for text in asked if "ConsignmentService.Create" in text][0])["request"]
    window.check("the request is as it was typed", sent["weight"] == 55000 and sent["description"] == description
                 and [(c["customer_id"], c["origin"]) for c in sent["containers"]] == SERIES, sent)
    return description


def list_and_reload(window, description):
    page = window.page
    page.click("text=See all consignments")
    window.wait("#consignments-view")
    window.check("the list has it", window.turn_to(description))
    row = window.row(description)
    window.check("with its vessel by name", window.row_says(description, "Kane's Salty Secret"), row.inner_text())
    window.check("and its state", "Booked" in row.inner_text(), row.inner_text())
    window.check("but without ids", "vessel001" not in row.inner_text(), row.inner_text())
    row.locator("summary").click()
    window.check("and its containers", "cust002 from Derby" in row.inner_text(), row.inner_text())
    window.check("ids are in its details", "vessel001" in row.inner_text(), row.inner_text())
    page.reload()
    window.wait("#consignments-view")
    window.check("a reload keeps login and place", window.turn_to(description))
    page.go_back()
    window.check("back leads back", window.says("#book-view h1", "Book"))
    page.click("#logout")
    window.wait("#login-view")
    window.check("logging out says so", "logged out" in window.text("#login-view .notice"))
    window.check("and leaves nothing", page.evaluate("JSON.stringify({...sessionStorage})").count("token") == 0
                 and description not in page.content())
    page.go_back()
    window.check("nobody comes back by the back button", window.is_shown("#login-view"))
    window.log_in()
    window.wait("#book-view")
    window.remember_token()
    window.go("consignments")
    window.check("after logging in again it is still there", window.turn_to(description))


def containers(window):
    page = window.page
    window.go("book")
    window.fill_booking("Many", 1000, [(f"cust{n}", f"Port {n}") for n in range(1, 31)])
    window.check("there may be many containers", page.locator("fieldset").count() == 30)
    window.check("the deck is full, and no fuller", page.locator("#fit-ship .box").count() == 24)
    page.get_by_role("button", name="Copy container 2", exact=True).click()
    copy = page.locator("fieldset").nth(2)
    window.check("a copy comes after its original", copy.get_by_label("Customer").input_value() == "cust2"
                 and copy.get_by_label("Origin").input_value() == "Port 2")
    page.get_by_role("button", name="Remove container 1", exact=True).click()
    window.check("a removed one is gone", page.locator("fieldset").count() == 30
                 and page.locator("fieldset").first.get_by_label("Customer").input_value() == "cust2")
    window.check("the others are counted anew", window.says("fieldset legend", "Container 30"))
    window.check("the keyboard stays nearby",
                 page.evaluate("document.activeElement.closest('fieldset') === document.querySelector('fieldset')"))
    window.book()
    window.wait("#book-result")
    window.check("all of them are booked",
                 "30 containers" in window.text("#result-cargo"), window.text("#result-cargo"))


def paging(window):
    page = window.page
    for number in range(2 * PAGE_SIZE):
        window.add_consignment(f"Filler {number}")
    # From the first page on: the list stays where it was left.
    page.reload()
    window.go("consignments")
    window.list_settles()
    seen, pages = [], 0
    while True:
        pages += 1
        rows = shown_ids(page)
        seen += rows
        window.check(f"page {pages} says where it is",
                     f"{len(seen) - len(rows) + 1:,} to {len(seen):,} of" in window.text("#consignments-status"),
                     window.text("#consignments-status"))
        if page.locator("#consignments-next").get_attribute("aria-disabled") == "true":
            break
        page.click("#consignments-next")
        window.list_settles()
    expected = [consignment["id"] for consignment in reversed(window.all_consignments())]
    window.check("the pages hold each consignment once, newest first", seen == expected,
                 f"{len(seen)} seen of {len(expected)}")
    page.click("#consignments-next", force=True)
    window.check("the last page's button does nothing", f"Page {pages}:" in window.text("#consignments-status"))
    page.click("#consignments-previous")
    window.list_settles()
    window.check("the way back is the same",
                 shown_ids(page) == expected[(pages - 2) * PAGE_SIZE:(pages - 1) * PAGE_SIZE])
    # As with more consignments than a page reads without being asked: two in each answer instead of hundreds.
    with window.answering(lambda route: route.continue_(
            post_data=route.request.post_data.replace('"page_size":500', '"page_size":2'))):
        page.click("#consignments-refresh")
        window.check("it says when there are later ones", window.says("#consignments-later", "later consignments"))
        window.check("and shows the newest of those that were read",
                     shown_ids(page) == expected[-8:], shown_ids(page))
        page.click("#consignments-read-on")
        window.check("later ones can be read",
                     window.comes_true("document.querySelectorAll('#consignments-rows tr').length === 16"))
        window.list_settles()
        window.check("and come first", shown_ids(page) == expected[-16:], shown_ids(page))
    page.reload()
    window.list_settles()


def shown_ids(page):
    return page.eval_on_selector_all("#consignments-rows tr", "rows => rows.map((row) => row.dataset.id)")


def vessel(window):
    page = window.page
    window.go("vessels")
    name = f"Patience {uuid.uuid4().hex[:6]}"
    page.click("#add-vessel")
    window.check("its form opens with the keyboard in it", window.focused() == "vessel-name", window.focused())
    page.fill("#vessel-name", name)
    page.fill("#vessel-capacity", "9,000")
    page.fill("#vessel-weight", "1 700 000 000")
    page.click("#vessel-form button[type=submit]")
    window.wait("#vessel-result")
    window.check("a vessel joins the fleet", name in window.text("#vessel-result"), window.text("#vessel-result"))
    card = window.card(name)
    card.wait_for()
    window.check("it is listed, empty", "0 of 9,000 booked" in card.inner_text()
                 and "0 of 1,700,000,000 kg booked" in card.inner_text(), card.inner_text())
    window.check("as one's own", "Yours" in card.inner_text(), card.inner_text())
    window.check("its form is empty again", page.input_value("#vessel-name") == "")


def other_account(window):
    page = window.page
    window.go("book")
    page.fill("#book-description", "Mine alone")
    page.click("#logout")
    window.wait("#login-view")
    window.sign_up(name="Somebody Else")
    window.check("the next person finds empty forms", page.input_value("#book-description") == "")
    window.go("vessels")
    window.fleet_settles()
    window.check("and can change no vessel of others", page.locator("#fleet-list .switch:visible").count() == 0)
    window.go("consignments")
    window.check("and sees no consignment of others", window.says("#consignments-empty", "Nothing has been booked"))


def numbers(window):
    window.sign_up()
    page = window.page
    page.fill("#book-weight", "55.000")
    window.check("thousands are parted as people do there", window.says("#fit-status", "55.000"))
    for text in ["5,5", "1.5", "-3", "1e5", "12 34", "٣"]:
        page.fill("#book-weight", text)
        window.book()
        window.check(f"'{text}' is not taken for another number",
                     "whole number" in window.text("#book-weight-problem"), window.text("#book-weight-problem"))


def policy(window):
    page = window.page
    answer = page.goto(window.walk.base)
    policy_text = answer.headers.get("content-security-policy", "")
    window.check("the policy is sent", "default-src 'none'" in policy_text and "unsafe" not in policy_text, policy_text)
    named = set(page.evaluate(
        "[...document.querySelectorAll('[rel=modulepreload], script')].map((one) => one.href ?? one.src)"))
    loaded = {name for name in page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
              if name.endswith(".js")}
    window.check("each module is asked for at once, and none in vain", named == loaded, named ^ loaded)
    page.evaluate("""() => {
        const script = document.createElement("script");
        try { script.textContent = "window.inlineRan = true"; } catch {}
        document.head.append(script);
    }""")
    window.check("an inline script does not run", page.evaluate("window.inlineRan === undefined"))
    threw = page.evaluate("() => { try { document.body.innerHTML = '<b>x</b>'; return false } catch { return true } }")
    window.check("text can't be put in as HTML", threw)
