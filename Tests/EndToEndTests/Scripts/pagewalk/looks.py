"""Every view in every mode: contrast, names, landmarks, room on a phone, motion; with screenshots for a look."""

import os

from .kit import PASSWORD, SERIES, only, refusal, retry_info

SIZES = [(1280, 860), (360, 740), (320, 640)]
MODES = [(scheme, width, height) for width, height in SIZES for scheme in ("light", "dark")]
CONTROLS = {
    "button", "switch", "dialog", "link", "textbox", "checkbox", "combobox", "DisclosureTriangle", "navigation",
    "table", "form"}

with open(os.path.join(os.path.dirname(__file__), "audit.js"), encoding="utf-8") as file:
    AUDIT = file.read()


def run(walk):
    for scheme, width, height in MODES:
        with walk.window(f"{scheme} {width}", width=width, height=height, color_scheme=scheme) as window:
            Look(window, f"{scheme}-{width}").all_views()
    with walk.window("still", reduced_motion="reduce") as window:
        still(window)
    with walk.window("moving", reduced_motion="no-preference") as window:
        window.sign_up()
        moving = window.page.evaluate("document.getAnimations().length")
        window.check("the sea moves for those who don't mind", moving > 0, moving)
    with walk.window("forced colours", forced_colors="active") as window:
        window.sign_up()
        window.fill_booking("Plain", 55000, SERIES)
        window.says("#fit-status", "can carry")
        window.shot("forced-colours")
    with walk.window("large type", width=640) as window:
        window.sign_up()
        # What a reader sets in the browser: twice the size.
        window.page.evaluate("document.documentElement.style.fontSize = '200%'")
        Look(window, "large-type").see("book")


class Look:
    def __init__(self, window, mode):
        self.window, self.mode = window, mode

    def see(self, name):
        window, page = self.window, self.window.page
        window.shot(f"{self.mode}-{name}")
        found = page.evaluate(AUDIT)
        for question, problems in found.items():
            window.check(f"{name}: {question}", not problems, problems[:4])
        session = page.context.new_cdp_session(page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        session.detach()
        nameless = [
            node["role"]["value"] for node in nodes
            if not node["ignored"] and node["role"]["value"] in CONTROLS - {"form"}
            and not node.get("name", {}).get("value", "").strip()]
        window.check(f"{name}: every control has a name", not nameless, nameless)

    def all_views(self):
        window, page = self.window, self.window.page
        window.open()
        self.see("login")
        window.open("signup")
        self.see("signup")
        page.click("#signup-form button[type=submit]")
        self.see("signup-problems")
        window.open("vessels")
        window.fleet_settles()
        self.see("fleet-public")
        window.sign_up()
        self.see("book")
        window.fill_booking("This is a test consignment", 55000, SERIES)
        window.says("#fit-status", "can carry 3 containers")
        self.see("book-filled")
        held = []
        with window.answering(only("ConsignmentService.Create", held.append)):
            window.book()
            window.says("#book-form button", "Booking…")
            self.see("book-waiting")
            window.holds(held).continue_()
            window.wait("#book-result")
        self.see("booked")
        page.fill("#book-weight", "2147483647")
        window.says("#fit-status", "No vessel")
        window.book()
        self.see("book-problems")
        window.go("consignments")
        window.list_settles()
        page.locator("#consignments-rows button").first.click()
        window.wait("#cancel-dialog")
        self.see("cancel")
        with window.answering(refusal(429, "slow down", details=retry_info("9s"))):
            page.click("#cancel-confirm")
            window.says("#cancel-problem", "Wait 9 seconds")
            self.see("cancel-wait")
        page.click("#cancel-keep")
        window.add_consignment("Another one, which stays booked")
        page.click("#consignments-refresh")
        window.list_settles()
        page.locator("#consignments-rows button").last.click()
        page.click("#cancel-confirm")
        window.row_says("This is a test consignment", "Cancelled")
        page.locator("#consignments-rows summary").first.click()
        page.locator("#consignments-rows summary").first.hover()
        self.see("consignments")
        window.go("vessels")
        page.click("#add-vessel")
        page.click("#vessel-form button[type=submit]")
        self.see("fleet-problems")
        page.fill("#vessel-name", "A vessel with a rather long name, as some owners like them " + "x" * 60)
        page.fill("#vessel-capacity", "9000")
        page.fill("#vessel-weight", "1800000000")
        page.click("#vessel-form button[type=submit]")
        window.wait("#vessel-result")
        page.locator("#fleet-list .switch:visible").first.wait_for()
        page.locator("#fleet-list summary").first.click()
        self.see("fleet")
        page.click("#logout")
        window.wait("#login-view")
        window.log_in(window.email, PASSWORD + "x")
        window.says("#login-password-problem", "wrong")
        self.see("login-problems")
        with window.answering(refusal(429, "slow down", "shippy.user", details=retry_info("30s"))):
            window.log_in(window.email)
            window.says("#login-form .form-problem", "Wait 30 seconds")
        self.see("login-wait")


def still(window):
    page = window.page
    window.open()
    running = "document.getAnimations().filter((one) => one.playState === 'running').length"
    window.check("nothing moves for those who asked for that", page.evaluate(running) == 0)
    window.sign_up()
    window.fill_booking("Still", 700, SERIES)
    window.check("nor while containers come", page.evaluate(running) == 0)
    held = []
    with window.answering(only("ConsignmentService.Create", held.append)):
        window.book()
        window.says("#book-form button", "Booking…")
        window.check("nor while waiting", page.evaluate(running) == 0)
        window.holds(held).continue_()
        window.wait("#book-result")
    window.go("vessels")
    window.fleet_settles()
    window.check("nor in the fleet", page.evaluate(running) == 0)
