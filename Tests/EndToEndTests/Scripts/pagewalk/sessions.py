"""Sessions that end: by the service's word, by the clock, by a logout in the middle of something."""

import json

from .kit import only

CREATE = "ConsignmentService.Create"
TWO = [("cust001", "Leith"), ("cust002", "Hull")]
HOUR_MS = 3_600_000


def run(walk):
    with walk.window("session over") as window:
        window.sign_up()
        session_over(window)
    with walk.window("next person") as window:
        next_person(window)
    with walk.window("logged out meanwhile") as window:
        ended_meanwhile(window)
    with walk.window("clock") as window:
        window.page.clock.install()
        clock(window)


def forget(route):
    """Lets a call pass with a token that no service takes."""
    route.continue_(headers={**route.request.headers, "authorization": "Bearer no.longer.good"})


def session_over(window):
    page = window.page
    window.fill_booking("Kept", 700, TWO)

    with window.answering(only(CREATE, forget)):
        window.book()
        window.wait("#login-view")
    window.check("a session that is over says so",
                 "session is over" in window.text("#login-view .notice")
                 and "is still there" in window.text("#login-view .notice"))
    window.check("and forgets the token", window.token() is None)
    window.shot("errors-session-over")
    window.log_in()
    window.wait("#book-view")
    window.check("what was typed is still there", page.input_value("#book-description") == "Kept"
                 and page.locator("fieldset").nth(1).get_by_label("Origin").input_value() == "Hull")
    window.check("and no old problem with it", not window.is_shown("#book-form .form-problem"))
    window.book()
    window.wait("#book-result")
    window.check("and can be booked", "Kept" in window.text("#book-result"))
    # A token that the services no longer take, found at a reload.
    kept = json.loads(page.evaluate("sessionStorage.getItem('shippy.session')"))
    kept["token"] = "no.longer.good"
    page.evaluate("text => sessionStorage.setItem('shippy.session', text)", json.dumps(kept))
    page.goto(f"{window.walk.base}/#consignments")
    page.reload()
    window.wait("#login-view")
    window.check("a bad token from before asks for a login, and promises nothing",
                 window.text("#login-view .notice") == "Your session is over. Log in to go on.")
    window.log_in()
    window.wait("#consignments-view")
    window.check("and leads on to where one was going", window.is_shown("#consignments-view"))


def next_person(window):
    page = window.page
    window.sign_up()
    window.fill_booking("Hers alone", 700, TWO)
    window.says("#fit-status", "can carry")

    with window.answering(forget):
        window.book()
        window.wait("#login-view")
    page.reload()
    window.check("a session that is over stays over", window.is_shown("#login-view"))
    window.sign_up(name="Somebody Else")
    window.check("another person finds nothing of the last one's", "Hers alone" not in page.content()
                 and page.input_value("#book-description") == "")
    window.go("consignments")
    window.check("no consignments either", window.says("#consignments-empty", "Nothing has been booked"))


def ended_meanwhile(window):
    page = window.page
    window.sign_up()
    window.fill_booking("Not for the next one", 700, TWO)
    held = []
    with window.answering(only(CREATE, held.append)):
        window.book()
        window.says("#book-form button", "Booking…")
        window.holds(held)
        page.click("#logout")
        window.wait("#login-view")
        with page.expect_response("**/rpc"):
            window.holds(held).continue_()
    page.wait_for_timeout(200)
    window.log_in()
    window.wait("#book-view")
    window.check("an answer after the logout is shown to nobody", not window.is_shown("#book-result")
                 and "Not for the next one" not in page.content())
    window.check("and is no problem of the next one", not window.is_shown("#book-form .form-problem"))


def clock(window):
    page = window.page
    window.sign_up()
    held = []
    window.fill_booking("Slow", 700, TWO)
    with window.answering(only(CREATE, held.append)):
        window.book()
        window.says("#book-form button", "Booking…")
        window.holds(held)
        page.clock.fast_forward(13_000)
        window.check("an answer that does not come is given up",
                     window.says("#book-form .form-problem", "no answer in time"))
        for route in held:
            route.abort()
    page.clock.fast_forward(71 * HOUR_MS)
    window.check("a session lasts as long as its token", window.is_shown("#book-view"))
    page.clock.fast_forward(2 * HOUR_MS)
    window.check("and no longer", window.says("#login-view .notice", "session is over"))
    window.check("the token is gone", window.token() is None)
