"""The table of a bench: samples and values by row, their goals, the machine they were taken on."""
import json
import os
import platform
import subprocess

from daemon import ROOT, read

COLUMNS = ("p50", "p90", "p99", "p99.9")


def median(samples):
    return sorted(samples)[len(samples) // 2]


class Table:
    """Rows in order: samples in µs, or one value, the goal, and whether it is met."""

    def __init__(self, goals):
        """goals: row → ((which column, "<=" or ">=", value), ...)"""
        self.goals, self.samples, self.values = goals, {}, {}

    def add(self, name, samples):
        self.samples.setdefault(name, []).extend(samples)

    def rows(self):
        for name, samples in self.samples.items():
            samples.sort()
            yield self.judged({"name": name, "unit": "us", "n": len(samples), **{
                c: samples[min(int(len(samples) * float(c[1:]) / 100), len(samples) - 1)] for c in COLUMNS}})
        for name, (unit, value) in self.values.items():
            yield self.judged({"name": name, "unit": unit, "n": 1, "p50": value})

    def judged(self, row):
        goals = self.goals.get(row["name"], ())
        row["goal"] = ", ".join(f"{column} {sign} {value}" for column, sign, value in goals)
        row["met"] = all(row[c] <= value if sign == "<=" else row[c] >= value for c, sign, value in goals)
        return row


def print_rows(rows):
    print(f"{'':<34}{'n':>8}" + "".join(f"{c:>10}" for c in COLUMNS) + "  unit  goal")
    for row in rows:
        cells = "".join(f"{row.get(c, ''):>10}" for c in COLUMNS)
        verdict = row["goal"] and row["goal"] + (": met" if row["met"] else ": MISSED")
        print(f"{row['name']:<34}{row['n']:>8}{cells}  {row['unit']:<5} {verdict}")


# --- the machine ---

def cpu_ticks():
    return [int(x) for x in read("/proc/stat").splitlines()[0].split()[1:]]


def machine():
    model = next((line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
                  if line.startswith("model name")), "?")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True,
                            text=True, check=False).stdout.strip()
    return {"cpu": model, "cores": os.cpu_count(), "memory_mb": int(read("/proc/meminfo").split()[1]) // 1024,
            "kernel": platform.release(), "commit": commit, "load": os.getloadavg()[0]}


def report(measure, file):
    """Measure, print the table, write it to build/FILE."""
    facts, before = machine(), cpu_ticks()
    rows = list(measure().rows())
    ticks = [b - a for a, b in zip(before, cpu_ticks())]
    steal = round(100 * ticks[7] / max(sum(ticks[:8]), 1), 2)
    print(f"\n{facts['cpu']}, {facts['cores']} cores, {facts['memory_mb']} MB; Linux {facts['kernel']}; "
          f"commit {facts['commit']}; load at start {facts['load']:.1f}; steal {steal} %\n")
    print_rows(rows)
    with open(f"{ROOT}/build/{file}", "w", encoding="utf-8") as f:
        json.dump({"machine": facts, "steal_percent": steal, "rows": rows}, f, indent=1)
    print(f"\nwritten: build/{file}")
