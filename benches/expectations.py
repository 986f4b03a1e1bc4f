#!/usr/bin/env python3
"""Measures what 50 expectations add to writing a table: `medc apply` of the same rows with and without them, in turn.

    expectations.py ROWS [--medc target/release/medc] [--rounds 3] [--most 1.6] [--work FOLDER]

Bronze is built first and not measured; then the silver table alone is built anew, without expectations, with 50. Prints a
Markdown table of the medians and what each expectation took. Exits with 1 when an expectation does not hold, when not all
50 are recorded, or when the median with them is more than `--most` times that without. Needs Python alone. The CSV file stays
in the work folder and is used again.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "specs", "sales", "data"))
import generate  # noqa: E402

COLUMNS = ["order_id", "customer_id", "order_ts", "product_id", "quantity", "unit_price", "amount", "status", "country"]
TYPES = dict(order_id="string", customer_id="string", order_ts="timestamp", product_id="string", quantity="int",
             unit_price="decimal(18,2)", amount="decimal(18,2)", status="string", country="string", net="double", year="int")

# 20 not_null, 10 between, 5 accepted_values, 5 matches, 3 unique, 3 aggregates, 2 expression, 1 references, 1 quantile.
# A `where` or `mostly` lets the bad rows through, of which the generator makes three in a hundred.
GIVEN = {"where": "year IS NOT NULL"}
BOUNDS = [("quantity", 0, 1000), ("unit_price", 0, 100000), ("amount", 0, 1000000), ("net", 0, 1000000),
          ("year", 2000, 2100)]
STATUS = ["paid", "pending", "shipped", "cancelled", "refunded", "delivered", "returned", "completed"]
REGEX = [("order_id", "^[0-9A-Za-z-]+$"), ("customer_id", "^[0-9A-Za-z-]+$"), ("product_id", "^[0-9A-Za-z-]+$"),
         ("status", "^[a-z]+$"), ("country", "^[A-Z][A-Z]$")]


def expectations():
    """The 50, as elements of a table's `expect`."""
    loose = {"on_violation": "warn"}
    found = []
    for column in COLUMNS + ["net"]:
        found.append({"not_null": {"column": column, **loose}})
        found.append({"not_null": {"column": column, **GIVEN, **loose}})
    for column, low, high in BOUNDS:
        found.append({"between": {"column": column, "min": low, "max": high, **loose}})
        found.append({"between": {"column": column, "min": low, "mostly": 0.9, **loose}})
    for values, extra in ((STATUS, {}), (STATUS, GIVEN), (STATUS + ["lost"], {"mostly": 0.5})):
        found.append({"accepted_values": {"column": "status", "values": values, **extra, **loose}})
    for extra in ({}, GIVEN):
        found.append({"accepted_values": {"column": "country", "values": ["BR", "US", "DE", "FR", "MX", "AR", "CL", "PT"],
                                          **extra, **loose}})
    found += [{"matches": {"column": column, "regex": regex, **loose}} for column, regex in REGEX]
    found += [{"unique": {"columns": columns, **loose}}
              for columns in (["order_id"], ["order_id", "customer_id"], ["order_id", "product_id", "order_ts"])]
    found += [{"mean": {"column": "amount", "min": 0, "max": 1000000, **loose}},
              {"sum": {"column": "quantity", "min": 0, **loose}},
              {"max": {"column": "unit_price", "max": 1000000, **loose}}]
    found += [{"expression": {"sql": "amount >= 0 OR amount IS NULL", **loose}},
              {"expression": {"sql": "abs(net - quantity * unit_price) >= 0", **loose}}]
    found.append({"references": {"columns": ["customer_id"], "table": "bronze.customers", **loose}})
    found.append({"quantile": {"column": "net", "at": 0.95, "min": 0, **loose}})
    return found


