#!/usr/bin/env python3
"""The work of the sales benchmark in another engine, onto Delta tables: peers.py duckdb|polars SALES.csv FOLDER

bronze.sales_raw: the file as text · silver.sales_clean: trimmed, cast, rows with a value that cannot be cast or without a
key left out, the newest per order · gold.customer_metrics: per customer. Each stage is written and read back, as in a
lakehouse. Each engine uses all its threads and its own defaults.
"""
import os
import shutil
import sys

COLUMNS = "order_id customer_id order_ts product_id quantity unit_price amount status country".split()


def paths(folder):
    names = ("bronze/sales_raw", "silver/sales_clean", "gold/customer_metrics")
    return [os.path.join(folder, *name.split("/")) for name in names]


def with_duckdb(source, folder):
    import duckdb
    from deltalake import DeltaTable, write_deltalake

    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
    types = {"order_ts": "TIMESTAMP", "quantity": "INTEGER", "unit_price": "DECIMAL(18,2)", "amount": "DECIMAL(18,2)"}
    casts = ", ".join(f"TRY_CAST({c} AS {types[c]}) AS {c}" if c in types else
                      f"trim({c}) AS {c}" if c in ("status", "country") else c for c in COLUMNS)
    castable = " AND ".join(f"({c} IS NULL OR TRY_CAST({c} AS {t}) IS NOT NULL)" for c, t in types.items())
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
    queries = (
        f"SELECT * FROM read_csv('{source}', auto_detect = false, header = true, delim = ',', quote = '\"', "
        f"columns = {{{columns}}})",
        f"""SELECT {', '.join(COLUMNS)} FROM (SELECT {casts} FROM stage WHERE {castable})
            WHERE order_id IS NOT NULL AND customer_id IS NOT NULL AND order_ts IS NOT NULL AND amount >= 0
            QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY order_ts DESC) = 1""",
        """SELECT customer_id, count(*) AS frequency, CAST(sum(amount) AS DECIMAL(28,2)) AS total_spent,
                  CAST(avg(amount) AS DECIMAL(18,2)) AS avg_ticket, max(order_ts) AS last_order_ts
           FROM stage GROUP BY customer_id""",
    )
    for path, query in zip(paths(folder), queries, strict=True):
        rows = connection.sql(query)
        write_deltalake(path, rows.to_arrow_reader(262_144))
        files = [uri.removeprefix("file://") for uri in DeltaTable(path).file_uris()]
        connection.execute(f"CREATE OR REPLACE VIEW stage AS SELECT * FROM read_parquet({files!r})")


def with_polars(source, folder):
    import polars as pl

    bronze_path, silver_path, gold_path = paths(folder)
    casts = {
        "order_ts": pl.col("order_ts").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False),
        "quantity": pl.col("quantity").cast(pl.Int32, strict=False),
        "unit_price": pl.col("unit_price").cast(pl.Decimal(18, 2), strict=False),
        "amount": pl.col("amount").cast(pl.Decimal(18, 2), strict=False),
    }
    pl.scan_csv(source, infer_schema=False).sink_delta(bronze_path)
    castable = pl.all_horizontal([pl.col(name).is_null() | cast.is_not_null() for name, cast in casts.items()])
    silver = (
        pl.scan_delta(bronze_path).filter(castable)
        .with_columns(pl.col("status", "country").str.strip_chars(" "), **casts)
        .filter(pl.col("order_id").is_not_null() & pl.col("customer_id").is_not_null()
                & pl.col("order_ts").is_not_null() & (pl.col("amount") >= 0))
        .sort("order_ts", descending=True).unique("order_id", keep="first")
    )
    silver.sink_delta(silver_path)
    gold = pl.scan_delta(silver_path).group_by("customer_id").agg(
        frequency=pl.len(), total_spent=pl.col("amount").sum(), avg_ticket=pl.col("amount").mean(),
        last_order_ts=pl.col("order_ts").max())
    gold.sink_delta(gold_path)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("duckdb", "polars"):
        sys.exit(__doc__)
    shutil.rmtree(sys.argv[3], ignore_errors=True)
    os.makedirs(sys.argv[3])
    {"duckdb": with_duckdb, "polars": with_polars}[sys.argv[1]](sys.argv[2], sys.argv[3])
