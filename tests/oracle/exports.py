"""Exports against the tools' own definitions: exports.py WHEELS EXPORTS ROWS."""

import ast
import json
import pathlib
import sys
import zipfile

import jsonschema
import yaml

wheels, exports, rows = map(pathlib.Path, sys.argv[1:])


def wheel(name):
    return zipfile.ZipFile(next(wheels.glob(f"{name}*.whl")))


def odcs():
    schema = json.loads(wheel("datacontract_cli").read("datacontract/schemas/odcs-3.1.0.schema.json"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    files = sorted(exports.glob("*/odcs/*.yaml"))
    for file in files:
        for error in validator.iter_errors(yaml.safe_load(file.read_text())):
            raise SystemExit(f"{file.name}{error.json_path}: {error.message}")
    return len(files)


def rows_of_schema():
    schema = json.loads((exports / "sales/jsonschema/silver.sales_clean.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    good = [json.loads(line) for line in rows.read_text().splitlines()]
    for row in good:
        validator.validate(row)
    for required in schema["required"]:
        for bad in ({**good[0], required: None}, {key: good[0][key] for key in good[0] if key != required}):
            assert not validator.is_valid(bad), required
    assert not validator.is_valid({**good[0], "surplus": 1})
    return len(good)


def dqx():
    tree = ast.parse(wheel("databricks_labs_dqx").read("databricks/labs/dqx/check_funcs.py"))
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args + node.args.kwonlyargs]
            known[node.name] = (names, names[: len(node.args.args) - len(node.args.defaults)])
    n_checks = 0
    for file in sorted(exports.glob("*/dqx/*.yml")):
        for check in yaml.safe_load(file.read_text()) or []:
            call = check["check"]
            names, required = known[call["function"]]
            assert set(call["arguments"]) <= set(names), (file.name, check)
            assert set(required) <= set(call["arguments"]), (file.name, check)
            assert check["criticality"] in ("error", "warn")
            n_checks += 1
    return n_checks


print(f"{odcs()} ODCS files, {rows_of_schema()} rows, {dqx()} DQX checks: as the tools have it")
