"""What a bundle's targets would be called once deployed: no two targets of a workspace, and no two developers, deploy one thing.

Usage: names.py BUNDLE…
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import configuration

# What a workspace, or its metastore, knows once: the keys that make a name.
UNIQUE = {
    "apps": ("name",),
    "catalogs": ("name",),
    "database_catalogs": ("name",),
    "database_instances": ("name",),
    "experiments": ("name",),
    "external_locations": ("name",),
    "instance_pools": ("instance_pool_name",),
    "model_serving_endpoints": ("name",),
    "models": ("name",),
    "pipelines": ("name",),
    "quality_monitors": ("table_name",),
    "registered_models": ("catalog_name", "schema_name", "name"),
    "schemas": ("catalog_name", "name"),
    "secret_scopes": ("name",),
    "sql_warehouses": ("name",),
    "vector_search_endpoints": ("name",),
    "vector_search_indexes": ("name",),
    "volumes": ("catalog_name", "schema_name", "name"),
}
NOT_UNIQUE = {"alerts", "clusters", "dashboards", "genie_spaces", "jobs"}


def main(bundles: list[str]) -> int:
    """0 if nothing collides."""
    n_wrong = 0
    for bundle in map(Path, bundles):
        root = configuration.load(bundle / "databricks.yml")
        taken: dict[tuple[str, ...], str] = {}
        for target, written in root["targets"].items():
            is_development = written["mode"] == "development"
            for user in ("one", "two") if is_development else ("one",):
                for thing in names(bundle, target, user):
                    place = (written["workspace"]["host"].lower(), *thing)
                    who = f"{target}, user {user}"
                    if place in taken:
                        n_wrong += 1
                        print(f"{bundle.name}: {' '.join(thing)} is deployed by {taken[place]} and by {who}")
                    taken[place] = who
        print(f"{bundle.name}: {len(taken)} names, each deployed once")
    return 1 if n_wrong else 0


def names(bundle: Path, target: str, user: str) -> Iterator[tuple[str, ...]]:
    """What a user's deployment of a target is known by."""
    found = configuration.read(bundle, target, {}, user=user)
    yield "folder", str(found.workspace["root_path"]).lower()
    for kind, of_kind in found.resources.items():
        assert kind in UNIQUE or kind in NOT_UNIQUE, kind
        for resource in of_kind.values() if kind in UNIQUE else ():
            yield kind, ".".join(str(resource[key]).lower() for key in UNIQUE[kind])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
