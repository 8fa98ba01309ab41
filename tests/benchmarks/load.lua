-- Load for wrk. `wrk ... -- create` posts customers; `wrk ... -- insert` asks the tutorial's way for
-- tweets; `wrk ... -- FILE` gets the ids FILE lists.
-- Prints one JSON line at the end, so that nobody has to read wrk's words.

local requests, at = {}, 0

function init(args)
  if args[1] == "create" then
    local body = '{"name":"Ada Lovelace","email":"ada@example.com"}'
    local headers = { ["Content-Type"] = "application/json" }
    requests[1] = wrk.format("POST", "/api/v1/customers", headers, body)
  elseif args[1] == "insert" then
    for number = 1, 1000 do
      requests[number] = wrk.format("GET", "/insert/load/tutorialedge%20is%20fine%20" .. number)
    end
  else
    for id in io.lines(args[1]) do
      requests[#requests + 1] = wrk.format("GET", "/api/v1/customers/" .. id)
    end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
