"""`journeycast init`: what is what in logs of many styles, which questions, and what is said where there is no log."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import journeycast
from features.config.load import load
from features.config.sections import Config
from features.errors import ConfigError, LogError
from features.ingest.run import ingest
from features.init import draft
from features.init.draft import init
from features.init.task_proposals import HUMAN_DAYS
from features.timeline import instant

START = datetime(2023, 1, 2, 9, 30, tzinfo=UTC)
NOW_US = instant("2026-01-01")
Rows = list[dict[str, Any]]


def shop(customers: int = 60, days: int = 400, gap: float = 20.0, seed: int = 1) -> Rows:
    """Purchases of two lines each, with views before them: `who`, `at`, `what`, `money`, `order`, `item`."""
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for customer in range(customers):
        day = rng.uniform(0, days)  # customers come all along, and one in ten leaves after an order
        while day < days:
            at = START + timedelta(days=day)
            order, item = f"A{len(rows):06d}", f"item {rng.integers(12)}"
            who = f"K{customer:04d}"
            rows.append({"who": who, "at": at - timedelta(minutes=9), "what": "view", "item": item})
            for _ in range(2):
                money = round(float(rng.gamma(4, 5)), 2)
                rows.append({"who": who, "at": at, "what": "purchase", "money": money, "order": order, "item": item})
            day += rng.exponential(gap) + 0.01 if rng.random() < 0.9 else days
    return sorted(rows, key=lambda row: row["at"])


def named(rows: Rows, names: Mapping[str, str], words: Mapping[str, str] | None = None) -> Rows:
    """The rows under other column names, and with other words for events."""
    event_words = words or {}
    return [
        {
            name: event_words.get(str(row.get(key)), row.get(key)) if key == "what" else row.get(key)
            for key, name in names.items()
        }
        for row in rows
    ]


def parquet(path: Path, rows: Rows) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def csv(path: Path, rows: Rows, delimiter: str = ",") -> Path:
    lines = [delimiter.join(rows[0])]
    lines += [delimiter.join("" if value is None else str(value) for value in row.values()) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def jsonl(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), encoding="utf-8")
    return path


def proposal(files: Sequence[Path], folder: Path) -> Config:
    """The configuration that `init` writes into a folder."""
    init(files, folder / "journeycast.toml")
    return load(folder / "journeycast.toml")


def clock() -> int:
    return NOW_US


ENGLISH = {
    "who": "customer_id",
    "at": "timestamp",
    "what": "event_type",
    "money": "value",
    "order": "order_id",
    "item": "product",
}


# --- logs of many styles --------------------------------------------------------------------------------------------


def test_plain_english_names_in_parquet(tmp_path: Path) -> None:
    log = proposal([parquet(tmp_path / "events.parquet", named(shop(), ENGLISH))], tmp_path).log
    assert (log.customer, log.time, log.event) == ("customer_id", "timestamp", "event_type")
    assert (log.value, log.order, log.categories) == ("value", "order_id", ("product",))
    assert log.source == ("events.parquet",)


def test_german_names_in_csv_with_offsets_and_semicolons(tmp_path: Path) -> None:
    names = {"who": "Kundennummer", "at": "Zeitpunkt", "what": "Ereignis", "money": "Betrag", "order": "Rechnungsnr"}
    rows = named(shop(), names | {"item": "Artikel"}, {"purchase": "Kauf", "view": "Ansicht"})
    for row in rows:
        row["Zeitpunkt"] = row["Zeitpunkt"].strftime("%Y-%m-%dT%H:%M:%S+01:00")
    config = proposal([csv(tmp_path / "log.csv", rows, ";")], tmp_path)
    assert (config.log.customer, config.log.time, config.log.event) == ("Kundennummer", "Zeitpunkt", "Ereignis")
    assert (config.log.value, config.log.order) == ("Betrag", "Rechnungsnr")
    assert config.task("churn").event == ("Kauf",)


def test_camel_case_names_in_json_lines(tmp_path: Path) -> None:
    names = {"who": "userId", "at": "createdAt", "what": "eventName", "money": "totalAmount", "item": "productName"}
    rows: Rows = [{"_id": f"e{i}", "meta": {"v": 1}} | row for i, row in enumerate(named(shop(), names))]
    for row in rows:
        row["createdAt"] = row["createdAt"].isoformat()
    log = proposal([jsonl(tmp_path / "log.jsonl", rows)], tmp_path).log
    assert (log.customer, log.time, log.event, log.value) == ("userId", "createdAt", "eventName", "totalAmount")
    assert (log.id, log.categories) == ("_id", ("productName",))


def test_an_event_column_is_known_by_what_it_holds(tmp_path: Path) -> None:
    rows = named(shop(), {"who": "cust_no", "at": "dt", "what": "was"}, {"purchase": "Kauf", "view": "Ansicht"})
    assert proposal([parquet(tmp_path / "log.parquet", rows)], tmp_path).log.event == "was"


def test_an_order_is_known_by_what_it_holds(tmp_path: Path) -> None:
    purchases = [row for row in shop() if row["what"] == "purchase"]
    names = {"who": "client", "at": "date", "what": "event", "money": "prix", "order": "dossier"}
    assert proposal([parquet(tmp_path / "log.parquet", named(purchases, names))], tmp_path).log.order == "dossier"


def test_when_it_was_learnt_is_known_by_its_name_and_by_being_later(tmp_path: Path) -> None:
    rows = named(shop(), ENGLISH)
    for row in rows:
        row["ingested_at"] = row["timestamp"] + timedelta(hours=3)
        row["updated_at"] = row["timestamp"] - timedelta(hours=3)
    assert proposal([parquet(tmp_path / "events.parquet", rows)], tmp_path).log.known == "ingested_at"


def test_a_code_of_digits_is_a_category_and_a_count_is_a_number(tmp_path: Path) -> None:
    rows = named(shop(), ENGLISH)
    for i, row in enumerate(rows):
        row |= {"article_id": 1000 + i % 40, "number_of_pieces": i % 5, "note": None, "currency": "EUR"}
    path = parquet(tmp_path / "events.parquet", rows)
    message = "\n".join(init([path], tmp_path / "journeycast.toml"))
    log = load(tmp_path / "journeycast.toml").log
    assert (log.categories, log.numbers) == (("product", "article_id"), ("number_of_pieces",))
    assert "Left out: note: is empty" in message
    assert "Left out: currency: is the same in every row" in message


def test_what_is_known_only_afterwards_is_left_out(tmp_path: Path) -> None:
    rows = named(shop(), ENGLISH)
    for row in rows:
        row["churn_label"] = int(row["customer_id"][-1] in "123")
    path = parquet(tmp_path / "events.parquet", rows)
    message = "\n".join(init([path], tmp_path / "journeycast.toml"))
    assert "churn_label: may have been set after the event" in message
    assert load(tmp_path / "journeycast.toml").log.numbers == ()


def test_a_file_with_one_row_for_each_customer_is_the_profile(tmp_path: Path) -> None:
    events = parquet(tmp_path / "events.parquet", named(shop(), ENGLISH))
    people = [{"customer_id": f"K{i:04d}", "country": "DE" if i % 3 else "AT", "updated_at": START} for i in range(60)]
    profile = proposal([parquet(tmp_path / "people.parquet", people), events], tmp_path).profile
    assert (profile.source, profile.customer, profile.known) == (("people.parquet",), "customer_id", "updated_at")


def test_paths_are_relative_to_the_toml_and_a_whole_folder_is_a_glob(tmp_path: Path) -> None:
    folder = tmp_path / "logs [1]"
    folder.mkdir()
    rows = named(shop(), ENGLISH)
    files = [parquet(folder / "a.parquet", rows[:400]), parquet(folder / "b.parquet", rows[400:])]
    (tmp_path / "shop").mkdir()
    config = proposal(files, tmp_path / "shop")
    assert config.log.source == ("../logs [[]1]/*.parquet",)
    assert ingest(config, clock=clock).statistics.rows == len(rows)


# --- questions ------------------------------------------------------------------------------------------------------


def test_questions_of_a_shop_have_human_horizons_within_a_third_of_the_history(tmp_path: Path) -> None:
    config = proposal([parquet(tmp_path / "events.parquet", named(shop(), ENGLISH))], tmp_path)
    assert set(config.tasks) == {"churn", "buys_again", "value"}
    assert all(task.event == ("purchase",) for task in config.tasks.values())
    horizons = {name: task.horizons_days[0] for name, task in config.tasks.items()}
    assert set(horizons.values()) <= set(HUMAN_DAYS)
    assert max(horizons.values()) < 400 / 3
    assert horizons["buys_again"] < horizons["churn"]


@pytest.mark.parametrize(("gap", "expected"), [(4.0, {7, 14}), (30.0, {60, 90})])
def test_the_churn_horizon_follows_the_gaps(tmp_path: Path, gap: float, expected: set[int]) -> None:
    # nine of ten exponential gaps end within gap × ln 10: 9 and 69 days
    rows = named(shop(customers=200, gap=gap, days=500), ENGLISH)
    config = proposal([parquet(tmp_path / "events.parquet", rows)], tmp_path)
    assert config.task("churn").horizons_days[0] in expected


def test_stray_dates_do_not_stretch_the_history(tmp_path: Path) -> None:
    rows = named(shop(days=30, gap=3.0, customers=200), ENGLISH)
    strays = [row | {"timestamp": row["timestamp"] - timedelta(days=3000)} for row in rows[:4]]
    path = parquet(tmp_path / "events.parquet", rows + strays)
    init([path], tmp_path / "journeycast.toml")
    assert "rows lie far before or after the others" in (tmp_path / "journeycast.toml").read_text()
    tasks = load(tmp_path / "journeycast.toml").tasks.values()
    assert max(task.horizons_days[0] for task in tasks) <= 10


def test_refunds_are_netted_into_the_value(tmp_path: Path) -> None:
    rows = named(shop(), ENGLISH)
    back = [row | {"event_type": "return", "value": -row["value"]} for row in rows[::7] if row["value"]]
    config = proposal([parquet(tmp_path / "events.parquet", rows + back)], tmp_path)
    assert config.task("value").event == ("purchase", "return")
    assert config.task("value").active_event == ("purchase",)


def test_contracts_are_recognised_by_their_events(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows: Rows = []
    for customer in range(300):
        joined = rng.uniform(0, 390)
        for day in np.arange(joined, 400, 30):
            what = "subscribe" if day == joined else "cancel" if rng.random() < 0.05 else "renew"
            rows.append({"member_id": customer, "event_time": START + timedelta(days=day), "event": what})
            if what == "cancel":
                break
    cancels = proposal([parquet(tmp_path / "events.parquet", rows)], tmp_path).task("cancels")
    assert (cancels.churn_event, cancels.active_event) == (("cancel",), ("renew", "subscribe"))
    assert cancels.horizons_days == (30,)


def test_actions_with_a_level_that_is_nothing_become_a_question(tmp_path: Path) -> None:
    config = proposal([parquet(tmp_path / "events.parquet", offers(("none", "mens", "womens")))], tmp_path)
    offer = config.task("offer")
    assert (offer.event, offer.action, offer.nothing) == (("email",), "campaign", "none")
    assert (offer.probability, offer.reward, offer.horizons_days) == ("send_probability", ("purchase",), (14,))
    assert config.log.categories == ()
    assert config.log.numbers == ()


def test_actions_without_a_level_that_is_nothing_are_a_comment(tmp_path: Path) -> None:
    path = parquet(tmp_path / "events.parquet", offers(("blue", "mens", "womens")))
    message = "\n".join(init([path], tmp_path / "journeycast.toml"))
    assert "offer (only as a comment in the file)" in message
    assert "no action's name says that nothing was done" in message
    assert "offer" not in load(tmp_path / "journeycast.toml").tasks


def offers(levels: Sequence[str]) -> Rows:
    names = ENGLISH.copy()
    del names["order"], names["item"]
    rows = named([row for row in shop(customers=150) if row["what"] == "purchase"], names)
    for i, row in enumerate(rows[:600]):
        mail = {"event_type": "email", "value": None, "campaign": levels[i % 3], "send_probability": 1 / 3}
        rows.append(row | mail | {"timestamp": row["timestamp"] - timedelta(days=i % 20)})
    return [{"campaign": None, "send_probability": None} | row for row in rows]


def test_a_tiny_shop_is_asked_something_and_told_what_it_lacks(tmp_path: Path) -> None:
    rows = named(shop(customers=2, days=20), ENGLISH)
    path = parquet(tmp_path / "events.parquet", rows)
    message = "\n".join(init([path], tmp_path / "journeycast.toml"))
    assert "nothing to learn from" in message
    assert len(load(tmp_path / "journeycast.toml").tasks) == 1


def test_days_for_times_are_explained_and_complete_until_is_left_to_the_owner(tmp_path: Path) -> None:
    rows = named(shop(), ENGLISH)
    for row in rows:
        row["timestamp"] = row["timestamp"].replace(hour=0, minute=0, second=0, microsecond=0)
    config = proposal([parquet(tmp_path / "events.parquet", rows)], tmp_path)
    newest = max(row["timestamp"] for row in rows)
    assert config.log.complete_until is None
    text = (tmp_path / "journeycast.toml").read_text()
    assert "Every time is a midnight" in text
    assert f'# complete_until = "{newest + timedelta(days=1):%Y-%m-%d}"' in text


# --- what can not be used -------------------------------------------------------------------------------------------


def test_of_two_at_once_one_is_told_that_the_other_was_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "journeycast.toml"
    log = parquet(tmp_path / "events.parquet", named(shop(), ENGLISH))
    monkeypatch.setattr(draft, "parse", lambda *_, **__: out.write_text("theirs"))
    with pytest.raises(ConfigError, match=r"expected no file at .*journeycast\.toml, found one; move it away"):
        init([log], out)
    assert out.read_text() == "theirs"


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "journeycast.toml"
    out.write_text("mine")
    with pytest.raises(ConfigError, match=r"expected no file at .*journeycast\.toml, found one; move it away"):
        init([parquet(tmp_path / "events.parquet", named(shop(), ENGLISH))], out)
    assert out.read_text() == "mine"


def test_attributes_without_events_are_no_log(tmp_path: Path) -> None:
    people = parquet(tmp_path / "people.parquet", [{"customer_id": i, "age": 30 + i % 9} for i in range(50)])
    with pytest.raises(LogError, match=r"people\.parquet: expected events, found one row for each customer"):
        init([people], tmp_path / "journeycast.toml")
    assert not (tmp_path / "journeycast.toml").exists()


def test_files_that_name_a_role_differently_are_told(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", named(shop(), ENGLISH))
    other_path = parquet(tmp_path / "b.parquet", named(shop(), ENGLISH | {"who": "user_id"}))
    with pytest.raises(LogError, match="expected one name of the customer column in all files, found several"):
        init([path, other_path], tmp_path / "journeycast.toml")


def test_a_csv_without_a_header_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("1,2268318,2520377,pv,1511544070\n1,2333346,2520771,pv,1511561733\n")
    with pytest.raises(LogError, match="The first line seems to be a row already: put a line with the names"):
        init([path], tmp_path / "journeycast.toml")


@pytest.mark.parametrize("empty", ["customer_id,timestamp,event_type\n", "customer_id,timestamp,event_type\n,,\n"])
def test_a_log_without_rows_is_told(tmp_path: Path, empty: str) -> None:
    (tmp_path / "log.csv").write_text(empty)
    with pytest.raises(LogError, match="expected a customer, a time and an event in every row, found no customer"):
        init([tmp_path / "log.csv"], tmp_path / "journeycast.toml")


def repaired(error: pytest.ExceptionInfo[LogError], folder: Path) -> Config:
    """What `init` proposes once the command in its message has run."""
    command = re.search(r"This writes a file that can be used: (python .*)$", str(error.value), re.DOTALL)
    assert command is not None
    subprocess.run([sys.executable, *shlex.split(command[1])[1:]], check=True, cwd=folder)
    return proposal(list(folder.glob("*_ready.parquet")), folder)


@pytest.mark.parametrize(("unit", "per_second"), [("seconds", 1), ("milliseconds", 1_000), ("microseconds", 1_000_000)])
@pytest.mark.parametrize("write", [csv, parquet, jsonl])
def test_numbers_for_times_are_told_and_the_command_helps(
    tmp_path: Path, write: Any, unit: str, per_second: int
) -> None:
    suffix = {"csv": "csv", "parquet": "parquet", "jsonl": "jsonl"}[write.__name__]
    rows = named(shop(), ENGLISH | {"at": "ts"})
    for row in rows:
        row["ts"] = int(row["ts"].timestamp() * per_second)
    with pytest.raises(LogError, match=f"found no time.*'ts' holds numbers, it seems {unit} since 1970") as error:
        init([write(tmp_path / f"log.{suffix}", rows)], tmp_path / "journeycast.toml")
    config = repaired(error, tmp_path)
    assert config.log.time == "ts"
    assert set(config.tasks) == {"churn", "buys_again", "value"}


@pytest.mark.parametrize(
    ("written", "read"), [("%d.%m.%Y %H:%M", "%d.%m.%Y"), ("%m/%d/%Y %I:%M %p", "%m/%d/%Y"), ("%d/%m/%y", "%d/%m/%y")]
)
def test_dates_in_an_order_of_their_own_are_told_and_the_command_helps(tmp_path: Path, written: str, read: str) -> None:
    rows = named(shop(), ENGLISH)
    for row in rows:
        row["timestamp"] = row["timestamp"].strftime(written)
    with pytest.raises(LogError, match=f"'timestamp' holds dates that are no ISO 8601; they look like {read}") as error:
        init([csv(tmp_path / "log.csv", rows)], tmp_path / "journeycast.toml")
    assert repaired(error, tmp_path).log.time == "timestamp"


def test_the_retail_file_as_it_is_published_needs_one_command(tmp_path: Path) -> None:
    names = {
        "order": "InvoiceNo",
        "item": "Description",
        "at": "InvoiceDate",
        "money": "UnitPrice",
        "who": "CustomerID",
    }
    rows = [
        row | {"Quantity": -1 if i % 50 == 0 else 3} for i, row in enumerate(named(shop(), names)) if row["UnitPrice"]
    ]
    for row in rows:
        row["InvoiceDate"] = f"{row['InvoiceDate']:%m/%d/%Y %H:%M}".lstrip("0")
    with pytest.raises(LogError, match=r"found no time and no event\. Columns found: InvoiceNo") as error:
        init([csv(tmp_path / "online retail.csv", rows)], tmp_path / "journeycast.toml")
    config = repaired(error, tmp_path)
    assert (config.log.customer, config.log.order, config.log.value) == ("CustomerID", "InvoiceNo", "value")
    assert config.task("value").event == ("purchase", "return")


# --- real logs ------------------------------------------------------------------------------------------------------


def mapping(config: Config) -> dict[str, Any]:
    names = ("customer", "time", "event", "value", "order", "known", "id", "text", "categories", "numbers")
    return {name: getattr(config.log, name) for name in names if getattr(config.log, name)}


PUBLISHED = {"customer": "customer_id", "time": "timestamp", "event": "event_type"}
REAL: dict[str, tuple[dict[str, Any], set[str]]] = {
    "cdnow": ({"value": "value", "numbers": ("number_of_cds",)}, {"churn", "buys_again", "value"}),
    "online_retail_ii": (
        {
            "value": "value",
            "order": "invoice_no",
            "categories": ("stock_code", "country"),
            "numbers": ("quantity", "unit_price"),
        },
        {"churn", "buys_again", "value"},
    ),
    "hillstrom": ({"value": "value"}, {"offer_visit"}),
    "taobao": ({"categories": ("item_id", "category_id")}, {"churn", "buys_again"}),
    "shop_incidents": ({"categories": ("platform", "acquisition_channel")}, {"churn", "buys_again"}),
}


@pytest.fixture(scope="module", params=list(REAL))
def real(
    request: pytest.FixtureRequest, data_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Config]:
    """A real log's name and what is proposed for it."""
    files = sorted((data_folder / request.param).glob("*.parquet"))
    files = [file for file in files if file.stem != "events_sample"]
    return request.param, proposal(files, tmp_path_factory.mktemp(request.param))


