"""Raw features made into numbers, as training learned it."""

import numpy as np

from .columns import numbers, texts


def apply(preprocessing, table):
    """The table's rows as a matrix of floats, `n_rows x n_columns`."""
    columns = []
    for feature in preprocessing["features"]:
        try:
            column = table[feature["name"]]
        except (KeyError, IndexError) as error:
            raise ValueError(f"the feature `{feature['name']}` is not there") from error
        ((form, learned),) = feature["form"].items()
        columns.extend(FORMS[form](learned, column))
    if not columns:
        return np.empty((len(table), 0))
    return np.column_stack(columns)


def number(learned, column):
    values = numbers(column)
    if learned["fill"] is not None:
        values = np.where(np.isnan(values), learned["fill"], values)
    return [(values - learned["shift"]) / learned["scale"]]


def places(learned, column, unknown):
    """Each text's place among the words of training; `unknown` for others, NaN for missing ones."""
    known = {word: float(place) for place, word in enumerate(learned["words"])}
    fill = learned["fill"]
    gap = np.nan if fill is None else known.get(fill, unknown)
    return np.array([gap if text is None else known.get(text, unknown) for text in texts(column)], dtype=np.float64)


def one_hot(learned, column):
    own = places(learned, column, np.nan)
    return [(own == place).astype(np.float64) for place in range(len(learned["words"]))]


def ordinal(learned, column):
    return [(places(learned, column, -1.0) - learned["shift"]) / learned["scale"]]


def native(learned, column):
    return [places(learned, column, np.nan)]


FORMS = {"number": number, "one_hot": one_hot, "ordinal": ordinal, "native": native}
