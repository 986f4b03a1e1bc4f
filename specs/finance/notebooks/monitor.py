# Databricks notebook source
# MAGIC %md
# MAGIC # Monitor
# MAGIC Says how far the features of the newest 60 business days lie from those that the champion was trained on, and how wrong its forecasts
# MAGIC were that can be judged by now: a row each in `gold.gd_monitoring_fx_next_week`.
# MAGIC
# MAGIC A distance is the population stability index over the tenths of the training rows: above 0.25 is an alert. So is an error that is more than
# MAGIC 5 % above the one that the last rate would have made.

# COMMAND ----------

import mlflow
import numpy as np
import pandas as pd
from databricks.sdk.runtime import dbutils, spark
from mlflow.entities.model_registry import ModelVersion

if mlflow.get_tracking_uri().startswith("databricks"):
    mlflow.set_registry_uri("databricks-uc")

N_NEWEST, MOST_DRIFT, MOST_LOSS = 60, 0.25, 0.05

given = dict(dbutils.widgets.getAll())
gold = f"`{given['catalog']}`.`{given['schema_gold']}`"
monitoring = f"{gold}.gd_monitoring_fx_next_week"
name = f"{given['catalog']}.{given['schema_gold']}.{given['model']}"

spark.sql(
    f"""
    CREATE TABLE IF NOT EXISTS {monitoring} (
      run_id STRING NOT NULL COMMENT 'The run of the job',
      measured_at TIMESTAMP NOT NULL,
      model_version STRING NOT NULL,
      measure STRING NOT NULL COMMENT 'psi or smape',
      subject STRING NOT NULL COMMENT 'A feature, or predicted_rate',
      value DOUBLE NOT NULL,
      threshold DOUBLE NOT NULL,
      is_alert BOOLEAN NOT NULL
    ) USING DELTA
    """
)

# COMMAND ----------


def stability(before: np.ndarray, now: np.ndarray) -> float:
    """The population stability index of two samples over the tenths of the first."""
    inner = np.unique(np.quantile(before, np.linspace(0.1, 0.9, 9)))
    shares = [np.bincount(np.searchsorted(inner, one), minlength=len(inner) + 1) / len(one) for one in (before, now)]
    expected, found = (np.clip(share, 1e-4, None) for share in shares)
    return float(np.sum((found - expected) * np.log(found / expected)))


def smape(truth: np.ndarray, forecast: np.ndarray) -> float:
    """The symmetric mean absolute percentage error."""
    return float(100 * np.mean(2 * np.abs(forecast - truth) / (np.abs(truth) + np.abs(forecast))))


champion: ModelVersion | None = None
try:
    champion = mlflow.MlflowClient().get_model_version_by_alias(name, "champion")
except mlflow.MlflowException:
    print(f"{name} has no champion: there is nothing to watch")

measures: list[tuple[str, str, float, float]] = []
if champion is not None:
    trained = mlflow.get_run(str(champion.run_id))
    rows = spark.sql(f"SELECT * FROM {gold}.gd_fx_features ORDER BY quoted_on").toPandas()
    before = rows[pd.to_datetime(rows["quoted_on"]) < trained.data.params["test_from"]]
    for feature in trained.data.params["features"].split(","):
        then, now = (one[feature].to_numpy(dtype="float64") for one in (before, rows.tail(N_NEWEST)))
        measures.append(("psi", feature, stability(then, now), MOST_DRIFT))
    judged = spark.sql(
        f"""
        SELECT p.rate, p.predicted_rate, f.target_rate
        FROM {gold}.gd_predictions_fx_next_week AS p
        JOIN {gold}.gd_fx_features AS f ON p.pair = f.pair AND p.quoted_on = f.quoted_on
        WHERE p.model_version = :version AND f.target_rate IS NOT NULL
        """,
        args={"version": str(champion.version)},
    ).toPandas()
    if len(judged):
        rate, forecast, truth = (
            judged[one].to_numpy(dtype="float64") for one in ("rate", "predicted_rate", "target_rate")
        )
        measures.append(("smape", "predicted_rate", smape(truth, forecast), smape(truth, rate) * (1 + MOST_LOSS)))

# COMMAND ----------

if champion is not None:
    found = pd.DataFrame(measures, columns=["measure", "subject", "value", "threshold"])
    spark.createDataFrame(found).createOrReplaceTempView("measured")
    spark.sql(
        f"""
        MERGE INTO {monitoring} AS known
        USING (
          SELECT
            :run_id AS run_id, current_timestamp() AS measured_at, :version AS model_version, measure, subject, value,
            threshold, value > threshold AS is_alert
          FROM measured
        ) AS new
        ON known.run_id = new.run_id AND known.measure = new.measure AND known.subject = new.subject
        WHEN MATCHED THEN UPDATE SET *
        WHEN NOT MATCHED THEN INSERT *
        """,
        args={"version": str(champion.version), "run_id": given["run_id"]},
    )
alerts = [f"{measure} of {subject}: {value:.3f}" for measure, subject, value, most in measures if value > most]
dbutils.jobs.taskValues.set(key="alerts", value=len(alerts))
print("; ".join(alerts) or "nothing to report")
