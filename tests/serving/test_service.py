"""The HTTP edge: what it answers, what it refuses, and that it starts, serves and stops as one process."""

import json
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel
from starlette.applications import Starlette

from features.config.load import load
from features.errors import BundleError, ConfigError
from features.system.files import write_text
from models.registry.versions import Registry
from models.score_record import ScoreRecord
from serving.batch import BatchRun, score_base
from serving.contract.requests import FailureResponse, ModelsResponse, ScoreResponse
from serving.contract.score_id import read_score_id
from serving.score import score
from serving.scoring.champions import champions
from serving.scoring.online import Online
from serving.service.app import LARGEST_BODY, create_app
from serving.service.bento import serve
from tests.support.ingested_shop import AS_OF, BUNDLES, EMOJI, base, options, rows, without_nulls
from tests.support.log_files import event
from tests.support.registered_shop import register_folder

FRESH = {"at": "2025-04-28T12:00:00", "what": "purchase", "money": 99.5, "channel": "web"}


@dataclass(frozen=True)
class Client:
    """Talks to an application without a socket."""

    app: Starlette

    @staticmethod
    def of(online: Online) -> "Client":
        app = create_app()
        app.state.online = online
        return Client(app)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://here") as client:
                return await client.request(method, path, **more)

        return anyio.run(ask)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Online:
    online = base(tmp_path_factory.mktemp("base"), rows())
    online.warm()
    return online


@pytest.fixture(scope="module")
def client(online: Online) -> Client:
    return Client.of(online)


def ask(client: Client, *customers: Any, **more: Any) -> httpx.Response:
    named = [customer if isinstance(customer, dict) else {"customer_id": customer} for customer in customers]
    return client.post("/v1/score", json={"customers": named, "as_of": AS_OF, **more})


def scores(client: Client, *customers: Any, **more: Any) -> list[dict[str, Any]]:
    response = ask(client, *customers, **more)
    assert response.status_code == 200, response.text
    records: list[dict[str, Any]] = response.json()["scores"]
    return records


def refused(response: httpx.Response) -> tuple[int, str]:
    """Status and message, in the one shape of every refusal."""
    failure = FailureResponse.model_validate_json(response.content).error
    return response.status_code, failure.message


def test_a_known_customer_gets_to_the_bit_what_the_file_says(client: Client, online: Online, tmp_path: Path) -> None:
    file = BatchRun(online.store, online.served, options(online), tmp_path).publish(tmp_path / "scores.parquet").path
    rows = [without_nulls(row) for row in pq.read_table(file).to_pylist()]
    names = list(dict.fromkeys(row["customer_id"] for row in rows))
    answered = ScoreResponse.model_validate_json(ask(client, *names).content)
    assert [plain(record) for record in answered.scores] == rows


def plain(record: BaseModel) -> dict[str, Any]:
    fields: dict[str, Any] = record.model_dump()
    return without_nulls(fields)


def test_a_customer_nobody_knows_gets_the_prior(client: Client) -> None:
    answered = scores(client, "nobody 🤷")
    assert {tuple(record["flags"]) for record in answered if record["task"] == "churn"} == {("new_customer",)}
    assert all(record["score"] is not None for record in answered)


def test_events_in_the_request_count_as_if_they_had_been_ingested(client: Client, tmp_path: Path) -> None:
    fresh = {"customer_id": EMOJI, "events": [FRESH]}
    with_events = scores(client, fresh)
    later = base(tmp_path, [*rows(), event(who=EMOJI, **FRESH)])
    ingested = scores(Client.of(later), EMOJI)
    assert [without_id(record) for record in with_events] == [without_id(record) for record in ingested]
    assert [record["score"] for record in with_events] != [record["score"] for record in scores(client, EMOJI)]
    assert {read_score_id(record["score_id"]).own_events for record in with_events} == {True}
    assert {read_score_id(record["score_id"]).own_events for record in ingested} == {False}


def without_id(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "score_id"}


