-- wrk: POST the body in $BODY as JSON; every answer but 200 is counted as an error by wrk ("Non-2xx").
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = os.getenv("BODY")
