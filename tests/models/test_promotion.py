"""Registry and ledger stay one, on real SQLite. One MLflow database serves all tests, each with a shop of its own."""

import io
import json
import logging
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

import journeycast
from features.config.sections import Config
from features.errors import BundleError, ConfigError, DatabaseError, JourneycastError, LedgerError
from models import promotion
from models.actor import Actor, who
from models.databases.sql import Database
from models.ledger import TABLE, Ledger
from models.promotion import Promotion
from models.registry.version import Version
from models.registry.versions import Registry, Standing
from tests.support.registered_shop import ASKED, TASK, hand, prepared, promote, register
from tests.torture.support.killed import ended, forked
from training.lifecycle.versions import history, table
from training.lifecycle.versions import promote as promote_by_hand
from training.lifecycle.versions import rollback as roll_back_by_hand

SHOPS = count()


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, tracking_database: Path) -> Config:
    return prepared(tmp_path_factory.mktemp("succession"), tracking_database)


@dataclass(frozen=True)
class House:
    """A shop with three versions, of which nobody serves."""

    config: Config
    versions: tuple[Version, ...]

    @property
    def succession(self) -> Promotion:
        return Promotion.open(self.config)

    @property
    def standing(self) -> Standing:
        return Registry.open(self.config).standing(TASK)

    def promoted(self, *numbers: int) -> Promotion:
        succession = self.succession
        for minute, number in enumerate(numbers):
            promote(succession, self.versions[number - 1], minute)
        return succession


@pytest.fixture
def house(first: Config) -> House:
    number = next(SHOPS)
    config = first.model_copy(update={"name": f"shop{number}"})
    registry = Registry.open(config)
    return House(config, tuple(register(config, registry, 10 * number + seed) for seed in (1, 2, 3)))


def test_a_promotion_moves_the_alias_and_is_entered(house: House) -> None:
    succession = house.promoted(1, 3)
    first, second = succession.history(TASK)
    assert (first.what, first.version, first.before, first.digest) == ("promoted", 1, None, house.versions[0].digest)
    assert (second.version, second.before, second.who, second.why) == (3, 1, "anna", "it is better")
    assert second.evidence == {"auroc": 0.75, "run_id": house.versions[2].run_id}
    assert house.standing == Standing(3, None, second.head)  # the challenger serves: nobody wants to


def test_the_challenger_stays_when_another_is_promoted(house: House) -> None:
    house.promoted(1)
    assert (house.standing.champion, house.standing.challenger) == (1, 3)


def test_the_champion_is_not_promoted_again(house: House) -> None:
    succession = house.promoted(1, 2)
    entry = succession.promote(TASK, house.versions[1], hand(9), why="again", evidence={})
    assert entry == succession.history(TASK)[-1]
    assert len(succession.history(TASK)) == 2


def test_a_bundle_that_two_trainings_registered_at_once_is_promoted_once(house: House) -> None:
    succession = house.promoted(1)
    twin = replace(house.versions[1], digest=house.versions[0].digest)
    assert succession.promote(TASK, twin, hand(9), why="trained", evidence={}).version == 1
    assert len(succession.history(TASK)) == 1


def test_what_was_judged_against_one_champion_does_not_replace_another(house: House) -> None:
    succession, third = house.promoted(1), house.versions[2]
    with pytest.raises(JourneycastError, match=r"expected no version to serve, as when version 3 .*, found version 1"):
        succession.promote(TASK, third, hand(8), why="trained", evidence={}, over=None)
    promote(succession, house.versions[1], 8)  # meanwhile, by a person
    with pytest.raises(JourneycastError, match=r"expected version 1 to serve, .*, found version 2: .*; train again"):
        succession.promote(TASK, third, hand(9), why="trained", evidence={}, over=1)
    assert house.standing.champion == 2
    assert succession.promote(TASK, third, hand(9), why="trained", evidence={}, over=2).before == 2


