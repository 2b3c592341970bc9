"""Against real SQLite, and real PostgreSQL where one runs."""

import itertools
import json
import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from features.config.load import parse
from features.config.sections import Config
from features.errors import ConfigError, DatabaseError, DiskError, LedgerError
from features.system.files import canonical_json, text_digest
from models.databases import sql as door
from models.databases.sql import Database
from models.ledger import ADDRESS, TABLE, Entry, Ledger, live_on, served, serving

FIELDS: dict[str, Any] = {"digest": "d" * 64, "who": "anna", "when_us": 10, "why": "it is better ✓", "evidence": {}}


def configuration(folder: Path, name: str = "shop") -> Config:
    return parse({"name": name}, folder=folder)


def write(ledger: Ledger, what: str, version: int, task: str = "churn", **more: Any) -> Entry:
    with ledger.writing(task) as page:
        last = serving(page.entries)
        before = None if last is None else last.version
        return page.add(**{**FIELDS, "what": what, "version": version, "before": before, **more})


def write_and_fail(ledger: Ledger) -> None:
    with ledger.writing("churn") as page:
        page.add(**FIELDS, what="promoted", version=1, before=None)
        raise ValueError("in between")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(configuration(tmp_path))


@pytest.fixture
def three(ledger: Ledger) -> Ledger:
    for version in (1, 2, 3):
        write(ledger, "promoted", version, when_us=version * 10)
    return ledger


def tampered(ledger: Ledger, *statements: str) -> None:
    """Change the file as someone who means it."""
    with closing(sqlite3.connect(str(ledger.database.engine.url.database))) as file:
        for change in ("UPDATE", "DELETE"):
            file.execute(f"DROP TRIGGER {TABLE}_no_{change}")
        for statement in statements:
            file.execute(statement)
        file.commit()


def forged(ledger: Ledger, number: int, **changed: Any) -> None:
    """Edit an entry and give it the hash that its new text has."""
    with closing(sqlite3.connect(str(ledger.database.engine.url.database))) as file:
        (written,) = file.execute(f"SELECT entry FROM {TABLE} WHERE number = ?", (number,)).fetchone()
        written = canonical_json(json.loads(written) | changed)
        file.execute(f"DROP TRIGGER {TABLE}_no_UPDATE")
        file.execute(
            f"UPDATE {TABLE} SET entry = ?, hash = ? WHERE number = ?", (written, text_digest(written), number)
        )
        file.commit()


def test_entries_are_numbered_chained_and_come_back_as_they_were_written(ledger: Ledger) -> None:
    evidence = {"figures": [0.1, None, 1e-300, 12345678901234567890], "told": "é ✓ \u0000 'x' :name %s", "ok": True}
    first = write(ledger, "registered", 1, evidence=evidence)
    second = write(ledger, "promoted", 1)
    assert ledger.entries("churn") == (first, second)
    assert (first.number, first.previous, first.before) == (1, "0" * 64, None)
    assert (second.number, second.previous) == (2, first.hash)
    assert first.evidence == evidence


def test_each_task_and_each_shop_has_a_chain_of_its_own(ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, "promoted", 1)
    write(ledger, "promoted", 7, task="value")
    other = Ledger.open(configuration(tmp_path, "other"))
    assert other.entries("churn") == ()
    assert [write(other, "promoted", 3).number, write(ledger, "promoted", 2).number] == [1, 2]


def test_nothing_is_written_when_the_block_raises(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="in between"):
        write_and_fail(ledger)
    assert ledger.entries("churn") == ()


@pytest.mark.parametrize("change", [f"UPDATE {TABLE} SET hash = ''", f"DELETE FROM {TABLE}"])
def test_the_database_itself_refuses_a_change(three: Ledger, change: str) -> None:
    with closing(sqlite3.connect(str(three.database.engine.url.database))) as file:
        with pytest.raises(sqlite3.IntegrityError, match="entries of the ledger are never changed"):
            file.execute(change)
        assert len(three.entries("churn")) == 3


