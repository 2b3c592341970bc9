"""A first configuration for somebody's log: `journeycast init`."""

import glob
import os
import shlex
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.config.load import parse
from features.errors import ConfigError, LogError
from features.init import toml
from features.init.column_profile import ColumnProfile, File, columns_of, draw, open_files
from features.init.event_roles import cast
from features.init.mapping import Mapping, settle
from features.init.relations import LOOKED, look
from features.init.repair import advice
from features.init.return_times import Occurrences, occurrences
from features.init.roles import Roles, best, money, roles
from features.init.task_proposals import TaskProposal, propose
from features.init.toml import LogShape, ProfileFiles
from features.init.vocabulary import KNOWN, fit
from features.log.formats import named_files
from features.system import duck
from features.system.files import write_text

MEMORY = "2GB"
SAMPLE = "sample"
NAMES_SHOWN = 20
HEADLESS = "The first line seems to be a row already: put a line with the names of the columns above it."
ONE_ROW_EACH = 0.99  # different customers for each row, from which a file describes customers


@dataclass(frozen=True)
class Group:
    """Files that are read alike, and the facts of the columns that all of them have."""

    files: tuple[File, ...]
    columns: tuple[ColumnProfile, ...]


@dataclass(frozen=True)
class Files:
    """Files of the log, and files of customers' attributes."""

    log: Group
    profile: Group | None


def init(files: Sequence[Path], out: Path) -> list[str]:
    """Write a commented TOML for the log in `files` to `out`, and return what to tell its owner, line by line.

    Raises ConfigError when `out` exists, LogError when the files hold no log.
    """
    if out.exists():
        raise ConfigError(f"expected no file at {out}, found one; move it away, or name another with `-c FILE`")
    paths = named_files(files)
    with (
        tempfile.TemporaryDirectory(prefix="journeycast-") as folder,
        duck.connect(Path(folder), paths, memory=MEMORY) as connection,
    ):
        text, told = _draft(connection, _sorted_out(connection, open_files(connection, paths)), out.parent.resolve())
    parse(tomllib.loads(text), folder=out.parent.resolve())
    write_text(out, text)
    command = "journeycast" if out == Path("journeycast.toml") else f"journeycast -c {shlex.quote(str(out))}"
    return [f"Wrote {out}.", *told, f"Look it over, then run: {command} ingest, and: {command} train"]


def _sorted_out(connection: duck.Connection, files: Sequence[File]) -> Files:
    """Tell log and profile apart, by groups of files with equal columns."""
    logs: list[Group] = []
    profiles: list[Group] = []
    for names in dict.fromkeys(frozenset(file.columns) for file in files):
        group = _group(connection, [file for file in files if frozenset(file.columns) == names])
        found = roles(group.columns)
        if found.missing and not _describes_customers(found):
            raise _no_log(connection, group.files[0], group.columns, found)
        (profiles if found.missing else logs).append(group)
    if not logs:
        wrong = f"{profiles[0].files[0].path}: expected events, found one row for each customer and no event"
        raise LogError(f"{wrong}; name the log beside it")
    log = _joined(connection, logs)
    for role in roles(log.columns).missing:
        raise LogError(
            f"expected one name of the {role} column in all files, found several; rename those of some files"
        )
    return Files(log, _joined(connection, profiles) if profiles else None)


def _group(connection: duck.Connection, files: Sequence[File]) -> Group:
    return Group(tuple(files), columns_of(connection, files, SAMPLE))


def _joined(connection: duck.Connection, groups: Sequence[Group]) -> Group:
    return groups[0] if len(groups) == 1 else _group(connection, [file for group in groups for file in group.files])


def _describes_customers(found: Roles) -> bool:
    return found.customer is not None and found.customer.various >= ONE_ROW_EACH


def _no_log(connection: duck.Connection, file: File, columns: Sequence[ColumnProfile], found: Roles) -> LogError:
    names = [column.name for column in columns]
    listed = ", ".join(names[:NAMES_SHOWN]) + (f" and {len(names) - NAMES_SHOWN} more" if names[NAMES_SHOWN:] else "")
    *others, last = found.missing
    missing = f"{', no '.join(others)} and no {last}" if others else last
    headless = 2 * sum(name.replace(".", "").isdigit() for name in names) >= len(names)
    todo = HEADLESS if headless else advice(connection, file.path, columns, found)
    return LogError(
        f"{file.path}: expected a customer, a time and an event in every row, found no {missing}. "
        f"Columns found: {listed}. {todo}"
    )


