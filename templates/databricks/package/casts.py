"""Values cast to a contract's types, NULL where they cannot be.

In: a column and its type. Out: the column in the wanted type, and whether something in it could not be cast. Nothing is guessed and
nothing lost: Spark's `try_cast` decides only where it neither takes more texts than the contract's types do, nor other ones.
Blanks around numbers, dates, timestamps and booleans don't count, decimals round half up, and a time without a zone is one of
the given zone. A wall-clock time that the zone's clocks skipped or showed twice is no instant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from . import nested

_BLANKS = "".join(map(chr, range(33)))
_INTEGER = r"^[+-]?[0-9]+\z"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\z"
_ZERO = r"^[+-]?(0+\.?0*|\.0+)([eE][+-]?0*[0-9]{1,9})?\z"
_NO_NUMBER = r"(?i)^([+-]?inf|[+-]?infinity|nan)\z"
_TIME = (
    r"(?s)^([+-]?[0-9]{4,6})(-[0-9]{1,2})?(-[0-9]{1,2})?"
    r"(?:[ T]([0-9]{1,2}:[0-9]{1,2})(:[0-9]{1,2})?(?:\.([0-9]*))?(.*))?\z"
)
_DATE_AND_HOUR = r"^[+-]?[0-9]{4,6}(-[0-9]{1,2}){0,2}[ T][0-9]{1,2}\z"
_OFFSET = r"^(?:UTC|GMT|UT)?([+-])([0-9]{1,2})(?::([0-9]{1,2}))?(?::([0-9]{1,2}))?\z"
_REGION = r"^(?!(?:UTC|GMT|UT)?[+-])[A-Za-z][A-Za-z0-9_+/-]*\z"
_JAVA_ONLY = (
    "ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT IET IST JST MIT NET NST PLT PNT PRT PST SST VST".split()
)
"""Short names that Java knows and the time zone database does not."""

_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Cast:
    """A column after a cast."""

    value: Column
    failed: Column
    """TRUE where something could not be cast, at whatever depth; else FALSE."""


def cast(value: Column, source: T.DataType, target: T.DataType, zone: str) -> Cast:
    """Casts a column; times without a zone are those of `zone`."""
    if source.simpleString() == target.simpleString():
        return Cast(value, F.lit(False))
    if isinstance(target, (T.ArrayType, T.MapType, T.StructType)):
        if isinstance(source, T.StringType):
            return nested.of_json(value, target, zone)
        return nested.cast(value, source, target, zone)
    found = (
        _of_text(value, target, zone) if isinstance(source, T.StringType) else _of_value(value, source, target, zone)
    )
    return Cast(found, value.isNotNull() & found.isNull())


def _of_text(value: Column, target: T.DataType, zone: str) -> Column:
    if isinstance(target, T.BinaryType):
        return value.cast(target)
    text = F.btrim(value, F.lit(_BLANKS))
    if isinstance(target, T.IntegralType):
        return F.when(text.rlike(_INTEGER), text.try_cast(target))
    if isinstance(target, (T.FloatType, T.DoubleType)):
        number = text.try_cast(target)
        is_finite = text.rlike(_NUMBER) & (F.abs(number) < F.lit(float("inf")).cast(target))
        return F.when(is_finite | text.rlike(_NO_NUMBER), number)
    if isinstance(target, T.DecimalType):
        return _decimal(text, target)
    if isinstance(target, T.BooleanType):
        lower = F.lower(text)
        return F.when(lower.isin("true", "t", "yes", "y", "1"), True).when(
            lower.isin("false", "f", "no", "n", "0"), False
        )
    if isinstance(target, T.DateType):
        day = _wall_clock(F.regexp_replace(text, r"[ T][0-9]+\z", ""))
        time = F.when(_names_no_wrong_zone(text), _wall_clock(text))
        return F.when(text.rlike(_DATE_AND_HOUR), day).otherwise(time).cast(target)
    if isinstance(target, T.TimestampType):
        return _instant_of_text(text, zone)
    if isinstance(target, T.TimestampNTZType):
        return _without_zone(F.when(_names_no_wrong_zone(text), _wall_clock(text)))
    return value.try_cast(target)


def _decimal(text: Column, target: T.DecimalType) -> Column:
    # Spark counts the digits in front of the point before it looks whether there are any but 0.
    zero = F.when(text.rlike(_ZERO), F.lit(0).cast(target))
    return zero.otherwise(F.when(text.rlike(_NUMBER), text.try_cast(target)))


# Times. A wall clock's time is held as the instant at which clocks in UTC show it.


def _wall_clock(text: Column) -> Column:
    def part(place: int) -> Column:
        return F.regexp_extract(text, _TIME, place)

    def given(place: int, otherwise: str) -> Column:
        return F.when(part(place) == "", F.lit(otherwise)).otherwise(part(place))

    micros = F.concat(F.lit("."), F.rpad(F.substring(part(6), 1, 6), 6, "0"))
    spelled = F.concat(
        part(1), given(2, "-01"), given(3, "-01"), F.lit(" "), given(4, "0:0"), given(5, ":0"), micros, F.lit("Z")
    )
    return F.when(text.rlike(_TIME), spelled.try_cast("timestamp"))


def _named_zone(text: Column) -> Column:
    """What stands behind the time; the empty text without it."""
    return F.btrim(F.regexp_extract(text, _TIME, 7), F.lit(" \t\n\f\r"))


def _with_colon(zone: Column) -> Column:
    return F.regexp_replace(zone, r"([+-][0-9]{2})([0-9]{2})\z", "$1:$2")


def _is_utc(zone: Column) -> Column:
    return zone.isin("", *(name + end for name in ("UTC", "GMT", "UT", "") for end in ("", "Z")))


def _east_us(zone: Column) -> Column:
    """Microseconds east of UTC of `+hh:mm` and the like; NULL for what is no offset."""
    offset = _with_colon(zone)

    def part(place: int) -> Column:
        found = F.regexp_extract(offset, _OFFSET, place)
        return F.when(found == "", 0).otherwise(found.try_cast("bigint"))

    seconds = part(2) * 3600 + part(3) * 60 + part(4)
    is_offset = offset.rlike(_OFFSET) & (part(3) < 60) & (part(4) < 60) & (seconds <= 18 * 3600)
    sign = F.when(F.regexp_extract(offset, _OFFSET, 1) == "-", -1).otherwise(1)
    return F.when(is_offset, sign * seconds * 1_000_000)


def _is_region(zone: Column) -> Column:
    known = F.concat(F.lit("2000-01-01 00:00:00 "), zone).try_cast("timestamp").isNotNull()
    return zone.rlike(_REGION) & ~zone.isin(*_JAVA_ONLY) & known


def _names_no_wrong_zone(text: Column) -> Column:
    zone = _named_zone(text)
    return _is_utc(zone) | _east_us(zone).isNotNull() | _is_region(zone)


def _instant_of_text(text: Column, zone: str) -> Column:
    wall, named = _wall_clock(text), _named_zone(text)
    east_us = _east_us(named)
    return (
        F.when(named == "", instant(wall, zone))
        .when(_is_utc(named), wall)
        .when(east_us.isNotNull(), _earlier(wall, east_us))
        .when(_is_region(named), _in_region(wall, named))
    )


def _earlier(time: Column, us: Column) -> Column:
    return F.timestamp_micros(F.unix_micros(time) - us)


def _offset_us(zone: str) -> int | None:
    """Microseconds east of UTC, where a zone's name says it."""
    if zone in ("UTC", "GMT", "UT", "Z", "Etc/UTC"):
        return 0
    spelled = re.sub(r"([+-][0-9]{2})([0-9]{2})\Z", r"\1:\2", zone)
    found = re.match(_OFFSET.replace(r"\z", r"\Z"), spelled)
    if found is None:
        return None
    seconds = sum(int(part or 0) * unit for part, unit in zip(found.groups()[1:], (3600, 60, 1)))
    return (-1 if found[1] == "-" else 1) * seconds * 1_000_000


