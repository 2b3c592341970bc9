"""A real MLflow tracking server in a thread of this process, which falls ill on demand."""

import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

Environment = dict[str, Any]
Answer = Iterable[bytes]
Application = Callable[[Environment, Callable[..., Any]], Answer]
BODIES = {  # what it says while it is ill, and with which status
    "500": ("500 Internal Server Error", b"<html>out of order</html>"),
    "garbage": ("200 OK", b"<html>It works!</html>"),
    "wrong data": ("200 OK", b'{"registered_model": [1], "registered_models": 7, "experiments": "x", "runs": {}}'),
}
ILLNESSES = (*BODIES, "killed", "frozen", "answer lost")


class Quiet(WSGIRequestHandler):
    """It writes no line for each request."""

    def log(self, type: str, message: str, *args: Any) -> None: ...  # noqa: A002  werkzeug's own name


@dataclass
class Tracker:
    """The server; `fall_ill` begins after so many more requests."""

    application: Application
    address: str = ""
    illness: str = ""
    after: int = 0
    requests: int = 0
    healed: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def fall_ill(self, illness: str, after: int) -> Iterator[None]:
        self.illness, self.after, self.requests = illness, after, 0
        self.healed.clear()
        try:
            yield
        finally:
            self.illness = ""
            self.healed.set()

    def __call__(self, environment: Environment, start: Callable[..., Any]) -> Answer:
        self.requests += 1
        if not self.illness or self.requests <= self.after:
            return self.answer(environment, start)
        return self.suffer(environment, start)

    def answer(self, environment: Environment, start: Callable[..., Any]) -> Answer:
        with warnings.catch_warnings():  # MLflow's own quarrels with its libraries
            warnings.simplefilter("ignore")
            return self.application(environment, start)

    def suffer(self, environment: Environment, start: Callable[..., Any]) -> Answer:
        if self.illness in BODIES:
            status, body = BODIES[self.illness]
            start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        if self.illness == "answer lost":
            list(self.answer(environment, lambda *_: None))  # it is done, and nobody hears of it
        if self.illness == "killed":
            environment["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        else:
            self.healed.wait()
        start("503 Service Unavailable", [("Content-Length", "0")])
        return []


@contextmanager
def tracking(folder: Path) -> Iterator[Tracker]:
    """A server of its own with its database and artifacts in a folder; one in a process."""
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{folder / 'server.db'}"
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = (folder / "artifacts").as_uri()
    from mlflow.server import app

    tracker = Tracker(app.wsgi_app)
    server = make_server("127.0.0.1", 0, tracker, threaded=True, request_handler=Quiet)
    tracker.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield tracker
    finally:
        tracker.healed.set()
        server.shutdown()
        server.server_close()
        thread.join()
