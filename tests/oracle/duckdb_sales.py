#!/usr/bin/env python3
"""Computes the tables of specs/sales with DuckDB and compares them with those of medc, to the last cent and row.

    duckdb_sales.py SALES.csv WAREHOUSE    compare a warehouse that `medc apply -p specs/sales` wrote from SALES.csv
    duckdb_sales.py SALES.csv --self-test  write the expected tables as Delta, compare, damage one cell, compare again

The queries are written a second time here, from the specification and in another dialect, not copied from the project.
Prints a line for each comparison and `N passed, M failed`; exits with 1 if any failed.
"""
import csv
import os
import shutil
import sys
import tempfile

import duckdb
from deltalake import DeltaTable, write_deltalake

COLUMNS = "order_id customer_id order_ts product_id quantity unit_price amount status country".split()
TYPES = {"order_ts": "TIMESTAMP", "quantity": "INTEGER", "unit_price": "DECIMAL(18,2)", "amount": "DECIMAL(18,2)"}
METADATA = ("_source_file", "_source_line", "_ingested_at", "_run_id")


def count_ragged(path):
    """Counts data rows with more or fewer fields than there are columns, with Python's reader."""
    with open(path, newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        assert header == COLUMNS, f"unexpected header {header}"
        return sum(len(row) != len(COLUMNS) for row in rows)


def compute(connection, path):
    """Makes one DuckDB table per expected table and returns {name: relation name}, and the quarantines' row counts."""
    run = connection.execute
    # Means are rounded half-up in whole cents: DuckDB's avg of a decimal is a double.
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
    run(f"""CREATE TABLE bronze AS SELECT * FROM read_csv('{path}', auto_detect = false, header = true, delim = ',',
            quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, ignore_errors = true,
            columns = {{{columns}}})""")
    casts = ", ".join(f"TRY_CAST({c} AS {TYPES[c]}) AS {c}" if c in TYPES else c for c in COLUMNS)
    bad = " OR ".join(f"({c} IS NOT NULL AND TRY_CAST({c} AS {TYPES[c]}) IS NULL)" for c in TYPES)
    run(f"CREATE TABLE castable AS SELECT {casts} FROM bronze WHERE NOT ({bad})")
    run("""CREATE TABLE latest AS
        SELECT *, coalesce(amount IS NULL OR amount < 0
                           OR quantity < 1
                           OR status NOT IN ('paid', 'shipped', 'returned', 'cancelled', 'pending')
                           OR NOT regexp_matches(customer_id, '^[0-9]{6,}$')
                           OR amount <> quantity * unit_price, false) AS violates
        FROM (SELECT * REPLACE (trim(status) AS status, coalesce(trim(country), 'unknown') AS country) FROM castable
              WHERE order_id IS NOT NULL AND customer_id IS NOT NULL AND order_ts IS NOT NULL)
        QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY order_ts DESC) = 1""")
    run("CREATE TABLE sales_clean AS SELECT * EXCLUDE violates FROM latest WHERE NOT violates")
    run("CREATE VIEW cents AS SELECT *, CAST(amount * 100 AS HUGEINT) AS cents FROM sales_clean")
    measures = """
        count(*) FILTER ({when}) AS frequency,
        CAST(CAST(sum(cents) FILTER ({when}) AS DECIMAL(30,0)) * 0.01 AS DECIMAL(28,2)) AS total_spent,
        CAST(CAST((2 * sum(cents) FILTER ({when}) + count(cents) FILTER ({when}))
                  // (2 * count(cents) FILTER ({when})) AS DECIMAL(30,0)) * 0.01 AS DECIMAL(18,2)) AS avg_ticket,
        count(DISTINCT product_id) FILTER ({when}) AS n_products,
        count(DISTINCT order_ts::DATE) FILTER ({when}) AS days_active,
        CAST(count(*) FILTER ({when} AND status IN ('cancelled', 'returned')) AS DOUBLE)
            / nullif(count(*) FILTER ({when}), 0) AS cancelled_share"""
    run(f"""CREATE TABLE customer_metrics AS
        SELECT customer_id, {measures.format(when='true')}, max(order_ts) AS last_order_ts FROM cents GROUP BY customer_id""")
    run(f"""CREATE TABLE customer_snapshots AS
        SELECT customer_id, {measures.format(when='order_ts < cutoff')},
               count(*) FILTER (order_ts >= cutoff) = 0 AS churned,
               CAST(coalesce(sum(amount) FILTER (order_ts >= cutoff), 0) AS DECIMAL(28,2)) AS spent_after
        FROM cents, (SELECT max(order_ts) - INTERVAL 90 DAY AS cutoff FROM sales_clean)
        GROUP BY customer_id HAVING count(*) FILTER (order_ts < cutoff) > 0""")
    run("""CREATE TABLE churn_model_v1 AS SELECT frequency, total_spent, avg_ticket, days_active, cancelled_share, churned
           FROM customer_snapshots""")
    run("""CREATE TABLE clv_model_v2 AS SELECT frequency, avg_ticket, n_products, days_active, spent_after
           FROM customer_snapshots""")
    rows = {name: run(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in ("bronze", "castable")}
    n_violating = run("SELECT count(*) FROM latest WHERE violates").fetchall()[0][0]
    tables = {"bronze.sales_raw": "bronze", "silver.sales_clean": "sales_clean",
              "gold_core.customer_metrics": "customer_metrics", "gold_core.customer_snapshots": "customer_snapshots",
              "gold_ml.churn_model_v1": "churn_model_v1", "gold_ml.clv_model_v2": "clv_model_v2"}
    quarantines = {"bronze.sales_raw_quarantine": count_ragged(path),
                   "silver.sales_clean_quarantine": rows["bronze"] - rows["castable"] + n_violating}
    return tables, quarantines


def open_table(connection, warehouse, name):
    """Registers the Delta table as the view `actual`; returns None, or why it cannot be read."""
    path = os.path.join(warehouse, *name.split("."))
    if not os.path.isdir(os.path.join(path, "_delta_log")):
        return f"there is no Delta table at {path}"
    connection.register("actual_source", DeltaTable(path).to_pyarrow_dataset())
    columns = connection.execute("DESCRIBE actual_source").fetchall()
    # An instant, compared as the wall clock in UTC.
    shown = ", ".join(f"\"{c[0]}\" AT TIME ZONE 'UTC' AS \"{c[0]}\"" if c[1] == "TIMESTAMP WITH TIME ZONE"
                      else f'"{c[0]}"' for c in columns if c[0] not in METADATA)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW actual AS SELECT {shown} FROM actual_source")
    return None


def difference(connection, expected):
    """Says how the view `actual` differs from the table `expected`; None when they are equal as bags of rows."""
    wanted = [tuple(c[:2]) for c in connection.execute(f"DESCRIBE {expected}").fetchall()]
    found = [tuple(c[:2]) for c in connection.execute("DESCRIBE actual").fetchall()]
    if wanted != found:
        return f"columns are {found}, not {wanted}"
    said = []
    for label, left, right in (("missing", expected, "actual"), ("unexpected", "actual", expected)):
        extra = f"(SELECT * FROM {left} EXCEPT ALL SELECT * FROM {right})"
        count = connection.execute(f"SELECT count(*) FROM {extra}").fetchall()[0][0]
        if count:
            examples = connection.execute(f"SELECT * FROM {extra} ORDER BY ALL LIMIT 3").fetchall()
            said.append(f"{count} rows {label}, e.g. {examples}")
    return "; ".join(said) or None


def compare(connection, warehouse, tables, quarantines):
    """Prints one line per table; returns the number of failures."""
    n_failed = 0
    for name, expected in tables.items():
        reason = open_table(connection, warehouse, name) or difference(connection, expected)
        n_rows = connection.execute(f"SELECT count(*) FROM {expected}").fetchall()[0][0]
        print(f"{'FAIL' if reason else 'ok  '} {name}: {reason or f'{n_rows} rows are equal'}")
        n_failed += reason is not None
    for name, n_expected in quarantines.items():
        reason = open_table(connection, warehouse, name)
        n_rows = 0 if reason else connection.execute("SELECT count(*) FROM actual").fetchall()[0][0]
        wrong = n_rows != n_expected
        print(f"{'FAIL' if wrong else 'ok  '} {name}: {n_rows} rows" + (f", not {n_expected}; {reason}" if wrong else ""))
        n_failed += wrong
    print(f"{len(tables) + len(quarantines) - n_failed} passed, {n_failed} failed")
    return n_failed


def self_test(connection, tables, quarantines):
    """Whether the comparison accepts equal tables and finds one cent of difference."""
    folder = tempfile.mkdtemp()
    try:
        for name, expected in tables.items():
            rows = connection.sql(f"SELECT * FROM {expected}").to_arrow_table()
            write_deltalake(os.path.join(folder, *name.split(".")), rows)
        for name, count in quarantines.items():
            rows = connection.sql(f"SELECT range AS n FROM range({count})").to_arrow_table()
            write_deltalake(os.path.join(folder, *name.split(".")), rows)
        equal = compare(connection, folder, tables, quarantines) == 0
        damaged = connection.sql("""SELECT * REPLACE (CAST(CASE WHEN customer_id = (SELECT min(customer_id) FROM customer_metrics)
            THEN total_spent + 0.01 ELSE total_spent END AS DECIMAL(28,2)) AS total_spent) FROM customer_metrics""")
        write_deltalake(os.path.join(folder, "gold_core", "customer_metrics"), damaged.to_arrow_table(), mode="overwrite")
        return equal and compare(connection, folder, tables, quarantines) == 1
    finally:
        shutil.rmtree(folder)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    path, warehouse = sys.argv[1:]
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET threads = 2; SET preserve_insertion_order = false")
    tables, quarantines = compute(connection, path)
    if warehouse == "--self-test":
        sys.exit(0 if self_test(connection, tables, quarantines) else 1)
    sys.exit(1 if compare(connection, warehouse, tables, quarantines) else 0)


if __name__ == "__main__":
    main()
