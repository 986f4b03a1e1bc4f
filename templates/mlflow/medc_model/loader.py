"""What MLflow calls to load a model: `loader_module: medc_model.loader`, the data being a folder with `model.json`."""

from pathlib import Path

from .model import load


def _load_pyfunc(path):
    path = Path(path)
    return Predictor(load(path / "model.json" if path.is_dir() else path))


class Predictor:
    """Predicts for MLflow: a pandas table in, one out with `prediction` and, of a classifier, a column per probability."""

    def __init__(self, model):
        self.model = model

    def predict(self, model_input, params=None):
        import pandas as pd

        values = self.model.values(model_input)
        if self.model.classes is None:
            return pd.DataFrame({"prediction": values})
        columns = {"prediction": self.model.answers(values)}
        for place, label in enumerate(self.model.classes):
            columns[f"probability_{str(label).lower() if isinstance(label, bool) else label}"] = values[:, place]
        return pd.DataFrame(columns)
