"""Holds medc's results against Great Expectations': `compare.py FOLDER VERSION…`.

FOLDER holds `cases.json`, medc's `report.json` (`medc apply --format json`) and `ledger.jsonl` (`quality.results`), medc's
report of `specs/iris`, and each version's results. Compared are success, counts, percentages, observed values and the rows that violate, of suites that medc
reads and of suites that it writes. Every difference must be explained in `differences.py`, and every explanation must still
be needed.
"""

import collections
import dataclasses
import datetime
import json
import math
import pathlib
import sys

import cases as written
import differences

LEAST_FAILING = 30
N_EXAMPLES = 20
TOLERANCE = 1e-9
# What pandas calls medc's types.
TYPES = {"bigint": "int64", "double": "float64", "boolean": "bool_", "timestamp_ntz": "datetime64"}


@dataclasses.dataclass
class Pair:
    """What both say of one expectation."""

    version: str
    exported: bool
    case: dict
    name: str
    kwargs: dict
    theirs: dict
    ours: dict

    def __str__(self):
        pair = [self.kwargs[key] for key in ("column_A", "column_B") if key in self.kwargs]
        subject = self.kwargs.get("column") or "+".join(self.kwargs.get("column_list", pair))
        return f"{self.version}{' exported' if self.exported else ''} {self.case['name']} {self.name} {subject}"


def n_sentences(name, kwargs):
    """How many sentences medc makes of an expectation."""
    return len(kwargs["quantile_ranges"]["quantiles"]) if name == "expect_column_quantile_values_to_be_between" else 1


def joined(outcomes):
    """One result of the outcomes of one expectation."""
    first = outcomes[0]
    if first["kind"] != "quantile":
        return first
    observed = [outcome["observed"] for outcome in outcomes]
    return {**first, "success": all(outcome["success"] for outcome in outcomes), "observed": observed}


def plain(value):
    """A value, however it is written: numbers as floats, instants as such, missing ones as `None`."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, str):
        try:
            return datetime.datetime.fromisoformat(value) if len(value) > 10 else float(value)
        except ValueError:
            return value
    return None if isinstance(value, float) and math.isnan(value) else float(value)


def equal(left, right):
    """Whether two values are equal; numbers within the tolerance."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(one, other) for one, other in zip(left, right))
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(left) is type(right) and left == right


def in_order(values):
    """Values of a set, in an order that both sides get."""
    return sorted((plain(value) for value in values), key=lambda value: (str(type(value)), value))


def differing(pair, fields):
    """The fields in which two results differ, with both values. `fields` counts what was compared."""
    theirs, ours = pair.theirs, pair.ours
    if "exception" in theirs:
        yield "exception", theirs["exception"], ours["success"]
        return
    compared = [("success", theirs["success"], ours["success"])]
    if "element_count" in theirs and "unexpected_count" in theirs:
        compared += counts(theirs, ours)
        compared.append(("rows", *rows(pair)))
    else:
        compared += observed(pair)
    for field, left, right in compared:
        fields[field] += 1
        if not equal(left, right):
            yield field, left, right


def counts(theirs, ours):
    """Counts and percentages of an expectation about rows."""
    n_rows, n_considered, n_violating = (float(ours[key]) for key in ("n_rows", "n_considered", "n_violating"))
    element_count = plain(theirs["element_count"])
    missing = plain(theirs.get("missing_count")) or 0.0
    yield "considered", element_count - missing, n_considered
    yield "unexpected_count", plain(theirs["unexpected_count"]), n_violating

    def percent(part, whole):
        return 100 * part / whole if whole else None

    # Rows that are left out for their missing values are no elements at all.
    n_elements = n_rows if "missing_count" in theirs and missing else n_considered
    for field, value in [
        ("unexpected_percent", percent(n_violating, n_considered)),
        ("unexpected_percent_nonmissing", percent(n_violating, n_considered)),
        ("unexpected_percent_total", percent(n_violating, n_elements)),
        ("missing_percent", percent(n_elements - n_considered, n_elements)),
    ]:
        if field in theirs:
            yield field, plain(theirs[field]), value


def rows(pair):
    """The rows that violate: those that the library names, of which medc shows the first. From a database it names values."""
    case, column = pair.case, pair.kwargs.get("column")
    if "unexpected_index_list" in pair.theirs:
        named = [case["rows"][place] for place in pair.theirs["unexpected_index_list"]]
        return compared_rows(({name: as_text(row[name]) for name in case["columns"]} for row in named), pair.ours["examples"])
    named = ({column: value} for value in pair.theirs["unexpected_list"])
    return compared_rows(named, [{column: row[column]} for row in pair.ours["examples"]])