def project(source, expect):
    """The project's file, as JSON, which is YAML too."""
    steps = [{"derive": {"net": "CAST(amount AS DOUBLE)", "year": "year(order_ts)"}}]
    silver = {"from": "bronze.sales", "contract": "sales", "steps": steps}
    if expect:
        silver["expect"] = expect
    text = {name: {"type": "string"} for name in COLUMNS}
    return {
        "project": {"name": "bench_expectations"},
        "environments": {"local": {"engine": "local", "warehouse": "warehouse"}},
        "layers": {"bronze": {}, "silver": {"reads": ["bronze"]}},
        "tables": {
            "bronze.sales": {"source": {"format": "csv", "path": source, "header": True}, "contract": "sales_raw"},
            "bronze.customers": {
                "sql": "SELECT DISTINCT customer_id FROM bronze.sales WHERE customer_id IS NOT NULL"},
            "silver.sales": silver,
        },
        "contracts": {
            "sales_raw": {"columns": text},
            "sales": {"on_cast_failure": "drop", "columns": {name: {"type": kind} for name, kind in TYPES.items()}},
        },
    }


def apply(medc, folder, log, *options):
    return measure.run([medc, "apply", "-p", folder, *options], log)


def results(log):
    """Label, success, violating rows and seconds of each expectation, from what `--format json` printed."""
    with open(log, errors="replace") as file:
        text = file.read()
    report, _ = json.JSONDecoder().raw_decode(text, text.index("\n{") + 1 if not text.startswith("{") else 0)
    found = [(one["label"], one["success"], one["n_violating"], one["duration_s"])
             for table in report["tables"] for one in table["expectations"] if one["kind"] != "cast"]
    return sorted(found, key=lambda one: -one[3])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int)
    parser.add_argument("--medc", default="target/release/medc")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=float, default=1.6)
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "medc-bench"))
    arguments = parser.parse_args()
    medc, work = os.path.abspath(arguments.medc), os.path.abspath(arguments.work)
    os.makedirs(work, exist_ok=True)
    source = os.path.join(work, f"sales_{arguments.rows}.csv")
    if not os.path.exists(source):
        generate.generate(arguments.rows, source + ".new", os.cpu_count(), whole=True)
        os.rename(source + ".new", source)
    folder, log = os.path.join(work, "expectations"), os.path.join(work, "expectations.log")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    file = os.path.join(folder, "medc.yml")
    cases = {"without": [], "with 50": expectations()}
    assert len(cases["with 50"]) == 50, len(cases["with 50"])
    costs = {case: [] for case in cases}
    for number in range(arguments.rounds):
        for case, expect in cases.items():
            with open(file, "w") as out:
                json.dump(project(source, expect), out)
            if number == 0 and case == "without":
                built = apply(medc, folder, log, "--select", "bronze.*")
                if built.code != 0:
                    sys.exit(f"bronze ended with {built.code}:\n{measure.show_log(log)}")
            cost = apply(medc, folder, log, "--select", "silver.sales", "--full-refresh",
                         "--format", "json")
            if cost.code != 0:
                sys.exit(f"{case} ended with {cost.code}:\n{measure.show_log(log)}")
            costs[case].append(cost)
            print(f"round {number + 1} {case}: {cost.wall_s:.2f} s wall, {cost.cpu_s:.2f} s CPU, {cost.peak_mib:.0f} MiB",
                  file=sys.stderr, flush=True)
    print(f"\n{arguments.rows} rows, {os.cpu_count()} cores, median of {arguments.rounds} rounds\n")
    print("| silver.sales | wall s | CPU s | peak MiB |\n|---|---|---|---|")
    for case, taken in costs.items():
        print(f"| {case} | {measure.median([c.wall_s for c in taken]):.2f} | {measure.median([c.cpu_s for c in taken]):.2f} "
              f"| {max(c.peak_mib for c in taken):.0f} |")
    wall = {case: measure.median([c.wall_s for c in taken]) for case, taken in costs.items()}
    print(f"\nWith them it takes {wall['with 50'] / wall['without']:.2f} times as long.\n")
    found = results(log)
    for label, success, n_violating, duration in found:
        print(f"{duration:8.3f} s  {'holds ' if success else 'broken'} {n_violating:>9}  {label}")
    if len(found) != 50:
        sys.exit(f"{len(found)} expectations are recorded instead of 50")
    if wall["with 50"] > arguments.most * wall["without"]:
        sys.exit(f"that is more than {arguments.most}")


if __name__ == "__main__":
    main()
