"""The fleet as it is: for everybody, how full each vessel is, more of it, and its owner's switch."""

import json
import uuid

from .kit import only, refusal

LIST = "VesselService.List"
UPDATE = "VesselService.Update"
# Only the vessels of this part carry this much, so that bookings of it go there.
HEAVY = 1_750_000_000
SHIFTS = """() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => resolve(sum), 300);
})"""
BECOMES_VISIBLE = "document.dispatchEvent(new Event('visibilitychange'))"


def run(walk):
    for what, width, scheme in [("fleet", 1280, "light"), ("fleet on a phone", 360, "dark")]:
        with walk.window(what, width=width, color_scheme=scheme) as window:
            states(window)
            steady(window)
            mine = owner(window)
            fills(window, mine)
            others(window, mine)
    with walk.window("much of a fleet") as window:
        more(window)


def states(window):
    page = window.page
    held = []
    with window.answering(only(LIST, held.append)):
        window.open("vessels")
        window.check("the fleet needs no login", window.is_shown("#vessels-view")
                     and window.is_shown("nav a[href='#login']"))
        window.check("it says that it is loading", window.says("#fleet-status", "Loading…")
                     and page.get_attribute("#fleet-list", "aria-busy") == "true")
        window.check("its places are no vessels for readers",
                     page.locator("#fleet-list li:not([aria-hidden=true])").count() == 0)
        window.shot("fleet-loading")
        page.wait_for_timeout(50)
        window.holds(held).continue_()
        window.fleet_settles()
    card = window.card("Kane's Salty Secret")
    window.check("it has the seeded vessels", card.count() == 1 and window.card("Kane's Long Haul").count() == 1)
    window.check("with how full they are", "of 500 booked" in card.inner_text()
                 and "of 200,000 kg booked" in card.inner_text(), card.inner_text())
    window.check("and without ids", "vessel001" not in card.inner_text(), card.inner_text())
    card.locator("summary").click()
    window.check("which are in the details", "vessel001" in card.inner_text(), card.inner_text())
    window.check("a stranger can change nothing", page.locator("#fleet-list .switch:visible").count() == 0
                 and not window.is_shown("#add-vessel"))
    with window.answering(only(LIST, refusal(503, "gone", "shippy.vessel"))):
        page.click("#fleet-refresh")
        window.check("a fleet that can't be had says so", window.says("#fleet-problem", "not there right now"))
        window.check("and old figures stay", card.is_visible())
        page.reload()
        window.check("without any there is only the problem", window.says("#fleet-problem", "not there right now")
                     and page.locator("#fleet-list li:visible").count() == 0)
        window.shot("fleet-problem")
    with window.answering(only(LIST, lambda route: route.fulfill(
            status=200, body="{}", headers={"content-type": "application/json"}))):
        page.click("#fleet-refresh")
        window.check("no vessels are said to be none", window.says("#fleet-empty", "no vessels yet")
                     and not window.is_shown("#fleet-problem"))
    page.click("#fleet-refresh")
    window.check("a refresh brings them", window.says("#fleet-list", "Kane's Salty Secret")
                 and not window.is_shown("#fleet-empty"))


def steady(window):
    page = window.page
    page.goto("about:blank")
    window.open("vessels")
    window.fleet_settles()
    shifts = page.evaluate(SHIFTS)
    window.check("nothing jumps when the vessels come", shifts < 0.05, shifts)
    card = window.card("Kane's Salty Secret")
    card.locator("summary").click()
    card.locator("summary").focus()
    with page.expect_response("**/rpc") as answer:
        page.evaluate(BECOMES_VISIBLE)
    window.check("coming back to the window asks anew", LIST in answer.value.request.post_data)
    window.fleet_settles()
    window.check("what is unfolded stays so, with the keyboard on it", card.locator("details[open]").count() == 1
                 and page.evaluate("document.activeElement.tagName") == "SUMMARY", window.focused())


