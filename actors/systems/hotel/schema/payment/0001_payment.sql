-- No card number: the processor knows a charge by its key, which is the payment's id. A payment
-- that was cancelled before it came has neither amount nor currency.
CREATE TABLE payment (
    id TEXT PRIMARY KEY,                    -- the booking's
    amount INTEGER,                         -- minor units
    currency TEXT,
    state TEXT NOT NULL CHECK (state IN (
        'charging', 'charged', 'declined', 'voiding', 'voided', 'refunding', 'refunded'
    )),
    charge_id TEXT,                         -- the processor's
    refund_amount INTEGER CHECK (refund_amount BETWEEN 0 AND amount),
    CHECK ((amount IS NULL) = (currency IS NULL)),
    CHECK (amount IS NOT NULL OR state = 'voided')
) STRICT, WITHOUT ROWID;
