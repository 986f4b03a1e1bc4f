# Databricks notebook source
# MAGIC %md
# MAGIC # Evaluate
# MAGIC Holds the trained model against the newest year, which it has not seen, and against two forecasts that cost nothing: the last rate, and
# MAGIC the mean of the last 20 business days.
# MAGIC
# MAGIC Out: metrics on the run, and the task value `passed`, on which the gate decides. It is true if the model beats both by the margin, the
# MAGIC checks of its table held, every tag is there, and the model says what it takes and gives.

# COMMAND ----------

import mlflow
import numpy as np
from databricks.sdk.runtime import dbutils, spark

TABLE = "gd_fx_features"
MANDATORY_TAGS = ["dataset_version", "git_sha", "env", "owner", "use_case", "model_family"]

given = dict(dbutils.widgets.getAll())
run = mlflow.get_run(given["mlflow_run"])
params = run.data.params
table = f"`{given['catalog']}`.`{given['schema_gold']}`.`{TABLE}`"
version = run.data.tags["dataset_version"].rpartition("@")[2]

# COMMAND ----------


def errors(truth: np.ndarray, forecast: np.ndarray) -> dict[str, float]:
    """The symmetric mean absolute percentage error, and the mean absolute and root mean squared errors."""
    off = np.abs(forecast - truth)
    return {
        "smape": float(100 * np.mean(2 * off / (np.abs(truth) + np.abs(forecast)))),
        "mae": float(np.mean(off)),
        "rmse": float(np.sqrt(np.mean(off**2))),
    }


rows = spark.sql(
    f"SELECT * FROM {table} VERSION AS OF {version} "
    f"WHERE target_rate IS NOT NULL AND quoted_on >= DATE '{params['test_from']}' ORDER BY quoted_on"
).toPandas()
rate, truth = (rows[name].to_numpy(dtype="float64") for name in ("rate", "target_rate"))
model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
change = np.asarray(model.predict(rows[params["features"].split(",")].astype("float64")))
found = {
    "model": errors(truth, rate * (1 + change)),
    "last_value": errors(truth, rate),
    "moving_average": errors(truth, rate / (1 + rows["distance_20"].to_numpy(dtype="float64"))),
}

# COMMAND ----------

# MAGIC %md
# MAGIC ## What must hold

# COMMAND ----------

margin = float(given["margin"])
best = min(found["last_value"]["smape"], found["moving_average"]["smape"])
results = f"`{given['catalog']}`.`{given['schema_quality']}`.results"
broken = spark.sql(
    f"SELECT label FROM {results} WHERE table_name = 'gold.{TABLE}' AND run_id = :run_id "
    "AND NOT success AND on_violation <> 'warn'",
    args={"run_id": given["run_id"]},
).collect()
conditions = {
    f"smape {found['model']['smape']:.4f} at most {best * (1 - margin):.4f}": found["model"]["smape"]
    <= best * (1 - margin),
    "the checks of its table held": not broken,
    "every mandatory tag is there": all(run.data.tags.get(tag) for tag in MANDATORY_TAGS),
    "the model has a signature": model.metadata.signature is not None,
}
passed = all(conditions.values())

with mlflow.start_run(run_id=run.info.run_id):
    mlflow.log_metrics({f"{of}_{name}": value for of, metrics in found.items() for name, value in metrics.items()})
    mlflow.set_tag("gate", "passed" if passed else "failed")
    mlflow.log_text(
        "\n".join(f"{'holds' if holds else 'FAILS'}: {what}" for what, holds in conditions.items()), "gate.txt"
    )

dbutils.jobs.taskValues.set(key="passed", value="true" if passed else "false")
for what, holds in conditions.items():
    print("holds" if holds else "FAILS", what)
