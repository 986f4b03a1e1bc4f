"""Asks scikit-learn for the numbers that tests/it/ml_metrics.rs holds src/ml/metrics.rs to.

    python tests/oracle/ml_metrics.py        # writes tests/cases/ml/metrics.json

Needs numpy and scikit-learn 1.9. Predictions are made here, with ties, absent classes and extremes, and are in the cases.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression

CASES = Path(__file__).resolve().parent.parent / "cases" / "ml" / "metrics.json"
warnings.filterwarnings("ignore")


def classes(name, codes, probabilities, threshold=None):
    codes, probabilities = np.asarray(codes), np.asarray(probabilities)
    n_classes = probabilities.shape[1]
    labels = list(range(n_classes))
    if threshold is None:
        answers = probabilities.argmax(axis=1)
    else:
        answers = (probabilities[:, 1] >= threshold).astype(int)
    usual = "binary" if n_classes == 2 else "macro"
    expected = {
        "accuracy": metrics.accuracy_score(codes, answers),
        "balanced_accuracy": metrics.balanced_accuracy_score(codes, answers),
        "log_loss": metrics.log_loss(codes, probabilities, labels=labels),
        "brier": metrics.brier_score_loss(codes, probabilities if n_classes > 2 else probabilities[:, 1], labels=labels),
    }
    for average, ending in ((usual, ""), ("macro", "_macro"), ("weighted", "_weighted")):
        for short, score in (("precision", metrics.precision_score), ("recall", metrics.recall_score), ("f1", metrics.f1_score)):
            expected[short + ending] = score(codes, answers, average=average, zero_division=0)
    case = {"name": name, "codes": codes.tolist(), "probabilities": probabilities.ravel().tolist(), "n_classes": n_classes,
            "threshold": threshold, "confusion": metrics.confusion_matrix(codes, answers, labels=labels).tolist(),
            "expected": expected}
    if n_classes == 2:
        scores = probabilities[:, 1]
        expected["roc_auc"] = metrics.roc_auc_score(codes, scores)
        expected["pr_auc"] = metrics.average_precision_score(codes, scores)
        fpr, tpr, _ = metrics.roc_curve(codes, scores, drop_intermediate=False)
        precision, recall, thresholds = metrics.precision_recall_curve(codes, scores)
        true, predicted = calibration_curve(codes, scores, n_bins=7)
        case["roc"] = [fpr.tolist(), tpr.tolist()]
        # From the highest score, without the end that scikit-learn adds.
        case["precision_recall"] = [precision[:-1][::-1].tolist(), recall[:-1][::-1].tolist(), thresholds[::-1].tolist()]
        case["calibration"] = [predicted.tolist(), true.tolist()]
    elif len(set(codes.tolist())) == n_classes:
        expected["roc_auc"] = metrics.roc_auc_score(codes, probabilities, multi_class="ovr", average="macro")
        expected["pr_auc"] = metrics.average_precision_score(np.eye(n_classes)[codes], probabilities, average="macro")
    return case


def numbers(name, truth, predicted):
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, float)
    size = np.abs(truth) + np.abs(predicted)
    expected = {
        "mae": metrics.mean_absolute_error(truth, predicted),
        "rmse": metrics.root_mean_squared_error(truth, predicted),
        "r2": metrics.r2_score(truth, predicted),
        "mape": metrics.mean_absolute_percentage_error(truth, predicted),
        # These two are no part of scikit-learn: by their definitions, in NumPy.
        "smape": float(np.mean(np.divide(2 * np.abs(truth - predicted), size, out=np.zeros_like(size), where=size > 0))),
        "wape": float(np.abs(truth - predicted).sum() / np.abs(truth).sum()),
        "pinball_0.9": metrics.mean_pinball_loss(truth, predicted, alpha=0.9),
        "pinball_0.5": metrics.mean_pinball_loss(truth, predicted, alpha=0.5),
    }
    return {"name": name, "truth": truth.tolist(), "predicted": predicted.tolist(), "expected": expected}


def main():
    random = np.random.default_rng(7)

    def softmax(scores):
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    cases = []
    codes = random.integers(0, 2, 200)
    p = softmax(np.column_stack([np.zeros(200), random.normal(size=200) + codes]))
    cases.append(classes("two classes", codes, p))
    cases.append(classes("two classes by a threshold", codes, p, 0.3))
    coarse = np.round(p[:, 1], 1)
    cases.append(classes("ties, zeros and ones", codes, np.column_stack([1 - coarse, coarse])))
    cases.append(classes("nothing called positive", codes, np.column_stack([np.full(200, 0.9), np.full(200, 0.1)])))
    codes = random.integers(0, 4, 300)
    p = softmax(random.normal(size=(300, 4)) + 1.5 * np.eye(4)[codes])
    cases.append(classes("four classes", codes, p))
    codes = random.integers(0, 3, 60)
    p = softmax(np.column_stack([random.normal(size=(60, 3)) + np.eye(3)[codes], np.full(60, -9.0)]))
    cases.append(classes("a class that does not occur", codes, p))
    regression = []
    truth = random.normal(50, 20, 150)
    regression.append(numbers("numbers", truth, truth + random.normal(0, 5, 150)))
    regression.append(numbers("zeros among them", [0, 0, 3, -4, 5.5], [0, 1, 2.5, -6, 5.5]))
    scores = np.round(random.uniform(0, 1, 120), 2)
    truth = (random.uniform(0, 1, 120) < scores**2).astype(int)
    grid = np.linspace(0, 1, 57)
    isotonic = {"scores": scores.tolist(), "truth": truth.tolist(), "at": grid.tolist(),
                "expected": IsotonicRegression(out_of_bounds="clip").fit(scores, truth).predict(grid).tolist()}
    CASES.parent.mkdir(parents=True, exist_ok=True)
    written = {"scikit_learn": sklearn.__version__, "classes": cases, "numbers": regression, "isotonic": isotonic}
    CASES.write_text(json.dumps(written) + "\n")


main()
