"""The ledger: what became of each version of a task, append-only and chained by hashes.

An entry is kept as canonical JSON, beside the SHA-256 of that text, which the next entry holds as `previous`. So
whoever edits, deletes, inserts or reorders entries breaks the chain. What was cut off its end, the chain cannot show:
the number and hash of the last entry are kept elsewhere too (`Entry.head`), and `complete` compares.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from features.config.sections import Config
from features.errors import LedgerError
from features.system.files import canonical_json, text_digest
from features.timeline import visible
from models.databases.sql import POSTGRESQL, Database, Transaction
from models.databases.urls import address

ADDRESS = "JOURNEYCAST_LEDGER_URI"  # of another ledger than the workspace's own
LEDGER_FORMAT = 1
FIRST = "0" * 64  # what the first entry follows
REGISTERED, REFUSED, PROMOTED, ROLLED_BACK, PRUNED = "registered", "refused", "promoted", "rolled back", "pruned"
MOVES = (PROMOTED, ROLLED_BACK)  # what makes another version serve
TABLE = "journeycast_ledger"
KEPT = "entries of the ledger are never changed"
CREATE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (shop TEXT NOT NULL, task TEXT NOT NULL, number BIGINT NOT NULL, "
    "hash TEXT NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (shop, task, number))"
)
SQLITE_KEEPS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {TABLE}_no_{change} BEFORE {change} ON {TABLE} "
    f"BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
    for change in ("UPDATE", "DELETE")
)
POSTGRESQL_KEEPS = (
    f"""CREATE OR REPLACE FUNCTION {TABLE}_keeps() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION '{KEPT}'; END $$""",
    f"""CREATE OR REPLACE TRIGGER {TABLE}_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE}
    EXECUTE FUNCTION {TABLE}_keeps()""",
)


@dataclass(frozen=True)
class Entry:
    """What became of a version: by whom, when (µs UTC), why and on what evidence (plain JSON).

    `before` is the version that served until then, None when there was none.
    """

    number: int
    task: str
    what: str
    version: int
    digest: str
    before: int | None
    who: str
    when_us: int
    why: str
    evidence: Mapping[str, Any]
    previous: str
    hash: str

    @property
    def head(self) -> str:
        """What tells, kept elsewhere, that the ledger goes at least this far."""
        return f"{self.number} {self.hash}"


@dataclass(frozen=True)
class Page:
    """The entries of a task, checked, while nobody else may write any; it takes one more."""

    shop: str
    task: str
    entries: tuple[Entry, ...]
    transaction: Transaction = field(repr=False)

    def add(self, **fields: Any) -> Entry:
        """Write an entry; `fields` are its fields from `what` to `evidence`. It is there once the block ends well."""
        number = len(self.entries) + 1
        previous = self.entries[-1].hash if self.entries else FIRST
        chained = {"number": number, "task": self.task, **fields, "previous": previous}
        written = canonical_json({"format": LEDGER_FORMAT, "shop": self.shop, **chained})
        self.transaction.run(
            f"INSERT INTO {TABLE} VALUES (:shop, :task, :number, :hash, :entry)",  # noqa: S608  a constant
            shop=self.shop,
            task=self.task,
            number=number,
            hash=text_digest(written),
            entry=written,
        )
        return Entry(**chained, hash=text_digest(written))


@dataclass(frozen=True)
class Ledger:
    """The entries of one shop."""

    shop: str
    database: Database

    @staticmethod
    def open(config: Config) -> "Ledger":
        """The shop's ledger, made if there is none."""
        database = Database.open(address(config, ADDRESS, "ledger.db"))
        if not database.has(TABLE):
            with database.writing(TABLE) as transaction:  # two first uses at once make it one after the other
                for sql in (CREATE, *(POSTGRESQL_KEEPS if database.kind == POSTGRESQL else SQLITE_KEEPS)):
                    transaction.run(sql)
        return Ledger(config.name, database)

    def entries(self, task: str) -> tuple[Entry, ...]:
        """All entries of a task, oldest first; LedgerError names the first one that is not as it was written."""
        with self.database.reading() as transaction:
            return self._entries(task, transaction)

    @contextmanager
    def writing(self, task: str) -> Iterator[Page]:
        """The entries of a task, for who adds one; waits for others. Nothing is written when the block raises."""
        with self.database.writing(f"{self.shop}.{task}") as transaction:
            yield Page(self.shop, task, self._entries(task, transaction), transaction)

    def _entries(self, task: str, transaction: Transaction) -> tuple[Entry, ...]:
        rows = transaction.rows(
            f"SELECT number, hash, entry FROM {TABLE} WHERE shop = :shop AND task = :task ORDER BY number",  # noqa: S608
            shop=self.shop,
            task=task,
        )
        entries: list[Entry] = []
        for row in rows:
            entries.append(_entry(self.shop, task, entries, row))
        return tuple(entries)

    def complete(self, task: str, entries: Sequence[Entry], head: str) -> None:
        """Raise LedgerError unless the entries go as far as a `head` (empty: none was kept) says they once did."""
        if not head:
            return
        count = head.partition(" ")[0]
        number = int(count) if count.isdecimal() else 0
        if not number or len(entries) < number or entries[number - 1].head != head:
            actual = f"only {len(entries)}" if len(entries) < number else f"another entry {number}"
            raise LedgerError(
                f"the ledger lost entries: expected at least {number} of {self.shop}.{task}, as MLflow remembers, "
                f"found {actual} in {self.database}; restore the ledger from a backup, or name the right one in "
                f"{ADDRESS} (docs/ledger.md)"
            )


