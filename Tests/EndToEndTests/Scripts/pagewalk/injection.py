"""Texts that would be scripts if the page put them in as HTML: in every field, seen in every place."""

import uuid

from .kit import PASSWORD

PAYLOADS = [
    "<img src=x onerror=window.walkInjected=1>",
    "<script>window.walkInjected=1</script>",
    "javascript:window.walkInjected=1",
    "\"><svg onload=window.walkInjected=1>",
    "{{constructor.constructor('window.walkInjected=1')()}}",
]
# Only the vessels of this part carry this much, so that they are the ones offered.
HEAVY = 1_900_000_000


def run(walk):
    for number, payload in enumerate(PAYLOADS):
        with walk.window(f"injection {number + 1}") as window:
            # Each text once only, so that it is the one that is found.
            inject(window, f"{payload} {uuid.uuid4().hex[:8]}")
            if number == 0:
                window.shot("injection")


def inject(window, payload):
    page = window.page
    window.sign_up(name=payload, company=payload)
    window.check("a name is text", window.text("#account-name") == payload, window.text("#account-name"))
    window.go("vessels")
    page.click("#add-vessel")
    page.fill("#vessel-name", payload)
    page.fill("#vessel-capacity", "8000")
    page.fill("#vessel-weight", str(HEAVY))
    page.click("#vessel-form button[type=submit]")
    window.wait("#vessel-result")
    window.check("a vessel's name is text", payload in window.text("#vessel-result"))
    window.check("in the fleet too", window.says("#fleet-list", payload))
    window.go("book")
    window.fill_booking(payload, HEAVY, [(payload, payload)])
    # One of this part's vessels, whichever of them came first.
    window.check("a vessel that is offered is text", window.says("#fit-status", "walkInjected")
                 and "can carry" in window.text("#fit-status"), window.text("#fit-status"))
    window.book()
    window.wait("#book-result")
    window.check("a description is text", window.text("#result-description") == payload)
    window.go("consignments")
    window.check("in the list too", window.turn_to(payload))
    row = page.locator("#consignments-rows tr", has_text=payload).first
    window.check("with its vessel's name", window.row_says(payload, "walkInjected"), row.inner_text())
    row.get_by_role("button", name="Cancel").click()
    window.check("a question about it has it as text", window.text("#cancel-description") == payload
                 and "walkInjected" in window.text("#cancel-vessel"), window.text("#cancel-dialog"))
    page.click("#cancel-keep")
    row.locator("summary").click()
    window.check("customer and origin too", f"{payload} from {payload}" in row.inner_text(), row.inner_text())
    page.reload()
    window.list_settles()
    # The same by the address, which anyone may send to anyone.
    page.goto(f"{window.walk.base}/#{payload}")
    page.goto(f"{window.walk.base}/?{payload}#book")
    window.wait("#page")
    page.click("#logout")
    window.wait("#login-view")
    window.log_in(payload, PASSWORD)
    window.says("#login-view .problem, #login .form-problem", "")
    page.wait_for_timeout(200)
    window.check("nothing ran", page.evaluate("window.walkInjected === undefined"))
    links = page.evaluate("[...document.querySelectorAll('[href^=javascript], [src=x], main script')].length")
    window.check("no text became an element", links == 0)
