-- Under which identities the file gave numbers before its present one: `last` is the highest that each
-- gave to a receiver, and the present one goes on above. It takes another when it begins anew without
-- some of its past: it does not know which numbers were given in that.
CREATE TABLE former (
    store TEXT NOT NULL,
    receiver TEXT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (store, receiver)
) STRICT, WITHOUT ROWID;
