"""Reads a bundle's resources, as each target has them, into the Databricks SDK's types and back.

Usage: databricks_sdk.py BUNDLE
"""

import inspect
import re
import sys
from pathlib import Path

import yaml
from databricks.sdk.service import catalog, iam, jobs, ml, serving

# What a bundle's resource is to the API: its type, and what makes one where that takes keyword arguments. `None`: the bundle's
# own form, which the API does not have.
TYPES = {
    "jobs": (jobs.JobSettings, None),
    "schemas": (catalog.SchemaInfo, catalog.SchemasAPI.create),
    "volumes": (catalog.VolumeInfo, catalog.VolumesAPI.create),
    "registered_models": (catalog.RegisteredModelInfo, catalog.RegisteredModelsAPI.create),
    "experiments": (ml.Experiment, ml.ExperimentsAPI.create_experiment),
    "model_serving_endpoints": (None, serving.ServingEndpointsAPI.create),
    "secret_scopes": (None, None),
}
# Lists that the CLI joins by key.
KEYS = ("task_key", "job_cluster_key", "name")
# The levels that a bundle's top-level permissions may have, and those of permissions of a job.
LEVELS = {"CAN_MANAGE", "CAN_VIEW", "CAN_RUN"}
ROOT_KEYS = {"bundle", "include", "variables", "targets"}
TARGET_KEYS = {"mode", "default", "git", "workspace", "presets", "run_as", "permissions", "variables"}


def main(bundle):
    root = read(bundle / "databricks.yml")
    assert set(root) <= ROOT_KEYS, set(root) - ROOT_KEYS
    files = [read(path) for path in sorted((bundle / "resources").glob("*.yml"))]
    n_checked = 0
    assert sum(target.get("default", False) for target in root["targets"].values()) == 1
    for name, target in root["targets"].items():
        assert set(target) <= TARGET_KEYS, set(target) - TARGET_KEYS
        assert target["mode"] in ("development", "production")
        assert all(permission["level"] in LEVELS for permission in target.get("permissions", []))
        missing = {key for key, variable in root["variables"].items() if "default" not in variable} - set(target["variables"])
        assert not missing, f"{name}: {missing} without a value"
        resources = {}
        for file in files:
            assert set(file) <= {"resources", "targets"} and file
            resources = merged(resources, file.get("resources", {}))
            resources = merged(resources, file.get("targets", {}).get(name, {}).get("resources", {}))
        keys = [key for of_type in resources.values() for key in of_type]
        assert len(keys) == len(set(keys)), f"{name}: keys are one namespace, found {sorted(keys)}"
        leads_somewhere(resources, root["variables"])
        for resource_type, of_type in resources.items():
            for key, body in of_type.items():
                check(f"{name}: {resource_type}.{key}", resource_type, body, bundle)
                n_checked += 1
    print(f"{bundle.name}: {n_checked} resources as the SDK has them")


def read(path):
    with path.open(encoding="utf-8") as file:
        return yaml.safe_load(file)


def merged(base, over):
    """A target's value laid over the common one, as the CLI does it."""
    if isinstance(base, dict) and isinstance(over, dict):
        both = dict(base)
        for key, value in over.items():
            both[key] = merged(both[key], value) if key in both else value
        return both
    if isinstance(base, list) and isinstance(over, list):
        for key in KEYS:
            # Of lists of things with a name the CLI joins only a job's parameters by it.
            known = {"name", "default"} if key == "name" else {key}
            if all(isinstance(one, dict) and known <= set(one) for one in base + over):
                by_key = {one[key]: one for one in base}
                for one in over:
                    by_key[one[key]] = merged(by_key.get(one[key], {}), one)
                return list(by_key.values())
        return base + over
    return over


def check(place, resource_type, body, bundle):
    body = dict(body)
    for permission in body.pop("permissions", []):
        as_api = {("permission_level" if key == "level" else key): value for key, value in permission.items()}
        if resource_type != "secret_scopes":
            same(place, iam.AccessControlRequest, as_api)
    for grant in body.pop("grants", []):
        same(place, catalog.PrivilegeAssignment, grant)
    assert resource_type in TYPES, f"{place}: no type of the SDK is named for it"
    # The API's id is a number, which the CLI puts in.
    for task in body.get("tasks", []):
        if str(task.get("run_job_task", {}).get("job_id", "")).startswith("${resources.jobs."):
            task["run_job_task"]["job_id"] = 1
    kind, make = TYPES[resource_type]
    if kind is not None:
        same(place, kind, body)
    if make is not None:
        unknown = set(body) - set(inspect.signature(make).parameters)
        assert not unknown, f"{place}: {unknown} cannot be given"
    if resource_type == "model_serving_endpoints":
        same(place, serving.EndpointCoreConfigInput, body["config"])
    for task in body.get("tasks", []):
        notebook = task.get("notebook_task", {}).get("notebook_path", "")
        if notebook.startswith("../"):
            first = (bundle / "resources" / notebook).read_text(encoding="utf-8").splitlines()[0]
            assert first == "# Databricks notebook source", f"{place}: {notebook} is no notebook"


def same(place, kind, body):
    back = kind.from_dict(body).as_dict()
    assert back == body, f"{place}: {body} became {back}"


def leads_somewhere(resources, variables):
    """Every `${…}` names a variable, a resource, or what the CLI knows by itself."""
    for reference in re.findall(r"\$\{([^}]*)\}", yaml.safe_dump(resources, width=10**9)):
        parts = reference.split(".")
        if parts[0] == "var":
            assert parts[1] in variables, reference
        elif parts[0] == "resources":
            assert parts[2] in resources.get(parts[1], {}), reference
        else:
            assert parts[0] in ("bundle", "workspace"), reference


if __name__ == "__main__":
    main(Path(sys.argv[1]))
