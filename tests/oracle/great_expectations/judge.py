"""What the installed Great Expectations says of the cases: `judge.py FOLDER VERSION` writes `VERSION.json`.

Each expectation is validated by itself, so that one that raises does not hide the others.
"""

import json
import logging
import pathlib
import sys
import warnings

import great_expectations as gx
import pandas as pd

import cases as written

FIELDS = ("element_count", "missing_count", "unexpected_count", "unexpected_percent", "unexpected_percent_total", "observed_value")


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


def old_validate(context, asset, suite_name, case, version):
    """With the API of 0.18."""
    from great_expectations.core import ExpectationConfiguration, ExpectationSuite

    suite = ExpectationSuite(expectation_suite_name=suite_name)
    context.add_expectation_suite(expectation_suite=suite)
    request = asset.build_batch_request(dataframe=frame(case))
    validator = context.get_validator(batch_request=request, expectation_suite_name=suite_name)
    for name, kwargs in written.of_version(case, version):
        try:
            configuration = ExpectationConfiguration(expectation_type=name, kwargs=kwargs)
            [result] = validator.graph_validate(
                configurations=[configuration],
                runtime_configuration={"catch_exceptions": True, "result_format": {"result_format": "COMPLETE"}},
            )
        except Exception as error:  # a configuration that the library refuses
            yield {"success": False, "exception": f"{type(error).__name__}: {error}"}
            continue
        yield result


def new_validate(asset, case, version):
    """With the API of 1.x."""
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame(case)})
    for name, kwargs in written.of_version(case, version):
        try:
            suite = gx.ExpectationSuite(name="one", expectations=[{"type": name, "kwargs": kwargs}])
            [result] = batch.validate(suite, result_format="COMPLETE").results
        except Exception as error:  # a configuration that the library refuses
            yield {"success": False, "exception": f"{type(error).__name__}: {error}"}
            continue
        yield result


def plain(result):
    """The parts of a result that are compared."""
    if isinstance(result, dict):
        return result
    read = result.to_json_dict()
    exception = read.get("exception_info") or {}
    if "raised_exception" not in exception:
        exception = next((inner for inner in exception.values() if isinstance(inner, dict)), {})
    if exception.get("raised_exception"):
        return {"success": False, "exception": str(exception.get("exception_message"))[:200]}
    kept = {key: read["result"][key] for key in FIELDS if key in read["result"]}
    return {"success": bool(read["success"]), **kept}


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    folder, version = pathlib.Path(sys.argv[1]), sys.argv[2]
    context = gx.get_context(mode="ephemeral")
    results = {}
    if version != "0.18":
        context.variables.progress_bars = {"globally": False}
    sources = context.sources if version == "0.18" else context.data_sources
    source = sources.add_pandas("memory")
    for case in json.loads((folder / "cases.json").read_text()):
        asset = source.add_dataframe_asset(case["name"])
        if version == "0.18":
            judged = old_validate(context, asset, case["name"], case, version)
        else:
            judged = new_validate(asset, case, version)
        results[case["name"]] = [plain(result) for result in judged]
    (folder / f"{version}.json").write_text(json.dumps(results, default=str))
    n_results = sum(len(judged) for judged in results.values())
    print(f"great_expectations {gx.__version__}: {n_results} expectations on {len(results)} tables")


if __name__ == "__main__":
    main()
