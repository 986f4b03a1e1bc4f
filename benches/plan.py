#!/usr/bin/env python3
"""Measures `medc plan` and `medc apply` where nothing changed, and an apply after one source changed.

    plan.py [--medc target/release/medc] [--sizes 1000,5000] [--rounds 5] [--work FOLDER]

Generates the projects of `projects.py` with three rows in each source, applies each once (minutes for 5000 tables), then
takes the median of planning and applying with nothing to do. At last one source's file changes, and what is written
must be its descendants and nothing else. Prints a Markdown table. Exits with 1 when a budget is exceeded.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import measure
import projects

PLAN_BUDGET_S = 1.0
APPLY_BUDGET_S = 1.5
ROWS = "".join(f"{n},{n},{n},2024-01-0{n} 00:00:00,{n}.5,1.0,0.5,{n},{n},name {n}\n" for n in range(1, 4))


def write_sources(project, n):
    folder = os.path.join(project, "data")
    os.makedirs(folder)
    names = [name for layer, name, query in projects.tables(n) if query is None]
    for name in names:
        with open(os.path.join(folder, f"{name}.csv"), "w") as file:
            file.write(",".join(projects.COLUMNS) + "\n" + ROWS)
    return names


def run(medc, command, project, log):
    cost = measure.run([medc, command, "-p", project], log)
    if cost.code != 0:
        sys.exit(f"`medc {command} -p {project}` ended with {cost.code}:\n{measure.show_log(log)}")
    return cost


def planned(medc, project):
    words = subprocess.run([medc, "plan", "-p", project, "--format", "json"], capture_output=True, text=True).stdout
    return {action["table"] for action in json.loads(words)["actions"]}


def descendants(n, source):
    readers = {}
    for layer, name, query in projects.tables(n):
        words = set(query.replace("\n", " ").split()) if query else set()
        for word in words:
            readers.setdefault(word, set()).add(f"{layer}.{name}")
    found, waiting = set(), [source]
    while waiting:
        table = waiting.pop()
        if table not in found:
            found.add(table)
            waiting.extend(readers.get(table, ()))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medc", default="target/release/medc")
    parser.add_argument("--sizes", default="1000,5000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work")
    arguments = parser.parse_args()
    medc = os.path.abspath(arguments.medc)
    work = arguments.work or tempfile.mkdtemp(prefix="medc-plan-")
    exceeded = False
    print("| tables | first apply s | plan CPU s | wall s | budget | apply CPU s | wall s | budget | after one file: tables | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for n in [int(size) for size in arguments.sizes.split(",")]:
        project, log = os.path.join(work, f"project_{n}"), os.path.join(work, "log")
        projects.write(n, project)
        sources = write_sources(project, n)
        first = run(medc, "apply", project, log)
        costs = {command: [run(medc, command, project, log) for _ in range(arguments.rounds)] for command in ("plan", "apply")}
        median = {command: [measure.median([getattr(cost, of) for cost in costs[command]]) for of in ("cpu_s", "wall_s")]
                  for command in costs}
        with open(os.path.join(project, "data", f"{sources[0]}.csv"), "a") as file:
            file.write("4,4,4,2024-01-04 00:00:00,4.5,1.0,0.5,4,4,name 4\n")
        expected = descendants(n, f"bronze.{sources[0]}")
        if planned(medc, project) != expected:
            sys.exit("the plan after one file is not its descendants")
        again = measure.run([medc, "apply", "-p", project, "--yes"], log)
        (plan_s, plan_wall), (apply_s, apply_wall) = median["plan"], median["apply"]
        exceeded |= n <= 5000 and (plan_wall > PLAN_BUDGET_S or apply_wall > APPLY_BUDGET_S)
        print(f"| {n} | {first.wall_s:.0f} | {plan_s:.3f} | {plan_wall:.3f} | {PLAN_BUDGET_S} | {apply_s:.3f} "
              f"| {apply_wall:.3f} | {APPLY_BUDGET_S} | {len(expected)} | {again.wall_s:.1f} |", flush=True)
    if arguments.work is None:
        shutil.rmtree(work)
    if exceeded:
        sys.exit("a budget is exceeded")


if __name__ == "__main__":
    main()