def serving(entries: Sequence[Entry]) -> Entry | None:
    """The entry that made the version serve that serves now."""
    return next((entry for entry in reversed(entries) if entry.what in MOVES), None)


def served(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The promotions that can be gone back through: the champion's first. A rollback takes the newest one away."""
    standing: list[Entry] = []
    for entry in entries:
        if entry.what == PROMOTED:
            standing.append(entry)
        elif entry.what == ROLLED_BACK:
            standing.pop()
    return tuple(reversed(standing))


def live_on(entries: Sequence[Entry], when_us: int) -> Entry | None:
    """The entry that made the version serve that was live at an instant (µs UTC); None before the first."""
    return serving([entry for entry in entries if visible(entry.when_us, entry.when_us, when_us)])


def _entry(shop: str, task: str, before: Sequence[Entry], row: tuple[Any, ...]) -> Entry:
    """The entry of a row that follows those before it."""
    number, stored_hash, written = row
    expected = len(before) + 1
    if number != expected:
        raise _broken(shop, task, expected, f"found entry {number} in its place: it was deleted")
    if not isinstance(written, str) or text_digest(written) != stored_hash:
        raise _broken(shop, task, expected, "found another text than its hash stands for: it was edited")
    try:
        fields: dict[str, Any] = json.loads(written)
        newer = fields.pop("format") > LEDGER_FORMAT
    except (ValueError, LookupError, TypeError, AttributeError):
        raise _broken(shop, task, expected, "found what no version wrote: it was forged") from None
    if newer:
        raise LedgerError(
            f"entry {number} of the ledger of {shop}.{task} was written by a newer version; install that version"
        )
    if (fields.pop("shop", ""), fields.get("task"), fields.get("number")) != (shop, task, number):
        raise _broken(shop, task, expected, "found one that was written elsewhere: it was moved or inserted")
    if fields["previous"] != (before[-1].hash if before else FIRST):
        raise _broken(shop, task, expected, "found one that follows another: it, or the one before it, was exchanged")
    return Entry(**fields, hash=stored_hash)


def _broken(shop: str, task: str, number: int, reason: str) -> LedgerError:
    return LedgerError(
        f"the ledger of {shop}.{task} is broken: expected entry {number} as it was written, {reason}; "
        "nothing is promoted or rolled back until the ledger is restored from a backup (docs/ledger.md)"
    )
