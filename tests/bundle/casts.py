"""A project whose tables cast nasty texts to every type, so that both engines say what becomes of each."""

from __future__ import annotations

import json
from pathlib import Path

NUMBERS = """
0 7 -7 +7 007 42 127 128 -128 -129 32767 32768 2147483647 2147483648 9223372036854775807 9223372036854775808
-9223372036854775808 -9223372036854775809 00000000000000000000000000000000000005 1.0 1. .5 -.5 +.5 . - + +- 1e3 1E3 1e+3
1e-3 1e 1e+ e3 0x1F 1_000 1,5 1d 1f 1.0D 1L NaN nan NAN -NaN +NaN inf Inf -inf +inf Infinity -INFINITY infinit
1e308 1e309 -1e309 1e-400 3.4e38 3.5e38 0.1 0.30000000000000004 1.005 2.675 -2.675 0.005 -0.005 0.004999 99999999.99
99999999.995 100000000 123456789012345678901234567890123456.785 1e35 1e36 12345678901234567890.12345678901234567891
0.000000000000000000000000000000000000000000000005 0e99 0e-99 -0 -0.0 0e2147483647 1e2147483648 ٣ １ 1٣
1.00499999999999999999999999999999999999999999999999999999 16777217 5e-324 2.2250738585072014e-308
""".split()

TEXTS = [
    "",
    " ",
    " 12 ",
    "\t12\n",
    "12\u00a0",
    "\u20285",
    "5\u2028",
    "1 2",
    "a",
    "`",
    "'",
    '"',
    "NULL",
    "null",
    "é",
    "\x01",
    "😀",
]

BOOLEANS = "true TRUE True t T yes YES y Y 1 false f no N 0 on off 2 tru".split()

DATES = """
2024-01-31 2024-1-31 2024-01 2024-1 2024 20240131 2024-02-30 2024-02-29 2023-02-29 1900-02-29 2000-02-29 2024-13-01 2024-00-10
2024-01-00 0000-01-01 0001-01-01 9999-12-31 10000-01-01 -0044-03-15 +2024-01-01 1582-10-10 99999-01-01 24-01-01
2024-01-31T 2024-01-31T1 2024-01-31T12 2024-01-31T123 2024-01-31Z 2024-01-31+02:00 2024-01-31x 12:00:00 T12:00:00 2024-001-01
1234567-01-01 2024-1-1-1 2024- 2024-1-
""".split()

TIMES = [
    *(
        f"2024-01-31{gap}{time}"
        for gap in (" ", "T")
        for time in "1:2 01:02 1:2:3 12:00 12:00:00 12:00:00. 12:00:00.1 12:00:00.123456 12:00:00.1234567 12:30.5 12 24:00 23:60 23:59:60 "
        "12:00:00Z 12:00:00z 12:00Z 12:00:00+02:00 12:00:00-0330 12:00:00+5 12:00:00+5:3 12:00:00+05:30:15 12:00:00+053 12:00:00+18:00 "
        "12:00:00+18:01 12:00:00+19 12:00:00UTC 12:00:00UTC+2 12:00:00GMT-3 12:00:00GMT0 12:00:00UT+01:00 12:00:00UTC+010203 "
        "12:00:00America/Sao_Paulo 12:00:00Mars/Olympus 12:00:00EST 12:00:00PST 12:00:00IST 12:00:00Etc/GMT+5 12:00:00utc 12:00:00x "
        "12:00:00CET 12:00:00W-SU 12:00:00+0100x".split()
    ),
    "2024-01-31 12:00:00 Z",
    "2024-01-31 12:00:00 America/Sao_Paulo",
    "2024-01-31 12:00:00 +02:00",
    "2024-01-31  12:00:00",
    "2024-01-31 12:00:00  ",
    "2024-03-31 02:30:00",
    "2024-10-27 02:30:00",
    "2024-10-27 01:59:59",
    "2024-10-27 03:00:00",
    "2024-03-31 02:30:00 Europe/Berlin",
    "2024-10-27 02:30:00 Europe/Berlin",
    "2024-10-27 02:30:00 UTC",
    "2018-11-04 00:30:00",
    "2018-02-17 23:30:00",
    "2018-02-17 23:30:00-03:00",
    "1900-01-01 00:00:00",
    "1883-11-18 12:00:00 America/New_York",
    "1844-12-31 12:00:00 Asia/Manila",
    "2011-12-30 12:00:00 Pacific/Apia",
    "1867-10-18 12:00:00 America/Anchorage",
    "2024-04-07 01:45:00 Australia/Lord_Howe",
    "9999-12-31 23:59:59.999999",
    "0001-01-01 00:00:00",
    "2024 12:00",
    "2024-01 12:00",
]

