"""What the installed Great Expectations says of the cases: `judge.py FOLDER VERSION` writes `VERSION.json`.

Two sorts of suites: those that medc reads (`cases.json`), and those that `medc export great-expectations` wrote into
`exported-VERSION`, which the library loads from its own store of suites. Each expectation is validated by itself, so that
one that raises does not hide the others.
"""

import json
import logging
import pathlib
import shutil
import sqlite3
import sys
import warnings

import great_expectations as gx
import pandas as pd
import sqlalchemy
from great_expectations.expectations.registry import list_registered_expectation_implementations

import cases as written


def frame(case):
    """A case's rows as pandas has them."""
    columns = {}
    for name, word in case["columns"].items():
        values = [float("nan") if row[name] == written.NAN else row[name] for row in case["rows"]]
        if word == "bigint":
            kind = "float64" if any(value is None for value in values) else "int64"
            columns[name] = pd.Series(values, dtype=kind)
        elif word == "double":
            columns[name] = pd.Series(values, dtype="float64")
        elif word == "timestamp_ntz":
            columns[name] = pd.to_datetime(pd.Series(values, dtype="object"))
        elif word == "boolean":
            columns[name] = pd.Series(values, dtype="bool")
        else:
            columns[name] = pd.Series(values, dtype="object")
    return pd.DataFrame(columns)


def store_rows(path, cases, version):
    """A SQLite database with every case's rows; later connections have it as a schema that is called as medc's layer."""
    connection = sqlite3.connect(path)
    types = {"bigint": "INTEGER", "double": "REAL", "boolean": "BOOLEAN"}
    for case in cases:
        columns = ", ".join(f"`{name}` {types.get(word, 'TEXT')}" for name, word in case["columns"].items())
        connection.execute(f"CREATE TABLE {case['name']} ({columns})")
        values = [tuple(row[name] for name in case["columns"]) for row in case["rows"]]
        connection.executemany(f"INSERT INTO {case['name']} VALUES ({', '.join('?' * len(case['columns']))})", values)
    connection.commit()

    @sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "connect")
    def attach(later, _):
        later.execute(f"ATTACH DATABASE '{path}' AS {written.layer(version)}")
        # LIKE looks at case only where it is told to.
        later.execute("PRAGMA case_sensitive_like = ON")

    return connection


def among(connection, table, rows, condition):
    """The rows for which a condition in SQL is true. Exported conditions are Spark's, which pandas does not run."""
    kept = connection.execute(f"SELECT rowid - 1 FROM {table} WHERE {condition}").fetchall()
    return rows.loc[[place for (place,) in kept]]


class Old:
    """The API of 0.18."""

    def __init__(self, store):
        self.store = gx.get_context(mode="file", project_root_dir=store)
        self.context = gx.get_context(mode="ephemeral")
        self.context.variables.progress_bars = {"globally": False}
        self.source = self.context.sources.add_pandas("memory")
        self.database = self.context.sources.add_sqlite("database", connection_string="sqlite://")

    def load(self, name):
        """The expectations of a suite in the store: type, arguments, meta."""
        suite = self.store.get_expectation_suite(name)
        return [(one.expectation_type, one.kwargs, one.meta, None) for one in suite.expectations]

    def batch(self, name, rows):
        return self.validator(name, self.source.add_dataframe_asset(name).build_batch_request(dataframe=rows))

    def table(self, name, schema, table):
        asset = self.database.add_table_asset(name, schema_name=schema, table_name=table)
        return self.validator(name, asset.build_batch_request())

    def validator(self, name, request):
        self.context.add_expectation_suite(expectation_suite_name=name)
        return self.context.get_validator(batch_request=request, expectation_suite_name=name)

    def validate(self, batch, name, kwargs, parameters, _):
        from great_expectations.core import ExpectationConfiguration

        configuration = ExpectationConfiguration(expectation_type=name, kwargs=dict(kwargs))
        configuration.process_evaluation_parameters(parameters)
        [result] = batch.graph_validate(
            configurations=[configuration],
            runtime_configuration={"catch_exceptions": True, "result_format": {"result_format": "COMPLETE"}},
        )
        return result


