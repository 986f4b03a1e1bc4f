"""Columns of any table as what the preprocessing wants: floats with NaN, or objects with None."""

import numpy as np


def objects(column):
    """The values as Python objects; None is missing."""
    values = np.asarray(column, dtype=object)
    if values.ndim != 1:
        values = values.reshape(-1)
    return [None if missing(value) else value for value in values]


def missing(value):
    """Whether a value is None, NaN, pandas' NA or NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def numbers(column):
    """The values as floats; what is missing or infinite is NaN. Booleans are 0 and 1, decimals floats."""
    try:
        values = np.array(column, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        values = np.array([np.nan if value is None else float(value) for value in objects(column)], dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def texts(column):
    """The values as texts; None is missing."""
    return [None if value is None else str(value) for value in objects(column)]
