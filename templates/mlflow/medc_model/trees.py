"""Decision trees, forests and boosted trees."""

import numpy as np

from . import links


def predict(form, matrix):
    leaves = Leaves(form)
    ((kind, how),) = form["combination"].items()
    if kind == "mean":
        values = np.asarray(form["values"], dtype=np.float64).reshape(-1, how["width"])
        total = np.zeros((len(matrix), how["width"]))
        for root in form["roots"]:
            total += values[leaves.of(root, matrix)]
        total /= max(len(form["roots"]), 1)
        return total[:, 0] if how["width"] == 1 else total
    values = np.asarray(form["values"], dtype=np.float64)
    scores = np.tile(np.asarray(how["start"], dtype=np.float64), (len(matrix), 1))
    for tree, root in enumerate(form["roots"]):
        scores[:, tree % scores.shape[1]] += values[leaves.of(root, matrix)]
    return links.apply(how["link"], scores)


class Leaves:
    """Finds the leaves that rows fall into."""

    def __init__(self, form):
        feature = np.asarray(form["feature"], dtype=np.int64)
        n_splits = int((feature >= 0).sum())
        self.feature = feature
        # A node's number among the splits, or among the leaves.
        self.split = np.cumsum(feature >= 0) - 1
        self.leaf = np.cumsum(feature < 0) - 1
        self.threshold = np.asarray(form["threshold"], dtype=np.float64)
        self.left = np.asarray(form["left"], dtype=np.int64)
        self.missing_left = np.asarray(form["missing_left"], dtype=bool)
        self.set_of = np.full(n_splits, -1)
        self.set_of[np.asarray(form["categorical"], dtype=np.int64)] = np.arange(len(form["categorical"]))
        self.n_known = np.array([n_known for n_known, _ in form["sets"]], dtype=np.float64)
        self.members = np.zeros((len(form["sets"]), int(max(self.n_known, default=0)) + 1), dtype=bool)
        for place, (_, codes) in enumerate(form["sets"]):
            self.members[place, codes] = True

    def of(self, root, matrix):
        """The number of each row's leaf in the tree that begins at `root`."""
        nodes = np.full(len(matrix), root)
        walking = np.flatnonzero(self.feature[nodes] >= 0)
        while len(walking):
            at = nodes[walking]
            split = self.split[at]
            nodes[walking] = self.left[split] + ~self.goes_left(split, matrix[walking, self.feature[at]])
            walking = walking[self.feature[nodes[walking]] >= 0]
        return self.leaf[nodes]

    def goes_left(self, split, values):
        left = np.where(np.isnan(values), self.missing_left[split], values <= self.threshold[split])
        chosen = self.set_of[split]
        categorical = np.flatnonzero(chosen >= 0)
        if len(categorical):
            chosen, codes = chosen[categorical], values[categorical]
            known = (codes >= 0.0) & (codes < self.n_known[chosen])
            places = np.where(known, codes, 0.0).astype(np.int64)
            left[categorical] = np.where(known, self.members[chosen, places], self.missing_left[split[categorical]])
        return left
