"""The TOML: the contract's example, every default, every message."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from features.config.load import load, parse
from features.config.sections import Config
from features.config.tasks import TaskConfig
from features.errors import ConfigError
from features.language.feature import Feature, Stream
from features.timeline import instant

CONTRACT = """
name = "shop"
workspace = "workspace"
seed = 7
[log]
source = ["events/*.parquet"]
customer = "customer_id"
time = "timestamp"
event = "event_type"
value = "value"
order = "invoice_no"
known = "ingested_at"
id = "event_id"
text = "comment"
categories = ["channel", "product"]
numbers = ["quantity"]
timezone = "UTC"
complete_until = "2008-04-07"
[profile]
source = ["customers.parquet"]
customer = "customer_id"
known = "updated_at"
[tasks.churn]
kind = "churn"
event = "purchase"
horizon_days = 90
active_days = 365
[tasks.cancels]
kind = "churn"
churn_event = "cancel"
active_event = ["subscribe", "renew"]
ended_by = "cancel"
horizon_days = 28
active_days = 400
[tasks.buys_again]
kind = "propensity"
event = "purchase"
horizon_days = 30
[tasks.value]
kind = "cltv"
event = ["purchase", "return"]
active_event = "purchase"
horizon_days = 365
[tasks.offer]
kind = "next_action"
event = "email"
action = "campaign"
nothing = "none"
probability = "send_probability"
reward = "purchase"
horizon_days = 14
costs = { mens = 0.10, womens = 0.10, none = 0.0 }
"""
FOLDER = Path("/shop")


def of(toml: str, folder: Path) -> Config:
    (folder / "shop.toml").write_text(toml, encoding="utf-8")
    return load(folder / "shop.toml")


def parsed(**document: Any) -> Config:
    return parse(document, folder=FOLDER)


def with_task(**keys: Any) -> Config:
    return parsed(log={"value": "value"}, tasks={"asked": keys})


def task(**keys: Any) -> TaskConfig:
    return with_task(**keys).task("asked")


def added(feature: dict[str, Any]) -> dict[str, Any]:
    """A configuration whose second added feature this is."""
    return {"features": {"add": [{"what": "recency"}, feature]}}


CHURN: Mapping[str, Any] = {"kind": "churn", "event": "purchase", "horizon_days": 90}
ACTION: Mapping[str, Any] = {
    "kind": "next_action",
    "event": "email",
    "action": "campaign",
    "nothing": "none",
    "reward": "purchase",
    "horizon_days": 14,
}


def test_the_contract_parses_whole(tmp_path: Path) -> None:
    config = of(CONTRACT, tmp_path)
    assert list(config.tasks) == ["churn", "cancels", "buys_again", "value", "offer"]
    assert config.workspace_path == tmp_path.resolve() / "workspace"
    assert config.log.complete_until_us == instant("2008-04-07")
    assert config.stored_categories == ("channel", "product", "campaign")
    assert config.stored_numbers == ("quantity", "send_probability")
    assert config.task("cancels").churn_event == config.task("cancels").ended_by == ("cancel",)
    assert config.task("offer").costs == {"mens": 0.10, "womens": 0.10, "none": 0.0}


def test_every_default() -> None:
    config = parsed()
    assert (config.name, config.workspace, config.seed) == ("shop", "workspace", 7)
    assert (config.log.source, config.log.customer, config.log.time) == ((), "customer_id", "timestamp")
    assert (config.log.event, config.log.timezone, config.log.drop_duplicates) == ("event_type", "UTC", False)
    optional = ("value", "order", "known", "id", "text", "complete_until", "complete_until_us")
    assert [getattr(config.log, name) for name in optional] == [None] * len(optional)
    assert config.log.categories == config.log.numbers == config.stored_categories == config.stored_numbers == ()
    assert (config.profile.source, config.profile.customer, config.profile.known) == ((), "customer_id", None)
    assert (config.features.windows_days, config.features.max_columns) == ((7, 30, 90, 365), 300)
    assert (config.train.trials, config.train.max_rows, config.train.threads) == (15, 400_000, 2)
    assert (config.serve.host, config.serve.port, config.tasks) == ("127.0.0.1", 3000, {})


def test_defaults_of_a_task() -> None:
    churn = task(**CHURN)
    assert (churn.active_days, churn.where, churn.ended_by, churn.never, churn.costs) == (365, {}, (), (), {})
    assert churn.active_event == ("purchase",)
    assert task(**{**CHURN, "kind": "cltv"}).active_event == ("purchase",)
    assert task(**{**CHURN, "kind": "propensity"}).active_event == ()
    assert task(**{**CHURN, "active_event": []}).active_event == ()
    assert task(**ACTION).reward_unit == "value"
    assert task(kind="churn", churn_event="cancel", active_event="renew", horizon_days=28).ended_by == ("cancel",)


@pytest.mark.parametrize("given", [{"horizon_days": 30}, {"horizons_days": 30}, {"horizons_days": [30]}])
def test_one_horizon_is_a_list_of_one(given: dict[str, Any]) -> None:
    assert task(kind="propensity", event="purchase", **given).horizons_days == (30,)


def test_several_horizons_keep_their_order() -> None:
    assert task(kind="propensity", event=["a", "b"], horizons_days=[30, 7]).horizons_days == (30, 7)


@pytest.mark.parametrize("date", ["2008-04-07", '"2008-04-07"', "2008-04-07T00:00:00", "2008-04-07T00:00:00Z"])
def test_a_date_may_be_text_or_a_toml_date(date: str, tmp_path: Path) -> None:
    assert of(f"[log]\ncomplete_until = {date}", tmp_path).log.complete_until_us == instant("2008-04-07")


def test_a_date_is_a_day_of_the_logs_time_zone() -> None:
    log = parsed(log={"complete_until": "2008-04-07", "timezone": "Europe/Paris"}).log
    assert log.complete_until_us == instant("2008-04-06T22:00:00Z")


def test_a_task_reads_what_it_wrote() -> None:
    for declared in (task(**CHURN), task(**ACTION), task(kind="propensity", event="a", horizons_days=[7, 30])):
        restored = TaskConfig.model_validate(declared.model_dump(mode="json", exclude_unset=True))
        assert restored == declared
        assert restored.model_fields_set == declared.model_fields_set


def test_what_tasks_filter_by_is_stored() -> None:
    config = parsed(tasks={"a": {**CHURN, "where": {"product": "coffee"}}}, log={"categories": "channel"})
    assert config.stored_categories == ("channel", "product")


def test_what_added_features_read_is_stored() -> None:
    add = [
        {"what": "distinct", "column": "brand", "where": {"channel": "web"}},
        {"what": "mean", "column": "rating", "event": "review"},
        {"what": "max", "column": "comment_length"},
        {"what": "attribute", "column": "age"},
    ]
    config = parsed(features={"add": add}, log={"categories": "country", "numbers": "quantity", "text": "comment"})
    assert config.stored_categories == ("country", "channel", "brand")
    assert config.stored_numbers == ("quantity", "rating")


def test_a_feature_of_the_toml_is_a_feature_of_the_language() -> None:
    add = {"what": "sum", "event": ["view", "cart"], "where": {"channel": "web"}, "window_days": 14}
    (addition,) = parsed(features={"add": [add]}).features.add
    assert addition.feature == Feature("sum", Stream(("cart", "view"), (("channel", "web"),)), None, 14)
    assert addition.feature.name == "cart+view[channel=web]_value_sum_14d"


def test_strings_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "tea")
    config = parsed(name="${SHOP}", log={"source": ["${FOLDER:-events}/*.csv"]}, serve={"port": "${PORT:-8080}"})
    assert (config.name, config.log.source, config.serve.port) == ("tea", ("events/*.csv",), 8080)


def test_a_variable_that_is_not_set_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP", raising=False)
    with pytest.raises(ConfigError, match=r"\$\{SHOP\} is not set; export SHOP or write \$\{SHOP:-default\}"):
        parsed(name="${SHOP}")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a configuration at .*shop\.toml, found none; name one with `-c"):
        load(tmp_path / "shop.toml")


@pytest.mark.parametrize("content", [b"name = shop", b"\xff\xfe", b"name = 'a'\nname = 'b'"])
def test_a_file_that_is_no_toml_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"shop\.toml cannot be read as TOML: "):
        load(tmp_path / "shop.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as TOML"):
        load(tmp_path)


def test_the_message_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"shop\.toml: unknown key 'sed'; did you mean 'seed'\?"):
        of("sed = 1", tmp_path)


def test_an_unknown_task_is_told() -> None:
    with pytest.raises(ConfigError, match="no task 'aksed' in the configuration; did you mean 'asked'") as raised:
        with_task(**CHURN).task("aksed")
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nmae": "x"}, r"unknown key 'nmae'; did you mean 'name'\?"),
        ({"folder": "x"}, "unknown key 'folder'; paths are relative to the TOML"),
        ({"log": {"tiem": "x"}}, r"unknown key 'log.tiem'; did you mean 'time'\?"),
        ({"profile": {"knwon": "x"}}, r"unknown key 'profile.knwon'; did you mean 'known'\?"),
        ({"features": {"window_days": [7]}}, r"unknown key 'features.window_days'; did you mean 'windows_days'\?"),
        ({"train": {"trails": 1}}, r"unknown key 'train.trails'; did you mean 'trials'\?"),
        ({"serve": {"prt": 1}}, r"unknown key 'serve.prt'; did you mean 'port'\?"),
        ({"name": "my shop"}, "name: String should match pattern .*, got 'my shop'"),
        ({"workspace": ""}, "workspace: String should have at least 1 character, got ''"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0, got -1"),
        ({"log": {"value": ""}}, "log.value: String should have at least 1 character, got ''"),
        ({"log": {"customer": 5}}, "log.customer: Input should be a valid string, got 5"),
        ({"log": {"customer": "id", "event": "id"}}, "must be three columns, found 'id', 'timestamp', 'id'"),
        ({"log": {"timezone": "Paris"}}, "log: timezone: expected an IANA time zone .*, got 'Paris'"),
        ({"log": {"complete_until": "soon"}}, "log: complete_until: expected an ISO date or time .*, got 'soon'"),
        ({"log": "events.csv"}, "log: Input should be a valid dictionary .*, got 'events.csv'"),
        ({"features": {"add": {"what": "count"}}}, r"features.add: expected tables \[\[features.add\]\], found one in"),
        ({"features": {"add": [{}]}}, r"\[\[features.add\]\] number 1: what: Field required"),
        (added({"what": "cuont"}), r"number 2: what: unknown feature kind 'cuont'; did you mean 'count'\?"),
        (added({"what": "count", "windw": 3}), r"unknown key '.* number 2: windw'; did you mean 'window_days'\?"),
        (
            added({"what": "count", "window_days": -1}),
            "number 2: window_days: Input should be greater than or equal to 0",
        ),
        (added({"what": "tenure", "window_days": 7}), "number 2: window_days: 'tenure' over 7 days cannot be; 0 reads"),
        (added({"what": "count_ratio"}), "number 2: window_days: a feature of kind 'count_ratio' compares spans and"),
        (added({"what": "distinct"}), "number 2: column: a feature of kind 'distinct' takes a column, got None"),
        (added({"what": "season_sin", "event": "view"}), "number 2: event: a feature of kind 'season_sin' reads no"),
        (
            added({"what": "hour_share", "level": "9-12"}),
            "number 2: level: a feature of kind 'hour_share' is for one of",
        ),
        (added({"what": "count", "level": "x"}), "number 2: level: a feature of kind 'count' takes no level, got 'x'"),
        (added({"what": "count", "where": {"channel": 5}}), "number 2: where: Input should be a valid string, got 5"),
        (added({"what": "recency"}), r"\[\[features.add\]\] numbers 1 and 2 are both 'event_recency'; remove one"),
        ({"train": {"trials": 1.5}}, "train.trials: Input should be a valid integer.*, got 1.5"),
        ({"train": {"threads": 0}}, "train.threads: Input should be greater than 0, got 0"),
        ({"serve": {"port": 65_536}}, "serve.port: Input should be less than or equal to 65535, got 65536"),
        ({"features": {"windows_days": [7, -1]}}, "features.windows_days.1: Input should be greater than 0, got -1"),
        ({"tasks": ["churn"]}, r"expected tables \[tasks.NAME\], found \['churn'\]"),
        ({"tasks": {"churn": "yes"}}, r"expected tables \[tasks.NAME\], found"),
        ({"tasks": {"a b": {}}}, "a task's name may hold letters, digits, '_' and '-', got 'a b'"),
        ({"tasks": {"a": {**CHURN, "name": "b"}}}, r"a task is named by its table, \[tasks.a\]; remove its key `name`"),
        (
            {"tasks": {"a": {**CHURN, "kind": "cltv"}}},
            r"task 'a' sums money, and \[log\] names no `value` column; add it$",
        ),
        ({"tasks": {"a": ACTION}}, r"task 'a' sums money, .* or count rewards with reward_unit = \"count\""),
    ],
)
def test_a_mistake_is_told(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parsed(**given)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"event": "purchase"}, "a task needs `kind`; expected one of: churn, cltv, next_action, propensity"),
        ({"kind": "chrn"}, r"unknown kind 'chrn'; did you mean 'churn'\?"),
        ({"kind": 5}, "unknown kind 5; expected one of: churn, cltv, next_action, propensity"),
        ({**CHURN, "activ_days": 5}, r"unknown key 'activ_days' for kind churn; did you mean 'active_days'\?"),
        ({**CHURN, "nothing": "none"}, "unknown key 'nothing' for kind churn; "),
        ({**ACTION, "where": {}}, "unknown key 'where' for kind next_action; "),
        ({**CHURN, "kind": "cltv", "churn_event": "cancel"}, "unknown key 'churn_event' for kind cltv; "),
        ({**CHURN, "horizons_days": [7]}, "expected horizon_days or horizons_days, found both"),
        ({"kind": "churn", "event": "purchase"}, r"a task needs `horizon_days` \(or `horizons_days`\), in days"),
        ({**CHURN, "horizon_days": 0}, "tasks.asked.horizons_days.0: Input should be greater than 0, got 0"),
        ({**CHURN, "horizon_days": 1.5}, "tasks.asked.horizons_days"),
        ({"kind": "propensity", "event": "a", "horizons_days": [7, 7]}, r"holds a horizon twice: \[7, 7\]"),
        ({"kind": "propensity", "event": "a", "horizons_days": []}, "a task needs `horizon_days`"),
        ({"kind": "propensity", "horizon_days": 7}, "a propensity task needs `event`"),
        ({"kind": "cltv", "horizon_days": 7, "event": []}, "a cltv task needs `event`"),
        ({**CHURN, "event": ""}, "tasks.asked.event.0: String should have at least 1 character, got ''"),
        ({"kind": "churn", "horizon_days": 7}, "a churn task needs either `event` or `churn_event`"),
        ({**CHURN, "churn_event": "cancel"}, "a churn task needs either `event` or `churn_event`"),
        ({"kind": "churn", "horizon_days": 7, "churn_event": "x"}, "with `churn_event` needs `active_event`"),
        (
            {"kind": "churn", "horizon_days": 7, "churn_event": "x", "active_event": "y", "where": {"a": "b"}},
            "`where` narrows `event`, and this task has `churn_event` instead",
        ),
        ({**ACTION, "nothing": None}, "a next_action task needs `event`, `action`, `nothing` and `reward`"),
        ({**ACTION, "horizon_days": [7, 14]}, "horizons_days"),
        ({**{k: v for k, v in ACTION.items() if k != "horizon_days"}, "horizons_days": [7, 14]}, "takes one horizon"),
        ({**ACTION, "reward_unit": "orders"}, "reward_unit: Input should be 'value' or 'count', got 'orders'"),
        ({**ACTION, "costs": {"mens": "cheap"}}, "costs.mens: Input should be a valid number.*, got 'cheap'"),
        ({**ACTION, "costs": {"mens": float("inf")}}, "costs.mens: Input should be a finite number, got inf"),
        ({**CHURN, "where": {"product": 5}}, "where.product: Input should be a valid string, got 5"),
        ({**CHURN, "active_days": 0}, "active_days: Input should be greater than 0, got 0"),
    ],
)
def test_a_mistake_in_a_task_is_told(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_task(**keys)
