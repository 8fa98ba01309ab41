-- What the service did for requests that are traced, written by the transaction that did it: a row a
-- commit. At most trace.rows_max spans: beyond it the rows of the lowest seq go. Found by a look at all
-- of them, which an operator can wait for: an index would cost each step as much as its row.
CREATE TABLE trace_span (
    seq INTEGER PRIMARY KEY,                -- the number of its last span
    commit_us INTEGER,                      -- how long the commit of the row before took, if known
    spans TEXT NOT NULL                     -- JSON, see TraceSpan
) STRICT;
