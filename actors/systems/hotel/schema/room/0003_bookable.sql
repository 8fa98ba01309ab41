-- What a room's status says of whether it can be booked: the API's `available`, or what the
-- tutorial's callers write, in any case; nothing at all says nothing against it.
ALTER TABLE room ADD COLUMN bookable INTEGER NOT NULL
    AS (lower(trim(status)) IN ('available', '')) VIRTUAL;

CREATE INDEX room_that_is_bookable ON room (seq) WHERE bookable = 1;
CREATE INDEX room_that_is_bookable_by_type ON room (type, seq) WHERE bookable = 1;