def instant(wall: Column, zone: str) -> Column:
    """The instant at which clocks in `zone` show a time; NULL where they skipped it or showed it twice."""
    east_us = _offset_us(zone)
    if east_us is None:
        return _in_region(wall, F.lit(zone))
    return _earlier(wall, F.lit(east_us)) if east_us else wall


def _in_region(wall: Column, zone: Column) -> Column:
    first = F.to_utc_timestamp(wall, zone)
    # Of two instants with one wall-clock time, Spark takes the earlier; the later one has the offset of a day on.
    day_on = _earlier(first, F.lit(-_DAY_US))
    east_us = F.unix_micros(F.from_utc_timestamp(day_on, zone)) - F.unix_micros(day_on)
    second = _earlier(wall, east_us)
    is_shown = F.from_utc_timestamp(first, zone) == wall
    is_shown_twice = (second != first) & (F.from_utc_timestamp(second, zone) == wall)
    return F.when(is_shown & ~is_shown_twice, first)


def _shown(time: Column, zone: str) -> Column:
    """What clocks in `zone` show at an instant."""
    east_us = _offset_us(zone)
    if east_us is None:
        return F.from_utc_timestamp(time, F.lit(zone))
    return _earlier(time, F.lit(-east_us)) if east_us else time


def _without_zone(time: Column) -> Column:
    """The wall-clock time that clocks in UTC show; the session's zone is UTC."""
    return time.cast("timestamp_ntz")


# Values of binary sources


def _of_value(value: Column, source: T.DataType, target: T.DataType, zone: str) -> Column:
    times = (T.DateType, T.TimestampType, T.TimestampNTZType)
    if isinstance(source, times) and isinstance(target, times):
        return _between_times(value, source, target, zone)
    if isinstance(source, T.FractionalType) and isinstance(target, T.DecimalType):
        if isinstance(source, T.DecimalType):
            return value.try_cast(target)
        # The shortest text that reads back as the double says which decimal it is.
        return _decimal(value.cast("double").cast("string"), target)
    if isinstance(source, T.FractionalType) and isinstance(target, T.IntegralType):
        whole = value.try_cast(target)
        fits = F.lit(True) if isinstance(source, T.DecimalType) else value < F.lit(float(2**63))
        return F.when(fits & (whole.cast(source) == value), whole)
    if isinstance(source, T.DoubleType) and isinstance(target, T.FloatType):
        infinite = F.lit(float("inf"))
        narrow = value.cast(target)
        return F.when((F.abs(narrow.cast("double")) != infinite) | (F.abs(value) == infinite), narrow)
    if isinstance(source, T.BinaryType) and isinstance(target, T.StringType):
        return F.when(F.is_valid_utf8(value.cast("string")), value.cast("string"))
    return value.try_cast(target)


def _between_times(value: Column, source: T.DataType, target: T.DataType, zone: str) -> Column:
    if isinstance(source, T.TimestampType):
        shown = _shown(value, zone)
        return shown.cast("date") if isinstance(target, T.DateType) else _without_zone(shown)
    if isinstance(target, T.TimestampType):
        return instant(value.cast("timestamp"), zone)
    return value.cast(target)
