"""k nearest neighbours."""

import numpy as np

from . import rows

BLOCK = 256


def predict(form, matrix):
    known = rows.read(form["rows"])
    k = min(form["k"], len(known))
    ((kind, outcome),) = form["known"].items()
    if kind == "classes":
        values = np.eye(outcome["n_classes"])[outcome["codes"]]
    else:
        values = np.asarray(outcome, dtype=np.float64)[:, None]
    answers = [block(form["vote"], k, known, values, matrix[i : i + BLOCK]) for i in range(0, len(matrix), BLOCK)]
    answers = np.concatenate(answers) if answers else np.empty((0, values.shape[1]))
    return answers if kind == "classes" else answers[:, 0]


def block(vote, k, known, values, matrix):
    distances = rows.squared_distances(matrix, known)
    # Of rows at the same distance the first is the nearer.
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    near = np.take_along_axis(distances, nearest, axis=1)
    if vote == "uniform":
        weights = np.ones_like(near)
    else:
        exact = near[:, :1] == 0.0
        with np.errstate(divide="ignore"):
            weights = np.where(exact, near == 0.0, 1.0 / np.sqrt(near))
    weighted = (weights[:, :, None] * values[nearest]).sum(axis=1)
    return weighted / weights.sum(axis=1, keepdims=True)
