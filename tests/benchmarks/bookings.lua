-- Load for wrk: bookings of free nights, and of each of them once.
-- wrk ... -- CUSTOMERS ROOMS FIRST: files of ids, and the number of the first booking. Booking n is
-- of room n modulo their number; when every room has been booked for a night, the next night's turn
-- comes. Prints one JSON line at the end; `sent` says where the next run begins.

local DAY_S, NIGHTS = 86400, 365
local BEGIN = 1893456000 -- 2030-01-01: far enough that no booking is of the past

local customers, rooms, nights, headers = {}, {}, {}, { ["Content-Type"] = "application/json" }
local threads = {}
local BODY = '{"customer_id":"%s","room_id":"%s",%s}'

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  for id in io.lines(args[1]) do customers[#customers + 1] = id end
  for id in io.lines(args[2]) do rooms[#rooms + 1] = id end
  for night = 0, NIGHTS - 1 do
    local from = BEGIN + night * DAY_S
    nights[night] = string.format('"check_in":"%s","check_out":"%s"',
      os.date("!%Y-%m-%d", from), os.date("!%Y-%m-%d", from + DAY_S))
  end
  number, refused = tonumber(args[3]), 0
  first = number
end

function request()
  local room, night = number % #rooms, math.floor(number / #rooms)
  assert(night < NIGHTS, "every night of every room is booked")
  local customer = number % #customers
  number = number + 1
  return wrk.format("POST", "/api/v1/bookings", headers,
    BODY:format(customers[customer + 1], rooms[room + 1], nights[night]))
end

-- A 202 means that the saga has not ended, which is no booking.
function response(status, _, _)
  if status ~= 201 then refused = refused + 1 end
end

function done(summary, latency, _)
  local errors, sent, refusals = summary.errors, 0, 0
  for _, thread in ipairs(threads) do
    sent = sent + thread:get("number") - thread:get("first")
    refusals = refusals + thread:get("refused")
  end
  io.write(string.format(
    '{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"refused":%d,"broken":%d,"sent":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    refusals, errors.connect + errors.read + errors.write + errors.timeout, sent))
end
