"""Baselines: the same answer for every row."""

import numpy as np


def predict(form, matrix):
    values = np.asarray(form["values"], dtype=np.float64)
    return np.full(len(matrix), values[0]) if len(values) == 1 else np.tile(values, (len(matrix), 1))
