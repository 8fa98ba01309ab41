-- The processor's books, of its own: they know nothing of bookings.
CREATE TABLE charge (
    key TEXT PRIMARY KEY,
    charge_id TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL CHECK (amount >= 0),  -- minor units, as asked for
    currency TEXT NOT NULL,
    taken INTEGER NOT NULL CHECK (taken IN (0, amount)),
    refusal TEXT,                           -- why nothing was taken
    CHECK (refusal IS NULL OR taken = 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE refund (
    key TEXT PRIMARY KEY,
    charge_key TEXT NOT NULL REFERENCES charge (key),
    amount INTEGER NOT NULL CHECK (amount >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX refund_by_charge ON refund (charge_key);

-- Keys that take no charge any more; `refunded` is what the one before had taken.
CREATE TABLE void (
    key TEXT PRIMARY KEY,
    refunded INTEGER NOT NULL CHECK (refunded >= 0)
) STRICT, WITHOUT ROWID;
