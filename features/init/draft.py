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
from features.init.column_profile import ColumnProfile, File, create_sample, open_files, profile_columns
from features.init.event_roles import assign_event_roles
from features.init.mapping import Mapping, map_columns
from features.init.relations import JOURNEYS_VIEW, sample_journeys
from features.init.repair import advice
from features.init.return_times import Occurrences, read_occurrences
from features.init.roles import Roles, assign_roles, best_column, money_column
from features.init.task_proposals import TaskProposal, propose_tasks
from features.init.toml import LogShape, ProfileFiles
from features.init.vocabulary import KNOWN, fit
from features.log.files.paths import named_files
from features.system import duck
from features.system.files import write_new_text

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
    """Write a commented TOML for the log in `files` to `out`, and return the messages to its owner, one a line.

    Raises ConfigError when `out` exists, LogError when the files hold no log.
    """
    if out.exists():
        raise _exists(out)
    paths = named_files(files)
    with (
        tempfile.TemporaryDirectory(prefix="journeycast-") as folder,
        duck.connect(Path(folder), paths, memory=MEMORY) as connection,
    ):
        text, messages = _draft(
            connection, _separate_logs_and_profiles(connection, open_files(connection, paths)), out.parent.resolve()
        )
    parse(tomllib.loads(text), folder=out.parent.resolve())
    try:
        write_new_text(out, text)
    except FileExistsError:  # another `init` was faster
        raise _exists(out) from None
    command = "journeycast" if out == Path("journeycast.toml") else f"journeycast -c {shlex.quote(str(out))}"
    return [f"Wrote {out}.", *messages, f"Look it over, then run: {command} ingest, and: {command} train"]


def _exists(out: Path) -> ConfigError:
    return ConfigError(f"expected no file at {out}, found one; move it away, or name another with `-c FILE`")


def _separate_logs_and_profiles(connection: duck.Connection, files: Sequence[File]) -> Files:
    """Tell log and profile apart, by groups of files with equal columns."""
    logs: list[Group] = []
    profiles: list[Group] = []
    for names in dict.fromkeys(frozenset(file.columns) for file in files):
        group = _group(connection, [file for file in files if frozenset(file.columns) == names])
        group_roles = assign_roles(group.columns)
        if group_roles.missing and not _describes_customers(group_roles):
            raise _missing_roles_error(connection, group.files[0], group.columns, group_roles)
        (profiles if group_roles.missing else logs).append(group)
    if not logs:
        wrong = f"{profiles[0].files[0].path}: expected events, found one row for each customer and no event"
        raise LogError(f"{wrong}; name the log beside it")
    log = _joined(connection, logs)
    for role in assign_roles(log.columns).missing:
        raise LogError(
            f"expected one name of the {role} column in all files, found several; rename those of some files"
        )
    return Files(log, _joined(connection, profiles) if profiles else None)


def _group(connection: duck.Connection, files: Sequence[File]) -> Group:
    return Group(tuple(files), profile_columns(connection, files, SAMPLE))


def _joined(connection: duck.Connection, groups: Sequence[Group]) -> Group:
    return groups[0] if len(groups) == 1 else _group(connection, [file for group in groups for file in group.files])


def _describes_customers(column_roles: Roles) -> bool:
    return column_roles.customer is not None and column_roles.customer.distinct_share >= ONE_ROW_EACH


def _missing_roles_error(
    connection: duck.Connection, file: File, columns: Sequence[ColumnProfile], column_roles: Roles
) -> LogError:
    names = [column.name for column in columns]
    listed = ", ".join(names[:NAMES_SHOWN]) + (f" and {len(names) - NAMES_SHOWN} more" if names[NAMES_SHOWN:] else "")
    *earlier, last = column_roles.missing
    missing = f"{', no '.join(earlier)} and no {last}" if earlier else last
    headless = 2 * sum(name.replace(".", "").isdigit() for name in names) >= len(names)
    remedy = HEADLESS if headless else advice(connection, file.path, columns, column_roles)
    return LogError(
        f"{file.path}: expected a customer, a time and an event in every row, found no {missing}. "
        f"Columns found: {listed}. {remedy}"
    )


