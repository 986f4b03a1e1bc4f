"""From scores to numbers or probabilities."""

import numpy as np


def logistic(scores):
    """1 / (1 + e^-x) without overflow."""
    power = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1.0, power) / (1.0 + power)


def softmax(scores):
    """Probabilities of the columns, row by row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def apply(link, scores):
    """`scores` is `n_rows x n_scores`. A number per row, or `n_rows x n_classes` probabilities."""
    if link == "identity":
        return scores[:, 0]
    if link == "logistic":
        second = logistic(scores[:, 0])
        return np.column_stack([1.0 - second, second])
    return softmax(scores)
