"""Faults that do not show, each put into a log, a configuration, a module of features, or a part of our own code.

Every fault says which check of the audit has to find it. The logs are simulated, so that without the fault they are
honest; `case` builds what the audit sees just as a training does.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.arrays import Floats
from features.config.load import parse
from features.config.sections import Config
from features.ingest.run import ingest
from features.journeys import Journeys
from features.language.feature_set import FeatureSet
from features.panel.build import Panel, Rows, build
from features.simulate.write import Shop, simulate
from features.store.reader import Store
from features.timeline import DAY_US, days
from models.tasks import population
from training.audit.case import AuditInput
from training.dataset import examples, split
from training.dataset.examples import Examples, PanelRequest
from training.dataset.labels import Labels, compute_labels
from training.run import prepare

Frame = pd.DataFrame
TOWN = Shop(customers=350, seed=11, history_days=500, future_days=0, lapse_hazard=1 / 300, purchase_rate=1 / 20)
END = pd.Timestamp(TOWN.end_us, unit="us", tz="UTC")
DAY = pd.Timedelta(days=1)
LATE = 2**60  # µs: a clock that finds no event too new
TASK = {"kind": "churn", "event": "purchase", "horizon_days": 40, "active_days": 180}


@dataclass(frozen=True)
class Town:
    """What a shop hands over: events, profile and the configuration's tables, for a fault to change."""

    events: Frame
    people: Frame
    tables: dict[str, Any]
    module: str = ""

    def config(self, folder: Path) -> Config:
        """The same on disk."""
        self.events.to_parquet(folder / "events.parquet")
        self.people.to_parquet(folder / "customers.parquet")
        if self.module:
            (folder / "own.py").write_text(self.module)
        return parse(self.tables, folder=folder)

    def asking(self, **task: Any) -> "Town":
        """With another question."""
        return replace(self, tables={**self.tables, "tasks": {"asked": task}})

    def changed(self, section: str, **keys: Any) -> "Town":
        """With other keys in a table; None takes one out."""
        table = {key: value for key, value in {**self.tables.get(section, {}), **keys}.items() if value is not None}
        return replace(self, tables={**self.tables, section: table})

    def only(self, events: Frame) -> "Town":
        """With these events in the place of its own; columns that they lack are empty."""
        return replace(self, events=events.reindex(columns=self.events.columns).reset_index(drop=True))

    def adding(self, rows: Frame) -> "Town":
        """With more events; the log has no id, so that they need none."""
        return replace(self, events=pd.concat([self.events, rows], ignore_index=True))


@cache
def town(shop: Shop = TOWN) -> Town:
    """The clean shop."""
    with TemporaryDirectory() as folder:
        written = simulate(shop, Path(folder))
        tables = tomllib.loads(written.config.read_text())
        del tables["log"]["id"]
        tables["log"]["complete_until"] = str(tables["log"]["complete_until"])
        events, people = pd.read_parquet(written.events), pd.read_parquet(written.customers)
    return Town(events, people, tables).asking(**TASK)


def case(config: Config, name: str = "") -> AuditInput:
    """What the audit sees of a task, made as a training makes it."""
    ingest(config, clock=lambda: LATE)
    store = Store.open(config.workspace_path, config)
    context, _ = prepare(config, store, as_of=None, trials=0, progress=lambda _: None)
    task = config.task(name or next(iter(config.tasks)))
    cutoffs = split.split(task.horizons_days[0], context.first, context.end)
    request = PanelRequest(task, cutoffs.fitted_days, context.features, context.end, config.train.max_rows)
    rows = examples.build_examples(context.parts, request, cutoffs.cutoffs)
    base = examples.base_values(context.parts, task, context.features, context.as_of, config.train.max_rows)
    return AuditInput(task, context.parts, context.features, rows, cutoffs, base, context.as_of, context.end)


@dataclass(frozen=True)
class Fault:
    """A fault, the check that finds it, and words that its sentence holds.

    `town` changes what a shop hands over, `code` breaks our own code, `case` what is about to be fitted.
    """

    name: str
    check: str
    words: str
    town: Callable[[Town], Town] = lambda clean: clean
    code: Callable[[pytest.MonkeyPatch], None] = lambda _: None
    refuses: bool = True


# --- in the question ------------------------------------------------------------------------------------------------


def misspelt(clean: Town) -> Town:
    return clean.asking(**{**TASK, "event": "purchse", "active_event": "purchase"})


