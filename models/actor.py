"""Who acts on a registry, as the ledger writes it down."""

import getpass
import socket
from collections.abc import Mapping
from dataclasses import dataclass

WHO = "JOURNEYCAST_WHO"  # a name for the ledger, where user and host say little: in a container, in cron


@dataclass(frozen=True)
class Actor:
    """Who does something, and when (µs UTC)."""

    who: str
    when_us: int


def who(environment: Mapping[str, str]) -> str:
    """Who is asking: the name that the environment gives, else user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "somebody"
    return environment.get(WHO) or f"{user}@{socket.gethostname()}"
