-- Whose the nights are, while they are: held until a booking pays or the time is over, or confirmed.
CREATE TABLE hold (
    id TEXT PRIMARY KEY,                    -- the booking's
    room_id TEXT NOT NULL REFERENCES room (id),
    check_in TEXT NOT NULL,                 -- ISO dates
    check_out TEXT NOT NULL CHECK (check_out > check_in),
    price_amount INTEGER NOT NULL CHECK (price_amount >= 0),  -- minor units for the whole stay
    price_currency TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'confirmed')),
    expires_us INTEGER NOT NULL             -- microseconds since the epoch; while it is held
) STRICT, WITHOUT ROWID;

-- One row a night, by the day it begins: the primary key is what forbids double booking.
CREATE TABLE night (
    room_id TEXT NOT NULL,
    night TEXT NOT NULL,
    hold_id TEXT NOT NULL REFERENCES hold (id),
    PRIMARY KEY (room_id, night)
) STRICT, WITHOUT ROWID;

-- Holds that are over: a message that comes late, or again, must not begin one anew.
CREATE TABLE ended_hold (
    id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE INDEX night_by_hold ON night (hold_id);
