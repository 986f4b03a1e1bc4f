"""Runs the SQL of splits and folds on Spark and holds it to medc's rows.

python tests/spark/ml_splits.py CASE         # that tests/it/ml_splits.rs wrote
"""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession


def main(path):
    case = json.loads(Path(path).read_text())
    spark = SparkSession.builder.master("local[2]").config("spark.sql.shuffle.partitions", 2).getOrCreate()
    spark.createDataFrame(case["rows"]).createOrReplaceTempView("rows")
    listed = ", ".join(f"{column['sql']} AS c{place}" for place, column in enumerate(case["columns"]))
    found = spark.sql(f"SELECT row, {listed} FROM rows ORDER BY row").collect()
    for place, column in enumerate(case["columns"]):
        values = [row[f"c{place}"] for row in found]
        assert values == column["expected"], (column["sql"], values[:20], column["expected"][:20])
    print(f"{len(case['columns'])} columns are the same")


main(sys.argv[1])
