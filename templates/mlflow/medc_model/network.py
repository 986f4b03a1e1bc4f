"""Neural networks of full layers."""

import numpy as np

from . import links, rows

ACTIVATIONS = {"relu": lambda sums: np.maximum(sums, 0.0), "tanh": np.tanh, "logistic": links.logistic}


def predict(form, matrix):
    outputs = matrix
    for depth, layer in enumerate(form["layers"]):
        outputs = outputs @ rows.read(layer["weights"]) + np.asarray(layer["offsets"], dtype=np.float64)
        if depth + 1 < len(form["layers"]):
            outputs = ACTIVATIONS[form["activation"]](outputs)
    return links.apply(form["link"], outputs)
