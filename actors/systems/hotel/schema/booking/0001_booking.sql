-- A booking is a saga: `state` says which answer it waits for, or how it ended. `seq` is the order
-- of creation, which lists follow and cursors point into.
CREATE TABLE booking (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,                -- the hold's and the payment's id too
    customer_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    check_in TEXT NOT NULL,                 -- ISO dates, of the hotel's own days
    check_out TEXT NOT NULL CHECK (check_out > check_in),
    state TEXT NOT NULL CHECK (state IN (
        'checking', 'holding', 'paying', 'confirming',
        'confirmed', 'rejected', 'cancelling', 'cancelled'
    )),
    card_number TEXT,                       -- a sandbox number, and only until payment has it
    price_amount INTEGER,                   -- minor units; unknown until the room is held
    price_currency TEXT,
    refund_amount INTEGER CHECK (refund_amount BETWEEN 0 AND price_amount),
    refusal_kind TEXT,                      -- of one that was rejected: what its client was told
    reason TEXT,
    begun_us INTEGER NOT NULL,              -- tells it from an earlier one of the same id
    -- Refused before anything was begun elsewhere: its id can be used again.
    untouched INTEGER NOT NULL DEFAULT 0 CHECK (untouched IN (0, 1)),
    -- What a cancellation waits for.
    nights_released INTEGER NOT NULL DEFAULT 0 CHECK (nights_released IN (0, 1)),
    refund_accepted INTEGER NOT NULL DEFAULT 0 CHECK (refund_accepted IN (0, 1)),
    CHECK ((price_amount IS NULL) = (price_currency IS NULL)),
    CHECK ((state = 'rejected') = (reason IS NOT NULL)),
    CHECK ((state = 'rejected') = (refusal_kind IS NOT NULL))
) STRICT;

CREATE INDEX booking_by_customer ON booking (customer_id, seq);
CREATE INDEX booking_by_room ON booking (room_id, seq);
CREATE INDEX booking_that_waits_for_customer ON booking (customer_id) WHERE state = 'checking';

-- Customers as the customer service has introduced them.
CREATE TABLE known_customer (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Further requests that wait for how a booking ends; the one that created it has the booking's id.
CREATE TABLE waiting (
    booking_id TEXT NOT NULL REFERENCES booking (id),
    request TEXT NOT NULL,
    PRIMARY KEY (booking_id, request)
) STRICT, WITHOUT ROWID;
