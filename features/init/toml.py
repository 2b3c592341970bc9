"""The commented configuration that `journeycast init` writes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from features.init.mapping import Mapping as Columns
from features.init.task_proposals import TaskProposal, Value
from features.timeline import DAY_US, iso

EVENTS_SHOWN = 6
COMMENT_AT = 40  # where comments stand, if the line leaves room


@dataclass(frozen=True)
class LogShape:
    """What was found in the log, for the comments."""

    rows: int
    customers: int  # about
    start: int  # µs
    end: int  # µs
    last: int  # µs: the newest time, strays and all
    strays: int
    one_in: int  # customers that were looked at: 1 in n
    events: tuple[tuple[str, int], ...]  # and their rows, about, the commonest first
    refunds: bool
    whole_days: bool  # every time is a midnight
    repeated: int  # rows that equal another one


@dataclass(frozen=True)
class ProfileFiles:
    """Files of customers' attributes."""

    source: tuple[str, ...]
    customer: str
    known: str | None
    shared: float  # share of the log's customers that are in it


def config_text(
    source: tuple[str, ...],
    columns: Columns,
    shape: LogShape,
    profile: ProfileFiles | None,
    proposals: Iterable[TaskProposal],
) -> str:
    """The TOML."""
    parts = [
        _head(shape),
        _log(source, columns, shape),
        _left_out(columns),
        _profile(profile) if profile else [],
        *map(_task, proposals),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def toml_value(value: Value) -> str:
    r"""A TOML value.

    >>> toml_value(("a", 'b "c"')), toml_value(30)
    ('["a", "b \\"c\\""]', '30')
    """
    if isinstance(value, tuple):
        return toml_value(value[0]) if len(value) == 1 else _array(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _array(values: Iterable[str]) -> str:
    return "[" + ", ".join(toml_value(value) for value in values) + "]"


def _head(shape: LogShape) -> list[str]:
    sampled = f" (a sample of 1 in {shape.one_in} was read)" if shape.one_in > 1 else ""
    days = f"{iso(shape.start)[:10]} to {iso(shape.end)[:10]}"
    strays = f"About {shape.strays:,} rows lie far before or after the others; horizons were chosen without them."
    return [
        "# Proposed by `journeycast init`: check it and change what is wrong. docs/configuration.md lists every key.",
        f"# {shape.rows:,} rows, about {shape.customers:,} customers{sampled}, {days}.",
        *([f"# {strays}"] if shape.strays else []),
        "",
        _line("name", "shop", "registered models are called shop.churn, …"),
        _line("workspace", "workspace", "the folder for everything that is written"),
        "seed = 7",
    ]


def _log(source: tuple[str, ...], columns: Columns, shape: LogShape) -> list[str]:
    listed = ", ".join(f"{_plain(event)} ({rows:,})" for event, rows in shape.events[:EVENTS_SHOWN])
    more = f" and {len(shape.events) - EVENTS_SHOWN} more" if len(shape.events) > EVENTS_SHOWN else ""
    optional = {
        "value": "money" + (", refunds negative" if shape.refunds else ""),
        "order": "rows with the same customer, event and order count as one event",
        "known": "when the row reached the shop",
        "id": "rows with the same id are one event",
        "text": "free text; only its length is used",
    }
    return [
        "[log]",
        f"source = {_array(source)}",
        _line("customer", columns.customer),
        _line("time", columns.time),
        _line("event", columns.event, f"{listed}{more}"),
        *(_line(key, getattr(columns, key), comment) for key, comment in optional.items() if getattr(columns, key)),
        *([f"categories = {_array(columns.categories)}"] if columns.categories else []),
        *([f"numbers = {_array(columns.numbers)}"] if columns.numbers else []),
        _line("timezone", "UTC", "of times without an offset: name the shop's zone, such as Europe/Berlin"),
        *_open_choices(columns, shape),
    ]


def _open_choices(columns: Columns, shape: LogShape) -> list[str]:
    """Keys that only a person can set."""
    doubts = []
    if shape.repeated and not columns.id:
        doubts += [
            f"# About {shape.repeated:,} rows repeat another row. If they are copies of one event, remove them:",
            "# drop_duplicates = true",
        ]
    if shape.whole_days:
        newest = iso(shape.last)[:10]
        after = iso(shape.last // DAY_US * DAY_US + DAY_US)[:10]
        return [
            *doubts,
            f"# Every time is a midnight: times are days. The log counts as complete up to the beginning of {newest}.",
            "# If it is complete for that whole day, or longer, say until when; a date means its first instant:",
            f'# complete_until = "{after}"',
        ]
    return [
        *doubts,
        "# The log counts as complete up to its newest event. If it is complete for longer, say until when:",
        f'# complete_until = "{iso(shape.last)}"',
    ]


def _left_out(columns: Columns) -> list[str]:
    return (
        ["# Left out:", *(f"#   {_plain(name)}: {reason}" for name, reason in columns.left_out)]
        if columns.left_out
        else []
    )


def _profile(profile: ProfileFiles) -> list[str]:
    return [
        "[profile]",
        f"source = {_array(profile.source)}",
        _line("customer", profile.customer, f"{profile.shared:.0%} of the log's customers are in it"),
        *([_line("known", profile.known, "from when its attributes hold")] if profile.known else []),
    ]


def _task(proposal: TaskProposal) -> list[str]:
    lines = [f"[tasks.{proposal.name}]", *(f"{key} = {toml_value(value)}" for key, value in proposal.table.items())]
    reasons = [_plain(reason) for reason in proposal.reasons]
    if proposal.ready:
        return [f"# {_plain(proposal.description)}", *(f"#   {reason}" for reason in reasons), *lines]
    missing = f"# Not a task yet: {_plain(proposal.description)}"
    return [missing, *(f"#   {reason}" for reason in reasons), *(f"# {line}" for line in lines)]


def _line(key: str, value: Value, comment: str = "") -> str:
    line = f"{key} = {toml_value(value)}"
    return f"{line:<{COMMENT_AT}}# {comment}" if comment else line


def _plain(words: str) -> str:
    """Words that stay on their line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
