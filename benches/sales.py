#!/usr/bin/env python3
"""Measures `medc apply` on generated sales against DuckDB and polars that write the same Delta tables.

    sales.py ROWS [--medc target/release/medc] [--tools medc,duckdb,polars] [--rounds 3] [--work FOLDER]

The tools take turns in one run, each from nothing. Prints a Markdown table of the medians (the largest for memory), then
compares the tables. Exits with 1 when a tool fails or the tables differ. Needs the packages of
tests/oracle/requirements.txt. The CSV file stays in the work folder and is used again.
"""
import argparse
import os
import shutil
import sys
import tempfile

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "specs", "sales", "data"))
import generate  # noqa: E402

MEDC_YML = """\
project: {{name: bench_sales}}
environments:
  local: {{engine: local, warehouse: warehouse}}
layers:
  bronze: {{}}
  silver: {{reads: [bronze]}}
  gold: {{reads: [silver]}}
tables:
  bronze.sales_raw:
    source: {{format: csv, path: "{source}", header: true}}
    contract: sales_raw
  silver.sales_clean:
    from: bronze.sales_raw
    contract: sales
    steps:
      - trim: [status, country]
      - filter: order_id IS NOT NULL AND customer_id IS NOT NULL AND order_ts IS NOT NULL AND amount >= 0
      - deduplicate: {{keys: [order_id], keep: {{latest: order_ts}}}}
  gold.customer_metrics:
    contract: customer_metrics
    sql: |
      SELECT
        customer_id,
        count(*) AS frequency,
        CAST(sum(amount) AS DECIMAL(28, 2)) AS total_spent,
        CAST(avg(amount) AS DECIMAL(18, 2)) AS avg_ticket,
        max(order_ts) AS last_order_ts
      FROM silver.sales_clean
      GROUP BY customer_id
contracts:
  sales_raw:
    columns:
      order_id: {{type: string}}
      customer_id: {{type: string}}
      order_ts: {{type: string}}
      product_id: {{type: string}}
      quantity: {{type: string}}
      unit_price: {{type: string}}
      amount: {{type: string}}
      status: {{type: string}}
      country: {{type: string}}
  sales:
    on_cast_failure: drop
    columns:
      order_id: {{type: string}}
      customer_id: {{type: string}}
      order_ts: {{type: timestamp}}
      product_id: {{type: string}}
      quantity: {{type: int}}
      unit_price: {{type: "decimal(18,2)"}}
      amount: {{type: "decimal(18,2)"}}
      status: {{type: string}}
      country: {{type: string}}
  customer_metrics:
    columns:
      customer_id: {{type: string}}
      frequency: {{type: bigint}}
      total_spent: {{type: "decimal(28,2)"}}
      avg_ticket: {{type: "decimal(18,2)"}}
      last_order_ts: {{type: timestamp}}
"""

# What must agree: rows, and a sum of hashes of the columns in one spelling. Means are left out: their rounding is each
# engine's own, and they follow from the sum and the count.
ORDERS = """SELECT count(*), sum(hash(order_id, customer_id, {order_ts}, product_id, CAST(quantity AS INTEGER),
    CAST(unit_price AS DECIMAL(18,2)), CAST(amount AS DECIMAL(18,2)), status, country)), sum(CAST(amount AS DECIMAL(18,2)))
    FROM rows"""
CUSTOMERS = """SELECT count(*), sum(hash(customer_id, CAST(frequency AS BIGINT), CAST(total_spent AS DECIMAL(28,2)),
    {order_ts})), sum(frequency) FROM rows"""


def fingerprint(folder):
    """Numbers that are equal when silver and gold below `folder` hold equal rows."""
    import duckdb
    from deltalake import DeltaTable

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    result = []
    for name, column, query in (("silver/sales_clean", "order_ts", ORDERS), ("gold/customer_metrics", "last_order_ts", CUSTOMERS)):
        files = [uri.removeprefix("file://") for uri in DeltaTable(os.path.join(folder, *name.split("/"))).file_uris()]
        connection.execute(f"CREATE OR REPLACE VIEW rows AS SELECT * FROM read_parquet({files!r})")
        order_ts = f"epoch_us(CAST({column} AS TIMESTAMPTZ))"
        result.append(connection.execute(query.format(order_ts=order_ts)).fetchall()[0])
    return result


def command(tool, arguments, source, folder):
    if tool == "medc":
        os.makedirs(folder)
        with open(os.path.join(folder, "medc.yml"), "w") as file:
            file.write(MEDC_YML.format(source=source))
        return [arguments.medc, "apply", "-p", folder], os.path.join(folder, "warehouse")
    return [sys.executable, os.path.join(HERE, "peers.py"), tool, source, folder], folder


def rounds(tools, arguments, source, work):
    """Every tool once per round, in turn; returns costs by tool and the fingerprint of each tool's last tables."""
    costs, prints = {tool: [] for tool in tools}, {}
    for number in range(arguments.rounds):
        for tool in tools:
            folder, log = os.path.join(work, f"out_{tool}"), os.path.join(work, f"{tool}.log")
            shutil.rmtree(folder, ignore_errors=True)
            line, warehouse = command(tool, arguments, source, folder)
            cost = measure.run(line, log)
            if cost.code != 0:
                sys.exit(f"{tool} ended with {cost.code}:\n{measure.show_log(log)}")
            costs[tool].append(cost)
            print(f"round {number + 1} {tool}: {cost.wall_s:.2f} s wall, {cost.cpu_s:.2f} s CPU, {cost.peak_mib:.0f} MiB",
                  file=sys.stderr, flush=True)
            if number == arguments.rounds - 1:
                prints[tool] = fingerprint(warehouse)
            shutil.rmtree(folder, ignore_errors=True)
    return costs, prints


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int)
    parser.add_argument("--medc", default="target/release/medc")
    parser.add_argument("--tools", default="medc,duckdb,polars")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "medc-bench"))
    arguments = parser.parse_args()
    arguments.medc = os.path.abspath(arguments.medc)
    work = os.path.abspath(arguments.work)
    os.makedirs(work, exist_ok=True)
    source = os.path.join(work, f"sales_{arguments.rows}.csv")
    if not os.path.exists(source):
        generate.generate(arguments.rows, source + ".new", os.cpu_count(), whole=True)
        os.rename(source + ".new", source)
    with open(source, "rb") as file:  # so that the first tool finds it in memory as the others do
        while file.read(1 << 24):
            pass
    tools = arguments.tools.split(",")
    costs, prints = rounds(tools, arguments, source, work)
    print(f"\n{arguments.rows} rows, {os.path.getsize(source) / 1e6:.0f} MB of CSV, {os.cpu_count()} cores, "
          f"median of {arguments.rounds} rounds\n")
    print("| tool | wall s | CPU s | peak MiB | silver rows | gold rows |\n|---|---|---|---|---|---|")
    for tool, taken in costs.items():
        silver, gold = prints[tool]
        print(f"| {tool} | {measure.median([c.wall_s for c in taken]):.2f} | {measure.median([c.cpu_s for c in taken]):.2f} "
              f"| {max(c.peak_mib for c in taken):.0f} | {silver[0]} | {gold[0]} |")
    if any(value != prints[tools[0]] for value in prints.values()):
        sys.exit("the tables differ: " + "; ".join(f"{tool} {value}" for tool, value in prints.items()))
    print("\nThe tables hold equal rows.")


if __name__ == "__main__":
    main()
