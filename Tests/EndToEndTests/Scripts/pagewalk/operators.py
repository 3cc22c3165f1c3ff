"""What an operator sees: everybody's consignments and whose they are, and a switch on every vessel."""

import uuid

from .kit import only, refusal
from .looks import Look

MODES = [(scheme, width) for width in (1280, 360) for scheme in ("light", "dark")]


def run(walk):
    description = f"Hers {uuid.uuid4().hex[:8]}"
    with walk.window("before the operator") as window:
        window.sign_up(name="Ada Lovelace")
        window.add_consignment(description)
        vessel = window.add_vessel(f"Hers {uuid.uuid4().hex[:8]}", 10, 10, available=False)
    with walk.window("operator") as window:
        window.operate()
        everything(window, description)
        fleet(window, vessel)
        cancels(window, description)
    for scheme, width in MODES:
        with walk.window(f"operator {scheme} {width}", width=width, color_scheme=scheme) as window:
            looks(window, f"{scheme}-{width}")


def everything(window, description):
    page = window.page
    window.go("consignments")
    window.check("an operator sees the consignments of all", window.turn_to(description))
    window.check("and is told so", "of all users" in window.text("#consignments-status"),
                 window.text("#consignments-status"))
    window.check("with whose they are", window.row_says(description, "Ada Lovelace"),
                 window.row(description).inner_text())
    with window.answering(only("UserService.Get", refusal(403, "not allowed", "shippy.user"))):
        page.reload()
        window.turn_to(description)
        stored = next(one for one in window.all_consignments() if one["description"] == description)
        window.check("by their id where the name is refused", window.row_says(description, stored["user_id"]),
                     window.row(description).inner_text())
    page.reload()
    window.turn_to(description)


def fleet(window, vessel):
    window.go("vessels")
    card = window.card(vessel["name"])
    card.wait_for()
    page = window.page
    window.check("an operator has a switch on every vessel",
                 page.locator("#fleet-list .switch:visible").count() == page.locator("#fleet-list li").count())
    card.get_by_role("switch").click()
    window.check("and can use it", window.says("#announcer", "takes bookings again")
                 and card.get_by_role("switch").get_attribute("aria-checked") == "true")
    card.get_by_role("switch").click()
    window.says("#announcer", "takes no more bookings")
    card.locator("summary").click()
    card.get_by_text("Ada Lovelace").wait_for()
    window.check("details say whose it is", vessel["owner_id"] in card.inner_text(), card.inner_text())


def cancels(window, description):
    window.go("consignments")
    window.turn_to(description)
    window.row(description).get_by_role("button", name="Cancel").click()
    window.page.click("#cancel-confirm")
    window.check("an operator can cancel for others", window.row_says(description, "Cancelled"))


def looks(window, mode):
    window.operate()
    look = Look(window, mode)
    window.go("consignments")
    window.list_settles()
    window.page.locator("#consignments-rows summary").first.click()
    look.see("operator-consignments")
    window.go("vessels")
    window.fleet_settles()
    window.page.locator("#fleet-list summary").first.click()
    look.see("operator-fleet")
