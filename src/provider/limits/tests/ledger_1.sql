-- limits.db as the first schema made it, with one provider that is left alone.
CREATE TABLE provider (
    name TEXT PRIMARY KEY,
    next_slot INTEGER NOT NULL DEFAULT 0,
    until INTEGER NOT NULL DEFAULT 0,
    broken_until INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    consecutive INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    last_success INTEGER NOT NULL DEFAULT 0,
    last_error_at INTEGER NOT NULL DEFAULT 0,
    last_error TEXT NOT NULL DEFAULT '',
    day INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 0
) STRICT;
PRAGMA user_version = 1;
INSERT INTO provider (name, until, reason, consecutive, last_error, last_error_at)
    VALUES ('yahoo', 1800000600, '429', 1, '429', 1799999700);