def owner(window):
    """One's own vessel and its switch; answers the vessel."""
    page = window.page
    window.sign_up()
    name = f"Own {uuid.uuid4().hex[:8]}"
    vessel = window.add_vessel(name, 9_500, HEAVY)
    window.check("a vessel belongs to who made it", vessel.get("owner_id", "") != "", vessel)
    window.go("vessels")
    card = window.card(name)
    card.wait_for()
    switch = card.get_by_role("switch")
    window.check("one's own vessel comes first", page.locator("#fleet-list li").first.inner_text().startswith(name))
    window.check("it has a switch, with a name", switch.get_attribute("aria-checked") == "true"
                 and "Available for bookings" in switch.inner_text(), switch.inner_text())
    window.check("others have none", page.locator("#fleet-list .switch:visible").count() == 1)
    sent = []

    def note(route):
        sent.append(json.loads(route.request.post_data)["request"])
        route.continue_()

    with window.answering(only(UPDATE, note)):
        switch.click()
        window.check("it can be switched off", window.comes_true(
            "document.querySelector('#fleet-list .switch').getAttribute('aria-checked') === 'false'"))
    window.check("which changes nothing else", sent == [
        {"vessel": {"id": vessel["id"], "available": False}, "update_mask": "available"}], sent)
    window.check("and says so", "Not available" in card.inner_text()
                 and window.says("#announcer", "takes no more bookings"), card.inner_text())
    window.check("so does the service", window.vessel(vessel["id"]).get("available") is False)
    with window.answering(only(UPDATE, refusal(503, "gone", "shippy.vessel"))):
        switch.click()
        window.check("a switch that fails says why", window.says("#fleet-list .problem", "not there right now"))
        window.check("and stays as it was", switch.get_attribute("aria-checked") == "false")
    switch.focus()
    page.keyboard.press("Space")
    window.check("it can be switched on by keyboard", window.comes_true(
        "document.activeElement.getAttribute('aria-checked') === 'true'"))
    window.check("and is offered again", window.vessel(vessel["id"]).get("available", True) is True)
    return vessel


def fills(window, vessel):
    page = window.page
    card = window.card(vessel["name"])
    window.go("book")
    window.fill_booking("Heavy", HEAVY, [("cust001", "Leith")])
    window.check("it is what is offered", window.says("#fit-status", f"{vessel['name']} can carry"))
    window.book()
    window.wait("#book-result")
    window.check("and what is booked", vessel["name"] in window.text("#result-title"), window.text("#result-title"))
    window.go("vessels")
    window.check("the fleet shows it at once", window.says("#fleet-list", f"{HEAVY:,} of {HEAVY:,} kg booked")
                 and "1 of 9,500 booked" in card.inner_text(), card.inner_text())
    widths = card.locator(".bar-taken").evaluate_all("bars => bars.map((bar) => parseFloat(bar.style.inlineSize))")
    window.check("with its bars", widths == [1, 100], widths)
    window.check("a vessel without room says so", "Full" in card.inner_text(), card.inner_text())
    window.shot(f"fleet-full-{page.viewport_size['width']}")
    for consignment in window.all_consignments():
        window.call("consignment", "ConsignmentService.Cancel", {"id": consignment["id"]})
    page.evaluate(BECOMES_VISIBLE)
    window.check("after a cancel it has room again, as soon as one comes back",
                 window.says("#fleet-list", f"0 of {HEAVY:,} kg booked"), card.inner_text())
    # Nothing that this part made may be offered to others.
    window.call("vessel", "VesselService.Update", {
        "vessel": {"id": vessel["id"], "available": False}, "update_mask": "available"})


def others(window, vessel):
    page = window.page
    page.click("#logout")
    window.wait("#login-view")
    window.go("vessels")
    window.fleet_settles()
    window.check("a logout takes the switch away", page.locator("#fleet-list .switch:visible").count() == 0)
    window.sign_up(name="Somebody Else")
    window.go("vessels")
    card = window.card(vessel["name"])
    card.wait_for()
    window.check("another person sees the vessel without a switch", "Not available" in card.inner_text()
                 and "Yours" not in card.inner_text() and not card.get_by_role("switch").is_visible())


def more(window):
    page = window.page
    window.sign_up()
    for number in range(6):
        window.add_vessel(f"Many {number} {uuid.uuid4().hex[:4]}", 1, 1, available=False)
    # As with hundreds of vessels: two in each answer instead of a hundred.
    with window.answering(lambda route: route.continue_(
            post_data=route.request.post_data.replace('"page_size":100', '"page_size":2'))):
        window.open("vessels")
        window.check("a large fleet shows its first vessels", window.says("#fleet-status", "The first 4 vessels"))
        page.focus("#fleet-more")
        page.keyboard.press("Enter")
        window.check("and more of them for who asks", window.says("#fleet-status", "The first 6 vessels"))
        window.check("the keyboard goes on with the first new one",
                     page.evaluate("document.activeElement.tagName") == "H2", window.focused())
        page.click("#fleet-refresh")
        window.fleet_settles()
        window.check("a refresh keeps as many", page.locator("#fleet-list li").count() == 6)
        while window.is_shown("#fleet-more"):
            page.click("#fleet-more")
            window.fleet_settles()
            window.comes_true("!document.getElementById('fleet-more').hasAttribute('aria-disabled')")
    listed = window.call("vessel", "VesselService.List", {"page_size": 1000})["vessels"]
    names = page.locator("#fleet-list h2").all_inner_texts()
    window.check("in the end all of them, each once",
                 sorted(names) == sorted(vessel["name"] for vessel in listed), f"{len(names)} of {len(listed)}")
    window.check("and it says so", f"{len(listed)} vessels" in window.text("#fleet-status"),
                 window.text("#fleet-status"))
