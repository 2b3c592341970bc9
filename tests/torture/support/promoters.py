"""Promoters that are killed, and readers that look on: who serves while many move the champion at once.

Run as a program with the folder of a shop, how many moves there have to be, how many kills, and a seed; or with every
how many calls to kill. This process never opens the shop's databases, so that its children may.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from sqlalchemy import Connection

from features.config.sections import Config
from features.errors import JourneycastError
from models.bundle import load
from models.databases.sql import Transaction
from models.ledger import MOVES, PROMOTED, Entry
from models.promotion import Promotion
from models.registry.versions import Registry
from tests.support.registered_shop import TASK, hand, promote, register, shop
from tests.torture.support.killed import ended, forked

VERSIONS, PROMOTERS, READERS = 6, 4, 8
CALLS = (  # of a promotion or a rollback: between any two of them it may be killed
    (MlflowClient, "get_registered_model"),
    (MlflowClient, "search_model_versions"),
    (MlflowClient, "set_registered_model_alias"),
    (MlflowClient, "delete_registered_model_alias"),
    (MlflowClient, "set_registered_model_tag"),
    (Transaction, "run"),
    (Transaction, "rows"),
    (Connection, "commit"),
    (Connection, "close"),
)


def fill(config: Config) -> None:
    """Register some versions and let the first serve."""
    registry = Registry.open(config)
    versions = [register(config, registry, seed) for seed in range(VERSIONS)]
    promote(Promotion.open(config), versions[0])


def move(config: Config, seed: int, moves: int) -> None:
    """Promote and roll back at random until there were enough moves."""
    chance, succession, done = random.Random(seed), Promotion.open(config), config.folder / "moves"
    versions = succession.registry.versions(TASK)
    while not done.exists() or done.stat().st_size < moves:
        succession.settle(TASK)
        if chance.random() < 0.3 and len(succession.served(TASK)) > 1:
            try:
                succession.rollback(TASK, hand(), why="by chance")
            except JourneycastError as error:
                if "expected an earlier champion" not in str(error):  # others were faster
                    raise
        else:
            promote(succession, chance.choice(versions))
        with done.open("ab", buffering=0) as file:
            file.write(b".")


def look(config: Config, number: int) -> None:
    """Ask who serves, over and over, as a service does; leave how often, and what should not have been."""
    registry, reads, wrong = Registry.open(config), 0, []
    while not (config.folder / "over").exists():
        try:
            champion = registry.champion(TASK)
            if champion is None:
                wrong.append("no champion")
            else:
                load(registry.fetch(champion, config.workspace_path / "bundles"), champion.digest)
        except Exception as error:  # noqa: BLE001  whatever it is, a reader must never meet it
            wrong.append(repr(error))
        reads += 1
        time.sleep(0.1)
    (config.folder / f"reader {number}").write_text(json.dumps([reads, wrong]))


def judge(config: Config) -> None:
    """Leave whether the chain is one, and whether the registry says what it says."""
    succession = Promotion.open(config)
    entries = succession.history(TASK)
    wrong = linear(entries)
    standing, serves = succession.registry.standing(TASK), succession.served(TASK)[0]
    if standing.champion != serves.version or standing.challenger == serves.version:
        wrong.append(f"the ledger says {serves.version}, the registry {standing}")
    (config.folder / "judged").write_text(json.dumps([len(entries), wrong]))


def linear(entries: tuple[Entry, ...]) -> list[str]:
    """Where an entry does not go on from the one before it that moved the champion."""
    moved = [entry for entry in entries if entry.what in MOVES]
    return [
        f"entry {later.number} came after {later.before}, and {earlier.version} served"
        for earlier, later in pairwise(moved)
        if later.before != earlier.version
    ]


def crowd(folder: Path, moves: int, kills: int, seed: int) -> dict[str, Any]:
    """What came of it when many moved the champion and were killed."""
    config, chance, violations = shop(folder), random.Random(seed), list[str]()
    assert ended(forked(fill, config)) == 0
    readers = [forked(look, config, number) for number in range(READERS)]
    promoters = [forked(move, config, seed + number, moves) for number in range(PROMOTERS)]
    killed = 0
    for kill in range(kills):
        wait_for(folder / "moves", min(kill * moves // kills, moves - PROMOTERS))
        time.sleep(chance.random() * 0.2)
        place = chance.randrange(PROMOTERS)
        os.kill(promoters[place], signal.SIGKILL)
        killed += ended(promoters[place]) == -signal.SIGKILL
        promoters[place] = forked(move, config, seed + PROMOTERS + kill, moves)
    violations += [f"a promoter ended with {code}" for code in map(ended, promoters) if code != 0]
    (folder / "over").touch()
    violations += [f"a reader ended with {code}" for code in map(ended, readers) if code != 0]
    assert ended(forked(judge, config)) == 0
    entries, wrong = json.loads((folder / "judged").read_text())
    looked = [json.loads((folder / f"reader {number}").read_text()) for number in range(READERS)]
    violations += wrong + [one for _, wrongs in looked for one in wrongs]
    reads = sum(count for count, _ in looked)
    return {"killed": killed, "entries": entries, "reads": reads, "violations": violations}


def warm(folder: Path) -> None:
    """Let MLflow make ready here, on a copy, what it would make ready in every child."""
    database = folder / "workspace" / "mlflow.db"
    if database.exists():
        copy = shop(folder / "warm")
        copy.workspace_path.mkdir(parents=True)
        shutil.copy(database, copy.workspace_path)
        Registry.open(copy)


def wait_for(file: Path, size: int) -> None:
    """Until that many moves were made."""
    while size and not (file.exists() and file.stat().st_size >= size):
        time.sleep(0.005)


def die_at(config: Config, point: int, work: Callable[[Promotion], object]) -> None:
    """Do the work, and be killed before its call of that number."""
    succession, calls = Promotion.open(config), 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return instead

    for place, name in CALLS:
        setattr(place, name, counted(getattr(place, name)))
    work(succession)


def third(succession: Promotion) -> None:
    promote(succession, succession.registry.version(TASK, 3))


def back(succession: Promotion) -> None:
    succession.rollback(TASK, hand(), why="it was worse")


def again(config: Config, wanted: int) -> None:
    """After the kill: somebody serves, registry and ledger agree once opened, and the same verb gets it done."""
    before = Registry.open(config).standing(TASK).champion
    assert before in {1, 3}, before
    succession = Promotion.open(config)
    if succession.served(TASK)[0].version != wanted:
        third(succession) if wanted == 3 else back(succession)
    entries = Promotion.open(config).history(TASK)
    standing = succession.registry.standing(TASK)
    assert (entries[-1].version, standing.champion) == (wanted, wanted)
    assert standing.challenger != wanted
    assert linear(entries) == []
    assert {entry.what for entry in entries[1::2]} == {PROMOTED}  # a move was never made twice


def each_call(folder: Path, every: int) -> dict[str, Any]:
    """What came of promotions and rollbacks that were killed before each of their calls, or every so many."""
    config, killed, violations, point = shop(folder), 0, list[str](), 1
    assert ended(forked(fill, config)) == 0
    while True:
        codes = []
        for wanted, work in ((3, third), (1, back)):
            codes.append(ended(forked(die_at, config, point, work)))
            if ended(forked(again, config, wanted)) != 0:
                violations.append(f"{work.__name__}, killed before call {point}, did not end well")
        killed += codes.count(-signal.SIGKILL)
        if set(codes) == {0}:
            return {"killed": killed, "calls": point - 1, "violations": violations}
        point += every


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    warm(Path(place))
    made = crowd if len(numbers) == 3 else each_call
    print(json.dumps(made(Path(place), *map(int, numbers))))
