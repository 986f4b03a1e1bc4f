"""Where medc's results differ from Great Expectations', and why.

Each difference matches only what its reason explains: where it can be counted, it is counted. A reason that explains nothing
fails the test, and so does one that `docs/great-expectations.md` does not give.
"""

import collections.abc
import dataclasses

import cases as written

PERCENTAGES = ("unexpected_percent", "unexpected_percent_nonmissing", "unexpected_percent_total", "missing_percent")


@dataclasses.dataclass
class Difference:
    """A reason, and what it explains: a function of a pair of results, a field, the library's value and medc's."""

    reason: str
    explains: collections.abc.Callable


def values(pair):
    """The values of the column that an expectation speaks of."""
    return [row[pair.kwargs["column"]] for row in pair.case["rows"]]


def more_violate(pair, field, left, right, n_more, is_known_row=lambda row: False):
    """Whether exactly `n_more` rows more violate for the library (fewer, if negative), and the field follows from that.

    Of the rows that medc shows and the library does not name, each has to be a known one.
    """
    if n_more == 0 or pair.theirs.get("unexpected_count") != pair.ours["n_violating"] + n_more:
        return False
    if field == "rows":
        return all(is_known_row(row) for row in strangers(pair))
    if field == "success":
        return left == (n_more < 0)
    return field == "unexpected_count" or field in PERCENTAGES


def strangers(pair):
    """The rows that medc shows and the library does not name; rows have an `id`."""
    named = {str(pair.case["rows"][place]["id"]) for place in pair.theirs["unexpected_index_list"]}
    return [row for row in pair.ours["examples"] if row["id"] not in named]


def division_by_zero(pair, field, left, right):
    none = pair.name == "expect_column_kl_divergence_to_be_less_than" and not any(value is not None for value in values(pair))
    return none and field == "exception" and "division by zero" in left and right is False


def infinite_divergence(pair, field, left, right):
    named = pair.name == "expect_column_kl_divergence_to_be_less_than" and field == "observed_value"
    return named and left is None and right == float("inf") and not pair.theirs["success"]


def no_most_common(pair, field, left, right):
    if pair.name != "expect_column_most_common_value_to_be_in_set" or any(value is not None for value in values(pair)):
        return False
    of_no_rows = field == "success" and not pair.case["rows"] and (left, right) == (False, True)
    return of_no_rows or field == "most_common" and (left, right) == ([], [None])


def missing_are_equal(pair, field, left, right):
    if pair.name != "expect_column_pair_values_to_be_equal" or pair.kwargs["ignore_row_if"] != "neither":
        return False
    columns = (pair.kwargs["column_A"], pair.kwargs["column_B"])
    both = sum(all(row[column] is None for column in columns) for row in pair.case["rows"])
    return more_violate(pair, field, left, right, both)


def pairs_left_out(pair, field, left, right):
    if (pair.version, pair.name, field) != ("0.18", "expect_column_pair_values_to_be_in_set", "exception"):
        return False
    is_left_out = {"both_values_are_missing": all, "either_value_is_missing": any}[pair.kwargs["ignore_row_if"]]
    columns = (pair.kwargs["column_A"], pair.kwargs["column_B"])
    left_out = any(is_left_out(row[column] is None for column in columns) for row in pair.case["rows"])
    return left_out and left.startswith("Unalignable boolean Series")


def one_value_has_no_spread(pair, field, left, right):
    named = (pair.version, pair.name) == ("0.18", "expect_column_value_z_scores_to_be_less_than")
    return named and sum(value is not None for value in values(pair)) == 1 and more_violate(pair, field, left, right, 1)


def truth_is_one(pair, field, left, right):
    if (pair.name, pair.case["name"], field) != ("expect_column_values_to_be_unique", "mixed", "rows"):
        return False
    named = {repr(pair.case["rows"][place]["m"]) for place in pair.theirs["unexpected_index_list"]}
    return named == {"1", "True", "'a'"} and {row["m"] for row in pair.ours["examples"]} == {"1", "a"}


def guessed_dates(pair, field, left, right):
    if pair.name != "expect_column_values_to_be_dateutil_parseable":
        return False
    guessed = ("2024-1-5", "31/12/2024", "05/02/2024")
    n_guessed = sum(value in guessed for value in values(pair))
    return more_violate(pair, field, left, right, -n_guessed, lambda row: row["written"] in guessed)


def dates_and_instants(pair, field, left, right):
    named = (pair.version, pair.name, field) == ("1", "expect_column_values_to_be_between", "exception")
    return named and pair.case["columns"][pair.kwargs["column"]] == "timestamp_ntz" and left.startswith("Invalid comparison")


def not_a_number(pair, field, left, right):
    n_nan = sum(value == written.NAN for value in values(pair)) if "column" in pair.kwargs else 0
    if n_nan == 0:
        return False
    if field == "considered":
        return left == right - n_nan
    if field in PERCENTAGES and left != right:
        return pair.theirs.get("missing_count") is not None or "not_be_null" in pair.name or "be_null" in pair.name
    n_more = n_nan if pair.name == "expect_column_values_to_not_be_null" else -n_nan
    return more_violate(pair, field, left, right, n_more, lambda row: row["d"] == written.NAN)


def texts_are_objects(pair, field, left, right):
    if not pair.name.endswith(("_of_type", "_in_type_list")) or pair.case["columns"][pair.kwargs["column"]] != "string":
        return False
    counted = field in ("considered", "unexpected_count", "rows") or field in PERCENTAGES
    return counted and pair.theirs["element_count"] == len(pair.case["rows"]) and pair.ours["n_considered"] == 0


def types_of_spark(pair, field, left, right):
    names = pair.kwargs.get("type_list") or [pair.kwargs.get("type_", "")]
    if not all(name.endswith("Type") for name in names):
        return False
    unknown = field == "exception" and left.startswith(("No recognized", "Unrecognized"))
    return unknown or field == "success" and (left, right) == (False, True)


def functions_of_databricks(pair, field, left, right):
    written = pair.exported and pair.name == "unexpected_rows_expectation" and pair.ours["kind"] == "date_parseable"
    return written and field == "exception" and 'near "AS": syntax error' in left


ALL = [
    Difference("A column without values has no distance from a distribution: the library divides by zero, medc fails", division_by_zero),
    Difference("An infinite divergence is shown by medc; the library shows none, and both fail", infinite_divergence),
    Difference("A column without values has no most common one: the library fails, medc finds no violation in an empty table", no_most_common),
    Difference("Two missing values of a pair are equal to medc; to pandas they differ", missing_are_equal),
    Difference("0.18 raises where pairs are left out for missing values before they are looked up; 1.x agrees with medc", pairs_left_out),
    Difference("A single value has no spread and is no outlier; 0.18 takes it for one, 1.x agrees with medc", one_value_has_no_spread),
    Difference("In a column of mixed Python objects 1 equals True; medc has it as text, where 1 equals '1'", truth_is_one),
    Difference("medc takes ISO 8601 for dates; dateutil guesses, so that 05/02 is in May or in February", guessed_dates),
    Difference("1.x does not compare instants with bounds that are dates; 0.18 agrees with medc", dates_and_instants),
    Difference("NaN is a value to medc, greater than any other, as in Databricks SQL; to pandas it is a missing one", not_a_number),
    Difference("pandas has a Python object a row where medc has a column of text: the library counts rows that have a type", texts_are_objects),
    Difference("Types by Spark's names, which exported suites have too, are unknown to the library on pandas", types_of_spark),
    Difference("Queries that medc writes are Databricks SQL: SQLite does not read those that test dates", functions_of_databricks),
]
