"""What features exist: every kind that can be declared, one line each, and how to add one.

A kind says its unit, what stands when nothing was seen, and the sentence reasons are made from. All are float64, and a
window is `(cutoff - window, cutoff]`; occurrences are never refunds. `{many}` and `{one}` are the stream in plain
English.

To use a kind, declare it: `[[features.add]]` in the TOML, or a `Feature` in the module that `[features] module` names;
there a Python function of what one customer did up to the cutoff is a feature too (`features.language.functions`). To
add a kind, write its line here, its number in `features.kernel.opcodes`, its few lines in the walk of its group, and
its definition in `tests/support/oracle.py`; every host, property and document then has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Window = Literal["none", "any", "days"]  # the whole stream; any number of days or ever; a number of days
Column = Literal["none", "amount", "category", "attribute"]  # an amount is a number, or without a column the money
Level = Literal["none", "hours", "weekday", "event", "steps", "value"]

NAN = float("nan")
HOURS = ("0-6", "6-12", "12-18", "18-24")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
STEP = ">"  # between the events of a transition or a funnel


@dataclass(frozen=True)
class FeatureKind:
    """What one kind says, and which parts its declaration takes."""

    unit: str
    nothing: float
    text: str
    window: Window = "none"
    column: Column = "none"
    level: Level = "none"


KINDS: Mapping[str, FeatureKind] = {
    # how much
    "count": FeatureKind("occurrences", 0.0, "number of {many} {window}", "any"),
    "refunds": FeatureKind("occurrences", 0.0, "number of refunds among {many} {window}", "any"),
    "sum": FeatureKind("of column", 0.0, "total {column} of {many} {window}", "any", "amount"),
    "gross": FeatureKind("of column", 0.0, "total {column} of {many} {window}, refunds left out", "any", "amount"),
    "refunded": FeatureKind("of column", 0.0, "total {column} refunded of {many} {window}", "any", "amount"),
    "mean": FeatureKind("of column", NAN, "average {column} of {many} {window}", "any", "amount"),
    "min": FeatureKind("of column", NAN, "smallest {column} of {many} {window}", "any", "amount"),
    "max": FeatureKind("of column", NAN, "largest {column} of {many} {window}", "any", "amount"),
    "std": FeatureKind("of column", NAN, "spread of the {column} of {many} {window}", "any", "amount"),
    "last": FeatureKind("of column", NAN, "{column} of the last of the {many} {window}", "any", "amount"),
    "first": FeatureKind("of column", NAN, "{column} of the first of the {many} {window}", "any", "amount"),
    # how it changes: against the span of equal length before; the slope over four quarters of the window
    "count_ratio": FeatureKind("share", NAN, "share of the {many} of twice as long that fell {window}", "days"),
    "sum_ratio": FeatureKind(
        "share", NAN, "share of the {column} of {many} of twice as long that fell {window}", "days", "amount"
    ),
    "count_slope": FeatureKind("a quarter", 0.0, "trend of the number of {many} {window}", "days"),
    "sum_slope": FeatureKind("of column", 0.0, "trend of the {column} of {many} {window}", "days", "amount"),
    "count_acceleration": FeatureKind("occurrences", 0.0, "how the trend of {many} turned {window}", "days"),
    "sum_acceleration": FeatureKind(
        "of column", 0.0, "how the trend of the {column} of {many} turned {window}", "days", "amount"
    ),
    # when
    "recency": FeatureKind("days", NAN, "days since the last {one}"),
    "tenure": FeatureKind("days", NAN, "days since the first {one}"),
    "gap_mean": FeatureKind("days", NAN, "average days between {many}"),
    "gap_std": FeatureKind("days", NAN, "spread of the days between {many}"),
    "gap_max": FeatureKind("days", NAN, "most days between two {many}"),
    "gap_cv": FeatureKind("ratio", NAN, "irregularity of the days between {many}"),
    "silence": FeatureKind("ratio", NAN, "days since the last {one} over the usual days between {many}"),
    "active_days": FeatureKind("days", 0.0, "days with {many} {window}", "any"),
    "active_share": FeatureKind("share", NAN, "share of days with {many} {window}", "any"),
    "hour_share": FeatureKind("share", NAN, "share of {many} at {level} o'clock {window}", "any", level="hours"),
    "weekday_share": FeatureKind("share", NAN, "share of {many} on a {level} {window}", "any", level="weekday"),
    "streak_longest": FeatureKind("days", 0.0, "most days in a row with {many}"),
    "streak_last": FeatureKind("days", 0.0, "days in a row with {many} when last active"),
    # repeat buying as BTYD models read it (Fader, Hardie & Lee, 2005): x, t_x, T in whole local days, and its money
    "repeat_days": FeatureKind("days", NAN, "days with {many} after the first"),
    "repeat_span": FeatureKind("days", NAN, "days from the first to the last day with {many}"),
    "repeat_age": FeatureKind("days", NAN, "days since the first day with {many}"),
    "repeat_value": FeatureKind("of column", NAN, "average value of a day with {many} after the first"),
    # which
    "distinct": FeatureKind(
        "values", 0.0, "number of different values of {column} in {many} {window}", "any", "category"
    ),
    "top_share": FeatureKind("share", NAN, "share of the commonest {column} in {many} {window}", "any", "category"),
    "entropy": FeatureKind("nats", NAN, "how evenly {column} is spread in {many} {window}", "any", "category"),
    "repeat_share": FeatureKind(
        "share", NAN, "share of {many} {window} with a {column} seen before", "any", "category"
    ),
    # compared with what everybody had done when the last day (UTC) before the cutoff ended
    "popularity": FeatureKind(
        "share", NAN, "how common with everybody each {column} of {many} {window} is", "any", "category"
    ),
    "event_share": FeatureKind(
        "share",
        NAN,
        "share of {level} in what everybody did with each {column} of {many} {window}",
        "any",
        "category",
        "event",
    ),
    "cohort_count": FeatureKind("occurrences", NAN, "average number of {many} of customers who came in the same week"),
    # in which order
    "last_1_is": FeatureKind("0 or 1", NAN, "the last of the {many} is {level}", level="event"),
    "last_2_is": FeatureKind("0 or 1", NAN, "the last but one of the {many} is {level}", level="event"),
    "last_3_is": FeatureKind("0 or 1", NAN, "the last but two of the {many} is {level}", level="event"),
    "transitions": FeatureKind("times", 0.0, "how often {level} among {many} {window}", "any", level="steps"),
    "funnel": FeatureKind("stage", 0.0, "furthest stage of {level} in {many} {window}", "any", level="steps"),
    "sessions": FeatureKind("sessions", 0.0, "number of sessions with {many} {window}", "any"),
    "session_length": FeatureKind("minutes", NAN, "average minutes of a session with {many} {window}", "any"),
    "session_depth": FeatureKind("occurrences", NAN, "average number of {many} in a session {window}", "any"),
    "bounce_share": FeatureKind("share", NAN, "share of sessions with only one of the {many} {window}", "any"),
    # the cutoff and the customer; neither reads a stream
    "season_sin": FeatureKind("-1 to 1", NAN, "time of the year (spring against autumn)"),
    "season_cos": FeatureKind("-1 to 1", NAN, "time of the year (winter against summer)"),
    "weekday": FeatureKind("0 to 6", NAN, "day of the week"),
    "attribute": FeatureKind("of column", NAN, "{column} of the profile", column="attribute"),
    "attribute_is": FeatureKind("0 or 1", NAN, "{column} of the profile is {level}", column="attribute", level="value"),
}
CALENDAR = ("season_sin", "season_cos", "weekday")
PROFILE = ("attribute", "attribute_is")
COMPARED = ("popularity", "event_share", "cohort_count")  # they read `features.global_counts`
LOCAL = (  # they read local time
    *CALENDAR,
    "active_days",
    "active_share",
    "hour_share",
    "weekday_share",
    "streak_longest",
    "streak_last",
    "repeat_days",
    "repeat_span",
    "repeat_age",
    "repeat_value",
)
