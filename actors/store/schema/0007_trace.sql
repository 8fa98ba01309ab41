-- What the service did for requests that are traced, written by the transaction that did it. At most
-- trace.rows_max rows: beyond it the lowest seq goes. Found by a look at all of them, which an
-- operator can wait for: an index would cost each step as much as its row.
CREATE TABLE trace_span (
    seq INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL,                 -- W3C Trace Context: 32 digits of hex
    span_id TEXT NOT NULL,                  -- and 16
    parent_id TEXT,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    start_us INTEGER NOT NULL,              -- microseconds since the epoch
    wait_us INTEGER,
    duration_us INTEGER,                    -- NULL: it has no end that is known
    commit_us INTEGER,                      -- written by the next commit
    outcome TEXT,
    attempts INTEGER NOT NULL,
    request_id TEXT
) STRICT;