SWAP = [f"UPDATE {TABLE} SET number = {new} WHERE number = {old}" for old, new in ((1, 9), (2, 1), (9, 2))]


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        ([f"UPDATE {TABLE} SET entry = replace(entry, 'anna', 'otto') WHERE number = 2"], "entry 2 .* it was edited"),
        ([f"UPDATE {TABLE} SET entry = x'ff' WHERE number = 3"], "entry 3 .* it was edited"),
        ([f"UPDATE {TABLE} SET hash = 'x' WHERE number = 1"], "entry 1 .* it was edited"),
        ([f"DELETE FROM {TABLE} WHERE number = 1"], "entry 1 .*found entry 2 in its place: it was deleted"),
        ([f"DELETE FROM {TABLE} WHERE number = 2"], "entry 2 .*found entry 3 in its place: it was deleted"),
        (SWAP, "entry 1 .* it was moved or inserted"),
        ([f"INSERT INTO {TABLE} SELECT shop, task, 4, hash, entry FROM {TABLE} WHERE number = 3"], "entry 4 .* moved"),
    ],
)
def test_whoever_changes_entries_breaks_the_chain(three: Ledger, statements: list[str], told: str) -> None:
    tampered(three, *statements)
    with pytest.raises(LedgerError, match=rf"the ledger of shop.churn is broken: expected {told}"):
        three.entries("churn")
    with pytest.raises(LedgerError, match="nothing is promoted or rolled back"), three.writing("churn"):
        pytest.fail("the page of a broken ledger was opened")


def test_an_edited_entry_with_a_new_hash_is_seen_at_the_next_one(three: Ledger) -> None:
    forged(three, 2, who="otto")
    with pytest.raises(LedgerError, match=r"expected entry 3 as it was written, found one that follows another"):
        three.entries("churn")


def test_the_head_tells_that_the_end_was_cut_off_or_exchanged(three: Ledger) -> None:
    entries = three.entries("churn")
    three.complete("churn", entries, "")
    three.complete("churn", entries, entries[1].head)
    three.complete("churn", entries, entries[2].head)
    with pytest.raises(LedgerError, match=r"the ledger lost entries: .* found only 2 in sqlite:.*ledger\.db; restore"):
        three.complete("churn", entries[:2], entries[2].head)
    forged(three, 3, who="otto")
    with pytest.raises(LedgerError, match=r"lost entries: .* found another entry 3 in"):
        three.complete("churn", three.entries("churn"), entries[2].head)
    with pytest.raises(LedgerError, match="lost entries"):
        three.complete("churn", entries, "nonsense")


def test_an_entry_of_a_newer_format_is_refused_with_what_to_do(three: Ledger) -> None:
    forged(three, 3, format=2)
    with pytest.raises(LedgerError, match=r"entry 3 .* was written by a newer version; install that version"):
        three.entries("churn")


def test_a_rollback_takes_the_newest_promotion_away(ledger: Ledger) -> None:
    story = [("registered", 1), ("promoted", 1), ("promoted", 2), ("promoted", 3), ("rolled back", 2), ("refused", 4)]
    for minute, (what, version) in enumerate(story):
        write(ledger, what, version, when_us=minute * 10)
    entries = ledger.entries("churn")
    assert [entry.version for entry in served(entries)] == [2, 1]
    assert [entry.before for entry in entries] == [None, None, 1, 2, 3, 2]
    live = {when: live_on(entries, when) for when in (9, 10, 19, 20, 35, 39, 40, 99)}
    assert {when: entry and entry.version for when, entry in live.items()} == {
        9: None,
        10: 1,
        19: 1,
        20: 2,
        35: 3,
        39: 3,
        40: 2,
        99: 2,
    }


def write_many(config: Config, start: Any, count: int) -> None:
    start.wait()
    ledger = Ledger.open(config)
    for version in range(count):
        write(ledger, "promoted", version)


def test_four_processes_may_make_and_fill_a_ledger_at_once(tmp_path: Path) -> None:
    together(configuration(tmp_path))


