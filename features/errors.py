"""The one exception tree; each class carries its exit code and HTTP status.

JourneycastError            1 / 500   a failure that we foresaw and can explain
├── InputError              2 / 422   what was given cannot be used
│   ├── ConfigError                   the TOML or a command-line value
│   ├── LogError                      a file of the event log or the profile
│   ├── RequestError                  a request over HTTP or through Python
│   └── AuditError                    training's question is wrong where it does not show
├── FeatureError            1 / 500   a function of the module of features failed
├── StoreError              1 / 503   the store is missing, torn or of another format
├── BundleError             1 / 503   a bundle is missing, changed or does not fit the store
├── DatabaseError           1 / 503   a database cannot be opened, read or written
├── LedgerError             1 / 503   the ledger was changed, or is of a newer format
└── DiskError               1 / 507   there is no room for what has to be written

A message says what was expected, what was found and what to do.
"""

import difflib
from collections.abc import Iterable


class JourneycastError(Exception):
    """A failure that we foresaw; its message is all a person needs to go on."""

    exit_code = 1
    http_status = 500


class InputError(JourneycastError):
    """What was given cannot be used."""

    exit_code = 2
    http_status = 422


class ConfigError(InputError):
    """The TOML or a command-line value is wrong."""


class LogError(InputError):
    """A file of the event log or of the profile cannot be used."""


class RequestError(InputError):
    """A scoring request cannot be answered as it stands."""


class AuditError(InputError):
    """A question, its labels or its log would teach a model something that is not so; the message names the checks."""


class FeatureError(JourneycastError):
    """A function of the module of features raised, or gave no number."""


class StoreError(JourneycastError):
    """The store is missing, torn or of another format."""

    http_status = 503


class BundleError(JourneycastError):
    """A bundle is missing, was changed, or does not fit the store."""

    http_status = 503


class DatabaseError(JourneycastError):
    """A database cannot be opened, read or written."""

    http_status = 503


class LedgerError(JourneycastError):
    """The ledger is not as it was written, or a newer version wrote it."""

    http_status = 503


class DiskError(JourneycastError):
    """The disk, a quota or a limit on the size of files leaves no room for what has to be written."""

    http_status = 507


def did_you_mean(word: str, expected: Iterable[str]) -> str:
    """A closing sentence that names the nearest expected word, or all of them.

    >>> did_you_mean("purchse", ["purchase", "view"])
    "did you mean 'purchase'?"
    >>> did_you_mean("x", ["purchase", "view"])
    'expected one of: purchase, view'
    """
    names = sorted(expected)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"expected one of: {', '.join(names)}" if names else "nothing is expected here"
