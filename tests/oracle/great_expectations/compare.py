"""Holds medc's results against Great Expectations': `compare.py FOLDER REPORT VERSION…`.

REPORT is what `medc apply --format json` wrote. Every difference must be explained in `differences.json`, and every
explanation must still be needed. A difference is known by version, table, expectation, column and field.
"""

import collections
import fnmatch
import json
import math
import pathlib
import sys

import cases as written

LEAST_FAILING = 30
TOLERANCE = 1e-9


def subject(kwargs):
    """The columns that an expectation speaks of."""
    pair = [kwargs[key] for key in ("column_A", "column_B") if key in kwargs]
    return kwargs.get("column") or "+".join(kwargs.get("column_list", pair))


def n_sentences(name, kwargs):
    """How many sentences medc makes of an expectation."""
    if name == "expect_column_quantile_values_to_be_between":
        return len(kwargs["quantile_ranges"]["quantiles"])
    return 1


def joined(outcomes):
    """One result of the outcomes of one expectation."""
    first = outcomes[0]
    if len(outcomes) == 1:
        return first
    observed = [outcome["observed"] for outcome in outcomes]
    return {**first, "success": all(outcome["success"] for outcome in outcomes), "observed": observed}


def number(value):
    """A number, however it is written; `None` for what is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        read = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(read) else read


def equal(left, right):
    """Whether two observed values are equal; numbers within the tolerance."""
    if isinstance(left, dict) and "values" in left:
        left = left["values"]
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(one, other) for one, other in zip(left, right))
    one, other = number(left), number(right)
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def differences(theirs, ours):
    """The fields in which two results differ, with both values."""
    if "exception" in theirs:
        yield "exception", theirs["exception"], ours["success"]
        return
    if theirs["success"] != ours["success"]:
        yield "success", theirs["success"], ours["success"]
    if "unexpected_count" in theirs and "element_count" in theirs:
        missing = theirs.get("missing_count") or 0
        considered = theirs["element_count"] - missing
        if considered != ours["n_considered"]:
            yield "considered", considered, ours["n_considered"]
        if theirs["unexpected_count"] != ours["n_violating"]:
            yield "unexpected_count", theirs["unexpected_count"], ours["n_violating"]
        percent = 100 * ours["n_violating"] / ours["n_considered"] if ours["n_considered"] else None
        if not equal(theirs.get("unexpected_percent"), percent):
            yield "unexpected_percent", theirs.get("unexpected_percent"), percent
    elif isinstance(theirs.get("observed_value"), (int, float, dict)) or ours["observed"] is not None:
        if number(theirs.get("observed_value")) is not None or isinstance(theirs.get("observed_value"), dict):
            if not equal(theirs["observed_value"], ours["observed"]):
                yield "observed_value", theirs["observed_value"], ours["observed"]


def main():
    folder, report, versions = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text()), sys.argv[3:]
    outcomes = {table["table"]: table.get("expectations", []) for table in report["tables"]}
    listed = json.loads((pathlib.Path(__file__).parent / "differences.json").read_text())
    used, unexplained, counts = set(), [], collections.Counter()
    for version in versions:
        results = json.loads((folder / f"{version}.json").read_text())
        for case in json.loads((folder / "cases.json").read_text()):
            table = f"v{version.replace('.', '_')}.{case['name']}"
            entries, queue = written.of_version(case, version), [outcome for outcome in outcomes.get(table, []) if outcome["kind"] != "cast"]
            expected = sum(n_sentences(*entry) for entry in entries)
            if expected != len(queue):
                unexplained.append(f"{table}: {expected} sentences, medc has results for {len(queue)}")
                continue
            for (name, kwargs), theirs in zip(entries, results[case["name"]]):
                ours = joined([queue.pop(0) for _ in range(n_sentences(name, kwargs))])
                found = list(differences(theirs, ours))
                counts["compared"] += 1
                counts["failing"] += not theirs["success"] and not ours["success"] and not found
                for field, left, right in found:
                    key = f"{version} {case['name']} {name} {subject(kwargs)} {field}"
                    matching = [index for index, entry in enumerate(listed) if explains(entry, key, kwargs)]
                    used.update(matching)
                    counts["explained"] += bool(matching)
                    if not matching:
                        unexplained.append(f"{key}: Great Expectations {left!r}, medc {right!r}   {json.dumps(kwargs)}")
    stale = [entry for index, entry in enumerate(listed) if index not in used]
    unexplained += [f"this listed difference does not occur: {json.dumps(entry)}" for entry in stale]
    if counts["failing"] < LEAST_FAILING:
        unexplained.append(f"only {counts['failing']} expectations fail on both sides with the same counts")
    print("\n".join(unexplained))
    print(f"{counts['compared']} compared, {counts['failing']} fail on both sides alike, {counts['explained']} differ with a reason")
    return 1 if unexplained else 0


def explains(entry, key, kwargs):
    """Whether a listed difference is the one of `key`."""
    wanted = entry.get("with", {})
    return any(fnmatch.fnmatch(key, pattern) for pattern in entry["of"]) and wanted.items() <= kwargs.items()


if __name__ == "__main__":
    sys.exit(main())
