"""Linear, ridge, lasso and logistic regression."""

import numpy as np

from . import links


def predict(form, matrix):
    scores = matrix @ np.asarray(form["coefficients"], dtype=np.float64).T + np.asarray(form["intercepts"])
    return links.apply(form["link"], scores)
