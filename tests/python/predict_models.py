"""Holds the predictions of templates/mlflow/medc_model to medc's own.

    python tests/python/predict_models.py FOLDER     # of cases that tests/it/ml_python.rs wrote

A case is {name, model, table, values, answers}. Tolerance: 1e-6. With pandas at hand, tables are tried as its frames too.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "templates" / "mlflow"))

import medc_model  # noqa: E402

try:
    import pandas as pd
except ImportError:
    pd = None


def main(folder):
    n = 0
    for path in sorted(Path(folder).glob("*.json")):
        case = json.loads(path.read_text())
        model = medc_model.Model(case["model"])
        tables = [case["table"]]
        if pd is not None:
            tables.append(pd.DataFrame(case["table"]))
            tables.append(pd.DataFrame(case["table"]).convert_dtypes())
        for table in tables:
            values = model.values(table).ravel()
            expected = np.array(case["values"], dtype=float)
            assert values.shape == expected.shape, (case["name"], values.shape, expected.shape)
            off = np.max(np.abs(values - expected) / np.maximum(1.0, np.abs(expected)))
            assert off < 1e-6, (case["name"], off)
            if case["answers"] is not None:
                assert model.predict(table).tolist() == case["answers"], case["name"]
        n += 1
    assert n, "no cases"
    print(f"{n} models predict the same")


main(sys.argv[1])
