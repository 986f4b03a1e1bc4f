"""Which of the library's expectations medc knows: `known.py MEDC FOLDER VERSION…` writes `known.json`.

A suite that has each of them once, without arguments, is validated: a name that medc does not know is an error of its own.
"""

import json
import pathlib
import subprocess
import sys

UNKNOWN = "exchange::unknown-expectation"


def main():
    medc, folder, versions = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    names = sorted({name for version in versions for name in json.loads((folder / f"{version}.json").read_text())["names"]})
    project = folder / "known"
    project.mkdir()
    suite = {"name": "all", "expectations": [{"type": name, "kwargs": {}} for name in names], "meta": {}}
    lines = json.dumps(suite, indent=1).splitlines()
    (project / "suite.json").write_text("\n".join(lines))
    tables = {"a.t": {"source": {"format": "csv", "path": "rows.csv"}, "contract": "t", "expectations": {"suite": "suite.json"}}}
    (project / "rows.csv").write_text("x\n")
    (project / "medc.yml").write_text(
        json.dumps({
            "project": {"name": "known"},
            "environments": {"local": {"engine": "local", "warehouse": ".medc"}},
            "layers": {"a": {}},
            "tables": tables,
            "contracts": {"t": {"columns": {"x": {"type": "string"}}}},
        })
    )
    run = subprocess.run([medc, "validate", "-p", project, "--format", "json"], capture_output=True, text=True)
    found = json.loads(run.stdout)["diagnostics"]
    unknown = [one for one in found if one["code"] == UNKNOWN]
    # The label of an unknown name is on its line.
    missing = {lines[label["line"] - 1].split('"')[3] for one in unknown for label in one["labels"][:1]}
    assert missing <= set(names) and {one["code"].split("::")[0] for one in found} == {"exchange"}, run.stdout
    (folder / "known.json").write_text(json.dumps(sorted(set(names) - missing)))
    print(f"of the library's {len(names)} expectations medc knows {len(names) - len(missing)}")


if __name__ == "__main__":
    main()