def test_events_of_a_customer_nobody_knew_make_one_that_is_known(client: Client) -> None:
    record = scores(client, {"customer_id": "just arrived", "events": [FRESH]}, tasks=["churn"])[0]
    assert record["flags"] == ["thin_data"]
    assert record["as_of"] == "2025-05-01T00:00:00Z"


def test_by_default_the_as_of_is_where_the_log_ends_and_moves_on_with_own_events(
    client: Client, online: Online
) -> None:
    default = {"tasks": ["churn"], "as_of": None}
    end = scores(client, EMOJI, **default)[0]["as_of"]
    fresh = {**FRESH, "at": "2025-06-01T00:00:00"}
    both = scores(client, {"customer_id": EMOJI, "events": [fresh]}, "customer 1", **default)
    assert [record["as_of"] for record in both[::2]] == ["2025-06-01T00:00:00Z", end]


def test_the_log_is_complete_until_decides_the_as_of_also_with_own_events(tmp_path: Path) -> None:
    complete = base(tmp_path, rows(), complete_until="2025-03-01")
    fresh = {"customer_id": EMOJI, "events": [{**FRESH, "at": "2025-06-01T00:00:00"}]}
    assert {record["as_of"] for record in scores(Client.of(complete), fresh, as_of=None)} == {"2025-03-01T00:00:00Z"}


def test_only_the_tasks_asked_for_are_scored_in_the_order_asked(client: Client) -> None:
    answered = scores(client, EMOJI, "customer 1", tasks=["value", "churn"])
    assert [(record["customer_id"], record["task"]) for record in answered] == [
        (name, task) for name in (EMOJI, "customer 1") for task in ("value", "churn", "churn")
    ]


def test_reasons_come_on_request(client: Client) -> None:
    assert any(record["reasons"] for record in scores(client, EMOJI, reasons=True))
    assert {record["reasons"] for record in scores(client, EMOJI)} == {None}


def test_many_customers_at_once_get_what_each_gets_alone(client: Client) -> None:
    names = [f"customer {number}" for number in range(1, 30)]
    assert scores(client, *names) == [record for name in names for record in scores(client, name)]


def test_every_record_keeps_the_contract(client: Client) -> None:
    for record in scores(client, EMOJI, "nobody", reasons=True):
        assert list(record) == list(ScoreRecord.model_fields)


def test_models_tells_what_serves(client: Client, online: Online) -> None:
    models = ModelsResponse.model_validate_json(client.get("/v1/models").content).models
    assert [(model.task, model.model_version, model.bundle) for model in models] == [
        (model.name, model.version, model.bundle.digest) for model in online.served
    ]
    assert [len(model.horizons) for model in models] == [2, 1, 1, 1]