def test_rollback_goes_back_step_by_step_until_there_is_no_earlier_champion(house: House) -> None:
    succession = house.promoted(1, 2, 3)
    assert [entry.version for entry in succession.served(TASK)] == [3, 2, 1]
    assert (succession.rollback(TASK, hand(4), why="it was worse").version, house.standing.champion) == (2, 2)
    back = succession.rollback(TASK, hand(5), why="so was that")
    assert (back.what, back.version, back.before, house.standing.champion) == ("rolled back", 1, 2, 1)
    with pytest.raises(
        JourneycastError, match=r"expected an earlier champion of shop\d+.offer .*, found none; let anot"
    ):
        succession.rollback(TASK, hand(6), why="more")
    promote(succession, house.versions[2], 7)
    assert [entry.version for entry in succession.served(TASK)] == [3, 1]


def test_what_was_live_at_an_instant_is_one_call(house: House) -> None:
    succession = house.promoted(1, 2)
    succession.rollback(TASK, hand(2), why="it was worse")
    at = [succession.live_on(TASK, hand(0).when_us + seconds * 1_000_000) for seconds in (-1, 0, 59, 60, 119, 120)]
    assert [entry and entry.version for entry in at] == [None, 1, 1, 2, 2, 1]


def test_registrations_and_refusals_are_entered_once_each(house: House) -> None:
    succession, version = house.promoted(1), house.versions[1]
    for _ in range(2):  # a killed training is run again
        succession.register(TASK, version, hand(1), why="trained", evidence={"auroc": 0.7})
    for _ in range(2):
        succession.refuse(TASK, version, hand(1), why="it is worse", evidence={"conditions": []})
    succession.register(TASK, version, hand(2), why="trained", evidence={})
    entries = succession.history(TASK)
    assert [(entry.what, entry.version, entry.before) for entry in entries[1:]] == [
        ("registered", 2, 1),
        ("refused", 2, 1),
    ]
    assert house.standing.champion == 1


def test_a_pruned_version_is_promoted_only_once_it_was_registered_again(house: House) -> None:
    succession, version = house.promoted(1), house.versions[1]
    succession.register(TASK, version, hand(1), why="trained", evidence={})
    for _ in range(2):
        succession.prune(TASK, version, hand(2), why="it is old")
    with pytest.raises(JourneycastError, match=r"version 2 of .* was pruned; promote another, or train again"):
        promote(succession, version)
    with pytest.raises(JourneycastError, match=r"expected version 1 of .* to have never served; it stays"):
        succession.prune(TASK, house.versions[0], hand(2), why="it is old")
    succession.register(TASK, version, hand(3), why="trained", evidence={})
    promote(succession, version)
    entered = [entry.what for entry in succession.history(TASK)]
    assert entered == ["promoted", "registered", "pruned", "registered", "promoted"]


def test_what_a_person_writes_can_be_written_down_and_shows_no_password(house: House) -> None:
    why = "from postgresql://me:hunter2@db/shop \udc80 [bold]"
    entry = house.succession.promote(TASK, house.versions[0], Actor("\udcff", 1), why=why, evidence={})
    assert (entry.who, entry.why) == ("?", "from postgresql://…@db/shop ? [bold]")


@pytest.mark.parametrize("damage", ["edit", "delete"])
def test_a_damaged_bundle_is_neither_promoted_nor_rolled_back_to(house: House, damage: str) -> None:
    succession = house.promoted(1, 2)
    for version in (house.versions[0], house.versions[2]):
        places = [house.config.workspace_path / "bundles" / version.digest]
        if damage == "delete":
            assert succession.registry.artifacts is not None
            places += [next(succession.registry.artifacts.rglob(f"{version.run_id}/artifacts/bundle"))]
        for place in places:
            (place / "bundle.json").unlink() if damage == "delete" else (place / "bundle.json").write_text("{}")
    message = "expected SHA-256" if damage == "edit" else "expected exactly the files of its manifest"
    with pytest.raises(BundleError, match=message):
        succession.rollback(TASK, hand(3), why="it was worse")
    with pytest.raises(BundleError, match=message):
        promote(succession, house.versions[2])
    assert len(succession.history(TASK)) == 2
    assert (house.standing.champion, house.standing.challenger) == (2, 3)


def test_a_rollback_of_a_named_version_may_be_asked_twice(house: House) -> None:
    succession = house.promoted(1, 2, 3)
    first = succession.rollback(TASK, hand(4), why="it was worse", of=3)
    again = succession.rollback(TASK, hand(5), why="it was worse", of=3)
    assert (again.number, again.version) == (first.number, 2)
    assert house.standing.champion == 2
    message = roll_back_by_hand(house.config, TASK, 1, hand(6), None)
    assert message.startswith(f"{TASK} v1 does not serve: v2 does, since 2025-02-20")