def compared_rows(theirs, ours):
    """How many rows there should be and are, and which of medc's the library does not have."""
    left, shown = collections.Counter(map(row_of, theirs)), collections.Counter(map(row_of, ours))
    n_left = float(min(left.total(), N_EXAMPLES))
    return [n_left, []], [float(shown.total()), [str(row) for row in (shown - left).elements()]]


def row_of(row):
    """A row that can be compared."""
    return tuple(sorted((name, plain(value)) for name, value in row.items()))


def as_text(value):
    """A value as medc casts it to text."""
    return str(value).lower() if isinstance(value, bool) else value


def observed(pair):
    """What an expectation about a column or a table found."""
    theirs, ours, name = pair.theirs, pair.ours, pair.name
    value = ours["observed"]
    if name == "expect_column_most_common_value_to_be_in_set":
        # medc shows the values that should not be the most common ones, and none where it succeeds.
        wanted = [] if pair.kwargs.get("ties_okay") or len(theirs["observed_value"]) > 1 else pair.kwargs["value_set"]
        left = [] if ours["success"] else in_order(set(theirs["observed_value"]) - set(wanted))
        yield "most_common", left, in_order(row[pair.kwargs["column"]] for row in ours["examples"])
    elif "partial_unexpected_list" in theirs or "partial_missing_list" in theirs:
        wanted, found = set(map(plain, pair.kwargs["value_set"])), set(map(plain, value or []))
        for field, beyond in [("partial_unexpected_list", found - wanted), ("partial_missing_list", wanted - found)]:
            if field in theirs:
                listed = in_order(theirs[field])
                yield field, listed, in_order(beyond) if len(listed) < N_EXAMPLES else listed
    elif name == "unexpected_rows_expectation":
        # 0.18 says the number in words.
        yield "observed_value", plain(str(theirs["observed_value"]).split()[0]), float(ours["n_violating"])
        # Queries that medc writes may add columns.
        columns = set(ours["examples"][0] if ours["examples"] else pair.case["columns"])
        named = ({key: row[key] for key in columns & row.keys()} for row in theirs["details"]["unexpected_rows"])
        yield "rows", *compared_rows(named, ours["examples"])
    elif name == "expect_table_row_count_to_equal_other_table":
        yield "observed_value", plain(theirs["observed_value"]["self"]), plain(value)
    elif "_distinct_values_" in name:
        yield "observed_set", in_order(theirs["observed_value"]), in_order(value or [])
    elif name == "expect_table_columns_to_match_set":
        yield "observed_columns", in_order(theirs["observed_value"]), in_order(value)
    elif name.endswith(("_of_type", "_in_type_list", "_type_to_be")):
        yield "observed_type", theirs["observed_value"], TYPES.get(value, value)
    elif isinstance(theirs.get("observed_value"), dict):
        yield "observed_quantiles", plain(theirs["observed_value"]["values"]), plain(value)
    elif "observed_value" in theirs:
        yield "observed_value", plain(theirs["observed_value"]), plain(value)


def of_read(version, case, results, outcomes):
    """The pairs of a suite that medc reads; a text where they cannot be paired."""
    entries, queue = written.of_version(case, version), list(outcomes)
    expected = sum(n_sentences(*entry) for entry in entries)
    if expected != len(queue):
        yield f"{version} {case['name']}: {expected} sentences, medc has results for {len(queue)}"
        return
    for (name, kwargs), theirs in zip(entries, results):
        ours = joined([queue.pop(0) for _ in range(n_sentences(name, kwargs))])
        yield Pair(version, False, case, name, kwargs, theirs, ours)


def of_written(version, case, results, outcomes):
    """The pairs of a suite that medc writes; a text where they cannot be paired."""
    queue = list(outcomes)
    for entry in results:
        # Sentences that cannot be exported are left out.
        while queue and queue[0]["label"] != entry["label"]:
            queue.pop(0)
        if not queue:
            yield f"{version} exported {case['name']}: `{entry['label']}` is no sentence of medc's"
            return
        ours = joined([queue.pop(0)])
        yield Pair(version, True, case, entry["type"], entry["kwargs"], entry["result"], ours)


def outcomes_by_table(folder):
    """medc's outcomes, with the examples that only its ledger has."""
    report = json.loads((folder / "report.json").read_text())
    ledger = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    outcomes = collections.defaultdict(list)
    for table in report["tables"]:
        for outcome in table.get("expectations", []):
            row = ledger.pop(0)
            assert (row["table_name"], row["label"]) == (table["table"], outcome["label"]), (row, outcome)
            if outcome["kind"] != "cast":
                outcomes[table["table"]].append({**outcome, "examples": json.loads(row["examples"] or "[]")})
    return outcomes


