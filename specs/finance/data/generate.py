#!/usr/bin/env python3
"""Writes the finance system's input: generate.py FOLDER

Makes `ptax.csv`, `calendar.csv` and `transactions.csv`. Nothing in them is real: the rates are a process that wanders around a slowly
moving level and is drawn back to it, with a rate for each day on which Brazilian banks are open. Every run gives the same
bytes. What is wrong in the files on purpose:

    ptax.csv          two days corrected later the same day, one sell rate that is no number, one quote on a Saturday
    transactions.csv  of 1000 rows about 4 lack the customer, 3 have an impossible date, 3 a currency that nobody takes,
                      4 an amount below zero, 3 repeat an earlier row
"""

import datetime
import sys
from pathlib import Path

MASK = (1 << 64) - 1
FIRST, LAST = datetime.date(2022, 1, 3), datetime.date(2025, 12, 30)
N_TRANSACTIONS = 3000
CATEGORIES = ("travel", "software", "books", "education", "groceries")


def mix(x):
    """splitmix64 (Steele, Lea and Flood, 2014)."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def noise(number):
    """Roughly normal: the sum of twelve uniform values less six. No function whose last digit depends on the machine."""
    return sum(mix(number * 12 + part) / 2**64 for part in range(12)) - 6


def easter(year):
    """The Gregorian Easter Sunday (Meeus, Jones and Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    n = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * n) // 451
    month, day = divmod(h + n - 7 * m + 114, 31)
    return datetime.date(year, month, day + 1)


def holidays(year):
    """Brazil's bank holidays."""
    around = easter(year)
    moving = {-48: "Carnival", -47: "Carnival", -2: "Good Friday", 60: "Corpus Christi"}
    fixed = {
        (1, 1): "New Year",
        (4, 21): "Tiradentes",
        (5, 1): "Labour Day",
        (9, 7): "Independence Day",
        (10, 12): "Our Lady of Aparecida",
        (11, 2): "All Souls",
        (11, 15): "Republic Day",
        (12, 25): "Christmas",
    }
    if year >= 2024:
        fixed[11, 20] = "Black Awareness Day"
    days = {around + datetime.timedelta(days=offset): name for offset, name in moving.items()}
    days.update({datetime.date(year, month, day): name for (month, day), name in fixed.items()})
    return days


def days():
    return [FIRST + datetime.timedelta(days=place) for place in range((LAST - FIRST).days + 1)]


def level(day):
    """What the rate is drawn to: 5.40 falling to 4.90 by mid 2023, 5.80 by the end of 2024, 5.35 a year later."""
    points = [(datetime.date(2022, 1, 1), 5.40), (datetime.date(2023, 7, 1), 4.90), (datetime.date(2024, 12, 31), 5.80)]
    points.append((datetime.date(2025, 12, 31), 5.35))
    for (since, low), (until, high) in zip(points, points[1:]):
        if day <= until:
            return low + (high - low) * (day - since).days / (until - since).days
    return points[-1][1]


def calendar():
    names = {day: name for year in range(FIRST.year, LAST.year + 1) for day, name in holidays(year).items()}
    return [(day, names.get(day, "")) for day in days()]


def ptax():
    """Rows of buy, sell and time; buy lies 0.0006 below sell."""
    rows, rate = [], 5.40
    for place, (day, holiday) in enumerate(calendar()):
        if day.weekday() >= 5 or holiday:
            continue
        rate += 0.15 * (level(day) - rate) + 0.008 * rate * noise(place)
        second = mix(place ^ 0xBC) % 1200
        time = f"{day} 13:{second // 60:02d}:{second % 60:02d}"
        rows.append((f"{rate - 0.0006:.4f}", f"{rate:.4f}", time))
        if place in (400, 1100):
            rows.append((f"{rate + 0.0014:.4f}", f"{rate + 0.002:.4f}", f"{day} 17:40:00"))
    buy, _, time = rows[700]
    rows[700] = (buy, "N/D", time)
    saturday = datetime.date(2024, 3, 16)
    return [*rows, (rows[500][0], rows[500][1], f"{saturday} 13:05:00")]


def transaction(number):
    h, dice = mix(number ^ 0x7A), mix(number ^ 0xD1CE) % 1000
    if dice < 3 and number > 100:
        return transaction(h % number)
    day = FIRST + datetime.timedelta(days=h % ((LAST - FIRST).days + 1))
    customer = f"{min((h >> 12) % 400, (h >> 24) % 400) + 1:06d}"
    cents = 500 + (h >> 36) % 40_000
    currency = "BRL" if (h >> 52) % 5 == 0 else "USD"
    booked_on = str(day)
    if 4 <= dice < 8:
        customer = ""
    elif 8 <= dice < 11:
        booked_on = ("2024-02-30", "yesterday", "31/12/2024")[dice - 8]
    elif 12 <= dice < 15:
        currency = ("XXX", "usd ", "R$")[dice - 12]
    elif 16 <= dice < 20:
        cents = -cents
    amount = f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
    return (f"{number + 1:08d}", customer, booked_on, currency, amount, CATEGORIES[(h >> 56) % 5])


def write(path, header, rows):
    lines = [",".join(header), *(",".join(map(str, row)) for row in rows)]
    path.write_bytes(("\n".join(lines) + "\n").encode())


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "ptax.csv", ("buy", "sell", "quoted_at"), ptax())
    write(folder / "calendar.csv", ("day", "holiday"), calendar())
    header = ("transaction_id", "customer_id", "booked_on", "currency", "amount", "category")
    write(folder / "transactions.csv", header, map(transaction, range(N_TRANSACTIONS)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