def test_when_mlflow_fails_nothing_is_entered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    succession = house.promoted(1)

    def fail(*_: object) -> None:
        raise JourneycastError("MLflow could not set champion")

    monkeypatch.setattr(Registry, "set_champion", fail)
    with pytest.raises(JourneycastError, match="could not set champion"):
        promote(succession, house.versions[1])
    with pytest.raises(JourneycastError, match="could not set champion"):
        house.promoted(1, 2).rollback(TASK, hand(3), why="")
    monkeypatch.undo()
    assert [entry.version for entry in house.succession.history(TASK)] == [1]
    assert house.standing.champion == 1


def test_when_the_ledger_fails_at_the_last_moment_the_alias_goes_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    succession, writing = house.promoted(1), Database.writing

    @contextmanager
    def failing(self: Database, lock: str) -> Iterator[Any]:
        monkeypatch.undo()
        with writing(self, lock) as transaction:
            yield transaction
            raise DatabaseError("the disk went away at the commit")

    monkeypatch.setattr(Database, "writing", failing)
    with pytest.raises(DatabaseError, match="went away"):
        promote(succession, house.versions[1])
    assert house.standing.champion == 1
    assert len(succession.history(TASK)) == 1


def test_an_alias_moved_in_the_ui_is_put_back(house: House) -> None:
    house.promoted(1, 2)
    Registry.open(house.config).set_champion(TASK, house.versions[2])
    assert house.succession.served(TASK)[0].version == 2
    assert house.standing.champion == 2


def test_a_champion_from_before_there_was_a_ledger_is_entered_once(house: House) -> None:
    Registry.open(house.config).set_champion(TASK, house.versions[1])
    for _ in range(2):
        (entry,) = house.succession.history(TASK)
    assert (entry.what, entry.version, entry.before, entry.who) == ("promoted", 2, None, "journeycast")
    assert (entry.why, entry.when_us) == ("it served before there was a ledger", house.versions[1].created_us)
    assert house.succession.promote(TASK, house.versions[0], hand(), why="", evidence={}).before == 2


def test_an_alias_that_the_ledger_of_a_task_knows_nothing_of_goes(house: House) -> None:
    succession = house.succession
    succession.register(TASK, house.versions[1], hand(), why="trained", evidence={})
    succession.registry.set_champion(TASK, house.versions[1])  # all that is left of a first promotion that was killed
    assert house.succession.served(TASK) == ()
    assert (house.standing.champion, house.standing.challenger) == (None, 3)
    promote(succession, house.versions[1])
    assert [entry.what for entry in succession.history(TASK)] == ["registered", "promoted"]


def test_a_champion_deleted_in_mlflow_keeps_nobody_from_being_promoted(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    succession = house.promoted(1, 2)
    succession.registry.client.delete_model_version(house.versions[1].name, "2")
    with caplog.at_level(logging.WARNING, logger=promotion.__name__):
        succession = house.succession
    assert "expected version 2 of" in caplog.text
    assert house.standing == Standing(None, 3, succession.history(TASK)[-1].head)
    promote(succession, house.versions[2])
    assert succession.history(TASK)[-1].before == 2
    assert house.standing == Standing(3, None, succession.history(TASK)[-1].head)
    with pytest.raises(BundleError, match=r"as the ledger's entry 2 says, found none; let another version serve with"):
        succession.rollback(TASK, hand(), why="")
    assert house.standing.champion == 3


def test_where_mlflow_was_lost_and_the_ledger_was_not_one_can_go_on(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.promoted(1, 2).registry.client.delete_registered_model(house.versions[0].name)
    with caplog.at_level(logging.WARNING, logger=promotion.__name__):
        succession = house.succession
    assert "expected version 2 of" in caplog.text
    made = register(house.config, succession.registry, 99)
    promote(succession, made, 5)
    assert [(entry.version, entry.before) for entry in succession.history(TASK)] == [(1, None), (2, 1), (1, 2)]
    assert house.standing.champion == 1


def cut(ledger: Ledger, *statements: str) -> None:
    with closing(sqlite3.connect(str(ledger.database.engine.url.database))) as file:
        for change in ("UPDATE", "DELETE"):
            file.execute(f"DROP TRIGGER IF EXISTS {TABLE}_no_{change}")
        for statement in statements:
            file.execute(statement, (ledger.shop,))
        file.commit()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f"UPDATE {TABLE} SET entry = replace(entry, 'anna', 'otto') WHERE number = 1 AND shop = ?", "it was edited"),
        (f"DELETE FROM {TABLE} WHERE number = 2 AND shop = ?", r"lost entries: expected at least 2 .* found only 1"),
        (f"DELETE FROM {TABLE} WHERE shop = ?", r"lost entries: expected at least 2 .* found only 0"),
    ],
)
def test_nothing_moves_by_a_ledger_that_was_changed(house: House, statement: str, told: str) -> None:
    succession = house.promoted(1, 2)
    cut(succession.ledger, statement)
    for attempt in attempts(house, succession):
        with pytest.raises(LedgerError, match=told):
            attempt()
    assert house.standing.champion == 2


