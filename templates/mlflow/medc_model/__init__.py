"""Predicts with a model that medc trained, from its JSON; needs NumPy alone.

    model = medc_model.load("model.json")
    model.predict({"age": [31, None], "plan": ["basic", "gold"]})

Features come by name: a mapping, or a pandas, polars or pyarrow table whose columns have these names. What is missing may be
None or NaN. The numbers are those of medc to 1e-6.
"""

from .model import Model, load

__all__ = ["Model", "load"]
