"""Writes the shop's orders, each file worse than the one before, the same every time: `generate.py FOLDER`."""

import csv
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path

NASTY = [
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</style></script>{{ 7 * 7 }}{% raw %}",
    "right \u202eto left\u202c and a bell \u0007",
    "' onmouseover='window.hacked = 1",
    "&lt;already escaped&gt; &amp;",
]


def orders(n_rows: int, badness: float, rng: random.Random):
    start = datetime(2025, 1, 1)
    for number in range(n_rows):
        bad = rng.random() < badness
        note = rng.choice(NASTY) if rng.random() < 0.05 + badness else rng.choice(["", "", "gift", "call first"])
        yield {
            "order_id": f"{number:06}",
            "order_ts": "soon" if bad and rng.random() < 0.2 else (start + timedelta(minutes=number * 37)).isoformat(sep=" "),
            "email": f"secret{number % 300}" + ("" if bad else "@example.com"),
            "amount": "" if bad and rng.random() < 0.3 else f"{rng.lognormvariate(3.2, 0.8) * (40 if bad else 1):.2f}",
            "weight": f"{abs(rng.gauss(2.0, 0.7)):.4f}",
            "status": "lost" if bad and rng.random() < 0.5 else rng.choice(["paid", "paid", "paid", "shipped", "returned", NASTY[1][2:-1]]),
            "country": "" if bad else rng.choice(["BR", "DE", "FR", "日本", "US"]),
            "note": note,
        }


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for run, (n_rows, badness) in enumerate([(1500, 0.0), (1600, 0.02), (1700, 0.05), (1800, 0.12)], start=1):
        rng = random.Random(run)
        rows = list(orders(n_rows, badness, rng))
        with (folder / f"orders_{run}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


main(Path(sys.argv[1]))