def of_another_value(clean: Town) -> Town:
    return clean.asking(kind="propensity", event="purchase", where={"product": "cofee"}, horizon_days=40)


def silence_of_cancels(clean: Town) -> Town:
    return contracts(clean).asking(kind="churn", event="cancel", active_event="renew", horizon_days=40)


def renewal_is_loss(clean: Town) -> Town:
    keys = {"churn_event": "renew", "active_event": "subscribe", "ended_by": "cancel", "active_days": 500}
    return contracts(clean).asking(kind="churn", horizon_days=40, **keys)


def loss_keeps_alive(clean: Town) -> Town:
    keys = {"churn_event": "renew", "active_event": ["renew", "subscribe"]}
    return contracts(clean).asking(kind="churn", horizon_days=40, **keys)


def contracts(clean: Town) -> Town:
    """Every customer subscribes with the first purchase, renews every month and may cancel."""
    rng = np.random.default_rng(3)
    rows = []
    for customer, first in (
        clean.events.query("event_type == 'purchase'").groupby("customer_id")["timestamp"].min().items()
    ):
        rows.append((customer, first, "subscribe"))
        at = first + 30 * DAY
        while at < END and rng.random() < 0.93:
            rows.append((customer, at, "renew"))
            at += 30 * DAY
        if at < END:
            rows.append((customer, at - 12 * DAY, "cancel"))
    return clean.adding(rows_of(rows))


# --- in the log -----------------------------------------------------------------------------------------------------


def booked_after_silence(clean: Town) -> Town:
    """A nightly job books a customer as lost 60 days after the last purchase."""
    last = clean.events.query("event_type == 'purchase'").groupby("customer_id")["timestamp"].max() + 60 * DAY
    rows = [(customer, at, "closed") for customer, at in last.items() if at < END]
    keys = {"churn_event": "closed", "active_event": "purchase", "active_days": 180}
    return clean.adding(rows_of(rows)).asking(kind="churn", horizon_days=40, **keys)


def only_the_active(_clean: Town) -> Town:
    """The export holds only customers who bought in the last 120 days."""
    clean = town(replace(TOWN, customers=1200))
    last = clean.events.query("event_type == 'purchase'").groupby("customer_id")["timestamp"].max()
    kept = last.index[last > END - 120 * DAY]
    return replace(clean, events=clean.events[clean.events["customer_id"].isin(kept)])


def stopped_early(clean: Town) -> Town:
    """The log ends 30 days before the day it is said to miss nothing up to."""
    return replace(clean, events=clean.events[clean.events["timestamp"] < END - 30 * DAY])


def one_feed_stopped(clean: Town) -> Town:
    """Purchases end 30 days early, everything else goes on."""
    late = (clean.events["timestamp"] >= END - 30 * DAY) & (clean.events["event_type"] == "purchase")
    return replace(clean, events=clean.events[~late])


def with_a_hole(clean: Town) -> Town:
    """Forty days are missing in the middle."""
    at = clean.events["timestamp"]
    return replace(clean, events=clean.events[(at < END - 200 * DAY) | (at >= END - 160 * DAY)])


def backdated_report(clean: Town) -> Town:
    """A report of who bought nothing in forty days is stored under the first day of these forty."""
    bought = clean.events.query("event_type == 'purchase'").sort_values("timestamp")
    rows = []
    for customer, times in bought.groupby("customer_id")["timestamp"]:
        for at in pd.date_range(times.iloc[0], END - 40 * DAY, freq="2D"):
            place = times.searchsorted(at, side="right")
            if place == len(times) or times.iloc[place] > at + 40 * DAY:
                rows.append((customer, at, "inactive"))
    return clean.adding(rows_of(rows))


def won_back(clean: Town) -> Town:
    """A mail to everybody who has been silent for as long as the horizon."""
    bought = clean.events.query("event_type == 'purchase'").sort_values("timestamp")
    rows = []
    for customer, times in bought.groupby("customer_id")["timestamp"]:
        following = [*times.iloc[1:], END]
        rows += [
            (customer, at + 45 * DAY, "winback_mail")
            for at, later in zip(times, following, strict=True)
            if at + 45 * DAY < later
        ]
    return clean.adding(rows_of(rows))


def campaign_wins_back(clean: Town) -> Town:
    """The same among the firm's other mails, told apart by a column."""
    mails = won_back(clean).events
    late = mails["event_type"] == "winback_mail"
    mails.loc[late, "channel"], mails.loc[late, "event_type"] = "reactivation", "email"
    return replace(clean, events=mails)


