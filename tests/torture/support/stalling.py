"""A proxy before a database that can stand still for a while: nothing is refused and nothing arrives."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Stalling:
    """The address to connect to, and the moment before which nothing passes."""

    address: str
    _until: float = field(default=0.0)

    @staticmethod
    @contextmanager
    def before(address: str) -> Iterator["Stalling"]:
        """A proxy before the server of this address; a SQLite file has none, and never stalls."""
        if address.startswith("sqlite"):
            yield Stalling(address)
            return
        server = urlsplit(address)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            there = (server.hostname or "127.0.0.1", server.port or 5432)
            user = f"{server.netloc.rpartition('@')[0]}@" if "@" in server.netloc else ""
            here = server._replace(netloc=f"{user}127.0.0.1:{listening.getsockname()[1]}").geturl()
            proxy = Stalling(here)
            threading.Thread(target=proxy._listen, args=(listening, there), daemon=True).start()
            yield proxy

    def stall(self, seconds: float) -> None:
        """Let nothing pass for so long; returns at once."""
        self._until = time.monotonic() + seconds

    def _listen(self, listening: socket.socket, there: tuple[str, int]) -> None:
        with suppress(OSError):  # closed: the end
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(there)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        """Pass on what comes; a process that was forked holds copies, so an end has to be told and not only closed."""
        with suppress(OSError):
            while data := source.recv(65536):
                while (left := self._until - time.monotonic()) > 0:
                    time.sleep(left)
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