def _draft(connection: duck.Connection, files: Files, folder: Path) -> tuple[str, list[str]]:
    """The text of the TOML, and the messages."""
    columns = files.log.columns
    column_roles, value = assign_roles(columns), money_column(columns)
    one_in = sample_journeys(connection, files.log.files, columns, column_roles, value)
    if not duck.number(connection, f"SELECT count(*) FROM {JOURNEYS_VIEW}"):
        wrong = f"{files.log.files[0].path}: expected rows with customer, time and event, found none"
        raise LogError(f"{wrong} that has all three; repair the file")
    mapping = map_columns(connection, columns, column_roles, value)
    log = read_occurrences(connection, mapping, {column.name: column.place for column in columns}, one_in)
    proposals = propose_tasks(
        log, assign_event_roles(log, mapping.action.event if mapping.action else None), mapping.action
    )
    shape = _log_shape(
        connection,
        files.log,
        log,
        whole_days=column_roles.present["time"].midnights == column_roles.present["time"].times,
    )
    profile = _profile_files(connection, files.profile, folder) if files.profile else None
    text = toml.config_text(_source(files.log.files, folder), mapping, shape, profile, proposals)
    return text, _messages(mapping, shape, proposals)


def _log_shape(connection: duck.Connection, files: Group, log: Occurrences, *, whole_days: bool) -> LogShape:
    counts = duck.rows(
        connection, f"SELECT event, count(*) AS n FROM {JOURNEYS_VIEW} GROUP BY event ORDER BY n DESC, event"
    )
    row = ", ".join(f"t{column.place}" for column in files.columns)
    repeated = duck.number(connection, f"SELECT count(*) - count(DISTINCT hash({row})) FROM {JOURNEYS_VIEW}")
    return LogShape(
        rows=sum(file.rows for file in files.files),
        customers=log.customers * log.one_in,
        start=log.start,
        end=log.end,
        last=int(log.time.max()),
        strays=log.strays * log.one_in,
        one_in=log.one_in,
        events=tuple((str(event), int(str(count)) * log.one_in) for event, count in counts),
        refunds=bool((log.value < 0).any()),
        whole_days=whole_days,
        repeated=repeated * log.one_in,
    )


def _profile_files(connection: duck.Connection, files: Group, folder: Path) -> ProfileFiles:
    customer = assign_roles(files.columns).present["customer"]
    known = best_column(files.columns, lambda column: fit(column.name, KNOWN) if column.is_time else 0.0)
    create_sample(connection, files.files, {customer.name: "t"}, "attributed", ["true"] * len(files.files))
    known_customers = f"SELECT DISTINCT customer FROM {JOURNEYS_VIEW}"
    shared = f"SELECT avg((customer IN (SELECT t0 FROM attributed))::INT) FROM ({known_customers})"
    share = float(str(duck.rows(connection, shared)[0][0]))
    return ProfileFiles(_source(files.files, folder), customer.name, known.name if known else None, share)


def _source(files: Sequence[File], folder: Path) -> tuple[str, ...]:
    """Paths relative to the TOML; a glob where it names the same files, so that new ones are taken too."""
    paths = [file.path for file in files]
    first = paths[0]
    same_suffix = sorted(path for path in first.parent.iterdir() if path.is_file() and path.name.endswith(first.suffix))
    if len(paths) > 1 and same_suffix == sorted(paths):
        return (_relative(first.parent, folder) + "/*" + first.suffix,)
    return tuple(_relative(path, folder) for path in paths)


def _relative(path: Path, folder: Path) -> str:
    """With what a glob or the environment would read otherwise escaped."""
    return glob.escape(Path(os.path.relpath(path, folder)).as_posix()).replace("${", "[$]{")


def _messages(mapping: Mapping, shape: LogShape, proposals: Sequence[TaskProposal]) -> list[str]:
    columns = {
        key: getattr(mapping, key) for key in ("customer", "time", "event", "value", "order", "known", "id", "text")
    }
    listed = ", ".join(f"{key} = {column}" for key, column in columns.items() if column)
    sampled = f" (a sample of 1 in {shape.one_in} was read)" if shape.one_in > 1 else ""
    messages = [
        f"{shape.rows:,} rows, about {shape.customers:,} customers{sampled}. {listed}.",
        *(f"Left out: {name}: {reason}" for name, reason in mapping.left_out),
    ]
    for proposal in proposals:
        messages.append(
            f"{proposal.name}: {proposal.description}"
            if proposal.ready
            else f"{proposal.name} (only as a comment in the file): {proposal.description}"
        )
        messages += [f"    {reason}" for reason in proposal.reasons]
    return messages
