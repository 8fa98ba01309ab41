-- Who may reply: X's word for it.
ALTER TABLE tweet ADD COLUMN reply_settings TEXT NOT NULL DEFAULT 'everyone';
-- When its author deleted it, in microseconds of the epoch. The row stays: others refer to it.
ALTER TABLE tweet ADD COLUMN deleted_us INTEGER;

-- Until then the account of the keys that are handed out may neither write nor like.
ALTER TABLE state ADD COLUMN locked_us INTEGER NOT NULL DEFAULT 0;