class New:
    """The API of 1.x."""

    def __init__(self, store):
        self.store = gx.get_context(mode="file", project_root_dir=store)
        self.context = gx.get_context(mode="ephemeral")
        self.context.variables.progress_bars = {"globally": False}
        self.source = self.context.data_sources.add_pandas("memory")
        self.database = self.context.data_sources.add_sqlite("database", connection_string="sqlite://")

    def load(self, name):
        """The expectations of a suite in the store: type, arguments, meta, the expectation itself."""
        listed = []
        for one in self.store.suites.get(name).expectations:
            read = one.configuration.to_json_dict()
            listed.append((read["type"], read["kwargs"], read["meta"], one))
        return listed

    def batch(self, name, rows):
        asset = self.source.add_dataframe_asset(name)
        return asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": rows})

    def table(self, name, schema, table):
        asset = self.database.add_table_asset(name, schema_name=schema, table_name=table)
        return asset.add_batch_definition_whole_table("all").get_batch()

    def validate(self, batch, name, kwargs, parameters, expectation):
        if expectation is not None:
            return batch.validate(expectation, result_format="COMPLETE")
        suite = gx.ExpectationSuite(name="one", expectations=[{"type": name, "kwargs": kwargs}])
        [result] = batch.validate(suite, result_format="COMPLETE", expectation_parameters=parameters).results
        return result


def judged(library, batch, name, kwargs, parameters, expectation=None):
    """The parts of a result that are compared."""
    try:
        read = library.validate(batch, name, kwargs, parameters, expectation).to_json_dict()
    except Exception as error:  # a configuration that the library refuses
        return {"success": False, "exception": f"{type(error).__name__}: {error}"[:200]}
    exception = read.get("exception_info") or {}
    if "raised_exception" not in exception:
        exception = next((inner for inner in exception.values() if isinstance(inner, dict)), {})
    if exception.get("raised_exception"):
        return {"success": False, "exception": str(exception.get("exception_message"))[:200]}
    left = ("unexpected_index_query", "partial_unexpected_counts", "partial_unexpected_index_list")
    return {"success": bool(read["success"]), **{key: value for key, value in read["result"].items() if key not in left}}


def of_cases(library, cases, version):
    """Results of the suites that medc reads."""
    results = {}
    for case in cases:
        name = case["name"]
        is_table = "database" in case
        batch = library.table(name, written.layer(version), name) if is_table else library.batch(name, frame(case))
        parameters = case.get("parameters", {})
        entries = written.of_version(case, version)
        results[case["name"]] = [judged(library, batch, name, kwargs, parameters) for name, kwargs in entries]
    return results


def of_exported(library, cases, folder, version, connection):
    """Results of the suites that medc wrote."""
    store = pathlib.Path(library.store.root_directory) / "expectations"
    for file in sorted((folder / f"exported-{version}").glob("*.json")):
        shutil.copy(file, store / file.name)
    results = {}
    for case in cases:
        layer, name = written.layer(version), f"{written.layer(version)}_{case['name']}"
        rows, batches, results[case["name"]] = frame(case), {}, []
        for type_name, kwargs, meta, expectation in library.load(name):
            kwargs = {key: value for key, value in kwargs.items() if key != "batch_id"}
            entry = {"type": type_name, "kwargs": dict(kwargs), "label": meta["medc"]["label"]}
            results[case["name"]].append(entry)
            condition = kwargs.pop("row_condition", None)
            if isinstance(condition, dict):
                condition = condition["pass_through_filter"]
            if condition is not None:
                # The expectation as it was loaded, without the part that pandas cannot run.
                kwargs.pop("condition_parser")
                expectation = None
            is_table = "database" in case or type_name == "unexpected_rows_expectation"
            if (is_table, condition) not in batches:
                if is_table:
                    batches[is_table, condition] = library.table(f"table {name}", layer, case["name"])
                else:
                    kept = rows if condition is None else among(connection, case["name"], rows, condition)
                    batches[is_table, condition] = library.batch(f"{name}_{len(batches)}", kept)
            entry["result"] = judged(library, batches[is_table, condition], type_name, kwargs, {}, expectation)
    return results


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    folder, version = pathlib.Path(sys.argv[1]), sys.argv[2]
    cases = json.loads((folder / "cases.json").read_text())
    store, database = folder / f"store-{version}", folder / f"{version}.sqlite"
    store.mkdir()
    connection = store_rows(database, cases, version)
    library = Old(store) if version == "0.18" else New(store)
    results = {
        "names": sorted(list_registered_expectation_implementations()),
        "cases": of_cases(library, cases, version),
        "exported": of_exported(library, cases, folder, version, connection),
    }
    (folder / f"{version}.json").write_text(json.dumps(results, default=str))
    n_read, n_written = (sum(map(len, results[sort].values())) for sort in ("cases", "exported"))
    print(f"great_expectations {gx.__version__}: {n_read} expectations that medc reads, {n_written} that it wrote")


if __name__ == "__main__":
    main()
