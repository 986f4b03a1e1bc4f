# Databricks notebook source
# MAGIC %md
# MAGIC # Train
# MAGIC Fits the forecast of USD/BRL a week ahead on all but the newest year, and records the run in MLflow.
# MAGIC
# MAGIC In: `gold.gd_fx_features`. Out: a run with the model, its signature and the tags that no run goes without; its id as the task value `mlflow_run`.
# MAGIC Whether the model is any good is the next task's question.

# COMMAND ----------

import mlflow
from databricks.sdk.runtime import dbutils, spark
from mlflow.models import infer_signature
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TABLE = "gd_fx_features"
FEATURES = ["return_1", "return_5", "distance_20", "distance_60", "range_20", "gap_days"]
HORIZON = 5
N_TEST = 250

given = dict(dbutils.widgets.getAll())
table = f"`{given['catalog']}`.`{given['schema_gold']}`.`{TABLE}`"

# COMMAND ----------

# MAGIC %md
# MAGIC ## The rows
# MAGIC The newest rows are kept for the evaluation. A row just before them has its target among them, so it is left out of both.

# COMMAND ----------

version = spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").collect()[0]["version"]
known = spark.sql(f"SELECT * FROM {table} VERSION AS OF {version} WHERE target_rate IS NOT NULL").toPandas()
known = known.sort_values("quoted_on", ignore_index=True)
if len(known) < 2 * N_TEST:
    raise ValueError(f"{TABLE} has {len(known)} rows with a target; training needs {2 * N_TEST} at least")

train = known.iloc[: -N_TEST - HORIZON]
test_from = known["quoted_on"].iloc[-N_TEST]
features = train[FEATURES].astype("float64")
# What is learnt is by how much the rate changes, as the rate itself is another every year.
change = train["target_rate"].astype("float64") / train["rate"].astype("float64") - 1

# COMMAND ----------

# MAGIC %md
# MAGIC ## The model
# MAGIC A linear one. How much it is held back is chosen by validation on later rows than it was fitted on.

# COMMAND ----------

tags = {
    "dataset_version": f"{given['schema_gold']}.{TABLE}@{version}",
    "git_sha": given["git_sha"],
    "env": given["environment"],
    "owner": given["owner"],
    "use_case": given["use_case"],
    "model_family": "ridge",
    "training_window": f"{train['quoted_on'].iloc[0]} to {train['quoted_on'].iloc[-1]}",
    "data_source": "bcb-ptax",
    "job_run_id": given["run_id"],
}

mlflow.set_experiment(given["experiment"])
with mlflow.start_run(run_name=f"{given['use_case']}-{given['environment']}", tags=tags) as run:
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()),
        {"ridge__alpha": [0.1, 1.0, 10.0, 100.0, 1000.0]},
        scoring="neg_mean_absolute_error",
        cv=TimeSeriesSplit(n_splits=5, gap=HORIZON),
    )
    model = search.fit(features, change).best_estimator_
    mlflow.log_params(
        {
            "features": ",".join(FEATURES),
            "horizon_days": HORIZON,
            "n_train": len(train),
            "n_test": N_TEST,
            "split_strategy": "by time, with a gap of the horizon",
            "test_from": str(test_from),
            **search.best_params_,
        }
    )
    mlflow.log_metric("validation_mae_of_change", -search.best_score_)
    signature = infer_signature(features, model.predict(features))
    mlflow.sklearn.log_model(model, name="model", signature=signature, serialization_format="cloudpickle")

dbutils.jobs.taskValues.set(key="mlflow_run", value=run.info.run_id)
print(f"run {run.info.run_id}: {len(train)} rows up to {train['quoted_on'].iloc[-1]}, {search.best_params_}")
