-- wrk: POST the body in $BODY as JSON, with the token in $TOKEN if there is one; every answer but 200 is counted as an
-- error by wrk ("Non-2xx"). {n} in the body becomes a number that comes once in a run.
local body = os.getenv("BODY")
local token = os.getenv("TOKEN")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
if token then wrk.headers["Authorization"] = "Bearer " .. token end

local threads = 0
function setup(thread)
    threads = threads + 1
    thread:set("number", threads * 100000000)
end

if body:find("{n}", 1, true) then
    -- Of the run, so that another run against the same store finds its numbers free.
    local run = os.time() % 1000000
    function request()
        number = number + 1
        local text = body:gsub("{n}", run .. "x" .. number)
        return wrk.format(nil, nil, nil, text)
    end
else
    wrk.body = body
end