def main():
    folder, versions = pathlib.Path(sys.argv[1]), sys.argv[2:]
    outcomes, cases = outcomes_by_table(folder), json.loads((folder / "cases.json").read_text())
    fields, explained, unexplained = collections.Counter(), collections.Counter(), []
    counted, failing, names = collections.Counter(), {version: set() for version in versions}, collections.defaultdict(set)
    for version in versions:
        results = json.loads((folder / f"{version}.json").read_text())
        for case in cases:
            ours = outcomes[f"{written.layer(version)}.{case['name']}"]
            pairs = [*of_read(version, case, results["cases"][case["name"]], ours)]
            pairs += of_written(version, case, results["exported"][case["name"]], ours)
            for pair in pairs:
                if isinstance(pair, str):
                    unexplained.append(pair)
                    continue
                found = list(differing(pair, fields))
                counted["exported" if pair.exported else "read"] += 1
                names[version].add(pair.name)
                if not found and not pair.theirs["success"]:
                    failing[version].add((pair.name, json.dumps(pair.kwargs, sort_keys=True)))
                for field, left, right in found:
                    reasons = [one for one in differences.ALL if one.explains(pair, field, left, right)]
                    explained.update(one.reason for one in reasons[:1])
                    if not reasons:
                        said = f"{pair} {field}: Great Expectations {left!r}, medc {right!r}"
                        unexplained.append(f"{said}   {json.dumps(pair.kwargs)}")
    unexplained += [f"this does not occur: {one.reason}" for one in differences.ALL if not explained[one.reason]]
    unexplained += [f"docs/great-expectations.md does not say: {reason}" for reason in unsaid(folder)]
    unexplained += of_iris(folder, outcomes)
    unexplained += uncovered(folder, versions, cases, names)
    alike = set.intersection(*failing.values())
    if len(alike) < LEAST_FAILING:
        unexplained.append(f"only {len(alike)} different expectations fail everywhere with the same counts")
    print("\n".join([*unexplained, *(f"{n:5} differ: {reason}" for reason, n in explained.items())]))
    print(", ".join(f"{n} {field}" for field, n in sorted(fields.items())))
    print(
        f"{counted['read']} results of suites that medc reads and {counted['exported']} of suites that it writes compared; "
        f"{len(alike)} different expectations fail with every version alike, {explained.total()} differences have a reason"
    )
    return 1 if unexplained else 0


def unsaid(folder):
    """The reasons that users cannot read."""
    page = pathlib.Path(__file__).resolve().parents[3] / "docs/great-expectations.md"
    said = " ".join(page.read_text().split())
    return [one.reason for one in differences.ALL if one.reason not in said]


def of_iris(folder, outcomes):
    """Sentences of the suites that `specs/iris` itself judges otherwise than they were judged here."""
    keys = ("label", "n_rows", "n_considered", "n_violating", "observed", "success")
    for table in json.loads((folder / "iris.json").read_text())["tables"]:
        name = table["table"].partition(".")[2]
        judged = [[outcome[key] for key in keys] for outcome in table["expectations"]]
        for outcome in outcomes.get(f"{written.layer('1')}.{name}", []):
            if [outcome[key] for key in keys] not in judged:
                yield f"specs/iris judges `{outcome['label']}` of {name} otherwise"


def uncovered(folder, versions, cases, names):
    """What should have been compared and was not."""
    known = set(json.loads((folder / "known.json").read_text()))
    for version in versions:
        both = known & set(json.loads((folder / f"{version}.json").read_text())["names"])
        for name in sorted(both - names[version]):
            yield f"{version}: `{name}` is known to both and compared nowhere"
    values = {case["name"]: [value for row in case["rows"] for value in row.values()] for case in cases}
    covered = {
        "an empty table": any(not found for found in values.values()),
        "missing values": any(None in found for found in values.values()),
        "NaN": any(written.NAN in found for found in values.values()),
        "numbers, texts and truth in one column": {str, int, float, bool} <= set(map(type, values["mixed"])),
        "real rows": {"iris_bronze", "iris_silver", "iris_gold"} <= set(values),
        "shares at the border": sum(len(case["expectations"]) for case in cases if case["name"].startswith("border")) > 50,
    }
    yield from (f"nothing is compared of {what}" for what, is_covered in covered.items() if not is_covered)


if __name__ == "__main__":
    sys.exit(main())
