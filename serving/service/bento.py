"""The BentoML door: our application in a BentoML service, which adds `livez`, `readyz`, a time limit and back-pressure.

The service is one process under uvicorn and uvloop, so that a signal stops it whole and nothing is orphaned.
`JOURNEYCAST_CONFIG` names the TOML when BentoML's own command starts it (`bentoml serve serving.service:Journeycast`).
"""

import gc
import logging
import os
import signal
import socket
import warnings
from pathlib import Path
from typing import Any

import uvicorn

from features.config.load import load
from features.errors import ConfigError, JourneycastError
from features.store.reader import Store
from features.system import environment
from serving.scoring.champions import champions
from serving.scoring.online import Online
from serving.scoring.served_model import with_global_counts
from serving.service.app import create_app

environment.apply()  # BentoML reads its switches while it is imported
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about names that its own dependencies have given up
    from bentoml import asgi_app, service  # by name, because BentoML imports its parts when they are asked for

CONFIG = "JOURNEYCAST_CONFIG"
DRAIN_SECONDS = 20
BACKLOG = 2048
logger = logging.getLogger(__name__)
app = create_app()


@service(
    name="journeycast",
    workers=1,
    traffic={"timeout": 10, "max_concurrency": 64},
    metrics={"enabled": False},  # its label is the raw path, which a client chooses; ours is in serving.service.metrics
    logging={"access": {"enabled": False}},
)
@asgi_app(app)
class Journeycast:
    """Scores of the champions. Without a store or a champion it stays up, is not ready, and tells what to do."""

    def __init__(self) -> None:
        start(Path(os.environ.get(CONFIG, "journeycast.toml")))

    async def __is_ready__(self) -> bool:
        return app.state.online is not None


def start(config_path: Path) -> None:
    """Load the champions and warm up; the application says why when that fails."""
    try:
        config = load(config_path)
        store, served = Store.open(config.workspace_path, config), champions(config)
        online = Online(config, with_global_counts(store, served), served)
        online.warm()
    except JourneycastError as error:
        app.state.reason = f"{error}; then start the service again"
        logger.error("not ready: %s", error)  # noqa: TRY400  the message is all a person needs
        return
    app.state.online = online
    gc.collect()
    gc.freeze()  # what was loaded stays; the collector need not walk it at every turn


def serve(config_path: Path, host: str, port: int) -> None:
    """Answer requests until SIGINT or SIGTERM; what is in flight gets `DRAIN_SECONDS`.

    Raises:
        ConfigError: the address cannot be listened on.
        JourneycastError: the service failed before it could answer anything.
    """
    os.environ[CONFIG] = str(Path(config_path).resolve())
    bento: Any = Journeycast  # BentoML made a service of the class
    listener = _listen(host, port)
    signal.signal(signal.SIGTERM, _stop_quietly)  # uvicorn raises it once more when it has drained
    options = uvicorn.Config(
        bento.to_asgi(is_main=False),  # without BentoML's web pages
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = uvicorn.Server(options)
    logging.getLogger("uvicorn.error").info(
        "Journeycast answers on http://%s:%s/v1/score once it has started", host, port
    )
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
        gc.unfreeze()  # so that the interpreter takes everything down in order
    if not server.started:
        raise JourneycastError("the service could not start; the log lines above tell why")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}; free it or choose another with --port"
        ) from None


def _stop_quietly(_signal: int, _frame: object) -> None:
    """Nothing is left to do."""
