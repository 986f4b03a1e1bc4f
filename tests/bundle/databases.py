"""A project that reads a SQL database on Databricks, and files on this machine: the same rows either way.

Usage: databases.py WORK MEDC

The database is Derby, which comes with Spark, in the place of PostgreSQL. What a secret says must stand in no file and no log.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "spark")]

from run import run_bundle  # noqa: E402
from session import session  # noqa: E402
from workspace import Workspace  # noqa: E402

ADDRESS = "jdbc:postgresql://db.example.com:5432/shop"
DERBY = "jdbc:derby:memory:shop"
SECRETS = {("shop", "db_user"): "app", ("shop", "db_password"): "s3cret-'\"-0815"}
ROWS = [
    (1, "001", "12.50", "2026-01-31", "it's paid"),
    (2, "002", "-3.00", "2026-02-01", "refunded"),
    (3, "003", "0.10", "2026-02-01", None),
]


def write(folder: Path) -> None:
    """Writes the project."""
    (folder / "data").mkdir(parents=True)
    types = {
        "id": pyarrow.int32(),
        "code": pyarrow.string(),
        "amount": pyarrow.decimal128(18, 2),
        "day": pyarrow.date32(),
        "status": pyarrow.string(),
    }
    typed = [(row[0], row[1], Decimal(row[2]), date.fromisoformat(row[3]), row[4]) for row in ROWS]
    for name, chosen in (("orders", typed), ("paid", typed[:1])):
        columns = [pyarrow.array(values, data_type) for values, data_type in zip(zip(*chosen), types.values())]
        parquet.write_table(pyarrow.table(columns, names=list(types)), folder / "data" / f"{name}.parquet")
    at = {
        "format": "postgresql",
        "host": "db.example.com",
        "database": "shop",
        "user": "${secret.shop/db_user}",
        "password": "${secret.shop/db_password}",
    }
    columns = {"id": "int", "code": "string", "amount": "decimal(18,2)", "day": "date", "status": "string"}
    names = ("orders", "paid")
    files = {f"bronze.{name}": {"source": {"format": "parquet", "path": f"data/{name}.parquet"}} for name in names}
    project = {
        "project": {"name": "from_database"},
        "environments": {
            "local": {"default": True, "engine": "local", "warehouse": ".medc/warehouse", "tables": files},
            "prod": {
                "engine": "databricks",
                "catalog": "from_database",
                "workspace": {"host": "https://example.cloud.databricks.com"},
            },
        },
        "bundle": {"check_constraints": True},
        "layers": {"bronze": {}, "silver": {}},
        "contracts": {
            "orders": {"columns": {name: {"type": data_type} for name, data_type in columns.items()}},
            "codes": {
                "columns": {
                    "id": {"type": "int", "primary_key": True},
                    "amount": {
                        "type": "decimal(18,2)",
                        "expect": [{"between": {"min": 0, "on_violation": "quarantine"}}],
                    },
                    "status": {
                        "type": "string",
                        "expect": [
                            {"accepted_values": ["it's paid", "refunded"]},
                            {"length": {"min": 100, "on_violation": "warn"}},
                        ],
                    },
                }
            },
        },
        "tables": {
            "bronze.orders": {"source": {**at, "table": "orders"}, "contract": "orders"},
            "bronze.paid": {
                "source": {**at, "query": "SELECT * FROM orders WHERE status = 'it''s paid'"},
                "contract": "orders",
            },
            "silver.amounts": {
                "description": "What was paid",
                "sql": "SELECT id, amount, status FROM bronze.orders",
                "contract": "codes",
                "properties": {
                    "delta.enableChangeDataFeed": "true",
                    "shop.note": "it's ${env:HOME}".replace("$", "$$"),
                },
                "write": {"cluster_by": "auto"},
            },
        },
    }
    (folder / "medc.yml").write_text(json.dumps(project, indent=2), encoding="utf-8")


def fill(spark: Any) -> None:
    """Makes the database, whose log goes nowhere."""
    spark._jvm.java.lang.System.setProperty("derby.stream.error.field", "java.lang.System.err")
    connection = spark._jvm.java.sql.DriverManager.getConnection(f"{DERBY};create=true")
    statement = connection.createStatement()
    statement.execute(
        "CREATE TABLE orders (id INT, code VARCHAR(9), amount DECIMAL(18,2), day DATE, status VARCHAR(20))"
    )
    for row in ROWS:
        number, code, amount, day, status = row
        told = "NULL" if status is None else "'" + status.replace("'", "''") + "'"
        statement.execute(f"INSERT INTO orders VALUES ({number}, '{code}', {amount}, '{day}', {told})")
    connection.close()


def main() -> int:
    """Takes a folder to work in, and the `medc` to test; 0 if all is as it must be."""
    work, medc = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    shutil.rmtree(work, ignore_errors=True)
    project = work / "from_database"
    write(project)
    subprocess.run([medc, "apply", "-p", project, "--quiet"], check=True)
    spark = session(work / "spark")
    spark.sparkContext.setLogLevel("WARN")
    fill(spark)
    Workspace.databases, Workspace.secrets = {ADDRESS: DERBY}, dict(SECRETS)
    is_right = True
    for form in ("jobs", "pipeline"):
        spec = json.loads((project / "medc.yml").read_text(encoding="utf-8"))
        spec["bundle"] = {"emit": form, "check_constraints": form == "jobs"}
        (project / "medc.yml").write_text(json.dumps(spec), encoding="utf-8")
        subprocess.run([medc, "bundle", "-p", project], check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(project / ".medc" / "bundle", work / "bundles" / form)
        is_right &= run_bundle(spark, project, "prod", work / "spark", [], {}, [])
        wrong = _constraints(spark) if form == "jobs" else []
        texts = [
            file.read_bytes() for file in (*work.glob("bundles/**/*"), work / "spark" / "spark.log") if file.is_file()
        ]
        password = SECRETS["shop", "db_password"].encode()
        wrong += ["  the password stands in a file"] if any(password in text for text in texts) else []
        print("\n".join(wrong) or "  constraints hold, and secrets stand nowhere")
        is_right &= not wrong
        for schema in ("bronze", "silver", "quality"):
            spark.sql(f"DROP SCHEMA IF EXISTS from_database.{schema} CASCADE")
    spark.stop()
    return 0 if is_right else 1


def _constraints(spark: Any) -> list[str]:
    """What is wrong with the constraints and properties of the table that has some."""
    wrong = []
    stored = spark.sql("DESCRIBE DETAIL from_database.silver.amounts").collect()[0]["properties"]
    names = [key for key in stored if key.startswith("delta.constraints.medc_")]
    if len(names) != 3 or stored.get("shop.note") != "it's ${env:HOME}":
        wrong.append(f"  silver.amounts has {stored}")
    for row in ("(9, -1.00, 'refunded')", "(9, 1.00, 'stolen')"):
        try:
            spark.sql(f"INSERT INTO from_database.silver.amounts VALUES {row}")
            wrong.append(f"  silver.amounts takes {row}")
        except Exception as error:
            if "CHECK constraint" not in str(error):
                wrong.append(f"  {error}")
    spark.sql("INSERT INTO from_database.silver.amounts VALUES (9, NULL, NULL)")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
