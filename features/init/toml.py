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


def text(
    source: tuple[str, ...],
    columns: Columns,
    seen: LogShape,
    profile: ProfileFiles | None,
    questions: Iterable[TaskProposal],
) -> str:
    """The TOML."""
    parts = [
        _head(seen),
        _log(source, columns, seen),
        _left_out(columns),
        _profile(profile) if profile else [],
        *map(_task, questions),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def quoted(value: Value) -> str:
    r"""A TOML value.

    >>> quoted(("a", 'b "c"')), quoted(30)
    ('["a", "b \\"c\\""]', '30')
    """
    if isinstance(value, tuple):
        return quoted(value[0]) if len(value) == 1 else _array(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _array(values: Iterable[str]) -> str:
    return "[" + ", ".join(quoted(value) for value in values) + "]"


def _head(seen: LogShape) -> list[str]:
    sampled = f" (1 in {seen.one_in} was looked at)" if seen.one_in > 1 else ""
    days = f"{iso(seen.start)[:10]} to {iso(seen.end)[:10]}"
    strays = f"About {seen.strays:,} rows lie far before or after the rest; horizons were guessed without them."
    return [
        "# Guessed by `journeycast init`: look it over, change what is wrong. docs/configuration.md lists every key.",
        f"# {seen.rows:,} rows, about {seen.customers:,} customers{sampled}, {days}.",
        *([f"# {strays}"] if seen.strays else []),
        "",
        _line("name", "shop", "registered models are called shop.churn, …"),
        _line("workspace", "workspace", "the folder for everything that is written"),
        "seed = 7",
    ]


def _log(source: tuple[str, ...], columns: Columns, seen: LogShape) -> list[str]:
    listed = ", ".join(f"{_plain(event)} ({rows:,})" for event, rows in seen.events[:EVENTS_SHOWN])
    more = f" and {len(seen.events) - EVENTS_SHOWN} more" if len(seen.events) > EVENTS_SHOWN else ""
    optional = {
        "value": "money" + (", refunds negative" if seen.refunds else ""),
        "order": "rows of one customer, event and order are one occurrence",
        "known": "when the row was learnt of",
        "id": "one event for each id",
        "text": "free text, of which the length is read",
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
        *_doubts(columns, seen),
    ]


def _doubts(columns: Columns, seen: LogShape) -> list[str]:
    """Keys that only a person can set."""
    doubts = []
    if seen.repeated and not columns.id:
        doubts += [
            f"# About {seen.repeated:,} rows equal another one. If they were delivered twice and did not happen twice:",
            "# drop_duplicates = true",
        ]
    if seen.whole_days:
        newest = iso(seen.last)[:10]
        after = iso(seen.last // DAY_US * DAY_US + DAY_US)[:10]
        return [
            *doubts,
            f"# Every time is a midnight: times are days. The log counts as complete up to the beginning of {newest}.",
            "# If it holds that whole day, or misses nothing for longer, say so; a date means its first instant:",
            f'# complete_until = "{after}"',
        ]
    return [
        *doubts,
        "# The log counts as complete up to its newest event. If it misses nothing for longer, say until when:",
        f'# complete_until = "{iso(seen.last)}"',
    ]


def _left_out(columns: Columns) -> list[str]:
    return (
        ["# Left out:", *(f"#   {_plain(name)}: {why}" for name, why in columns.left_out)] if columns.left_out else []
    )


def _profile(profile: ProfileFiles) -> list[str]:
    return [
        "[profile]",
        f"source = {_array(profile.source)}",
        _line("customer", profile.customer, f"{profile.shared:.0%} of the log's customers are in it"),
        *([_line("known", profile.known, "from when its attributes hold")] if profile.known else []),
    ]


def _task(question: TaskProposal) -> list[str]:
    lines = [f"[tasks.{question.name}]", *(f"{key} = {quoted(value)}" for key, value in question.table.items())]
    why = [_plain(reason) for reason in question.why]
    if question.ready:
        return [f"# {_plain(question.asks)}", *(f"#   {reason}" for reason in why), *lines]
    missing = f"# Not asked yet: {_plain(question.asks)}"
    return [missing, *(f"#   {reason}" for reason in why), *(f"# {line}" for line in lines)]


def _line(key: str, value: Value, comment: str = "") -> str:
    line = f"{key} = {quoted(value)}"
    return f"{line:<{COMMENT_AT}}# {comment}" if comment else line


def _plain(words: str) -> str:
    """Words that stay on their line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
