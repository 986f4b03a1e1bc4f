"""A model as medc keeps it."""

import json
from pathlib import Path

import numpy as np

from . import bayes, calibration, constant, kernel, linear, neighbours, network, preprocessing, trees

FORMAT_VERSION = 1

FORMS = {
    "bayes": bayes.predict,
    "constant": constant.predict,
    "kernel": kernel.predict,
    "linear": linear.predict,
    "neighbours": neighbours.predict,
    "network": network.predict,
    "trees": trees.predict,
}


def load(path):
    """The model in this JSON file."""
    return Model(json.loads(Path(path).read_text(encoding="utf-8")))


class Model:
    """A fitted model."""

    def __init__(self, written):
        if written["format_version"] != FORMAT_VERSION:
            raise ValueError(f"the model's format is {written['format_version']}, this package reads {FORMAT_VERSION}")
        self.written = written

    @property
    def classes(self):
        """Labels in the order of the probabilities' columns; None for numbers."""
        return self.written["classes"]

    def values(self, table):
        """A number per row, or `n_rows x n_classes` probabilities."""
        matrix = preprocessing.apply(self.written["preprocessing"], table)
        ((form, fitted),) = self.written["estimator"].items()
        values = FORMS[form](fitted, matrix)
        if self.classes is not None:
            values = values.reshape(len(matrix), len(self.classes))
        if self.classes is not None and self.written["calibration"] is not None:
            values = calibration.apply(self.written["calibration"], values)
        return values

    def predict(self, table):
        """A number per row, or a label per row."""
        values = self.values(table)
        return values if self.classes is None else self.answers(values)

    def answers(self, probabilities):
        """The label of each row of probabilities."""
        threshold = self.written["threshold"]
        if threshold is not None and len(self.classes) == 2:
            codes = (probabilities[:, 1] >= threshold).astype(np.int64)
        else:
            codes = probabilities.argmax(axis=1)
        kind = object if isinstance(self.classes[0], str) else None
        return np.array(self.classes, dtype=kind)[codes]
