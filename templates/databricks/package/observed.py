"""Values as text and as JSON, spelled the same whatever engine found them.

A row is a JSON object of texts. What an aggregate found is JSON that loses no digit: whole numbers and
doubles are numbers, NaN and infinities texts, a decimal is a number where a double spells exactly its digits
and a text otherwise, times are texts in ISO 8601, lists are lists. Rows are fetched as what Python holds
exactly: an instant as microseconds, a time without zone as text.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

HIDDEN = "(hidden)"
ORIGINAL = "_medc_original_"
"""The prefix of columns that carry a value from before it was changed, for the quarantine only."""

_MICROS_A_DAY = 86_400_000_000


def visible(rows: DataFrame) -> list[str]:
    """The columns of the table: those that are not carried for the quarantine only."""
    return [name for name in rows.columns if not name.startswith(ORIGINAL)]


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return "`" + name.replace("`", "``") + "`"


def fetch(rows: DataFrame) -> list[list[Any]]:
    """All rows, with values as `text` and `to_json` take them."""
    columns = [_portable(rows[quoted(field.name)], field.dataType) for field in rows.schema.fields]
    return [list(row) for row in rows.select(*columns).collect()]


def examples(rows: DataFrame) -> list[dict[str, str | None]]:
    """All rows as texts by column; few are expected."""
    fields = rows.schema.fields
    return [
        {field.name.lower(): text(value, field.dataType) for field, value in zip(fields, row)} for row in fetch(rows)
    ]


def _portable(value: Column, data_type: T.DataType) -> Column:
    if isinstance(data_type, T.TimestampType):
        return F.unix_micros(value)
    if isinstance(data_type, (T.TimestampNTZType, T.DateType)):
        return value.cast("string")
    if isinstance(data_type, T.ArrayType) and _has_times(data_type):
        element = data_type.elementType
        return F.transform(value, lambda one: _portable(one, element))
    if isinstance(data_type, T.MapType) and _has_times(data_type):
        key, of_key = data_type.keyType, data_type.valueType
        pairs = F.map_entries(value)
        return F.transform(pairs, lambda one: F.struct(_portable(one["key"], key), _portable(one["value"], of_key)))
    if isinstance(data_type, T.StructType) and _has_times(data_type):
        fields = [_portable(value[field.name], field.dataType).alias(field.name) for field in data_type.fields]
        return F.when(value.isNotNull(), F.struct(*fields))
    return value


def _has_times(data_type: T.DataType) -> bool:
    if isinstance(data_type, T.ArrayType):
        return _has_times(data_type.elementType)
    if isinstance(data_type, T.MapType):
        return _has_times(data_type.keyType) or _has_times(data_type.valueType)
    if isinstance(data_type, T.StructType):
        return any(_has_times(field.dataType) for field in data_type.fields)
    return isinstance(data_type, (T.TimestampType, T.TimestampNTZType, T.DateType))


def text(value: Any, data_type: T.DataType) -> str | None:
    """A fetched value as text; `None` for NULL."""
    return None if value is None else _spelled(value, data_type)


def _spelled(value: Any, data_type: T.DataType) -> str:
    if value is None:
        return ""
    if isinstance(data_type, T.BooleanType):
        return "true" if value else "false"
    if isinstance(data_type, T.FloatType):
        return _float(_shortest_single(value))
    if isinstance(data_type, T.DoubleType):
        return _float(value)
    if isinstance(data_type, T.DecimalType):
        return f"{value:f}"
    if isinstance(data_type, T.BinaryType):
        return bytes(value).hex()
    if isinstance(data_type, T.TimestampType):
        return _instant(value)
    if isinstance(data_type, T.TimestampNTZType):
        return _wall_clock(value)
    if isinstance(data_type, T.ArrayType):
        return "[" + ", ".join(_spelled(one, data_type.elementType) for one in value) + "]"
    if isinstance(data_type, T.MapType):
        pairs = value.items() if isinstance(value, dict) else value
        spelled = (f"{_spelled(key, data_type.keyType)}: {_spelled(one, data_type.valueType)}" for key, one in pairs)
        return "{" + ", ".join(spelled) + "}"
    if isinstance(data_type, T.StructType):
        members = zip(data_type.fields, value)
        return "{" + ", ".join(f"{field.name}: {_spelled(one, field.dataType)}" for field, one in members) + "}"
    return str(value)


def to_value(value: Any, data_type: T.DataType) -> Any:
    """A fetched value as what its JSON says, for `to_json`."""
    if value is None or isinstance(data_type, (T.BooleanType, T.IntegralType)):
        return value
    if isinstance(data_type, T.FloatType):
        return number(_shortest_single(value))
    if isinstance(data_type, T.DoubleType):
        return number(value)
    if isinstance(data_type, T.DecimalType):
        return _decimal(value)
    if isinstance(data_type, T.ArrayType):
        return [to_value(one, data_type.elementType) for one in value]
    return _spelled(value, data_type)


def number(value: float) -> float | str:
    """A double as what its JSON says."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(value)


