"""Support vector machines."""

import numpy as np

from . import links, rows


def predict(form, matrix):
    vectors = rows.read(form["vectors"])
    if form["function"] == "linear":
        values = matrix @ vectors.T
    else:
        values = np.exp(-form["function"]["rbf"]["gamma"] * rows.squared_distances(matrix, vectors))
    if "number" in form["answer"]:
        return machine_sum(form["answer"]["number"], values)
    return probabilities(form["answer"]["classes"], values)


def machine_sum(machine, values):
    return values[:, machine["vectors"]] @ np.asarray(machine["weights"], dtype=np.float64) - machine["offset"]


def probabilities(answer, values):
    present = sorted({code for pair in answer["pairs"] for code in (pair["first"], pair["second"])})
    place = {code: i for i, code in enumerate(present)}
    pairwise = np.zeros((len(values), len(present), len(present)))
    votes = np.zeros((len(values), len(present)))
    for pair in answer["pairs"]:
        sums = machine_sum(pair["machine"], values)
        first = np.clip(links.logistic(-(pair["slope"] * sums + pair["shift"])), 1e-7, 1.0 - 1e-7)
        i, j = place[pair["first"]], place[pair["second"]]
        votes[:, i] += sums > 0.0
        votes[:, j] += sums <= 0.0
        pairwise[:, i, j] = first
        pairwise[:, j, i] = 1.0 - first
    every = np.zeros((len(values), answer["n_classes"]))
    for row, own in enumerate(pairwise):
        shares = couple(own)
        if len(present) > 2:
            # The class with the most votes gets the greatest probability.
            winner, likeliest = votes[row].argmax(), shares.argmax()
            shares[[winner, likeliest]] = shares[[likeliest, winner]]
        every[row, present] = shares
    return every


def couple(pairwise):
    """One probability per class from those of each pair (Wu, Lin and Weng 2004, second method)."""
    n = len(pairwise)
    q = -pairwise.T * pairwise
    np.fill_diagonal(q, (pairwise**2).sum(axis=0))
    p = np.full(n, 1.0 / n)
    for _ in range(max(n, 100)):
        qp = q @ p
        pqp = p @ qp
        if np.all(np.abs(qp - pqp) < 0.005 / n):
            break
        for t in range(n):
            change = (pqp - qp[t]) / q[t, t]
            p[t] += change
            pqp = (pqp + change * (change * q[t, t] + 2.0 * qp[t])) / (1.0 + change) / (1.0 + change)
            qp = (qp + change * q[t]) / (1.0 + change)
            p /= 1.0 + change
    return p
