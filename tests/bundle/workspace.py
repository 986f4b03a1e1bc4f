"""A workspace that runs a bundle's jobs on open-source Spark.

In: a bundle's configuration. Out: its tasks run, in the order of `depends_on` and as `run_if` has it: notebooks with parameters and
`dbutils` as a job gives them, SQL files, conditions, other jobs. Statements and tasks that only Databricks runs are not run but listed.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from configuration import BundleError, Configuration
from lakeflow import Pipeline
from pyspark.sql import DataFrameReader, SparkSession

ONLY_ON_DATABRICKS = re.compile(
    r"^\s*(ALTER (?:TABLE|MATERIALIZED VIEW|STREAMING TABLE) .*\b"
    r"(PRIMARY KEY|FOREIGN KEY|SET TAGS|CLUSTER BY AUTO|DROP CONSTRAINT(?! IF EXISTS `medc_))"
    r"|COPY INTO|CREATE VOLUME|GRANT|REVOKE|COMMENT ON (CATALOG|VOLUME))",
    re.IGNORECASE | re.DOTALL,
)
_VIEW = re.compile(r"^(\s*CREATE OR REPLACE VIEW )`((?:[^`]|``)+)`\.`((?:[^`]|``)+)`\.")
RUN_ID = "4711"
_OPTIONS = DataFrameReader.options


class NotRun(Exception):
    """Only Databricks runs this."""


@dataclass
class Report:
    """What became of a bundle's tasks."""

    states: dict[str, str] = field(default_factory=dict)
    """`job.task` and its result."""
    errors: dict[str, str] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)


