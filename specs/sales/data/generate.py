#!/usr/bin/env python3
"""Writes sales orders as CSV: generate.py ROWS OUT.csv [PROCESSES] [--whole]

With --whole no row has too few or too many fields.

The same ROWS give the same bytes, with any number of processes: every value is a hash of the row's number, so rows can
be made in any order. Columns: order_id, customer_id, order_ts, product_id, quantity, unit_price, amount, status, country.

Identifiers are text with leading zeros (customer 000123, product 0042). Customers come and go: each has a first and a
last day, and some spend more than others. Of 1000 rows about

    5 lack the order_id          4 lack the customer_id       1 lacks the amount      2 lack the country
    4 have an impossible date    2 a quantity that is none    2 a price that is none  2 a status that does not exist
    3 have a negative amount     2 an amount that is not quantity times price        1 has too few or many fields
    6 repeat an earlier order, changed later and with another status                  2 repeat one as it was
   99 have blanks around the status
"""
import multiprocessing
import os
import shutil
import sys

MASK = (1 << 64) - 1
STATUSES = ("paid", "shipped", "returned", "cancelled", "pending", "paid", "shipped", "paid")
COUNTRIES = ("US", "DE", "MX", "FR", "GB", "JP", "BR", "IN", "CA", "AU")
HEADER = "order_id,customer_id,order_ts,product_id,quantity,unit_price,amount,status,country\n"
DAYS = 720
MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
BLOCK = 20_000


def calendar():
    """Dates of the first three years from 2023-01-01; the third has its 29 February."""
    dates = []
    for year in (2023, 2024, 2025):
        for month, length in enumerate(MONTHS, 1):
            for day in range(1, length + (year == 2024 and month == 2) + 1):
                dates.append(f"{year}-{month:02d}-{day:02d}")
    return dates


DATES = calendar()


def mix(x):
    """splitmix64 (Steele, Lea and Flood, 2014)."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def order(number, n_customers):
    """The clean values of an order: customer, day, second, product, quantity, cents, status, country."""
    h = mix(number)
    g = mix(h)
    # The smaller of two draws: low numbers order more often.
    customer = min(h % n_customers, (h >> 32) % n_customers)
    c = mix(customer ^ 0x5A1E5)
    first = c % (DAYS * 2 // 3)
    last = DAYS - 1 if (c >> 20) % 3 else first + 30 + (c >> 24) % (DAYS - first - 30)
    day = first + (g >> 8) % (last - first + 1)
    cents = 100 + (g >> 22) % (2_000 + (c >> 40) % 48_000)
    return (customer, day, (h >> 12) % 86_400, (g >> 40) % 5_000, (h >> 44) % 9 + 1, cents,
            STATUSES[(g >> 58) & 7], COUNTRIES[(c >> 8) % 10])


def money(cents):
    sign = "-" if cents < 0 else ""
    cents = abs(cents)
    return f"{sign}{cents // 100}.{cents % 100:02d}"


def row(number, n_customers, whole=False):
    """One line of the file."""
    dice = mix(number ^ 0xD1CE) % 1000
    original = number
    if 16 <= dice < 24 and number > 100:
        original = mix(number ^ 0xFEED) % number
        if dice >= 22:
            return row(original, n_customers, whole)
    customer, day, second, product, quantity, cents, status, country = order(original, n_customers)
    amount = money(quantity * cents)
    price = money(cents)
    order_id, customer_id = f"{original + 1:08d}", f"{customer + 1:06d}"
    if 16 <= dice < 22 and original != number:
        day += 1 + dice - 16 + number % 20
        status = "returned" if status == "shipped" else "shipped"
    ts = f"{DATES[day]} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    if dice > 900:
        status = f" {status} "
    elif dice >= 36 or 16 <= dice < 24:
        pass
    elif dice < 5:
        order_id = ""
    elif dice < 9:
        customer_id = ""
    elif dice < 12:
        amount = "-" + amount
    elif dice < 16:
        ts = ("not-a-date", "2024-13-45 99:00:00", "2023-02-30 10:00:00", "31.12.2024")[dice - 12]
    elif dice < 26:
        quantity = ("two", "1O")[dice - 24]
    elif dice < 28:
        price = ('"12,90"', "N/A")[dice - 26]
    elif dice < 30:
        status = ("payd", "?")[dice - 28]
    elif dice < 32:
        amount = money(int(amount.replace(".", "")) + 1000)
    elif dice < 33 and not whole:
        country = f"{country},late" if number % 2 else None
    elif dice == 33:
        amount = ""
    elif dice in (34, 35):
        country = ""
    fields = f"{order_id},{customer_id},{ts},{product + 1:04d},{quantity},{price},{amount},{status}"
    return f"{fields}\n" if country is None else f"{fields},{country}\n"


def write(path, start, stop, n_customers, whole):
    with open(path, "w", newline="", buffering=1 << 20) as out:
        for block in range(start, stop, BLOCK):
            out.write("".join([row(i, n_customers, whole) for i in range(block, min(stop, block + BLOCK))]))


def generate(n_rows, path, n_processes=1, whole=False):
    n_customers = max(400, n_rows // 50)
    bounds = [n_rows * part // n_processes for part in range(n_processes + 1)]
    parts = [f"{path}.part{part}" for part in range(n_processes)]
    with multiprocessing.Pool(n_processes) as pool:
        pool.starmap(write, [(parts[p], bounds[p], bounds[p + 1], n_customers, whole) for p in range(n_processes)])
    with open(path, "wb") as out:
        out.write(HEADER.encode())
        for part in parts:
            with open(part, "rb") as file:
                shutil.copyfileobj(file, out, 1 << 22)
    for part in parts:
        os.remove(part)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--whole"]
    if len(arguments) not in (2, 3):
        sys.exit(__doc__)
    generate(int(arguments[0]), arguments[1], int(arguments[2]) if len(arguments) == 3 else 1, "--whole" in sys.argv)
