"""Arrays, maps and structs cast member by member, and JSON texts of them.

In: a nested column, or a column of JSON texts. Out: the values in the wanted type. A scalar inside that cannot be cast is NULL there; a
map whose key cannot be cast is NULL as a whole, and so is a JSON text that does not fit the type: with a member that the
type lacks, or an array where an object is due. Members of structs go by name; one that is absent is NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from . import casts

_OPTIONS = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
_MARK = "\ufdd0"
"""Stands in front of a scalar on its way through Spark's JSON parser: a number, which would otherwise be spelled anew, or a text,
which would look like the JSON that it holds. No text has it: it is no character."""
_NUMBER, _TEXT = f"{_MARK}n", f"{_MARK}s"
_TO_NUMBER = r'\G((?:[^"0-9-]|"(?:[^"\\]|\\.)*")*+)(-?[0-9][0-9.eE+-]*)'
_TO_TEXT = rf'\G((?:[^"]|"(?:[^"\\]|\\.)*"\s*:|"{_MARK}[^"]*")*+)"((?:[^"\\]|\\.)*)"'


def marked(json: Column) -> Column:
    """JSON with marked texts for numbers and texts; names of members stay."""
    numbers = F.regexp_replace(json, _TO_NUMBER, f'$1"{_NUMBER}$2"')
    return F.regexp_replace(numbers, _TO_TEXT, f'$1"{_TEXT}$2"')


def spelled(part: Column) -> Column:
    """What a marked value looked like: a scalar's text, or compact JSON."""
    inside = F.replace(F.regexp_replace(part, f'"{_NUMBER}([^"]*)"', "$1"), F.lit(_TEXT), F.lit(""))
    return F.when(part.startswith(_MARK), F.substr(part, F.lit(3))).otherwise(inside)


def members(json: Column) -> Column:
    """An object's members as marked texts by name; NULL for what is no object."""
    return F.from_json(json, "map<string,string>", _OPTIONS)


def is_json(text: Column) -> Column:
    """Whether a text is one JSON value."""
    # The parser does not look behind the first value; what stands there breaks one of these.
    listed, named = F.concat(F.lit("["), text, F.lit("]")), F.concat(F.lit('{"":'), text, F.lit("}"))
    return F.try_parse_json(listed).isNotNull() & F.try_parse_json(named).isNotNull()


class _Read:
    """A value read of JSON: with `fits`, whether the JSON has the type's shape."""

    def __init__(self, value: Column, failed: Column, fits: Column) -> None:
        self.value, self.failed, self.fits = value, failed, fits


def of_json(text: Column, target: T.DataType, zone: str) -> casts.Cast:
    """Reads texts as JSON of a nested type."""
    read = _read(marked(text), target, zone)
    fits = is_json(text) & read.fits
    return casts.Cast(F.when(fits, read.value), text.isNotNull() & (~fits | read.failed))


def _read(part: Column, target: T.DataType, zone: str) -> _Read:
    if isinstance(target, T.ArrayType):
        element = target.elementType
        elements = F.from_json(part, "array<string>", _OPTIONS)
        fits = F.coalesce(
            elements.isNotNull() & F.forall(elements, lambda one: _read(one, element, zone).fits), F.lit(False)
        )
        failed = F.coalesce(F.exists(elements, lambda one: _read(one, element, zone).failed), F.lit(False))
        return _Read(F.transform(elements, lambda one: _read(one, element, zone).value), failed, part.isNull() | fits)
    if isinstance(target, T.MapType):
        pairs = F.map_entries(members(part))
        values = target.valueType
        fits = F.coalesce(
            pairs.isNotNull() & F.forall(pairs, lambda one: _read(one["value"], values, zone).fits), F.lit(False)
        )
        cast = _map(
            pairs,
            lambda one: casts.cast(one["key"], T.StringType(), target.keyType, zone),
            lambda one: _as_cast(_read(one["value"], values, zone)),
        )
        return _Read(cast.value, cast.failed, part.isNull() | fits)
    if isinstance(target, T.StructType):
        found = members(part)
        read = [_read(F.try_element_at(found, F.lit(field.name)), field.dataType, zone) for field in target.fields]
        known = F.array(*(F.lit(field.name) for field in target.fields))
        is_known = F.size(F.array_except(F.map_keys(found), known)) == 0
        fits = F.coalesce(reduce(and_, (one.fits for one in read), found.isNotNull() & is_known), F.lit(False))
        value = F.struct(*(one.value.alias(field.name) for one, field in zip(read, target.fields)))
        failed = reduce(or_, (one.failed for one in read), F.lit(False))
        return _Read(F.when(part.isNotNull(), value), part.isNotNull() & failed, part.isNull() | fits)
    cast = casts.cast(spelled(part), T.StringType(), target, zone)
    return _Read(cast.value, cast.failed, part.isNull() | ~part.rlike(r"^[\[{]"))


def _as_cast(read: _Read) -> casts.Cast:
    return casts.Cast(read.value, read.failed)


def _map(pairs: Column, key: Callable[[Column], casts.Cast], value: Callable[[Column], casts.Cast]) -> casts.Cast:
    bad_key = F.coalesce(F.exists(pairs, lambda one: key(one).failed), F.lit(False))
    bad_value = F.coalesce(F.exists(pairs, lambda one: value(one).failed), F.lit(False))
    made = F.map_from_entries(F.transform(pairs, lambda one: F.struct(key(one).value, value(one).value)))
    return casts.Cast(F.when(~bad_key, made), bad_key | bad_value)


def cast(value: Column, source: T.DataType, target: T.DataType, zone: str) -> casts.Cast:
    """Casts a nested value to another type of its kind."""
    if isinstance(source, T.ArrayType) and isinstance(target, T.ArrayType):
        old, new = source.elementType, target.elementType
        failed = F.coalesce(F.exists(value, lambda one: casts.cast(one, old, new, zone).failed), F.lit(False))
        return casts.Cast(F.transform(value, lambda one: casts.cast(one, old, new, zone).value), failed)
    if isinstance(source, T.MapType) and isinstance(target, T.MapType):
        keys, values = (source.keyType, target.keyType), (source.valueType, target.valueType)
        return _map(
            F.map_entries(value),
            lambda one: casts.cast(one["key"], *keys, zone),
            lambda one: casts.cast(one["value"], *values, zone),
        )
    if isinstance(source, T.StructType) and isinstance(target, T.StructType):
        made, failed = [], F.lit(False)
        known = {member.name.lower(): member for member in source.fields}
        for field in target.fields:
            before = known.get(field.name.lower())
            if before is None:
                made.append(F.lit(None).cast(field.dataType).alias(field.name))
                continue
            member = casts.cast(value[before.name], before.dataType, field.dataType, zone)
            made.append(member.value.alias(field.name))
            failed = failed | member.failed
        return casts.Cast(F.when(value.isNotNull(), F.struct(*made)), value.isNotNull() & failed)
    return casts.Cast(value.try_cast(target), F.lit(False))
