"""The SQLite file: its tables, and the pragmas every connection needs.

`log` holds one row per write, so its rowid is the revision; `current` names, for each living key,
the row that holds its value. Two triggers keep `current` in step, so that a whole batch of writes
is one INSERT, and with SQLite committing by itself one call that begins, writes, commits and syncs.
Each row names the one it `previous`ly replaced: that serves watchers the old version, gives listings
of the past, and tells compaction what to delete, all by rowid and without a second index.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from wherry.store.base import StoreError

VERSION = 1
_APPLICATION = 0x57485259  # "WHRY": lets file(1) and us tell the file from others
PAGE_BYTES = 4096
_OF_QUOTA = 20  # the part of a quota that is kept back, as a divisor
_MOST_OF_QUOTA_BYTES = 16 * 1024 * 1024

_TABLES = """
CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    previous INTEGER NOT NULL,  -- revision of the row replaced, 0 for none
    deleted INTEGER NOT NULL,
    expires REAL,               -- Unix seconds, NULL for never
    value BLOB NOT NULL
);
CREATE TABLE current (
    key TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    expires REAL
) WITHOUT ROWID;
CREATE INDEX current_expires ON current (expires) WHERE expires IS NOT NULL;
CREATE TABLE state (compacted INTEGER NOT NULL);
INSERT INTO state VALUES (0);
CREATE TRIGGER log_puts AFTER INSERT ON log WHEN NOT NEW.deleted BEGIN
    INSERT INTO current (key, revision, expires) VALUES (NEW.key, NEW.revision, NEW.expires)
    ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, expires = excluded.expires;
END;
CREATE TRIGGER log_deletes AFTER INSERT ON log WHEN NEW.deleted BEGIN
    DELETE FROM current WHERE key = NEW.key;
END;
"""


def kept_back(quota_bytes: int) -> int:
    """How much of a quota is for deletions alone."""
    return min(max(quota_bytes // _OF_QUOTA, 16 * PAGE_BYTES), quota_bytes // 4, _MOST_OF_QUOTA_BYTES)


def connect(path: Path, *, cache_kib: int) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from any one thread at a time. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=10.0
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    return connection


def prepare(connection: sqlite3.Connection, path: Path, quota_bytes: int) -> None:
    """Make the tables if the file is new; set what holds for the file.

    `quota_bytes` (0: none) bounds its size. Raises StoreError for a file that is not ours.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != _APPLICATION:
        raise StoreError(f"{path} is an SQLite file, but not a store of this program")
    if version > VERSION:
        raise StoreError(f"{path} was written by a newer version (format {version}, known is {VERSION})")
    if not tables:
        # auto_vacuum is fixed by the first page that is written, so it comes before everything.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    if not tables:
        connection.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id = {_APPLICATION}; "
            f"PRAGMA user_version = {VERSION}; {_TABLES} COMMIT;"
        )
    if quota_bytes:
        # Above what is there already some pages must be free to use, or nothing could be deleted.
        there = connection.execute("PRAGMA page_count").fetchone()[0]
        most = max(quota_bytes, there * PAGE_BYTES + kept_back(quota_bytes)) // PAGE_BYTES
        connection.execute(f"PRAGMA max_page_count = {most}")
