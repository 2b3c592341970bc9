"""What each type of DuckDB is read as, whatever file it came in: the one table of type rules.

Parquet and Arrow reach DuckDB in types of its own, so the table in docs/formats.md follows from this one.
"""

from enum import Enum


class CellKind(Enum):
    """How the cells of a column are read."""

    TEXT = "text"
    WHOLE = "whole number"
    DECIMAL = "decimal number"  # exact
    FLOAT = "floating-point number"
    BOOLEAN = "boolean"
    DATE = "date"
    LOCAL_TIME = "time without offset"
    PLACED_TIME = "time with offset"
    NOT_SINGLE = "not a single value"


_NAMES = {
    CellKind.TEXT: "VARCHAR CHAR BPCHAR STRING ENUM UUID BLOB BIT TIME TIME_NS TIMETZ INTERVAL NULL",
    CellKind.WHOLE: "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT BIGNUM",
    CellKind.DECIMAL: "DECIMAL",
    CellKind.FLOAT: "FLOAT DOUBLE",
    CellKind.BOOLEAN: "BOOLEAN",
    CellKind.DATE: "DATE",
    CellKind.LOCAL_TIME: "TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_US TIMESTAMP_NS DATETIME",
    CellKind.PLACED_TIME: "TIMESTAMPTZ TIMESTAMPTZ_NS",
    CellKind.NOT_SINGLE: "LIST ARRAY STRUCT TUPLE MAP UNION VARIANT GEOMETRY JSON TYPE LAMBDA",
}
KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()} | {
    "TIMESTAMP WITH TIME ZONE": CellKind.PLACED_TIME,
    "TIME WITH TIME ZONE": CellKind.TEXT,
}
TIMES = frozenset({CellKind.DATE, CellKind.LOCAL_TIME, CellKind.PLACED_TIME})
NUMBERS = frozenset({CellKind.WHOLE, CellKind.DECIMAL, CellKind.FLOAT, CellKind.BOOLEAN})


def kind_of(type_name: str) -> CellKind:
    """The kind of a type as DuckDB writes it; one that nobody knows is not a single value.

    >>> kind_of("DECIMAL(12,2)").value, kind_of("STRUCT(a INTEGER)[]").value, kind_of("TIMESTAMPTZ_NS").value
    ('decimal number', 'not a single value', 'time with offset')
    """
    if type_name.endswith("]"):
        return CellKind.NOT_SINGLE
    name, _, parameters = type_name.strip('"').partition("(")
    if name == "DECIMAL" and parameters.endswith(",0)"):
        return CellKind.WHOLE
    return KINDS.get(name, CellKind.NOT_SINGLE)
