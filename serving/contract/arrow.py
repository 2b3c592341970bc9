"""Arrow types of the contract, derived from its pydantic models, so that the two cannot differ."""

from collections.abc import Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel

from models.score_record import ScoreRecord


def arrow_type(annotation: Any) -> pa.DataType:
    """The Arrow type of a field of the contract.

    >>> arrow_type(list[str] | None)
    ListType(list<item: string>)
    """
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (member for member in get_args(annotation) if member is not NoneType)
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return pa.string()
    if get_origin(annotation) is list:
        return pa.list_(arrow_type(get_args(annotation)[0]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(arrow_schema(annotation))
    return _PLAIN[annotation]


def arrow_schema(record: type[BaseModel]) -> pa.Schema:
    """The Arrow schema of a part of the contract, fields in its order."""
    return pa.schema(
        [
            pa.field(name, arrow_type(info.annotation), _optional(info.annotation))
            for name, info in record.model_fields.items()
        ]
    )


def _optional(annotation: Any) -> bool:
    return NoneType in get_args(annotation)


_PLAIN: Mapping[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int32(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
    AwareDatetime: pa.timestamp("us", tz="UTC"),
}
SCHEMA = arrow_schema(ScoreRecord)
