"""Asks scikit-learn how well its models do on five public data sets, for tests/it/ml_models.rs.

    python tests/oracle/ml_models.py         # writes tests/cases/ml/models.json

Needs numpy and scikit-learn 1.9; the data sets are in its wheel. Each case has the data, the fold that tests each row, and
scikit-learn's mean score over the folds, by trainer; of those that draw random numbers the mean over three seeds.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import datasets, ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CASES = Path(__file__).resolve().parent.parent / "cases" / "ml" / "models.json"
warnings.filterwarnings("ignore")
SEEDS = range(3)

CLASSIFIERS = {
    "random_forest": ensemble.RandomForestClassifier(),
    "gradient_boosting": ensemble.HistGradientBoostingClassifier(early_stopping=False),
    "extra_trees": ensemble.ExtraTreesClassifier(),
    "decision_tree": tree.DecisionTreeClassifier(),
    "logistic_regression": linear_model.LogisticRegression(),
    "svm": svm.SVC(probability=True, random_state=0),
    "svm_linear": svm.SVC(kernel="linear", probability=True, random_state=0),
    "knn": neighbors.KNeighborsClassifier(),
    "naive_bayes": naive_bayes.GaussianNB(),
    "mlp": neural_network.MLPClassifier(),
}
REGRESSORS = {
    "random_forest": ensemble.RandomForestRegressor(),
    "gradient_boosting": ensemble.HistGradientBoostingRegressor(early_stopping=False),
    "extra_trees": ensemble.ExtraTreesRegressor(),
    "decision_tree": tree.DecisionTreeRegressor(),
    "linear_regression": linear_model.LinearRegression(),
    "ridge": linear_model.Ridge(),
    "lasso": linear_model.Lasso(),
    "elastic_net": linear_model.ElasticNet(),
    "svm": svm.SVR(),
    "svm_linear": svm.SVR(kernel="linear"),
    "knn": neighbors.KNeighborsRegressor(),
    "mlp": neural_network.MLPRegressor(),
}
TREES = ("random_forest", "gradient_boosting", "extra_trees", "decision_tree")
RANDOM = ("random_forest", "extra_trees", "decision_tree", "mlp")


def scores(model, x, y, folds, classes):
    """Accuracy and log loss, or RMSE and R², in the mean over the folds."""
    rows = []
    for train, test in folds:
        fitted = clone(model).fit(x[train], y[train])
        if classes:
            p = fitted.predict_proba(x[test])
            answers = fitted.predict(x[test])
            rows.append((accuracy_score(y[test], answers), log_loss(y[test], p, labels=range(p.shape[1]))))
        else:
            p = fitted.predict(x[test])
            rows.append((root_mean_squared_error(y[test], p), r2_score(y[test], p)))
    return np.mean(rows, axis=0)


def case(name, load, models, classes):
    x, y = load(return_X_y=True)
    splitter = (StratifiedKFold if classes else KFold)(5, shuffle=True, random_state=42)
    folds = list(splitter.split(x, y))
    fold_of = np.zeros(len(y), int)
    for fold, (_, test) in enumerate(folds):
        fold_of[test] = fold
    expected = {}
    for trainer, model in models.items():
        found = []
        for seed in SEEDS if trainer in RANDOM else range(1):
            own = clone(model)
            if trainer in RANDOM:
                own.set_params(random_state=seed)
            if trainer not in TREES:
                own = make_pipeline(StandardScaler(), own)
            found.append(scores(own, x, y, folds, classes))
        mean, spread = np.mean(found, axis=0), np.std(found, axis=0)
        expected[trainer] = {"scores": mean.tolist(), "spread": spread.tolist()}
        print(name, trainer, mean, spread, file=sys.stderr)
    whole = np.all(x == np.round(x))
    columns = [[int(v) for v in column] if whole else column.tolist() for column in x.T]
    return {"name": name, "classes": int(y.max()) + 1 if classes else None, "columns": columns,
            "outcome": [int(v) for v in y] if classes else y.tolist(), "fold": fold_of.tolist(), "expected": expected}


def main():
    cases = [case(name, getattr(datasets, f"load_{name}"), CLASSIFIERS, True)
             for name in ("iris", "wine", "breast_cancer", "digits")]
    cases.append(case("diabetes", datasets.load_diabetes, REGRESSORS, False))
    CASES.parent.mkdir(parents=True, exist_ok=True)
    CASES.write_text(json.dumps({"scikit_learn": sklearn.__version__, "cases": cases}, separators=(",", ":")) + "\n")
    print(os.path.getsize(CASES), file=sys.stderr)


main()