def together(config: Config, count: int = 10) -> None:
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(4)
    workers = [fork.Process(target=write_many, args=(config, start, count)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    entries = Ledger.open(config).entries("churn")
    assert [entry.number for entry in entries] == list(range(1, 4 * count + 1))
    assert all(entry.before == earlier.version for earlier, entry in itertools.pairwise(entries))


def test_the_ledger_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, "sqlite:///shared/book é.db")
    write(Ledger.open(configuration(tmp_path)), "promoted", 1)
    assert (tmp_path / "shared/book é.db").is_file()
    assert not (tmp_path / "workspace").exists()


def test_a_ledger_that_cannot_be_written_can_be_read(three: Ledger) -> None:
    file = Path(str(three.database.engine.url.database))
    with three.writing("churn"):  # a writer keeps no reader waiting
        assert len(three.entries("churn")) == 3
    file.chmod(0o400)
    assert len(Ledger.open(configuration(file.parents[1])).entries("churn")) == 3


def test_who_waits_too_long_is_told_why(three: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "WAIT_S", 0.1)
    other = Ledger.open(configuration(Path(str(three.database.engine.url.database)).parents[1]))
    with (
        three.writing("churn"),
        pytest.raises(DatabaseError, match=r"another process has been writing for more than 0.1 s; run it again"),
        other.writing("churn"),
    ):
        pytest.fail("two were writing")


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace/ledger.db").write_bytes(b"no database" * 1000)
    with pytest.raises(DatabaseError, match=r"the database sqlite:.*ledger\.db could not be used: file is not a data"):
        Ledger.open(configuration(tmp_path))


@pytest.mark.parametrize("address", ["nonsense", "mysql://me:secret@db/x", "sqlite://", "sqlite:///:memory:"])
def test_an_address_of_another_kind_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ConfigError, match=r"expected an address like sqlite:///FILE or postgresql") as caught:
        Database.open(address)
    assert "secret" not in str(caught.value)


def test_without_the_driver_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'psycopg'")

    monkeypatch.setattr(door, "create_engine", without)
    with pytest.raises(DatabaseError, match=r"install it with `pip install 'journeycast\[postgres\]'`") as caught:
        Database.open("postgresql+psycopg://me:secret@db/x")
    assert "secret" not in str(caught.value)


def test_a_server_that_is_gone_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, "postgres://me:secret@127.0.0.1:9/shop?password=hidden")
    with pytest.raises(DatabaseError, match=r"the database postgresql\+psycopg://…@127\.0\.0\.1:9/shop") as caught:
        Ledger.open(configuration(tmp_path))
    assert not {"secret", "hidden"} & set(str(caught.value).replace("=", " ").split())


@pytest.fixture
def fresh_database(postgres_url: str) -> Iterator[str]:
    """The address of a database of its own."""
    url, name = make_url(postgres_url), "journeycast_ledger_test"
    server = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def drop() -> None:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))

    drop()
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield url.set(database=name).render_as_string(hide_password=False)
    drop()


@pytest.mark.postgres
def test_postgresql_keeps_a_ledger_just_so(
    tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, fresh_database)
    config = configuration(tmp_path)
    together(config)
    ledger = Ledger.open(config)
    evidence = {"told": "é ✓ \u0000 'x' :name %s"}
    assert write(ledger, "rolled back", 1, evidence=evidence) == ledger.entries("churn")[-1]
    with pytest.raises(ValueError, match="in between"):
        write_and_fail(ledger)
    assert len(ledger.entries("churn")) == 41
    for change in (f"UPDATE {TABLE} SET hash = ''", f"DELETE FROM {TABLE}", f"TRUNCATE {TABLE}"):
        with (
            pytest.raises(DatabaseError, match="entries of the ledger are never changed"),
            ledger.database.writing("x") as transaction,
        ):
            transaction.run(change)
    assert not (tmp_path / "workspace").exists()


@pytest.mark.postgres
def test_on_postgresql_one_task_does_not_wait_for_another(
    tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, fresh_database)
    monkeypatch.setitem(door.POSTGRESQL_LIMITS, "options", "-c lock_timeout=200ms")
    ledger = Ledger.open(configuration(tmp_path))
    with ledger.writing("churn"):
        write(ledger, "promoted", 1, task="value")
        with pytest.raises(DatabaseError, match="lock timeout"):
            write(ledger, "promoted", 1)
    assert write(ledger, "promoted", 1).number == 1


def test_a_full_disk_is_told_as_one(ledger: Ledger) -> None:
    with ledger.database.writing("x") as transaction:
        transaction.run("PRAGMA max_page_count = 1")  # SQLite takes it as: no more than there are
        with pytest.raises(DiskError, match=r"expected room for .*ledger\.db"):
            transaction.run(f"INSERT INTO {TABLE} VALUES ('a', 'b', 1, 'c', :entry)", entry="x" * 100_000)