def attempts(house: House, succession: Promotion) -> list[Callable[[], object]]:
    return [
        lambda: succession.history(TASK),
        lambda: succession.rollback(TASK, hand(), why=""),
        lambda: promote(succession, house.versions[2]),
        lambda: succession.register(TASK, house.versions[2], hand(), why="", evidence={}),
        lambda: Promotion.open(house.config),
    ]


def test_a_second_ledger_for_the_same_models_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.promoted(1, 2)
    monkeypatch.setenv("JOURNEYCAST_LEDGER_URI", "sqlite:///another.db")
    with pytest.raises(
        LedgerError, match=r"found only 0 in .*another\.db; .*or name the right one in JOURNEYCAST_LEDG"
    ):
        Promotion.open(house.config)


def kill_at(house: House, module: Any, name: str, work: Callable[[Promotion], object]) -> None:
    """Do the work in a child that is killed right after that call."""

    def work_and_die() -> None:
        done = getattr(module, name)

        def instead(*args: Any, **kwargs: Any) -> None:
            done(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

        succession = house.succession
        setattr(module, name, instead)
        work(succession)

    assert ended(forked(work_and_die)) == -signal.SIGKILL


@pytest.fixture
def lone(tmp_path: Path, tracking_database: Path) -> House:
    """A shop whose databases this process never opens, so that its children may."""
    config = prepared(tmp_path, tracking_database)

    def fill() -> None:
        registry = Registry.open(config)
        for seed in (1, 2, 3):
            register(config, registry, seed)
        House(config, registry.versions(TASK)[::-1]).promoted(1, 2)

    assert ended(forked(fill)) == 0
    return House(config, ())


def test_a_promotion_killed_between_alias_and_ledger_is_undone_and_can_be_run_again(lone: House) -> None:
    def third(succession: Promotion) -> None:
        promote(succession, succession.registry.version(TASK, 3))

    kill_at(lone, Registry, "set_champion", third)
    assert ended(forked(lambda: expect(lone, standing=3, settled=2))) == 0
    kill_at(lone, Registry, "set_champion", lambda succession: succession.rollback(TASK, hand(), why=""))
    assert ended(forked(lambda: expect(lone, standing=1, settled=2))) == 0
    kill_at(lone, Promotion, "_settle_if_possible", third)
    assert ended(forked(lambda: expect(lone, standing=3, settled=3))) == 0


def expect(house: House, *, standing: int, settled: int) -> None:
    assert house.standing.champion == standing
    assert house.succession.served(TASK)[0].version == settled
    assert house.standing.champion == settled
    assert house.standing.challenger in {None, 3} - {settled}


def test_the_verbs_say_what_they_did_and_may_be_run_again(house: House) -> None:
    config, me = house.config, hand(0, "otto")
    assert promote_by_hand(config, TASK, 1, me, "a try") == (
        "offer v1 serves now; before it nothing did. Entry 1 of the ledger says so."
    )
    assert promote_by_hand(config, TASK, None, hand(1), None).startswith("offer v3 serves now; before it v1 did.")
    assert promote_by_hand(config, TASK, None, me, None) == "offer v3 serves already, and there is no challenger."
    assert promote_by_hand(config, TASK, 3, me, None) == "offer v3 serves already, since 2025-02-20T13:21:00Z."
    assert roll_back_by_hand(config, TASK, None, hand(2), None).startswith("offer v1 serves now; before it v3 did.")
    shown = printed(history(config, TASK))
    assert "History of offer" in shown
    assert [line.split()[0] for line in shown.splitlines()[2:]] == ["1", "2", "3"]
    assert "rolled back by hand" in shown
    assert house.versions[2].digest[:12] in shown
    assert house.versions[2].run_id in shown


def printed(page: object) -> str:
    console = Console(width=240, record=True, file=io.StringIO())
    console.print(page)
    return console.export_text()


def test_history_on_a_date_is_the_one_that_was_live_at_its_first_instant_there(first: Config, house: House) -> None:
    house.promoted(1, 2)  # at 13:20 and 13:21 UTC
    tokyo = house.config.model_copy(
        update={"log": house.config.log.model_copy(update={"timezone": "Asia/Tokyo"}), "name": house.config.name}
    )
    assert "Live at 2025-02-20 22:20:30: offer v1" in printed(history(tokyo, TASK, "2025-02-20T22:20:30"))
    assert "Live at 2025-02-21 00:00:00: offer v2" in printed(history(tokyo, TASK, "2025-02-21"))
    with pytest.raises(JourneycastError, match=r"a version of offer that was live at 2025-02-20 00:00:00, found none"):
        history(tokyo, TASK, "2025-02-20")
    with pytest.raises(ConfigError, match="expected an ISO date"):
        history(tokyo, TASK, "yesterday")


def test_an_empty_history_is_an_empty_table_and_nothing_to_promote_an_error(first: Config) -> None:
    empty = first.model_copy(update={"name": f"shop{next(SHOPS)}"})
    assert history(empty, TASK).row_count == 0
    with pytest.raises(
        JourneycastError, match=r"expected a challenger of shop\d+.offer .* run `journeycast train offer"
    ):
        promote_by_hand(empty, TASK, None, hand(), None)
    with pytest.raises(JourneycastError, match=r"expected version 4 of shop\d+.offer; there are: none; train first"):
        promote_by_hand(empty, TASK, 4, hand(), None)
    with pytest.raises(ConfigError, match="no task 'ofer' in the configuration; did you mean 'offer'"):
        roll_back_by_hand(empty, "ofer", None, hand(), None)


def test_a_table_shows_what_people_wrote_as_it_is(house: House) -> None:
    entry = replace(house.promoted(1).history(TASK)[0], who="[bold]otto", evidence={})
    assert "[bold]otto" in printed(table("title", [entry], "UTC"))


def test_who_asks_is_named_by_the_environment_else_by_user_and_host() -> None:
    assert who({"JOURNEYCAST_WHO": "nightly"}) == "nightly"
    assert "@" in who({})


def test_the_command_line_does_all_three(
    tmp_path: Path, tracking_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journeycast, "console", Console(width=200))  # a worker of xdist gives COLUMNS before we do
    config = prepared(tmp_path, tracking_database)
    register(config, Registry.open(config), 1)
    toml = tmp_path / "journeycast.toml"
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in ASKED.items())
    log = '[log]\nsource = ["log/*"]\ncustomer = "who"\ntime = "at"\nevent = "what"\nvalue = "money"\n'
    toml.write_text(f"{log}[tasks.offer]\n{keys}\n")
    run = CliRunner(env={"JOURNEYCAST_WHO": "nightly"})
    promoted = run.invoke(journeycast.app, ["-c", str(toml), "promote", "offer", "--why", "a try"])
    assert promoted.exception is None, promoted.exception
    assert (promoted.exit_code, promoted.output) == (
        0,
        "offer v1 serves now; before it nothing did. Entry 1 of the ledger says so.\n",
    )
    assert "nightly" in run.invoke(journeycast.app, ["-c", str(toml), "history", "offer"]).output
    failed = run.invoke(journeycast.app, ["-c", str(toml), "rollback", "offer"])
    assert isinstance(failed.exception, JourneycastError)