def in_other_units(clean: Town) -> Town:
    """For the last two months views come in a hundredfold: a bot, or a feed that repeats itself."""
    late = clean.events[(clean.events["timestamp"] > END - 39 * DAY) & (clean.events["event_type"] == "view")]
    every = clean.people[["customer_id"]].merge(pd.DataFrame({"number": range(60)}), how="cross")
    rows = [
        (customer, END - 20 * DAY + number * DAY / 24, "view") for customer, number in every.itertuples(index=False)
    ]
    return clean.adding(pd.concat([late, rows_of(rows)]))


# --- in the profile and the module of features ----------------------------------------------------------------------


def status_of_today(clean: Town) -> Town:
    """The profile says who is a customer today, with no word on when that was learnt."""
    last = clean.events.query("event_type == 'purchase'").groupby("customer_id")["timestamp"].max()
    gone = clean.people["customer_id"].map(last) < END - 60 * DAY
    people = clean.people.assign(status=np.where(gone, "former", "current")).drop(columns="updated_at")
    return replace(clean, people=people).changed("profile", known=None)


def orders_of_today(clean: Town) -> Town:
    """The profile counts the orders of a whole life, the future included."""
    last = clean.events.query("event_type == 'purchase'").groupby("customer_id")["timestamp"].max()
    days_since = (END - clean.people["customer_id"].map(last)).dt.total_seconds() / 86_400
    people = clean.people.assign(days_since_order=days_since.fillna(999.0)).drop(columns="updated_at")
    return replace(clean, people=people).changed("profile", known=None)


COUNTER = """
from features.custom import feature

calls = []

@feature(unit="calls", text="number of calls")
def counter(seen):
    calls.append(1)
    return len(calls)
"""


def keeps_something(clean: Town) -> Town:
    """A function that counts how often it was called."""
    return replace(clean.changed("features", module="own.py"), module=COUNTER)


# --- in our own code ------------------------------------------------------------------------------------------------