def to_json(value: Any) -> str:
    """Compact JSON; doubles always look like doubles."""
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(to_json(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{to_json(str(key))}:{to_json(one)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def hide(example: dict[str, str | None], private: frozenset[str]) -> dict[str, str | None]:
    """A row whose private values are not shown. One that could not be told into columns may hold anything."""
    hidden = private | {"_row"} if private else private
    return {name: HIDDEN if value is not None and name.lower() in hidden else value for name, value in example.items()}


def hide_value(value: Any, columns: Sequence[str], private: frozenset[str]) -> Any:
    """What was observed of columns, unless one is private; numbers tell nobody's value."""
    shows = isinstance(value, (str, list, dict)) and any(column.lower() in private for column in columns)
    return HIDDEN if shows else value


def _float(value: float) -> str:
    """The shortest digits that read back as the value; an exponent only far from 1."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    _, digits, exponent = Decimal(repr(abs(value))).normalize().as_tuple()
    assert isinstance(exponent, int)
    spelled = "".join(map(str, digits))
    point = len(spelled) + exponent
    if value == 0.0:
        return f"{sign}0.0"
    if 0 <= exponent and point <= 16:
        return f"{sign}{spelled}{'0' * exponent}.0"
    if 0 < point <= 16:
        return f"{sign}{spelled[:point]}.{spelled[point:]}"
    if -5 < point <= 0:
        return f"{sign}0.{'0' * -point}{spelled}"
    mantissa = spelled if len(spelled) == 1 else f"{spelled[0]}.{spelled[1:]}"
    return f"{sign}{mantissa}e{point - 1}"


def _shortest_single(value: float) -> float:
    """A 32-bit float as the double with the fewest digits that names it."""
    if not math.isfinite(value):
        return value
    for n_digits in range(1, 10):
        near = float(f"{value:.{n_digits}g}")
        try:
            if struct.pack("f", near) == struct.pack("f", value):
                return near
        except OverflowError:
            continue
    return value


def _decimal(value: Decimal) -> Any:
    spelled = f"{value:f}"
    if "." not in spelled:
        whole = int(spelled)
        if -(2**63) <= whole < 2**63:
            return whole
    near = float(value)
    whole_part, _, fraction = spelled.partition(".")
    known = f"{whole_part}.{fraction.rstrip('0')}" if fraction else f"{whole_part}."
    shown, _, shown_fraction = f"{Decimal(repr(near)):f}".partition(".")
    return near if f"{shown}.{shown_fraction.rstrip('0')}" == known else spelled


def _instant(micros: int) -> str:
    days, micros = divmod(micros, _MICROS_A_DAY)
    seconds, micros = divmod(micros, 1_000_000)
    hours, seconds = divmod(seconds, 3600)
    return f"{_date(days)}T{hours:02}:{seconds // 60:02}:{seconds % 60:02}{_fraction(f'{micros:06}')}Z"


def _wall_clock(spelled: str) -> str:
    date, _, time = spelled.partition(" ")
    time, _, fraction = time.partition(".")
    return f"{date}T{time}{_fraction(fraction.ljust(6, '0'))}"


def _fraction(micros: str) -> str:
    if micros == "000000":
        return ""
    return f".{micros[:3]}" if micros.endswith("000") else f".{micros}"


def _date(days: int) -> str:
    # Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": Python's own dates end in 9999.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    year += era * 400 + (month >= 10)
    month += 3 if month < 10 else -9
    sign = "" if 0 <= year <= 9999 else "-" if year < 0 else "+"
    return f"{sign}{abs(year):04}-{month:02}-{day:02}"
