# Databricks notebook source
# MAGIC %md
# MAGIC # Register
# MAGIC Makes the model that passed the gate a version in the registry, and the champion. The one before stays as `previous_champion`: to go
# MAGIC back, give it the alias `champion` again.

# COMMAND ----------

import contextlib

import mlflow
from databricks.sdk.runtime import dbutils
from mlflow.entities.model_registry import ModelVersion

if mlflow.get_tracking_uri().startswith("databricks"):
    mlflow.set_registry_uri("databricks-uc")

given = dict(dbutils.widgets.getAll())
name = f"{given['catalog']}.{given['schema_gold']}.{given['model']}"
run = mlflow.get_run(given["mlflow_run"])
if run.data.tags.get("gate") != "passed":
    raise ValueError(f"run {run.info.run_id} did not pass the gate")

# COMMAND ----------

client = mlflow.MlflowClient()
champion: ModelVersion | None = None
with contextlib.suppress(mlflow.MlflowException):
    # There may be none yet.
    champion = client.get_model_version_by_alias(name, "champion")
version = mlflow.register_model(
    f"runs:/{run.info.run_id}/model",
    name,
    tags={
        tag: run.data.tags[tag] for tag in ("dataset_version", "git_sha", "env", "owner", "use_case", "model_family")
    },
)
if champion is not None:
    client.set_registered_model_alias(name, "previous_champion", champion.version)
client.set_registered_model_alias(name, "champion", version.version)
print(f"{name}, version {version.version}, is the champion")
