CREATE TABLE letter (
    subject TEXT NOT NULL
) STRICT;
