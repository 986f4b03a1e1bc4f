#!/usr/bin/env python3
"""Measures `medc validate` on generated projects and holds it against the budget.

    validate.py [--medc target/release/medc] [--sizes 10,100,1000,5000] [--rounds 5] [--work FOLDER]

For each size: the median CPU seconds and the largest resident set of a validation from nothing, then of one after a
description in one file changed. Prints a Markdown table. Exits with 1 when a budget is exceeded.
"""
import argparse
import os
import shutil
import sys
import tempfile

import measure
import projects

# CPU seconds from nothing, by number of tables; the largest resident set; CPU seconds after one file changed.
BUDGET_CPU_S = {10: 0.03, 100: 0.1, 1000: 0.6, 5000: 3.0}
BUDGET_PEAK_MIB = 150
BUDGET_CHANGED_S = 0.3


def validate(medc, project, log):
    cost = measure.run([medc, "validate", "-p", project], log)
    if cost.code != 0:
        sys.exit(f"`medc validate -p {project}` ended with {cost.code}:\n{measure.show_log(log)}")
    return cost


def change_one_file(project, number):
    """Changes a description somewhere in the middle of the graph."""
    path = os.path.join(project, "tables", "silver", "slv_00000.yml")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("description: table slv_00000", f"description: table slv_00000 changed {number}", 1))


def measure_size(n, arguments, work):
    project, log = os.path.join(work, f"project_{n}"), os.path.join(work, "log")
    projects.write(n, project)
    cold, changed = [], []
    for number in range(arguments.rounds):
        shutil.rmtree(os.path.join(project, ".medc"), ignore_errors=True)
        cold.append(validate(arguments.medc, project, log))
        change_one_file(project, number)
        changed.append(validate(arguments.medc, project, log))
    return cold, changed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medc", default="target/release/medc")
    parser.add_argument("--sizes", default="10,100,1000,5000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work")
    arguments = parser.parse_args()
    arguments.medc = os.path.abspath(arguments.medc)
    work = arguments.work or tempfile.mkdtemp(prefix="medc-validate-")
    os.makedirs(work, exist_ok=True)
    exceeded = False
    print("| tables | CPU s | budget | wall s | peak MiB | budget | CPU s, one file changed | wall s | budget |")
    print("|---|---|---|---|---|---|---|---|---|")
    for n in [int(size) for size in arguments.sizes.split(",")]:
        cold, changed = measure_size(n, arguments, work)
        cpu_s = measure.median([cost.cpu_s for cost in cold])
        peak_mib = max(cost.peak_mib for cost in cold + changed)
        changed_s = measure.median([cost.cpu_s for cost in changed])
        budget_s = BUDGET_CPU_S.get(n)
        exceeded |= (budget_s is not None and cpu_s > budget_s) or peak_mib > BUDGET_PEAK_MIB
        exceeded |= changed_s > BUDGET_CHANGED_S
        print(f"| {n} | {cpu_s:.3f} | {budget_s or '-'} | {measure.median([c.wall_s for c in cold]):.3f} | {peak_mib:.0f} "
              f"| {BUDGET_PEAK_MIB} | {changed_s:.3f} | {measure.median([c.wall_s for c in changed]):.3f} "
              f"| {BUDGET_CHANGED_S} |", flush=True)
    if arguments.work is None:
        shutil.rmtree(work)
    if exceeded:
        sys.exit("a budget is exceeded")


if __name__ == "__main__":
    main()