def test_a_real_log_is_mapped_and_asked(real: tuple[str, Config]) -> None:
    name, config = real
    expected, tasks = REAL[name]
    assert mapping(config) == PUBLISHED | expected
    assert set(config.tasks) == tasks
    assert config.log.complete_until is None


def test_a_real_log_ingests_as_proposed(real: tuple[str, Config]) -> None:
    _, config = real
    report = ingest(config, clock=clock)
    assert sum(report.quarantined.values()) == 0
    task_events = {event for task in config.tasks.values() for event in (*task.event, *task.active_event, *task.reward)}
    assert task_events <= set(report.statistics.events)


def test_hillstrom_has_a_profile_and_an_action(data_folder: Path, tmp_path: Path) -> None:
    folder = data_folder / "hillstrom"
    config = proposal([folder / "events.parquet", folder / "customers.parquet"], tmp_path)
    assert config.profile.known == "updated_at"
    task = config.task("offer_visit")
    assert (task.action, task.nothing, task.probability) == ("campaign", "none", "send_probability")
    assert (task.reward, task.reward_unit, task.horizons_days) == (("visit",), "count", (4,))


@pytest.mark.parametrize(
    ("file", "missing"),
    [
        ("attribution/pathdata.parquet", "no customer, no time and no event"),
        ("reviews/reviews.parquet", "no customer, no time and no event"),
        ("open_bandit/open_bandit_small.parquet", "no customer and no event"),
    ],
)
def test_what_is_no_log_is_told_what_it_lacks(data_folder: Path, tmp_path: Path, file: str, missing: str) -> None:
    with pytest.raises(LogError, match=rf"found {missing}\. Columns found: .* Call the column that says who"):
        init([data_folder / file], tmp_path / "journeycast.toml")


# --- the command line -----------------------------------------------------------------------------------------------


def test_the_verb_writes_beside_you_and_tells_what_it_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parquet(tmp_path / "events.parquet", named(shop(), ENGLISH))
    result = CliRunner().invoke(journeycast.app, ["init", "events.parquet"])
    assert result.exit_code == 0
    assert "churn: no purchase in the next" in result.output
    assert "then run: journeycast ingest, and: journeycast train" in result.output
    assert load(Path("journeycast.toml")).log.source == ("events.parquet",)