def upside_down(patch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> Labels:
        labels = compute_labels(*arguments)
        return replace(labels, outcome=1 - labels.outcome)

    patch.setattr(examples, "compute_labels", wrong)


def all_the_same(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        examples,
        "compute_labels",
        lambda _task, _journeys, rows, _days: Labels(np.ones(len(rows)), np.zeros(len(rows))),
    )


def looking_back(patch: pytest.MonkeyPatch) -> None:
    def wrong(task: Any, journeys: Journeys, rows: Rows, horizon_days: int) -> Labels:
        return compute_labels(task, journeys, rows.shifted(-days(horizon_days)), horizon_days)

    patch.setattr(examples, "compute_labels", wrong)


def half_the_horizon(patch: pytest.MonkeyPatch) -> None:
    def wrong(task: Any, journeys: Journeys, rows: Rows, horizon_days: int) -> Labels:
        return compute_labels(task, journeys, rows, horizon_days // 2)

    patch.setattr(examples, "compute_labels", wrong)


def who_comes_again(patch: pytest.MonkeyPatch) -> None:
    """Only those who still came in the last 60 days of the log."""

    def wrong(task: Any, journeys: Journeys, rows: Rows) -> Any:
        newest = np.zeros(len(journeys), np.int64)
        np.maximum.at(newest, journeys.owner, np.where(journeys.value > 0, journeys.time, 0))
        return population(task, journeys, rows) & (newest > TOWN.end_us - 60 * DAY_US)[rows.customer]

    patch.setattr(examples, "population", wrong)


def everybody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(examples, "population", lambda _task, _journeys, rows: np.ones(len(rows), bool))


def scored_everybody(patch: pytest.MonkeyPatch) -> None:
    """The population is right in training; scored is whoever is in the log."""

    def wrong(parts: Any, _task: Any, features: FeatureSet, as_of: int, _most: int) -> Floats:
        return np.concatenate(
            [build(part, Rows.grid(len(part), np.array([as_of])), features).values for part in parts()]
        )

    patch.setattr(examples, "base_values", wrong)


def past_the_end(patch: pytest.MonkeyPatch) -> None:
    """The newest cutoffs reach past the end, and nobody leaves them out."""
    honest = split.split
    patch.setattr(split, "split", lambda horizon, first, end: honest(horizon, first, end + 20 * DAY_US))
    patch.setattr(examples, "has_whole_window", lambda rows, _days, _end: np.ones(len(rows), bool))


def side_by_side(patch: pytest.MonkeyPatch) -> None:
    """The rows to choose by follow the rows to learn from within days."""
    honest = split.split

    def wrong(horizon: int, first: int, end: int) -> split.Split:
        cutoffs = honest(horizon, first, end)
        return replace(cutoffs, choosing=tuple(cutoff for cutoff in cutoffs.serving if cutoff < cutoffs.validation))

    patch.setattr(split, "split", wrong)


def both_sides(patch: pytest.MonkeyPatch) -> None:
    """Whichever cutoffs are asked for, the rows of the validation come with them."""
    honest = Examples.at

    def wrong(rows: Examples, cutoffs: Any) -> Examples:
        newest = np.unique(rows.cutoff)[-3:]
        return honest(rows, {*cutoffs, *newest.tolist()})

    patch.setattr(Examples, "at", wrong)


def a_month_ahead(patch: pytest.MonkeyPatch) -> None:
    """Features are computed 30 days too late."""
    patch.setattr(examples, "build", lambda journeys, rows, features: build(journeys, rows.shifted(days(30)), features))


def whole_journey(patch: pytest.MonkeyPatch) -> None:
    """A column counts a customer's rows, whenever they happened."""

    def wrong(journeys: Journeys, rows: Rows, features: FeatureSet) -> Panel:
        made = build(journeys, rows, features)
        made.values[:, 0] = np.diff(journeys.starts)[rows.customer]
        return made

    patch.setattr(examples, "build", wrong)
    patch.setattr("training.audit.checks.future.build", wrong)


def rows_of(rows: list[tuple[Any, pd.Timestamp, str]]) -> Frame:
    frame = pd.DataFrame(rows, columns=["customer_id", "timestamp", "event_type"])
    return frame.assign(timestamp=pd.to_datetime(frame["timestamp"], utc=True), ingested_at=frame["timestamp"])


FAULTS = (
    Fault("an event that the log does not know", "constant_label", "did you mean 'purchase'", misspelt),
    Fault("a value that the log does not know", "constant_label", "did you mean 'coffee'", of_another_value),
    Fault("the silence of cancels as churn", "inverted_label", "those who stay are the lost", silence_of_cancels),
    Fault("renewals as losses", "inverted_label", "the customer goes on", renewal_is_loss),
    Fault("what keeps a customer ends them", "inverted_label", "take it out of one", loss_keeps_alive),
    Fault("a loss booked after a silence", "label_reads_past", "60 days after", booked_after_silence),
    Fault("an export of the active", "survivors", "nobody who left", only_the_active, refuses=False),
    Fault("a log that stopped early", "censored_as_lost", "counts as lost", stopped_early),
    Fault("purchases that stopped early", "censored_as_lost", "no 'purchase' since", one_feed_stopped),
    Fault("a hole in the log", "censored_as_lost", "the log holds no event", with_a_hole),
    Fault("a report with an earlier date", "too_good", "because of the outcome", backdated_report),
    Fault("a mail to win back the lost", "caused_by_firm", "silent for 45 days", won_back),
    Fault("such a mail among others", "caused_by_firm", "'reactivation'", campaign_wins_back),
    Fault("a feed that repeats itself", "unlike_base", "never moved so before", in_other_units),
    Fault("today's status in the profile", "known_after_cutoff", "how they are today", status_of_today),
    Fault("today's orders in the profile", "known_after_cutoff", "how they are today", orders_of_today),
    Fault("a function that keeps something", "known_after_cutoff", "custom_counter", keeps_something),
    Fault("labels upside down", "inverted_label", "the opposite", code=upside_down),
    Fault("labels all the same", "constant_label", "for everybody", code=all_the_same),
    Fault("labels of the window before", "label_reads_past", "already happened", code=looking_back),
    Fault("labels of half the horizon", "wrong_label", "mistake in the program", code=half_the_horizon),
    Fault("a population of survivors", "survivors", "survivors alone", code=who_comes_again),
    Fault("a population of everybody", "wrong_population", "mistake in the program", code=everybody),
    Fault("everybody scored", "unlike_base", "not the population", code=scored_everybody),
    Fault("cutoffs past the end", "censored_as_lost", "nobody can know yet", code=past_the_end),
    Fault("a split without a gap", "split_without_gap", "both sides", code=side_by_side),
    Fault("rows on both sides", "shuffled_label", "not apart", code=both_sides),
    Fault("features a month ahead", "known_after_cutoff", "not known yet", code=a_month_ahead),
    Fault("a column of the whole journey", "future_canary", "would read the future", code=whole_journey),
)
