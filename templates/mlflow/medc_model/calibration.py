"""Probabilities that mean what they say."""

import numpy as np

from . import links


def apply(calibration, probabilities):
    ((kind, curves),) = calibration.items()
    curve = {"sigmoid": sigmoid, "isotonic": isotonic}[kind]
    if probabilities.shape[1] == 2:
        second = curve(curves[0], probabilities[:, 1])
        return np.column_stack([1.0 - second, second])
    calibrated = np.column_stack([curve(own, probabilities[:, place]) for place, own in enumerate(curves)])
    sums = calibrated.sum(axis=1, keepdims=True)
    even = np.full_like(calibrated, 1.0 / calibrated.shape[1])
    return np.divide(calibrated, sums, out=even, where=sums > 0)


def sigmoid(curve, p):
    p = np.clip(p, 1e-15, 1.0 - 1e-15)
    return links.logistic(-(curve["slope"] * np.log(p / (1.0 - p)) + curve["shift"]))


def isotonic(curve, p):
    return np.interp(p, curve["from"], curve["to"])
