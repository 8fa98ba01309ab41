-- Load for wrk. `wrk ... -- rooms` and `wrk ... -- customers` post some; `wrk ... -- FILE` gets the
-- customers whose ids FILE lists; `wrk ... -- insert FILE [PAUSE_MS]` asks the tutorial's way for a
-- tweet of each text that FILE lists, as it stands in a URL: PAUSE_MS after the answer before, of
-- each connection; `wrk ... -- paths METHOD FILE [BODY]` asks for the paths that FILE lists. Prints
-- one JSON line at the end, so that nobody has to read wrk's words.

local requests, at = {}, 0
local POSTED = {
  rooms = '{"type":"suite","rate":{"amount":12900,"currency":"EUR"}}',
  customers = '{"name":"Ada Lovelace","email":"ada@example.com"}',
}

local JSON = { ["Content-Type"] = "application/json" }

function init(args)
  if POSTED[args[1]] then
    requests[1] = wrk.format("POST", "/api/v1/" .. args[1], JSON, POSTED[args[1]])
  elseif args[1] == "paths" then
    for path in io.lines(args[3]) do
      requests[#requests + 1] = wrk.format(args[2], path, args[4] and JSON, args[4])
    end
  elseif args[1] == "insert" then
    for text in io.lines(args[2]) do
      requests[#requests + 1] = wrk.format("GET", "/insert/load/" .. text)
    end
    if args[3] then
      local pause_ms = tonumber(args[3])
      function delay() return pause_ms end
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
