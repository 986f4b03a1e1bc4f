"""Reads a bundle's resources, as each target has them, into the Databricks SDK's types and back.

Usage: databricks_sdk.py BUNDLE
"""

import inspect
import re
import sys
from pathlib import Path

import yaml
from databricks.sdk.service import (
    apps,
    catalog,
    compute,
    dashboards,
    database,
    iam,
    jobs,
    ml,
    pipelines,
    serving,
    sql,
    vectorsearch,
    workspace,
)

# What a bundle's resource is to the API: its type, and what makes one where that takes keyword arguments.
TYPES = {
    "alerts": (sql.AlertV2, None),
    "apps": (apps.App, None),
    "catalogs": (catalog.CatalogInfo, catalog.CatalogsAPI.create),
    "clusters": (compute.ClusterSpec, compute.ClustersAPI.create),
    "dashboards": (dashboards.Dashboard, None),
    "database_catalogs": (database.DatabaseCatalog, None),
    "database_instances": (database.DatabaseInstance, None),
    "experiments": (ml.Experiment, ml.ExperimentsAPI.create_experiment),
    "external_locations": (catalog.ExternalLocationInfo, catalog.ExternalLocationsAPI.create),
    "instance_pools": (compute.InstancePoolAndStats, compute.InstancePoolsAPI.create),
    "jobs": (jobs.JobSettings, None),
    "model_serving_endpoints": (None, serving.ServingEndpointsAPI.create),
    "models": (ml.Model, ml.ModelRegistryAPI.create_model),
    "pipelines": (pipelines.PipelineSpec, pipelines.PipelinesAPI.create),
    "quality_monitors": (catalog.MonitorInfo, catalog.QualityMonitorsAPI.create),
    "registered_models": (catalog.RegisteredModelInfo, catalog.RegisteredModelsAPI.create),
    "schemas": (catalog.SchemaInfo, catalog.SchemasAPI.create),
    "secret_scopes": (None, workspace.SecretsAPI.create_scope),
    "sql_warehouses": (None, sql.WarehousesAPI.create),
    "vector_search_endpoints": (None, vectorsearch.VectorSearchEndpointsAPI.create_endpoint),
    "vector_search_indexes": (None, vectorsearch.VectorSearchIndexesAPI.create_index),
    "volumes": (catalog.VolumeInfo, catalog.VolumesAPI.create),
}
# Types that the API takes as they are, and what the bundle adds to them.
NESTED = {
    ("model_serving_endpoints", "config"): serving.EndpointCoreConfigInput,
    ("vector_search_indexes", "delta_sync_index_spec"): vectorsearch.DeltaSyncVectorIndexSpecRequest,
}
# The bundle's own keys, which the API does not have, and those that it calls otherwise.
OF_BUNDLES = {"alerts": {"file_path"}, "dashboards": {"dataset_catalog", "dataset_schema", "embed_credentials", "file_path"}}
OTHERWISE = {"secret_scopes": {"name": "scope", "backend_type": "scope_backend_type", "keyvault_metadata": "backend_azure_keyvault"}}
# The levels of permissions, where the SDK lists them.
PERMISSIONS = {
    "apps": apps.AppPermissionLevel,
    "clusters": compute.ClusterPermissionLevel,
    "experiments": ml.ExperimentPermissionLevel,
    "instance_pools": compute.InstancePoolPermissionLevel,
    "jobs": jobs.JobPermissionLevel,
    "model_serving_endpoints": serving.ServingEndpointPermissionLevel,
    "models": ml.RegisteredModelPermissionLevel,
    "pipelines": pipelines.PipelinePermissionLevel,
    "secret_scopes": workspace.AclPermission,
    "sql_warehouses": sql.WarehousePermissionLevel,
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
    for path in (bundle / "resources").glob("*.yml"):
        one_resource(path)
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


def one_resource(path):
    """A file declares one resource, and is called after it."""
    file = read(path)
    sections = [file, *file.get("targets", {}).values()]
    declared = {(of, key) for section in sections for of, keys in section.get("resources", {}).items() for key in keys}
    assert len(declared) == 1, f"{path.name}: {declared}"
    ((resource_type, key),) = declared
    singular = resource_type.removesuffix("s") if resource_type != "vector_search_indexes" else "vector_search_index"
    assert path.name == f"{key}.{singular}.yml", path.name


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
    for path in own_files(body):
        assert (bundle / "resources" / path).exists(), f"{place}: {path} is not there"
    body = {key: value for key, value in body.items() if key not in OF_BUNDLES.get(resource_type, ())}
    body.pop("lifecycle", None)
    for permission in body.pop("permissions", []):
        as_api = {("permission_level" if key == "level" else key): value for key, value in permission.items()}
        if resource_type != "secret_scopes":
            same(place, iam.AccessControlRequest, as_api)
        if resource_type in PERMISSIONS:
            PERMISSIONS[resource_type](permission["level"])
    for grant in body.pop("grants", []):
        same(place, catalog.PrivilegeAssignment, grant)
    assert resource_type in TYPES, f"{place}: no type of the SDK is named for it"
    # The API's id is a number, which the CLI puts in.
    for task in body.get("tasks", []):
        for one in (task, task.get("for_each_task", {}).get("task", {})):
            if str(one.get("run_job_task", {}).get("job_id", "")).startswith("${resources.jobs."):
                one["run_job_task"]["job_id"] = 1
    kind, make = TYPES[resource_type]
    if kind is not None:
        same(place, kind, body)
    if make is not None:
        otherwise = OTHERWISE.get(resource_type, {})
        unknown = {otherwise.get(key, key) for key in body} - set(inspect.signature(make).parameters)
        assert not unknown, f"{place}: {unknown} cannot be given"
    for (of_type, key), nested in NESTED.items():
        if of_type == resource_type and key in body:
            same(place, nested, body[key])
    for task in body.get("tasks", []):
        notebook = task.get("notebook_task", {}).get("notebook_path", "")
        if notebook.startswith("../"):
            first = (bundle / "resources" / notebook).read_text(encoding="utf-8").splitlines()[0]
            assert first == "# Databricks notebook source", f"{place}: {notebook} is no notebook"


def own_files(value):
    """The files and folders of the bundle that a body names."""
    if isinstance(value, dict):
        return [path for one in value.values() for path in own_files(one)]
    if isinstance(value, list):
        return [path for one in value for path in own_files(one)]
    is_path = isinstance(value, str) and value.startswith("../")
    return [value.split("*")[0]] if is_path else []


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