def _draft(connection: duck.Connection, files: Files, folder: Path) -> tuple[str, list[str]]:
    """The text of the TOML, and what to tell."""
    columns = files.log.columns
    found, value = roles(columns), money(columns)
    one_in = look(connection, files.log.files, columns, found, value)
    if not duck.number(connection, f"SELECT count(*) FROM {LOOKED}"):
        wrong = f"{files.log.files[0].path}: expected rows with customer, time and event, found none"
        raise LogError(f"{wrong} that has all three; repair the file")
    mapping = settle(connection, columns, found, value)
    log = occurrences(connection, mapping, {column.name: column.place for column in columns}, one_in)
    questions = propose(log, cast(log, mapping.action.event if mapping.action else None), mapping.action)
    seen = _seen(connection, files.log, log, whole_days=found.present["time"].midnights == found.present["time"].times)
    profile = _profile(connection, files.profile, folder) if files.profile else None
    text = toml.text(_source(files.log.files, folder), mapping, seen, profile, questions)
    return text, _told(mapping, seen, questions)


def _seen(connection: duck.Connection, files: Group, log: Occurrences, *, whole_days: bool) -> LogShape:
    counts = duck.rows(connection, f"SELECT event, count(*) AS n FROM {LOOKED} GROUP BY event ORDER BY n DESC, event")
    row = ", ".join(f"t{column.place}" for column in files.columns)
    repeated = duck.number(connection, f"SELECT count(*) - count(DISTINCT hash({row})) FROM {LOOKED}")
    return LogShape(
        rows=sum(file.rows for file in files.files),
        customers=log.customers * log.one_in,
        start=log.start,
        end=log.end,
        last=int(log.time.max()),
        strays=log.strays * log.one_in,
        one_in=log.one_in,
        events=tuple((str(event), int(str(n)) * log.one_in) for event, n in counts),
        refunds=bool((log.value < 0).any()),
        whole_days=whole_days,
        repeated=repeated * log.one_in,
    )


def _profile(connection: duck.Connection, files: Group, folder: Path) -> ProfileFiles:
    who = roles(files.columns).present["customer"]
    known = best(files.columns, lambda column: fit(column.name, KNOWN) if column.is_time else 0.0)
    draw(connection, files.files, {who.name: "t"}, "attributed", ["true"] * len(files.files))
    shared = f"SELECT avg((customer IN (SELECT t0 FROM attributed))::INT) FROM (SELECT DISTINCT customer FROM {LOOKED})"
    share = float(str(duck.rows(connection, shared)[0][0]))
    return ProfileFiles(_source(files.files, folder), who.name, known.name if known else None, share)


def _source(files: Sequence[File], folder: Path) -> tuple[str, ...]:
    """Paths relative to the TOML; a glob where it names the same files, so that new ones are taken too."""
    paths = [file.path for file in files]
    first = paths[0]
    alike = sorted(path for path in first.parent.iterdir() if path.is_file() and path.name.endswith(first.suffix))
    if len(paths) > 1 and alike == sorted(paths):
        return (_relative(first.parent, folder) + "/*" + first.suffix,)
    return tuple(_relative(path, folder) for path in paths)


def _relative(path: Path, folder: Path) -> str:
    """With what a glob or the environment would read otherwise escaped."""
    return glob.escape(Path(os.path.relpath(path, folder)).as_posix()).replace("${", "[$]{")


def _told(mapping: Mapping, seen: LogShape, questions: Sequence[TaskProposal]) -> list[str]:
    columns = {
        key: getattr(mapping, key) for key in ("customer", "time", "event", "value", "order", "known", "id", "text")
    }
    listed = ", ".join(f"{key} = {column}" for key, column in columns.items() if column)
    looked = f" (1 in {seen.one_in} was looked at)" if seen.one_in > 1 else ""
    told = [
        f"{seen.rows:,} rows, about {seen.customers:,} customers{looked}. {listed}.",
        *(f"Left out: {name}: {why}" for name, why in mapping.left_out),
    ]
    for question in questions:
        told.append(
            f"{question.name}: {question.asks}"
            if question.ready
            else f"{question.name} (in the file as a comment): {question.asks}"
        )
        told += [f"    {reason}" for reason in question.why]
    return told
