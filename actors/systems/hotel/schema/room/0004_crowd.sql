-- How many rooms of a block are taken for a night. A block is 64 rooms in the order of their making:
-- who looks for a free one passes over those that are full, and need not look at each room.
CREATE TABLE crowd (
    block INTEGER NOT NULL,                 -- (room.seq - 1) / 64
    night TEXT NOT NULL,
    taken INTEGER NOT NULL CHECK (taken BETWEEN 0 AND 64),
    PRIMARY KEY (block, night)
) STRICT, WITHOUT ROWID;

CREATE INDEX crowd_that_is_full ON crowd (block, night) WHERE taken = 64;

INSERT INTO crowd (block, night, taken)
SELECT (seq - 1) / 64, night, count(*) FROM night JOIN room ON room.id = room_id GROUP BY 1, 2;

CREATE TRIGGER night_is_taken AFTER INSERT ON night BEGIN
    INSERT INTO crowd (block, night, taken)
    SELECT (seq - 1) / 64, NEW.night, 1 FROM room WHERE id = NEW.room_id
    ON CONFLICT (block, night) DO UPDATE SET taken = taken + 1;
END;

CREATE TRIGGER night_is_free AFTER DELETE ON night BEGIN
    UPDATE crowd SET taken = taken - 1
    WHERE block = (SELECT (seq - 1) / 64 FROM room WHERE id = OLD.room_id) AND night = OLD.night;
    DELETE FROM crowd
    WHERE block = (SELECT (seq - 1) / 64 FROM room WHERE id = OLD.room_id) AND night = OLD.night
        AND taken = 0;
END;
