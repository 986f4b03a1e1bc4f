# Databricks notebook source
# MAGIC %md
# MAGIC # Score
# MAGIC Forecasts the rate a week after each of the newest days with the champion of the registry, and merges the forecasts into
# MAGIC `gold.gd_predictions_fx_next_week`. A day that was forecast by the same version is not forecast twice.
# MAGIC
# MAGIC Without a champion nothing is forecast; the table is there all the same, with its columns.

# COMMAND ----------

import mlflow
import numpy as np
from databricks.sdk.runtime import dbutils, spark
from mlflow.entities.model_registry import ModelVersion

if mlflow.get_tracking_uri().startswith("databricks"):
    mlflow.set_registry_uri("databricks-uc")

given = dict(dbutils.widgets.getAll())
gold = f"`{given['catalog']}`.`{given['schema_gold']}`"
predictions = f"{gold}.gd_predictions_fx_next_week"
name = f"{given['catalog']}.{given['schema_gold']}.{given['model']}"

spark.sql(
    f"""
    CREATE TABLE IF NOT EXISTS {predictions} (
      pair STRING NOT NULL,
      quoted_on DATE NOT NULL COMMENT 'The day on which the forecast was made; it is for five business days later',
      rate DECIMAL(10, 4) NOT NULL,
      predicted_rate DOUBLE NOT NULL,
      model_name STRING NOT NULL,
      model_version STRING NOT NULL,
      run_id STRING NOT NULL COMMENT 'The run of the job',
      predicted_at TIMESTAMP NOT NULL
    ) USING DELTA
    """
)

# COMMAND ----------

champion: ModelVersion | None = None
try:
    champion = mlflow.MlflowClient().get_model_version_by_alias(name, "champion")
except mlflow.MlflowException:
    print(f"{name} has no champion: nothing is forecast")

if champion is not None:
    model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    features = model.metadata.get_input_schema().input_names()
    # What a week will bring is not known of these days.
    rows = spark.sql(f"SELECT * FROM {gold}.gd_fx_features WHERE target_rate IS NULL").toPandas()
    change = np.asarray(model.predict(rows[features].astype("float64")))
    forecast = rows[["pair", "quoted_on", "rate"]].assign(predicted_rate=rows["rate"].astype("float64") * (1 + change))
    spark.createDataFrame(forecast).createOrReplaceTempView("forecast")
    spark.sql(
        f"""
        MERGE INTO {predictions} AS known
        USING (
          SELECT
            pair, quoted_on, CAST(rate AS DECIMAL(10, 4)) AS rate, predicted_rate, :name AS model_name,
            :version AS model_version, :run_id AS run_id, current_timestamp() AS predicted_at
          FROM forecast
        ) AS new
        ON known.pair = new.pair AND known.quoted_on = new.quoted_on AND known.model_version = new.model_version
        WHEN NOT MATCHED THEN INSERT *
        """,
        args={"name": name, "version": str(champion.version), "run_id": given["run_id"]},
    )
    print(f"{len(forecast)} days forecast by version {champion.version}")
