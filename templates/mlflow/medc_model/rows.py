"""Rows of numbers as they are stored."""

import numpy as np


def read(stored):
    return np.asarray(stored["values"], dtype=np.float64).reshape(stored["n_rows"], stored["n_columns"])


def squared_distances(matrix, rows):
    """From each row of the matrix to each of the rows."""
    distances = np.empty((len(matrix), len(rows)))
    for place, row in enumerate(matrix):
        distances[place] = ((rows - row) ** 2).sum(axis=1)
    return distances