NESTED = [
    "[]", "[1]", "[1,2.5]", '["1"," 2 "]', "[1,null]", "[[1]]", "{}", '{"a":1}', '{"a":"x"}', '{"a":1,"b":2}', '{"A":1}', '{"b":1.10}',
    '{"a":null}', '{"a":{"b":1}}', '{"a":[1]}', "null", "1", '"x"', "[1", "[1] x", "[1,]", "{'a':1}", '{"a":NaN}', '{"a":01}', '{"a":1e2}',
    '{"a":true}', '{"a":"\\u00e9"}', '{"b":"1.10","a":7}', '{"1":2}', '{"1":"z"}', '{"x":1}', '[{"a":1},{"a":"y"}]', '[{"a":1,"c":2}]', " [1] ",
    '{"b":12345678901234567890.123456789}', '{"b":"a \\"1\\" b"}',
]  # fmt: skip

KINDS = {
    "numbers": (
        [*NUMBERS, *TEXTS],
        [
            "tinyint",
            "smallint",
            "int",
            "bigint",
            "float",
            "double",
            "decimal(10,2)",
            "decimal(38,2)",
            "decimal(38,38)",
            "decimal(5,0)",
        ],
    ),
    "words": ([*BOOLEANS, *TEXTS, *NUMBERS[:12]], ["boolean", "binary"]),
    "times": ([*DATES, *TIMES, *TEXTS], ["date", "timestamp", "timestamp_ntz"]),
    "nested": (
        [*NESTED, *TEXTS],
        [
            "array<int>",
            "array<string>",
            "map<string,int>",
            "map<int,string>",
            "struct<a: int, b: decimal(30,2)>",
            "array<struct<a: int>>",
        ],
    ),
}
ZONES = {"times": ["UTC", "Europe/Berlin", "America/Sao_Paulo", "+02:00", "-0330"]}


def write(folder: Path) -> None:
    """Writes the project; on Databricks its files lie in `/Volumes/casts`."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    contracts: dict[str, object] = {}
    tables: dict[str, object] = {}
    for kind, (texts, types) in KINDS.items():
        names = [f"c{place}" for place in range(len(types))]
        rows = [{"id": place, **{name: text for name in names}} for place, text in enumerate(texts)]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "data" / f"{kind}.jsonl").write_text(lines, encoding="utf-8")
        contracts[kind] = {"columns": {"id": {"type": "int"}, **{name: {"type": "string"} for name in names}}}
        tables[f"bronze.{kind}"] = {"source": {"format": "json", "path": f"data/{kind}.jsonl"}, "contract": kind}
        for place, zone in enumerate(ZONES.get(kind, ["UTC"])):
            columns = {name: {"type": data_type} for name, data_type in zip(names, types)}
            contracts[f"{kind}_{place}"] = {
                "timezone": zone,
                "on_cast_failure": "warn",
                "columns": {"id": {"type": "int"}, **columns},
            }
            tables[f"silver.{kind}_{place}"] = {"from": f"bronze.{kind}", "contract": f"{kind}_{place}"}
    contracts["strict"] = {
        "on_cast_failure": "quarantine",
        "columns": {"id": {"type": "int"}, **{f"c{n}": {"type": t} for n, t in enumerate(KINDS["numbers"][1])}},
    }
    tables["silver.strict"] = {"from": "bronze.numbers", "contract": "strict"}
    project = {
        "project": {"name": "casts"},
        "environments": {
            "local": {"default": True, "engine": "local", "warehouse": ".medc/warehouse"},
            "prod": {
                "engine": "databricks",
                "catalog": "casts",
                "workspace": {"host": "https://example.cloud.databricks.com"},
                "tables": {f"bronze.{kind}": {"source": {"path": f"/Volumes/casts/{kind}.jsonl"}} for kind in KINDS},
            },
        },
        "layers": {"bronze": {}, "silver": {"reads": ["bronze"]}},
        "contracts": contracts,
        "tables": tables,
    }
    (folder / "medc.yml").write_text(json.dumps(project, indent=2, ensure_ascii=False), encoding="utf-8")
