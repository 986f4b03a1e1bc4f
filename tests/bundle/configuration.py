"""A bundle's YAML as the Databricks CLI reads it, for one target.

In: a bundle's folder, a target, values of variables. Out: the resources with includes, the target's overrides, name prefixes and every
`${…}` resolved; `{{…}}` is left for the run. What cannot be resolved is an error, as it is when a bundle is deployed.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

USER = "deployer"
_REFERENCE = re.compile(r"\$\{([a-zA-Z][\w.\-\[\]]*)\}")
_PREFIXED_IN_WORDS = ("schemas", "registered_models", "model_serving_endpoints")
_PREFIXED = ("jobs", "models", "pipelines", "dashboards", "alerts", "clusters", "sql_warehouses")


class BundleError(Exception):
    """The bundle would be refused."""


@dataclass(frozen=True)
class Configuration:
    """A bundle as one target deploys it."""

    folder: Path
    target: str
    resources: dict[str, dict[str, Any]]
    """By type and key. A resource's `_file` is the file that declares it, to which its paths are relative."""
    variables: dict[str, Any]
    workspace: dict[str, Any]


def read(folder: Path, target: str, given: dict[str, str], commit: str = "0" * 40, user: str = USER) -> Configuration:
    """Reads a bundle for a target, as a user would deploy it."""
    root = load(folder / "databricks.yml")
    for pattern in root.pop("include", []):
        for path in sorted(folder.glob(pattern)):
            root = merged(root, _with_files(load(path), path))
    targets = root.pop("targets", {})
    if target not in targets:
        raise BundleError(f"there is no target `{target}`, only {', '.join(targets)}")
    own = targets[target] or {}
    values = {name: (declared or {}).get("default") for name, declared in root.get("variables", {}).items()}
    for name, value in (own.get("variables") or {}).items():
        values[name] = value.get("default") if isinstance(value, dict) and "default" in value else value
    unknown = set(given) - set(values)
    if unknown:
        raise BundleError(f"there are no variables {', '.join(sorted(unknown))}")
    values.update(given)
    for name, declared in root.get("variables", {}).items():
        if values[name] is None and "lookup" in (declared or {}):
            values[name] = f"<{name}>"
    root = merged(root, {"resources": own.get("resources") or {}})
    root["workspace"] = merged(root.get("workspace") or {}, own.get("workspace") or {})
    root["presets"] = merged(root.get("presets") or {}, own.get("presets") or {})
    resources = root.get("resources") or {}
    _prefix(resources, own, root, user)
    scope = _scope(root, target, values, commit, user)
    scope["resources"] = resources
    found = _Resolving(scope).everywhere(resources)
    workspace = _Resolving(scope).everywhere(scope["workspace"])
    return Configuration(folder, target, found, _Resolving(scope).everywhere(values), workspace)


def load(path: Path) -> dict[str, Any]:
    """A YAML file."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _with_files(document: dict[str, Any], path: Path) -> dict[str, Any]:
    # A resource that only some targets have stands below `targets`, in a file of its own as well.
    sections = [document, *(target or {} for target in (document.get("targets") or {}).values())]
    for section in sections:
        for of_type in (section.get("resources") or {}).values():
            for resource in of_type.values():
                resource["_file"] = str(path)
    return document


def merged(base: Any, over: Any) -> Any:
    """Mappings by key, tasks and the like by their key, other lists one behind the other, anything else replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        both = copy.copy(base)
        for key, value in over.items():
            both[key] = merged(base[key], value) if key in base else value
        return both
    if isinstance(base, list) and isinstance(over, list):
        result = list(base)
        for one in over:
            name = next(
                (
                    key
                    for key in ("task_key", "job_cluster_key", "environment_key")
                    if isinstance(one, dict) and key in one
                ),
                None,
            )
            # A job's parameters.
            if isinstance(one, dict) and set(one) == {"name", "default"}:
                name = "name"
            place = next((n for n, old in enumerate(result) if name and old.get(name) == one[name]), None)
            if place is None:
                result.append(one)
            else:
                result[place] = merged(result[place], one)
        return result
    return over


def _prefix(resources: dict[str, Any], target: dict[str, Any], root: dict[str, Any], user: str) -> None:
    """Gives names the prefix of the target's presets, or that of development."""
    prefix = (root["presets"] or {}).get("name_prefix")
    if prefix is None:
        prefix = f"[dev {user}] " if target.get("mode") == "development" else ""
    if not prefix:
        return
    bare = prefix.strip()
    words = re.sub(r"[^A-Za-z0-9]+", "_", bare.strip("[]")).strip("_") + ("_" if bare.endswith("]") else "")
    skips_schemas = (root.get("experimental") or {}).get("skip_name_prefix_for_schema")
    for kind, of_kind in resources.items():
        for resource in of_kind.values():
            if "name" not in resource:
                continue
            if kind in _PREFIXED_IN_WORDS and not (kind == "schemas" and skips_schemas):
                resource["name"] = words + resource["name"]
            elif kind in _PREFIXED:
                resource["name"] = prefix + resource["name"]
            elif kind == "experiments":
                parent, _, name = resource["name"].rpartition("/")
                resource["name"] = f"{parent}/{prefix}{name}"


def _scope(root: dict[str, Any], target: str, values: dict[str, Any], commit: str, user: str) -> dict[str, Any]:
    bundle = dict(root.get("bundle") or {})
    bundle["target"] = bundle["environment"] = target
    bundle["git"] = {"commit": commit, "branch": "main", **(bundle.get("git") or {})}
    workspace = dict(root["workspace"])
    name = bundle.get("name", "")
    workspace.setdefault("root_path", f"/Workspace/Users/{user}/.bundle/{name}/{target}")
    for part in ("file", "artifact", "state", "resource"):
        workspace.setdefault(f"{part}_path", "${workspace.root_path}/" + part + "s")
    workspace["current_user"] = {"userName": f"{user}@example.com", "short_name": user, "domain_friendly_name": user}
    return {"bundle": bundle, "workspace": workspace, "var": values, "variables": values}


class _Resolving:
    """Replaces references, also those in what they refer to."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.open: list[str] = []

    def everywhere(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.everywhere(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.everywhere(one) for one in value]
        if isinstance(value, str):
            return self.text(value)
        return value

    def text(self, text: str) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole:
            return self.value(whole[1])
        return _REFERENCE.sub(lambda found: str(self.value(found[1])), text)

    def value(self, path: str) -> Any:
        if path in self.open:
            raise BundleError(f"`${{{path}}}` refers to itself")
        self.open.append(path)
        try:
            return self.everywhere(self.look_up(path))
        finally:
            self.open.pop()

    def look_up(self, path: str) -> Any:
        value: Any = self.scope
        parts = path.split(".")
        for place, part in enumerate(parts):
            if isinstance(value, dict) and part in value:
                value = value[part]
                continue
            # What only the workspace knows: a resource's id is its address here.
            if parts[0] == "resources" and place == 3 and isinstance(value, dict):
                if part == "id":
                    return ".".join(parts[:3])
                if part == "full_name":
                    return ".".join(str(value[key]) for key in ("catalog_name", "schema_name", "name") if key in value)
            raise BundleError(f"reference does not exist: ${{{path}}}")
        if value is None:
            raise BundleError(f"no value for ${{{path}}}")
        return value


def variables(folder: Path) -> list[str]:
    """The names of a bundle's variables."""
    return list(load(folder / "databricks.yml").get("variables") or {})
