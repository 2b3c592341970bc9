"""The SQLAlchemy door: transactions on SQLite or PostgreSQL, in plain SQL with named values.

Who writes has the lock from the first statement on: a SQLite transaction that reads first and writes later fails at
once when another was faster, however long it may wait. SQLite keeps its rollback journal: the releases that many
Pythons link (3.7.0 to 3.51.2) may lose pages of a write-ahead log. Its folder is synced too: what was committed stays.

Each transaction has a connection of its own: there is nothing to close, and neither a fork nor a restart of the server
leaves a dead one behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InternalError, ProgrammingError, SQLAlchemyError

from features.errors import ConfigError, DatabaseError, JourneycastError
from features.system.files import no_room
from models.databases.urls import without_password

SQLITE, POSTGRESQL = "sqlite", "postgresql"
WAIT_S = 30  # for other writers of a SQLite file
POSTGRESQL_LIMITS = {
    "connect_timeout": 3,  # seconds
    "options": "-c lock_timeout=10s -c statement_timeout=15s "
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",  # a dead host lets go
}


@dataclass(frozen=True)
class Transaction:
    """A transaction under way; values are named in the SQL as `:name`."""

    connection: Connection = field(repr=False)

    def run(self, sql: str, **values: Any) -> None:
        """Run one statement that gives nothing back."""
        with _explained(self.connection.engine):
            self.connection.execute(text(sql), values)

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with _explained(self.connection.engine):
            return [tuple(row) for row in self.connection.execute(text(sql), values)]


@dataclass(frozen=True)
class Database:
    """A SQLite file or a PostgreSQL database."""

    engine: Engine = field(repr=False)

    def __str__(self) -> str:
        """Its address, without a password."""
        return _shown(self.engine.url)

    @staticmethod
    def open(address: str) -> "Database":
        """The database at an address; the folder of a SQLite file is made.

        Raises:
            ConfigError: the address is of another kind.
            DatabaseError: the driver is not installed, or the folder cannot be made.
        """
        url = _url(address)
        try:
            if url.get_backend_name() == SQLITE:
                return Database(_sqlite(url))
            limits = {name: limit for name, limit in POSTGRESQL_LIMITS.items() if name not in url.query}
            return Database(create_engine(url, poolclass=NullPool, connect_args=limits))
        except ImportError:
            raise DatabaseError(
                f"expected the driver of {_shown(url)}, found none; "
                "install it with `pip install 'journeycast[postgres]'`"
            ) from None

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    def has(self, table: str) -> bool:
        """Whether there is a table of that name."""
        with _explained(self.engine):
            return inspect(self.engine).has_table(table)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """One transaction that only reads."""
        with self._transaction("BEGIN") as transaction:
            yield transaction

    @contextmanager
    def writing(self, lock: str) -> Iterator[Transaction]:
        """One transaction, alone among those with this `lock` from its beginning; undone when the block raises.

        On SQLite it is alone among all that write.
        """
        with self._transaction("BEGIN IMMEDIATE") as transaction:
            if self.kind == POSTGRESQL:
                transaction.run("SELECT pg_advisory_xact_lock(hashtextextended(:lock, 0))", lock=lock)
            yield transaction

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Transaction]:
        with _explained(self.engine):
            connection = self.engine.connect()
        try:
            transaction = Transaction(connection)
            if self.kind == SQLITE:
                transaction.run(begin)  # else Python begins one, deferred, at the first change
            yield transaction
            with _explained(self.engine):
                connection.commit()
        finally:
            connection.close()  # undoes what was not committed


def is_race(error: Exception) -> bool:
    """Whether others may just be making the table or the row that was there already, or not yet."""
    return isinstance(error, IntegrityError | ProgrammingError | InternalError)


def _url(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        url = URL.create("nothing")
    has_file = url.database not in {None, "", ":memory:"}
    if url.get_backend_name() not in {SQLITE, POSTGRESQL} or (url.get_backend_name() == SQLITE and not has_file):
        raise ConfigError(
            "expected an address like sqlite:///FILE or postgresql+psycopg://HOST/DATABASE, "
            f"got '{without_password(address)}'"
        )
    return url


def _sqlite(url: URL) -> Engine:
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"expected a folder {folder} to keep a database in: {error.strerror}") from None
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": WAIT_S, "isolation_level": None})
    event.listen(engine, "connect", _as_we_need_it)
    return engine


def _as_we_need_it(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = EXTRA")


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """SQLAlchemy's errors become ours, without the password that the address may hold."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _translated(engine.url, error) from error


def _translated(url: URL, error: SQLAlchemyError) -> JourneycastError:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    message = without_password(str(cause).partition("\n")[0])
    if getattr(cause, "sqlite_errorname", "") == "SQLITE_FULL":
        return no_room(Path(str(url.database)), message)
    if "database is locked" in message:
        message = f"another process has been writing for more than {WAIT_S} s"
    return DatabaseError(f"the database {_shown(url)} could not be used: {message}; run it again once it can")


def _shown(url: URL) -> str:
    return without_password(url.render_as_string(hide_password=True))
