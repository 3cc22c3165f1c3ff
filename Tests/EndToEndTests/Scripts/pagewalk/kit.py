"""What all parts of the walk need: a watched browser window, checks, and the steps that people take."""

import json
import time
import uuid
from contextlib import contextmanager
from urllib.parse import urlsplit

# The consignment that the series of articles books.
SERIES = [
    ("cust001", "Manchester, United Kingdom"), ("cust002", "Derby, United Kingdom"),
    ("cust005", "Sheffield, United Kingdom")]
PASSWORD = "correct horse battery"
# How long an element may take to come, in milliseconds.
PATIENCE_MS = 8_000

SPY = """
window.walkViolations = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.walkViolations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


class Walk:
    def __init__(self, browser, base, folder, operator):
        self.browser, self.base, self.folder, self.operator = browser, base, folder, operator
        self.passed, self.failed = 0, []
        self.contexts = []

    def check(self, name, condition, detail=""):
        if condition:
            self.passed += 1
            print(f"ok   {name}", flush=True)
        else:
            self.failed.append(name)
            print(f"FAIL {name}: {detail}", flush=True)
        return bool(condition)

    @contextmanager
    def window(self, what, width=1280, height=860, **options):
        """A new window with nothing kept from others. Whatever the page does in it is watched until its end."""
        options = {"locale": "en-GB", "timezone_id": "Europe/London", **options}
        context = self.browser.new_context(viewport={"width": width, "height": height}, **options)
        self.contexts.append(context)
        context.add_init_script(SPY)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        window = Window(self, page, what)
        try:
            yield window
            window.judge()
        finally:
            page.unroute_all(behavior="ignoreErrors")
            self.contexts.remove(context)
            context.close()

    def close_all(self):
        for context in self.contexts[:]:
            context.close()
        self.contexts.clear()


class Window:
    def __init__(self, walk, page, what):
        self.walk, self.page, self.what = walk, page, what
        self.complaints, self.strangers, self.addresses = [], [], set()
        self.allowed = []
        self.email = None
        self.tokens = set()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", self._requested)
        page.on("framenavigated", lambda frame: self.addresses.add(frame.url))

    def _heard(self, message):
        # Browsers log each answer that is an error; calls may have those, files may not.
        is_call = message.text.startswith("Failed to load resource") and message.location["url"].endswith("/rpc")
        # On plain HTTP from another machine, browsers say that they leave this header out.
        is_plain = "Cross-Origin-Opener-Policy header has been ignored" in message.text
        if message.type in ("error", "warning") and not is_call and not is_plain:
            self.complaints.append(f"{message.type}: {message.text}")

    def _dialog(self, dialog):
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request):
        self.addresses.add(request.url)
        here, there = urlsplit(self.walk.base), urlsplit(request.url)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            self.strangers.append(request.url)

    def check(self, name, condition, detail=""):
        return self.walk.check(f"{self.what}: {name}", condition, detail)

    def judge(self):
        """What must be true of every window at its end."""
        page = self.page
        self.check("no errors or warnings in the console", not self.complaints, self.complaints[:3])
        violations = page.evaluate("window.walkViolations")
        self.check("nothing that the page's policy forbids was tried", not violations, violations[:3])
        self.check("no request went to another host", not self.strangers, self.strangers[:3])
        self.remember_token()
        kept = page.evaluate("[localStorage.length, document.cookie, document.documentElement.outerHTML]")
        self.check("nothing is kept beyond the tab", kept[0] == 0 and kept[1] == "", kept[:2])
        seen = [text for text in [*self.addresses, kept[2]] for token in self.tokens if token in text]
        self.check("the token is in no address and not in the page", not seen)
        stored = page.evaluate("JSON.stringify({...sessionStorage})")
        self.check("the password is not stored", PASSWORD not in stored)

    # Looking

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def is_shown(self, selector):
        return self.page.locator(selector).is_visible()

    def wait(self, selector, **options):
        self.page.locator(selector).wait_for(**options)

    def says(self, selector, words):
        """Waits until an element says this; answers whether it did."""
        try:
            self.page.locator(selector, has_text=words).first.wait_for()
            return True
        except Exception:
            return False

    def holds(self, held):
        """Waits until a call that is kept back is there, and answers it. A page shows that it waits before its call is seen
        here, the longer before the busier the machine is.
        """
        for _ in range(PATIENCE_MS // 20):
            if held:
                break
            self.page.wait_for_timeout(20)
        return held[0]

    def focused(self):
        return self.page.evaluate("document.activeElement.id || document.activeElement.tagName")

    def shot(self, name):
        # What is still moving is shown as it will be in the end.
        self.page.screenshot(path=f"{self.walk.folder}/{name}.png", full_page=True, animations="disabled")

    def remember_token(self):
        token = self.token()
        if token:
            self.tokens.add(token)

    def token(self):
        kept = self.page.evaluate("sessionStorage.getItem('shippy.session')")
        return json.loads(kept)["token"] if kept else None

    # Doing

    def open(self, view=""):
        self.page.goto(f"{self.walk.base}/{'#' + view if view else ''}")
        self.wait("#page")

    def go(self, view):
        self.page.locator(f"nav a[href='#{view}']").click()
        self.wait(f"#{view}-view")

    def sign_up(self, name="Ada Lovelace", company="Engines & Co"):
        self.email = f"ada-{uuid.uuid4().hex[:10]}@example.com"
        self.open("signup")
        self.fill_signup(name, company, self.email, PASSWORD)
        self.page.click("#signup-form button[type=submit]")
        self.wait("#account")
        self.remember_token()

    def fill_signup(self, name, company, email, password):
        page = self.page
        page.fill("#signup-name", name)
        page.fill("#signup-company", company)
        page.fill("#signup-email", email)
        page.fill("#signup-password", password)

    def operate(self):
        """Logs in as the operator."""
        self.open("login")
        self.log_in(self.walk.operator)
        self.wait("#account")

    def log_in(self, email=None, password=PASSWORD):
        page = self.page
        page.fill("#login-email", email or self.email)
        page.fill("#login-password", password)
        page.click("#login-form button[type=submit]")

    def fill_booking(self, description, weight, containers):
        page = self.page
        page.fill("#book-description", description)
        page.fill("#book-weight", str(weight))
        for index, (customer, origin) in enumerate(containers):
            if index == page.locator("fieldset").count():
                page.click("#add-container")
            row = page.locator("fieldset").nth(index)
            row.get_by_label("Customer").fill(customer)
            row.get_by_label("Origin").fill(origin)

    def book(self):
        self.page.click("#book-form button[type=submit]")

    def call(self, service, method, request):
        """A call beside the page, in the name of who is logged in."""
        answer = self.page.request.post(
            f"{self.walk.base}/rpc", data={"service": service, "method": method, "request": request},
            headers={"authorization": f"Bearer {self.token()}"})
        assert answer.ok, f"{method}: {answer.status} {answer.text()}"
        return answer.json()

    def add_vessel(self, name, capacity, max_weight, **more):
        """A vessel of who is logged in; answers it as it was stored."""
        request = {"name": name, "capacity": capacity, "max_weight": max_weight, "available": True, **more}
        return self.call("vessel", "VesselService.Create", request)["vessel"]

    def vessel(self, vessel_id):
        return self.call("vessel", "VesselService.Get", {"id": vessel_id})["vessel"]

    def add_consignment(self, description, weight=10, containers=1):
        """A booking of who is logged in, made beside the page; answers it as it was stored."""
        return self.call("consignment", "ConsignmentService.Create", {
            "description": description, "weight": weight,
            "containers": [{"customer_id": "c", "origin": "o"}] * containers})["consignment"]

    def all_consignments(self):
        found, token = [], ""
        while True:
            answer = self.call("consignment", "ConsignmentService.Get", {"page_size": 1000, "page_token": token})
            found += answer.get("consignments", [])
            token = answer.get("next_page_token", "")
            if not token:
                return found

    def turn_to(self, text):
        """Turns the list's pages until one shows this text; answers whether one did."""
        page = self.page
        self.list_settles()
        while True:
            if page.locator("#consignments-rows").get_by_text(text, exact=True).count():
                return True
            following = page.locator("#consignments-next")
            if not following.is_visible() or following.get_attribute("aria-disabled") == "true":
                return False
            following.click()
            self.list_settles()

    def list_settles(self):
        self.page.wait_for_selector("#consignments-table[aria-busy=false]", state="attached")

    def fleet_settles(self):
        self.page.wait_for_selector("#fleet-list[aria-busy=false]", state="attached")

    def row(self, description):
        return self.page.locator("#consignments-rows tr", has_text=description).first

    def card(self, name):
        return self.page.locator("#fleet-list li", has=self.page.get_by_role("heading", name=name, exact=True))

    def comes_true(self, expression):
        """Waits until an expression of JavaScript is true; answers whether it became so."""
        # Not by Playwright's own wait, which the page's policy takes for a script of another.
        deadline = time.monotonic() + PATIENCE_MS / 1_000
        while time.monotonic() < deadline:
            if self.page.evaluate(expression):
                return True
            self.page.wait_for_timeout(50)
        return False

    def row_says(self, description, words):
        """Waits until a row of the list says this; answers whether it did."""
        try:
            self.page.locator("#consignments-rows tr", has_text=description).filter(has_text=words).first.wait_for()
            return True
        except Exception:
            return False

    # Faults

    @contextmanager
    def answering(self, handle):
        """Calls go through `handle(route)` meanwhile."""
        self.page.route("**/rpc", handle)
        try:
            yield
        finally:
            self.page.unroute("**/rpc", handle)


def only(method, handle):
    """Lets calls of other methods pass."""
    def choose(route):
        if json.loads(route.request.post_data)["method"] == method:
            handle(route)
        else:
            route.continue_()
    return choose


def refusal(status, detail="no", service="shippy.consignment", headers=None, details=()):
    """A handler that answers with an error in the gateway's shape."""
    body = json.dumps({
        "id": service, "code": status, "detail": detail, "status": "x", **({"details": details} if details else {})})
    return lambda route: route.fulfill(
        status=status, body=body, headers={"content-type": "application/json", **(headers or {})})


def bad_request(*violations):
    """Details that name fields: pairs of a path and what is wrong with it."""
    return [{
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "field_violations": [{"field": field, "description": text} for field, text in violations]}]


def retry_info(delay):
    """Details that say when to come back, such as in "2s"."""
    return [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": delay}]


def error_info(reason):
    return [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "shippy"}]
