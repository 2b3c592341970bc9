"""A broken TOML or environment is refused in one line that names the key, and tells nothing that only the environment
knows."""

import copy
import os
import random
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from features.config.load import load, parse
from features.errors import ConfigError
from tests.features.config.test_load import CONTRACT
from tests.torture.support.sizes import Toll, size

ROOT = Path(__file__).parents[2]
BROKEN = size(150, 500, 5_000)
SECRET = "hunter2 'and' \"more\"\nof it"
NAME = "SHOP_PASSWORD"
Place = tuple[str, ...]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, SECRET)
    monkeypatch.delenv("NOT_SET", raising=False)


def test_a_broken_configuration_is_refused_by_its_key(tmp_path: Path, toll: Toll) -> None:
    for number in range(BROKEN):
        given, named = broken(random.Random(number))
        toll.fault()
        try:
            parse(given, folder=tmp_path)
        except ConfigError as error:
            told = str(error)
            toll.hold(named in told, f"{number}: '{named}' is not named in: {told}")
            toll.hold("\n" not in told, f"{number}: more than a line: {told}")
            toll.hold("hunter2" not in told, f"{number}: a secret is told: {told}")
        except Exception as error:  # noqa: BLE001  whatever is not refused as ours is a finding
            toll.hold(False, f"{number}: {named} raises {error!r}")
        else:
            toll.hold(False, f"{number}: not refused, though {named} is wrong")
    toll.settle(at_least=BROKEN)


def broken(dice: random.Random) -> tuple[dict[str, Any], str]:
    """A configuration with one mistake, and what its message has to name."""
    given = copy.deepcopy(tomllib.loads(CONTRACT))
    place = dice.choice(list(leaves(given)))
    return given, dice.choice([misspelt, of_another_kind, unset, secret, removed, out_of_range])(given, place, dice)


def leaves(given: dict[str, Any], above: Place = ()) -> Iterator[Place]:
    for key, value in given.items():
        if isinstance(value, dict) and key != "costs":
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key)


def table_of(given: dict[str, Any], place: Place) -> dict[str, Any]:
    for key in place[:-1]:
        given = given[key]
    return given


def misspelt(given: dict[str, Any], place: Place, dice: random.Random) -> str:
    table, key = table_of(given, place), place[-1]
    wrong = key + dice.choice(["s_", "x", "_", " ", "é", "[/b]"])
    table[wrong] = table.pop(key)
    return (
        wrong
        if key not in ("kind", "event", "horizon_days", "churn_event", "action", "nothing", "reward")
        else place[-2]
    )


def of_another_kind(given: dict[str, Any], place: Place, dice: random.Random) -> str:
    table_of(given, place)[place[-1]] = dice.choice([{"a": {"b": 1}}, [[1]], [{"a": None}], float("nan")])
    return place[-1].removesuffix("_days").removesuffix("s")


def unset(given: dict[str, Any], place: Place, dice: random.Random) -> str:
    table_of(given, place)[place[-1]] = dice.choice(["${NOT_SET}", "a ${NOT_SET} b"])
    return "NOT_SET"


def secret(given: dict[str, Any], _: Place, dice: random.Random) -> str:
    """A secret where it cannot stand."""
    place = dice.choice(
        [("seed",), ("name",), ("log", "timezone"), ("log", "complete_until"), ("log", "drop_duplicates"), ("tasks",),
         ("tasks", "churn", "kind"), ("tasks", "churn", "horizon_days"), ("tasks", "offer", "reward_unit"),
         ("tasks", "offer", "costs"), ("train", "trials"), ("serve", "port"), ("features", "windows_days")]
    )  # fmt: skip
    for key in place[:-1]:
        given.setdefault(key, {})
    table_of(given, place)[place[-1]] = dice.choice(["${SHOP_PASSWORD}", "so ${SHOP_PASSWORD}", "${SHOP_PASSWORD:-7}"])
    return (
        "kind"
        if place[-1] == "kind"
        else "zone"
        if place[-1] == "timezone"
        else place[-1].removesuffix("_days").removesuffix("s")
    )


def removed(given: dict[str, Any], _: Place, dice: random.Random) -> str:
    task, key = dice.choice(
        [("churn", "kind"), ("churn", "event"), ("churn", "horizon_days"), ("cancels", "active_event"),
         ("cancels", "churn_event"), ("value", "event"), ("offer", "nothing"), ("offer", "reward")]
    )  # fmt: skip
    del given["tasks"][task][key]
    return key.removesuffix("_days")


