"""The story with the keyboard alone: no click, no pointer; what has the focus must always show."""

import uuid

from .kit import PASSWORD

STEPS_MAX = 60


def run(walk):
    for what, width in [("keyboard", 1280), ("keyboard on a phone", 320)]:
        with walk.window(what, width=width) as window:
            story(window)


def tab_to(window, selector, key="Tab"):
    """Presses Tab until this has the focus, and looks on the way whether one sees where one is."""
    page = window.page
    for _ in range(STEPS_MAX):
        page.keyboard.press(key)
        state = page.evaluate(FOCUS, selector)
        if not state["shows"]:
            window.check(f"the focus shows on {state['name']}", False, state)
        if state["here"]:
            return True
    return window.check(f"{selector} can be reached by keyboard", False, state)


FOCUS = """(selector) => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return {
        here: element.matches(selector), shows: element === document.body || (outlined && inside),
        name: element.id || element.outerHTML.slice(0, 60), outline: style.outline,
    };
}"""


def story(window):
    page = window.page
    keys = page.keyboard
    window.open()
    keys.press("Tab")
    page.wait_for_timeout(100)
    window.check("the first stop skips to the content, and shows", window.focused() == "skip"
                 and page.evaluate("document.activeElement.getBoundingClientRect().top >= 0"), window.focused())
    keys.press("Enter")
    window.check("skipping leads there",
                 window.focused() == "main" and window.is_shown("#login-view"), window.focused())
    tab_to(window, "#login-view a")
    keys.press("Enter")
    window.wait("#signup-view")
    window.check("a new view has the focus on its title", window.focused() == "signup-title", window.focused())
    for selector, text in [
            ("#signup-name", "Grace"), ("#signup-company", "Navy"),
            ("#signup-email", f"grace-{uuid.uuid4().hex}@example.com"), ("#signup-password", PASSWORD)]:
        tab_to(window, selector)
        keys.type(text)
    keys.press("Enter")
    window.wait("#book-view")
    window.check("logging in leads to the first view's title", window.focused() == "book-title", window.focused())
    description = f"By hand {uuid.uuid4().hex[:8]}"
    tab_to(window, "#book-description")
    keys.type(description)
    tab_to(window, "#book-weight")
    keys.type("4200")
    for number in range(2):
        if number:
            tab_to(window, "#add-container")
            keys.press("Enter")
            window.check("a new container is where the keyboard is",
                         page.evaluate("document.activeElement.labels[0].textContent") == "Customer")
        else:
            tab_to(window, "fieldset input")
        keys.type(f"cust00{number}")
        keys.press("Tab")
        keys.type("Oban")
    tab_to(window, "#add-container")
    keys.press("Space")
    tab_to(window, "fieldset:last-child button:last-child")
    keys.press("Enter")
    window.check("a container can be removed", page.locator("fieldset").count() == 2)
    tab_to(window, "#book-form button[type=submit]")
    keys.press("Enter")
    window.wait("#book-result")
    # For the switch, further on.
    window.add_vessel(f"By hand {uuid.uuid4().hex[:8]}", 5, 5)
    window.check("the outcome has the focus", window.focused() == "result-title", window.focused())
    tab_to(window, "#book-result a")
    keys.press("Enter")
    window.wait("#consignments-view")
    window.list_settles()
    window.check("the list's title has the focus", window.focused() == "consignments-title", window.focused())
    tab_to(window, "summary")
    keys.press("Enter")
    window.check("containers can be unfolded", page.locator("details[open]").count() == 1)
    tab_to(window, "#consignments-rows button")
    keys.press("Enter")
    window.wait("#cancel-dialog")
    window.check("a question takes the keyboard", window.focused() == "cancel-keep", window.focused())
    keys.press("Escape")
    page.locator("#cancel-dialog").wait_for(state="hidden")
    window.check("and gives it back", page.evaluate("document.activeElement.matches('#consignments-rows button')"))
    keys.press("Enter")
    window.wait("#cancel-dialog")
    tab_to(window, "#cancel-confirm")
    keys.press("Enter")
    window.check("a booking can be cancelled", window.row_says(description, "Cancelled"))
    window.check("the keyboard stays in its row",
                 window.row(description).evaluate("row => row.contains(document.activeElement)"))
    if window.is_shown("#consignments-pager"):
        tab_to(window, "#consignments-next")
        keys.press("Enter")
        window.list_settles()
        page.wait_for_timeout(100)
        window.check("turning a page leads to its top", window.focused() == "consignments-status", window.focused())
    tab_to(window, "nav a[href='#vessels']", "Shift+Tab")
    keys.press("Enter")
    window.wait("#vessels-view")
    window.fleet_settles()
    tab_to(window, "#fleet-list .switch")
    keys.press("Enter")
    window.check("a switch can be turned", window.comes_true(
        "document.activeElement.getAttribute('aria-checked') === 'false'"))
    tab_to(window, "#add-vessel", "Shift+Tab")
    keys.press("Enter")
    window.check("a form that opens takes the keyboard", window.focused() == "vessel-name", window.focused())
    tab_to(window, "#vessel-form button")
    keys.press("Enter")
    window.check("a problem takes the keyboard to its field", window.focused() == "vessel-name", window.focused())
    tab_to(window, "#logout", "Shift+Tab")
    keys.press("Enter")
    window.wait("#login-view")
    window.check("logging out leads to the login's title", window.focused() == "login-title", window.focused())