class Workspace:
    """Runs one bundle."""

    databases: ClassVar[dict[str, str]] = {}
    """JDBC addresses, and those of the Derby databases that stand for them."""
    secrets: ClassVar[dict[tuple[str, str], str]] = {}
    """What is kept in secret scopes, by scope and key."""

    def __init__(self, spark: SparkSession, configuration: Configuration, project: Path, volumes: Path) -> None:
        self.spark, self.configuration = spark, configuration
        self.project, self.volumes = project, volumes
        self.report = Report()
        self.values: dict[tuple[str, str], Any] = {}
        self._patch()

    # What is there before a job runs

    def create_schemas(self) -> None:
        """Makes the catalogs and schemas that the bundle declares."""
        for schema in self.configuration.resources.get("schemas", {}).values():
            catalog = schema["catalog_name"]
            self.spark.conf.set(f"spark.sql.catalog.{catalog}", "medc.lab.LakeCatalog")
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{catalog}`.`{schema['name']}`")
        for volume in self.configuration.resources.get("volumes", {}).values():
            folder = self.volumes / volume["catalog_name"] / volume["schema_name"] / volume["name"]
            folder.mkdir(parents=True, exist_ok=True)

        for experiment in self.configuration.resources.get("experiments", {}).values():
            self._create_experiment(experiment["name"])

    def _create_experiment(self, name: str) -> None:
        # Takes seconds to import, and most bundles have none.
        import mlflow

        artifacts = self.volumes.parent / "mlflow"
        artifacts.mkdir(parents=True, exist_ok=True)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{artifacts}/mlflow.db"
        mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
        if mlflow.get_experiment_by_name(name) is None:
            mlflow.create_experiment(name, artifact_location=artifacts.as_uri())

    def _patch(self) -> None:
        """Keeps statements that only Databricks has from Spark, and puts views where open-source Spark has them."""
        run = SparkSession.sql

        def sql(statement: str, *arguments: Any, **named: Any) -> Any:
            if ONLY_ON_DATABRICKS.match(statement):
                self.report.not_run.append(" ".join(statement.split()))
                return run(self.spark, "SELECT 1 AS not_run WHERE false")
            return run(self.spark, _VIEW.sub(r"\1`spark_catalog`.`\2__\3`.", statement), *arguments, **named)

        self.spark.sql = sql  # type: ignore[method-assign]

        def options(reader: Any, **given: Any) -> Any:
            if given.get("url") in self.databases:
                given |= {"url": self.databases[given["url"]], "driver": "org.apache.derby.jdbc.EmbeddedDriver"}
            return _OPTIONS(reader, **given)

        DataFrameReader.options = options  # type: ignore[method-assign]

    def close(self) -> None:
        """Forgets the bundle's modules, and takes the hands off Spark."""
        self.spark.__dict__.pop("sql", None)
        DataFrameReader.options = _OPTIONS  # type: ignore[method-assign]
        package = re.compile(r"\w+_pipeline(\.|$)")
        for name in [name for name in sys.modules if package.match(name)]:
            del sys.modules[name]

    # Jobs

    def run_all(self) -> None:
        """Runs the jobs that no other job runs, by key."""
        jobs = self.configuration.resources.get("jobs", {})
        called = {
            task["run_job_task"]["job_id"]
            for job in jobs.values()
            for task in job.get("tasks", [])
            if "run_job_task" in task
        }
        tasks = [task for job in jobs.values() for task in job.get("tasks", [])]
        started = {task["pipeline_task"]["pipeline_id"] for task in tasks if "pipeline_task" in task}
        for key in sorted(self.configuration.resources.get("pipelines", {})):
            if f"resources.pipelines.{key}" not in started:
                self.update(key)
        for key in sorted(jobs):
            if f"resources.jobs.{key}" not in called:
                self.run(key, {})

    def update(self, key: str) -> bool:
        """Updates a pipeline; whether all its datasets could be made."""
        resource = dict(self.configuration.resources["pipelines"][key])
        given = resource.get("configuration", {})
        places = {
            name: self._place("path", value) if name.startswith("path_") else value for name, value in given.items()
        }
        pipeline = Pipeline(self.spark, {**resource, "configuration": places}, self.volumes / "pipelines" / key)
        runtime = types.ModuleType("databricks.sdk.runtime")
        runtime.dbutils = _Dbutils(self, key, key, {})  # type: ignore[attr-defined]
        sys.modules["databricks.sdk.runtime"] = runtime
        pipeline.load()
        is_done = pipeline.update()
        for name, event in pipeline.events.items():
            self.report.states[f"{key}.{name}"] = event.state
            told = [event.error] if event.error else [f"{label}: {n}" for label, n in event.violations.items() if n]
            self.report.errors[f"{key}.{name}"] = "; ".join(told)
        return is_done

    def run(self, key: str, given: dict[str, str]) -> bool:
        """Runs a job; whether it succeeded."""
        job = self.configuration.resources["jobs"][key]
        parameters = {one["name"]: str(one.get("default", "")) for one in job.get("parameters", [])}
        parameters.update(given)
        tasks = {task["task_key"]: task for task in job.get("tasks", [])}
        if len(tasks) != len(job.get("tasks", [])):
            raise BundleError(f"job `{key}` has two tasks with one key")
        states: dict[str, str] = {}
        while len(states) < len(tasks):
            ready = [
                task
                for name, task in tasks.items()
                if name not in states and all(one["task_key"] in states for one in task.get("depends_on", []))
            ]
            if not ready:
                raise BundleError(f"job `{key}`: nothing of {sorted(set(tasks) - set(states))} can begin")
            for task in ready:
                states[task["task_key"]] = self._task(key, job, task, parameters, states)
                self.report.states[f"{key}.{task['task_key']}"] = states[task["task_key"]]
        return not any(state in ("failed", "upstream_failed") for state in states.values())

    def _task(
        self, key: str, job: dict[str, Any], task: dict[str, Any], parameters: dict[str, str], states: dict[str, str]
    ) -> str:
        name = task["task_key"]
        waits = [(one, states[one["task_key"]]) for one in task.get("depends_on", [])]
        if not _may_run(task.get("run_if", "ALL_SUCCESS"), waits):
            failed = any(state in ("failed", "upstream_failed") for _, state in waits)
            return "upstream_failed" if failed else "excluded"
        known = self._known(key, job, name, parameters)

        def filled(value: Any) -> Any:
            return _filled(value, known)

        folder = Path(job["_file"]).parent
        try:
            if "notebook_task" in task:
                given = {**parameters, **task["notebook_task"].get("base_parameters", {})}
                # On Databricks a volume beside the table; a stream writes only where Spark's own file system is.
                given.setdefault("checkpoints", str(self.volumes / "checkpoints"))
                path = folder / task["notebook_task"]["notebook_path"]
                self._notebook(
                    key, name, path, {key: self._place(key, filled(str(value))) for key, value in given.items()}
                )
            elif "sql_task" in task and "file" in task["sql_task"]:
                given = {key: filled(str(value)) for key, value in task["sql_task"].get("parameters", {}).items()}
                self._sql_file(folder / task["sql_task"]["file"]["path"], {**parameters, **given})
            elif "condition_task" in task:
                condition = filled(task["condition_task"])
                return "true" if _holds(condition) else "false"
            elif "pipeline_task" in task:
                called = task["pipeline_task"]["pipeline_id"].removeprefix("resources.pipelines.")
                if not self.update(called):
                    return "failed"
            elif "run_job_task" in task:
                called = task["run_job_task"]["job_id"].removeprefix("resources.jobs.")
                given = filled(task["run_job_task"].get("job_parameters", {}))
                if not self.run(called, {key: str(value) for key, value in given.items()}):
                    return "failed"
            else:
                kind = next((kind for kind in task if kind.endswith("_task")), "?")
                self.report.not_run.append(f"task {key}.{name}: {kind}")
        except Exception as error:
            self.report.errors[f"{key}.{name}"] = f"{type(error).__name__}: {error}"
            if os.environ.get("BUNDLE_TRACE"):
                traceback.print_exc()
            return "failed"
        return "success"

    def _known(self, key: str, job: dict[str, Any], task: str, parameters: dict[str, str]) -> dict[str, str]:
        """What `{{…}}` may speak of."""
        known = {
            "job.run_id": RUN_ID,
            "job.id": key,
            "job.name": job.get("name", key),
            "job.start_time.iso_date": "2026-01-01",
            "job.start_time.iso_datetime": "2026-01-01T06:00:00Z",
            "job.trigger.type": "manual",
            "task.name": task,
            "task.run_id": RUN_ID,
            "workspace.id": "1",
        }
        known.update({f"job.parameters.{name}": value for name, value in parameters.items()})
        known.update({f"tasks.{task}.values.{name}": str(value) for (task, name), value in self.values.items()})
        known.update(
            {f"tasks.{address.partition('.')[2]}.result_state": state for address, state in self.report.states.items()}
        )
        return known

    def _place(self, name: str, value: str) -> str:
        """Where files lie on this machine that the bundle says to be in a volume, or relative to the project."""
        if value.startswith("/Volumes/"):
            return str(self.volumes / value.removeprefix("/Volumes/"))
        return str(self.project / value) if name == "path" and "://" not in value else value

    def _sql_file(self, path: Path, parameters: dict[str, str]) -> None:
        if path.name.endswith(".unity.sql"):
            self.report.not_run.append(path.name)
            return
        self.spark.sql(path.read_text(encoding="utf-8").strip().removesuffix(";"), args=parameters)

    def _notebook(self, job: str, task: str, path: Path, parameters: dict[str, str]) -> None:
        source = path.read_text(encoding="utf-8")
        if not source.startswith("# Databricks notebook source\n"):
            raise BundleError(f"`{path}` is no notebook")
        runtime = types.ModuleType("databricks.sdk.runtime")
        runtime.spark, runtime.dbutils = self.spark, _Dbutils(self, job, task, parameters)  # type: ignore[attr-defined]
        parents = {name: types.ModuleType(name) for name in ("databricks", "databricks.sdk")}
        for parent in parents.values():
            # A package: MLflow looks for others of its kind below it.
            parent.__path__ = []
        sys.modules.update({**parents, "databricks.sdk.runtime": runtime})
        before, searched = Path.cwd(), list(sys.path)
        os.chdir(path.parent)
        # A job gives each notebook a Python of its own; what this one remembers of `..` is another bundle's.
        sys.path_importer_cache.pop("..", None)
        try:
            exec(
                compile(source, str(path), "exec"),
                {"__name__": "__main__", "spark": self.spark, "dbutils": runtime.dbutils},
            )
        finally:
            os.chdir(before)
            sys.path[:] = searched


class _Dbutils:
    """What notebooks of medc use of `dbutils`."""

    def __init__(self, workspace: Workspace, job: str, task: str, parameters: dict[str, str]) -> None:
        def set_value(key: str, value: Any) -> None:
            workspace.values[(task, key)] = value

        def get_value(taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:
            return workspace.values.get((taskKey, key), default)

        self.widgets = types.SimpleNamespace(getAll=lambda: dict(parameters), get=parameters.__getitem__)

        def secret(scope: str, key: str) -> str:
            return workspace.secrets[scope, key]

        self.secrets = types.SimpleNamespace(get=secret)
        self.jobs = types.SimpleNamespace(taskValues=types.SimpleNamespace(set=set_value, get=get_value))


def _may_run(run_if: str, waits: list[tuple[dict[str, Any], str]]) -> bool:
    def is_met(one: dict[str, Any], state: str) -> bool:
        return state == one["outcome"] if "outcome" in one else state in ("success", "true", "false")

    met = [is_met(one, state) for one, state in waits]
    failed = [state in ("failed", "upstream_failed") for _, state in waits]
    rules = {
        "ALL_SUCCESS": all(met),
        "AT_LEAST_ONE_SUCCESS": any(met) or not waits,
        "NONE_FAILED": not any(failed),
        "ALL_DONE": True,
        "AT_LEAST_ONE_FAILED": any(failed),
        "ALL_FAILED": bool(waits) and all(failed),
    }
    return rules[run_if]


def _filled(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, known) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, known) for one in value]
    if not isinstance(value, str):
        return value

    def named(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise BundleError(f"there is no `{found[0]}`")
        return known[found[1]]

    return re.sub(r"\{\{([^{}]+)\}\}", named, value)


def _holds(condition: dict[str, str]) -> bool:
    left, right = str(condition["left"]), str(condition["right"])
    if condition["op"] in ("EQUAL_TO", "NOT_EQUAL"):
        return (left == right) == (condition["op"] == "EQUAL_TO")
    compare = {
        "GREATER_THAN": float.__gt__,
        "GREATER_THAN_OR_EQUAL": float.__ge__,
        "LESS_THAN": float.__lt__,
        "LESS_THAN_OR_EQUAL": float.__le__,
    }
    return bool(compare[condition["op"]](float(left), float(right)))