def out_of_range(given: dict[str, Any], _: Place, dice: random.Random) -> str:
    place, value = dice.choice(OUT_OF_RANGE)
    for key in place[:-1]:
        given.setdefault(key, {})
    table_of(given, place)[place[-1]] = value
    return place[-1].removesuffix("_days").removesuffix("s")


OUT_OF_RANGE: list[tuple[Place, Any]] = [
    (("seed",), -1), (("seed",), 2**31), (("seed",), 1.5), (("name",), "a/b"), (("name",), ""), (("workspace",), ""),
    (("log", "timezone"), "Europe/Pariss"), (("log", "timezone"), "../etc/passwd"), (("log", "timezone"), "a\nb"),
    (("log", "complete_until"), "2025-02-30"), (("log", "customer"), ""), (("log", "time"), "customer_id"),
    (("features", "max_columns"), 0), (("features", "windows_days"), [0]), (("features", "windows_days"), [7, -1]),
    (("train", "trials"), -1), (("train", "threads"), 0), (("train", "max_rows"), float("inf")),
    (("serve", "port"), 0), (("serve", "port"), 65_536), (("serve", "host"), ""),
    (("tasks", "churn", "horizon_days"), 0), (("tasks", "churn", "active_days"), 0),
    (("tasks", "churn", "horizons_days"), [7]), (("tasks", "offer", "reward_unit"), "euros"),
]  # fmt: skip


def syntax(folder: Path) -> dict[str, bytes]:
    return {
        "broken.toml": b"seed = ",
        "twice.toml": b"seed = 1\nseed = 2\n",
        "latin.toml": 'name = "sch\u00f6n"'.encode("latin-1"),
        "binary.toml": bytes(range(256)),
        "lists.toml": b"seed = " + b"[" * 20_000,
        "tables.toml": b"a" + b".a" * 3_000 + b" = 1\n",
        "utf16.toml": "seed = 1".encode("utf-16"),
        "null.toml": b"seed = 1\x00",
    }


def test_what_is_no_toml_is_refused_by_its_path(tmp_path: Path, toll: Toll) -> None:
    (tmp_path / "folder.toml").mkdir()
    for name, content in syntax(tmp_path).items():
        (tmp_path / name).write_bytes(content)
    for name in ("folder.toml", "absent.toml", *syntax(tmp_path)):
        toll.fault()
        with pytest.raises(ConfigError, match=rf"{name}") as refused:
            load(tmp_path / name)
        toll.hold("\n" not in str(refused.value), f"{name}: {refused.value}")
    toll.settle()


LOG = '[log]\nsource = ["log.csv"]\ncustomer = "who"\ntime = "at"\nevent = "what"\n'
COMMANDS: dict[str, tuple[str, str]] = {  # a TOML, and what the command line has to say of it
    "a secret": ('seed = "${SHOP_PASSWORD}"', "seed"),
    "a table that rich would read as its own": (
        '[log]\ncustomer = "[/b]"\nsource = ["log.csv"]',
        "which [log] names as `customer`",
    ),
    "a workspace that is a file": ('workspace = "log.csv"\n' + LOG, "workspace"),
    "a source that is not there": ('[log]\nsource = ["[/x]*.csv"]', "source '[/x]*.csv'"),
    "an unset variable": ('workspace = "${NOT_SET}"', "NOT_SET"),
}


@pytest.mark.parametrize("name", size(("a table that rich would read as its own",), tuple(COMMANDS), tuple(COMMANDS)))
def test_the_command_line_says_it_in_a_line_and_ends_with_2(tmp_path: Path, name: str, toll: Toll) -> None:
    toml, named = COMMANDS[name]
    (tmp_path / "log.csv").write_text("who,at,what\na,2025-01-01,buy\n")
    (tmp_path / "shop.toml").write_text(toml)
    command = [sys.executable, "journeycast.py", "-c", str(tmp_path / "shop.toml"), "ingest"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    toll.fault()
    toll.hold(done.returncode == 2, f"ended with {done.returncode}: {done.stderr}")
    toll.hold(named in done.stderr, f"'{named}' is not named in: {done.stderr}")
    toll.hold(done.stderr.strip().count("\n") == 0, f"more than a line: {done.stderr}")
    toll.hold("hunter2" not in done.stderr, f"a secret is told: {done.stderr}")
    toll.settle()