def test_openapi_describes_every_route_and_refusal(client: Client) -> None:
    described = client.get("/v1/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {"/v1/score", "/v1/models"}
    assert {"413", "415", "422", "503"} <= set(described["paths"]["/v1/score"]["post"]["responses"])
    assert {"ScoreRecord", "ScoreRequest", "FailureResponse"} <= set(described["components"]["schemas"])


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("", 400, "the body is not JSON"),
        ("{", 400, "the body is not JSON"),
        ("[]", 422, "object"),
        ("{}", 422, "customers: Field required"),
        ('{"customers": []}', 422, "at least 1 item"),
        ('{"customers": [{"customer_id": 7}]}', 422, r"customers.0.customer_id: Input should be a valid string"),
        ('{"customers": [{"customer_id": ""}]}', 422, "at least 1 character"),
        ('{"customers": [{"customer_id": "a", "x": 1}]}', 422, "customers.0.x: Extra inputs are not permitted"),
        ('{"customers": [{"customer_id": "a"}], "task": "churn"}', 422, "task: Extra inputs are not permitted"),
        ('{"customers": [{"customer_id": "a\\u0000b"}]}', 422, "control characters"),
        ('{"customers": [{"customer_id": "\\ud800"}]}', 400, "not JSON"),
        ('{"customers": [{"customer_id": "a"}], "tasks": ["chrun"]}', 422, "did you mean 'churn'"),
        ('{"customers": [{"customer_id": "a"}], "as_of": "yesterday"}', 422, "expected an ISO date or time"),
        ('{"customers": [{"customer_id": "a"}], "as_of": "2024-01-01"}', 422, "has seen what came after"),
        ('{"customers": [{"customer_id": "a"}], "reasons": "yes"}', 422, "reasons: Input should be a valid boolean"),
        ('{"customers": [{"customer_id": "a", "events": [{"money": NaN}]}]}', 422, "customers.0.events.0.money"),
        ('{"customers": [{"customer_id": "a", "events": [{"money": 1e999}]}]}', 422, "customers.0.events.0.money"),
        ('{"customers": [{"customer_id": "a", "events": [{"money": 1}]}]}', 422, "every event needs it"),
        ('{"customers": [{"customer_id": "a", "events": [{"at": "soon", "what": "x"}]}]}', 422, "not an ISO 8601"),
        ('{"customers": [{"customer_id": "a", "events": [{"at": "2025-01-01", "wat": "x"}]}]}', 422, "what"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_with_what_to_do(
    client: Client, body: str, status: int, message: str
) -> None:
    refusal = refused(client.post("/v1/score", content=body, headers={"content-type": "application/json"}))
    assert refusal[0] == status, refusal
    assert message in refusal[1]


def test_more_than_a_thousand_customers_are_refused(client: Client) -> None:
    assert refused(ask(client, *["a"] * 1001))[0] == 422


def test_an_id_of_256_bytes_is_scored_and_a_longer_one_refused(client: Client) -> None:
    assert ask(client, "é" * 128).status_code == 200
    assert refused(ask(client, "é" * 128 + "x")) == (
        422,
        "customer_id: longer than 256 bytes; expected an id of at most 256 bytes without control characters",
    )


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/vnd.bentoml+pickle"])
def test_what_is_not_announced_as_json_is_refused(client: Client, kind: str) -> None:
    status, message = refused(client.post("/v1/score", content=b"\x80\x05N.", headers={"content-type": kind}))
    assert (status, "expected a body of type application/json" in message) == (415, True)


def test_a_body_beyond_the_limit_is_refused_announced_or_not(client: Client) -> None:
    headers = {"content-type": "application/json"}
    assert refused(client.post("/v1/score", content=b" " * (LARGEST_BODY + 1), headers=headers))[0] == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b" " * 100_000

    assert refused(client.post("/v1/score", content=chunks(), headers=headers))[0] == 413


def test_another_method_is_refused_in_the_same_shape(client: Client) -> None:
    assert refused(client.get("/v1/score")) == (405, "Method Not Allowed")


def test_a_failure_of_ours_tells_the_client_nothing_of_the_inside(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.service.app._score_body", lambda *_: 1 / 0)
    assert refused(ask(client, EMOJI)) == (500, "the service failed; its log holds the error")


def test_without_a_model_it_says_what_to_do() -> None:
    client = Client(create_app())
    status, message = refused(ask(client, EMOJI))
    assert (status, message) == (503, "the service is starting; try again in a few seconds")
    assert client.get("/v1/models").status_code == 503
    assert client.get("/v1/openapi.json").status_code == 200


def test_no_id_and_no_path_becomes_a_label(client: Client) -> None:
    scores(client, "canary@example.org")
    client.get("/v1/canary")
    text = client.get("/metrics").text
    assert "canary" not in text
    assert 'journeycast_requests_total{route="/v1/score",status="200"}' in text


TOML = """
name = "shop"
[log]
source = ["log/*"]
customer = "who"
time = "at"
event = "what"
value = "money"
categories = ["channel"]
[tasks.churn]
kind = "churn"
event = "purchase"
horizons_days = [30, 90]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a store and a champion of one task; the path of its TOML."""
    folder = tmp_path_factory.mktemp("shop")
    online = base(folder, rows())
    registry, bundle = Registry.open(online.config), online.served[0].bundle
    with registry.run("churn", "made by hand") as run:
        version = register_folder(registry, "churn", run, online.config.workspace_path / "bundles" / bundle.digest)
    registry.set_champion("churn", version)
    write_text(folder / "journeycast.toml", TOML)
    return folder / "journeycast.toml"


def test_in_python_and_in_the_file_it_is_the_same(shop: Path) -> None:
    config = load(shop)
    frame = score(config, ["churn"])
    written = score_base(config)
    assert written.path == config.workspace_path / "scores.parquet"
    assert frame.equals(pq.read_table(written.path).to_pandas())
    named = score(config, customers=["nobody", EMOJI], events={EMOJI: [FRESH]}, as_of=AS_OF, reasons=True)
    assert named["customer_id"].tolist() == ["nobody", "nobody", EMOJI, EMOJI]
    assert named["reasons"].notna().any()


def test_a_task_without_a_champion_is_named_or_left_out_aloud(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = load(shop)
    both = config.model_copy(update={"tasks": {**config.tasks, "value": BUNDLES[2].task}})
    assert [model.name for model in champions(both)] == ["churn"]
    assert "task 'value' has no champion and is left out" in caplog.text
    with pytest.raises(
        BundleError, match=r"expected a champion for task 'value', found none; run `journeycast train value`"
    ):
        champions(both, ["churn", "value"])
    with pytest.raises(ConfigError, match=r"expected at least one \[tasks\.NAME\]"):
        champions(config.model_copy(update={"tasks": {}}))


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def started(config: Path, port: int) -> subprocess.Popen[bytes]:
    code = f"from serving.service.bento import serve; serve({str(config)!r}, '127.0.0.1', {port})"
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], cwd=Path(__file__).parents[2])


def reached(url: str, process: subprocess.Popen[bytes]) -> httpx.Response:
    """The first answer of a service that is starting."""
    for _ in range(1800):
        assert process.poll() is None, "the service ended"
        try:
            return httpx.get(url, timeout=30)
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the service did not answer within three minutes")


@pytest.mark.slow
def test_the_service_starts_answers_and_stops_whole(shop: Path, port: int) -> None:
    process, url = started(shop, port), f"http://127.0.0.1:{port}"
    try:
        assert reached(f"{url}/readyz", process).status_code == 200
        assert httpx.get(f"{url}/livez", timeout=30).status_code == 200
        answer = httpx.post(
            f"{url}/v1/score", json={"customers": [{"customer_id": EMOJI}, {"customer_id": "nobody"}]}, timeout=30
        )
        assert [record["horizon_days"] for record in answer.json()["scores"]] == [30, 90, 30, 90]
        assert httpx.get(f"{url}/v1/models").json()["models"][0]["model_version"] == "1"
        assert "journeycast_requests_total" in httpx.get(f"{url}/metrics").text
        process.terminate()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    with socket.create_server(("127.0.0.1", port)):
        pass  # nobody holds the port


@pytest.mark.slow
def test_without_a_champion_the_service_stays_up_is_not_ready_and_can_be_interrupted(shop: Path, port: int) -> None:
    other = shop.with_name("other.toml")
    write_text(other, TOML.replace("tasks.churn", "tasks.untrained"))
    process, url = started(other, port), f"http://127.0.0.1:{port}"
    try:
        assert reached(f"{url}/livez", process).status_code == 200
        assert httpx.get(f"{url}/readyz", timeout=30).status_code == 503
        status, message = refused(httpx.post(f"{url}/v1/score", json={"customers": [{"customer_id": "a"}]}, timeout=30))
        assert status == 503
        assert "run `journeycast train untrained` first" in message
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


def test_an_address_that_is_taken_is_one_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*choose another with --port"):
            serve(tmp_path / "journeycast.toml", "127.0.0.1", port)


def test_json_of_the_service_is_json(client: Client) -> None:
    def never(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(ask(client, EMOJI, "nobody", reasons=True).content, parse_constant=never)


def test_a_customer_nobody_knows_is_scored_also_where_events_have_ids_and_orders(tmp_path: Path) -> None:
    log = [{**row, "key": str(number), "basket": str(number // 2)} for number, row in enumerate(rows()[:100])]
    client = Client.of(base(tmp_path, log, id="key", order="basket"))
    assert {record["flags"][0] for record in scores(client, "nobody")} == {"new_customer"}
