-- Load for wrk: `wrk ... -- METHOD FILE [BODY]` asks for the paths that FILE lists, in turns.
-- Prints one JSON line at the end.

local requests, at = {}, 0

function init(args)
  local headers = args[3] and { ["Content-Type"] = "application/json" }
  for path in io.lines(args[2]) do
    requests[#requests + 1] = wrk.format(args[1], path, headers, args[3])
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
