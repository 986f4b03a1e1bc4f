"""A project of streams, merges and views as a declarative pipeline, update by update, against the local engine's runs.

The first files, later files, and a check that does not hold: after each, every table is the local engine's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "spark")]

from run import run_bundle  # noqa: E402
from session import session  # noqa: E402

CASE = HERE.parent / "cases" / "pipeline"
AGAIN = ("silver.orders_quarantine",)
"""The local engine reads all rows of `from` again, and sets aside again what breaks an expectation; a stream does not."""


def main() -> int:
    """Takes a folder to work in, and the `medc` to test; 0 if all tables are equal."""
    work, medc = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    project = work / "shop"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(CASE, project)
    spark = session(work / "spark")
    spark.sparkContext.setLogLevel("OFF")

    def step(title: str, expected: int) -> bool:
        print(f"\n{title}")
        subprocess.run([medc, "bundle", "-p", project], check=True, stdout=subprocess.DEVNULL)
        applied = subprocess.run([medc, "apply", "-p", project, "--yes"], check=False, capture_output=True, text=True)
        if applied.returncode != expected:
            print(applied.stdout, applied.stderr)
        place = {"bronze_orders_path": "data/orders"}
        is_equal = run_bundle(spark, project, "dev", work / "spark", [], place, [], AGAIN, may_fail=expected != 0)
        return is_equal and applied.returncode == expected

    is_equal = step("the first files", 0)
    for file in sorted((project / "later").iterdir()):
        shutil.copy(file, project / "data" / "orders")
    is_equal &= step("later files", 0)
    spec = project / "medc.yml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("between: [2,", "between: [200,"), encoding="utf-8")
    (project / "data" / "orders" / "3.csv").write_text(
        "order_id,country,amount,changed_at\n8,IT,1,2026-01-03\n", encoding="utf-8"
    )
    is_equal &= step("a check that does not hold", 1)
    spark.stop()
    return 0 if is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
