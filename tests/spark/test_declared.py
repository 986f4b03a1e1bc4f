"""What a project says of a table besides its rows: comments, properties, constraints; and statements that only Databricks runs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from package import Column, Contract, Database, Files, Query, Run, Secret, Table, Write, build
from package.databases import place, remote_statement
from package.files import read_files_statement
from package.publish import copy_options
from package.statements import literal, literal_names
from test_build import again, rows

POSITIVE = {"medc_n_is_positive_1": "NOT coalesce(n <= 0, false)"}


def numbers(query: str, constraints: Mapping[str, str], comment: str = "", mode: str = "merge") -> Table:
    return Table(
        name="silver.numbers",
        description="it's `n`\r\n${env:HOME}",
        rows=Query(sql=query),
        contract=Contract(name="numbers", version="1.0.0", columns=[Column("n", "int", comment=comment)]),
        constraints=constraints,
        properties={"shop.note": "it's ${env:HOME}"},
        write=Write(mode=mode, keys=["n"] if mode == "merge" else []),
    )


def put(run: Run, text: str) -> str:
    (run.sql_folder / "numbers.sql").write_text(text)
    return "numbers.sql"


def constraints(run: Run) -> list[str]:
    stored = run.spark.sql(f"DESCRIBE DETAIL {run.name('silver.numbers')}").collect()[0]["properties"]
    return sorted(key.removeprefix("delta.constraints.") for key in stored if key.startswith("delta.constraints."))


@pytest.mark.parametrize("mode", ["merge", "overwrite"])
def test_constraints_follow_the_expectations(run: Run, mode: str) -> None:
    build(numbers(put(run, "SELECT 1 AS n"), POSITIVE, mode=mode), run)
    assert constraints(run) == ["medc_n_is_positive_1"]
    with pytest.raises(Exception, match="CHECK constraint"):
        run.spark.sql(f"INSERT INTO {run.name('silver.numbers')} VALUES (-1)")
    run.spark.sql(f"INSERT INTO {run.name('silver.numbers')} VALUES (NULL)")
    # Another condition, whose old form would refuse the new rows.
    build(
        numbers(put(run, "SELECT 0 AS n"), {"medc_n_is_positive_2": "NOT coalesce(n < 0, false)"}, mode=mode),
        again(run),
    )
    assert constraints(run) == ["medc_n_is_positive_2"]
    build(numbers(put(run, "SELECT 5 AS n"), {}, mode=mode), again(run))
    assert constraints(run) == []


def test_rows_from_before_do_not_stop_a_new_expectation(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    build(numbers(put(run, "SELECT -1 AS n"), {}), run)
    build(numbers(put(run, "SELECT 1 AS n"), POSITIVE), again(run))
    assert rows(run, "silver.numbers", "n") == [(-1,), (1,)]
    assert constraints(run) == []
    assert "medc_n_is_positive_1" in capsys.readouterr().out


def test_what_is_said_of_a_table_is_kept_up_to_date(run: Run) -> None:
    build(numbers(put(run, "SELECT 1 AS n"), {}), run)
    build(numbers(put(run, "SELECT 2 AS n"), {}, comment="a 'number'\\"), again(run))
    detail = run.spark.sql(f"DESCRIBE DETAIL {run.name('silver.numbers')}").collect()[0]
    assert detail["description"] == "it's `n`\r\n${env:HOME}"
    expected = {"shop.note": "it's ${env:HOME}", "medc.contract": "numbers", "medc.contract_version": "1.0.0"}
    assert expected.items() <= detail["properties"].items()
    assert run.spark.table(run.name("silver.numbers")).schema["n"].metadata["comment"] == "a 'number'\\"


def test_a_connection_is_asked_in_the_databases_own_sql() -> None:
    source = Database(format="postgresql", connection="shop's", database="shop", table="sales.orders")
    assert remote_statement(source) == (
        "SELECT * FROM remote_query('shop\\'s', database => 'shop', query => 'SELECT * FROM sales.orders')"
    )
    source = Database(format="mysql", connection="shop", database="shop", table="orders")
    assert remote_statement(source) == "SELECT * FROM remote_query('shop', query => 'SELECT * FROM shop.orders')"
    source = Database(format="sqlserver", host="h", user="u", password=Secret("s", "k"), database="d", query="SELECT 1")
    assert place(source) == "sqlserver://h/d/query"


def test_statements_that_only_databricks_has() -> None:
    source = Files(format="csv", delimiter=";", method="read_files")
    statement = read_files_statement(source, "/Volumes/it's/x", ["a", "b`c"])
    assert statement.startswith(
        "SELECT *, _metadata.file_path AS _medc_file FROM read_files('/Volumes/it\\'s/x', format => 'csv'"
    )
    assert "sep => ';'" in statement and "schema => '`a` STRING, `b``c` STRING, `_medc_wrong` STRING'" in statement
    assert copy_options(Files(format="json")) == ("TEXT", {"lineSep": "\n"})


def test_a_name_within_a_text_is_no_table(run: Run) -> None:
    query = "SELECT \"IDENTIFIER(:silver || '.a')\", 'b\\'' -- IDENTIFIER(:silver || '.a')\nFROM IDENTIFIER(:silver || '.a')"
    assert literal_names(run, query) == query.removesuffix("IDENTIFIER(:silver || '.a')") + f"{run.schema('silver')}.a"
    assert run.spark.sql(f"SELECT {literal(query + '${env:HOME}')}").collect()[0][0] == query + "${env:HOME}"
