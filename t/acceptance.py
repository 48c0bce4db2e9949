# SPDX-License-Identifier: Apache-2.0
"""Holds t/ACCEPTANCE.tsv against what ran: each "shown by" id of an issue names the tests that show it.

A line:  id <TAB> kind <TAB> pattern      kinds:
    pytest   node id (t/http/test_x.py::test_y; all its parameters) or a glob of it, in results/http.xml
    asan     the same in results/asan-http.xml
    unit     program below the build tree (t/unit/test_x) or a glob of it, all its TAP lines; "program - text*": those lines
    unitasan the same in the sanitizer build
    browser  text of a TAP line of results/browser.tap (glob)
    step     a step of ./setup check that ended well
    long     script, and result file committed for it [and stage in it]: JSON with "passed": true, "commit", "seconds".
             Not judged with --recording (on the way to such a result), and said so
    missed   the same for a goal that is known to be missed: the record must be there, with "passed": false and its
             "goals". It shows nothing; it is told at each run, and fails as soon as the goal is met (then write "long")
Each named test must have run and passed. A skip is excused by one reason only: "../shared/data is missing".
"""
import argparse
import fnmatch
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "t" / "ACCEPTANCE.tsv"
KINDS = {"pytest", "asan", "unit", "unitasan", "browser", "step", "long", "missed"}
EXCUSE = "../shared/data is missing"
_TAP = re.compile(r"^(not )?ok\b\s*\d*\s*-?\s*(.*?)(?:\s*#\s*(SKIP|TODO)\b(.*))?$", re.I)


def read_pytest(path):
    """{node id: "passed" | "failed: …" | "skipped: …"}"""
    out = {}
    if not path.exists():
        return out
    for case in ET.parse(path).iter("testcase"):
        where = case.get("classname").replace(".", "/")
        # a class inside a module would be the last part; this suite has functions only
        where = where if where.startswith("t/") else f"t/http/{where}"
        state = "passed"
        for child in case:
            if child.tag in ("failure", "error"):
                state = "failed: " + (child.get("message") or "")[:200]
            elif child.tag == "skipped":
                state = "skipped: " + (child.get("message") or "")
        node = f"{where}.py::{case.get('name')}"
        # setup, call and teardown of one test may be reported apart: the worst counts
        if not out.get(node, "passed").startswith("failed"):
            out[node] = state
    return out


def read_tap(text, prefix=""):
    out = {}
    for line in text.splitlines():
        match = _TAP.match(line)
        if not match:
            continue
        state = "failed: not ok" if match[1] else "passed"
        if match[3]:
            state = f"skipped: {(match[4] or '').strip()}"
        name = prefix + match[2]
        if not out.get(name, "passed").startswith("failed"):
            out[name] = state
    return out


def read_unit(build):
    """TAP lines of every test program's log, and the program's own end as "program"."""
    out = {}
    for trs in sorted(build.glob("t/**/*.trs")) + sorted(build.glob("apxs/*.trs")):
        program = str(trs.relative_to(build))[: -len(".trs")]
        result = re.search(r":global-test-result: (\S+)", trs.read_text())
        word = result[1] if result else "ERROR"
        out[program] = {"PASS": "passed", "SKIP": "skipped: the program"}.get(word, f"failed: {word}")
        log = trs.with_suffix(".log")
        if log.exists():
            out.update(read_tap(log.read_text(errors="replace"), f"{program} - "))
    return out


def read_all(args):
    results = Path(args.results)
    tap = results / "browser.tap"
    return {
        "pytest": read_pytest(results / "http.xml"),
        "asan": read_pytest(results / "asan-http.xml"),
        "unit": read_unit(Path(args.unit)),
        "unitasan": read_unit(Path(args.unit_asan)),
        "browser": read_tap(tap.read_text()) if tap.exists() else {},
        "step": read_steps(results / "steps"),
    }


def read_steps(path):
    """Lines "name ok" or "name failed" that ./setup wrote."""
    if not path.exists():
        return {}
    rows = (line.split() for line in path.read_text().splitlines())
    return {name: "passed" if word == "ok" else "failed" for name, word in rows}


def chosen(kind, pattern, ran):
    """The tests that a pattern names."""
    if kind in ("unit", "unitasan") and " - " not in pattern:
        return [t for t in ran if fnmatch.fnmatchcase(t.split(" - ")[0], pattern)]
    literal = [t for t in ran if t == pattern or (kind in ("pytest", "asan") and t.startswith(pattern + "["))]
    # brackets are parameters here, not character classes
    return literal or [t for t in ran if fnmatch.fnmatchcase(t, pattern.replace("[", "[[]"))]


def judge_long(pattern):
    script, result, *stage = pattern.split()
    if not (ROOT / script).exists():
        return f"{script} does not exist"
    path = ROOT / result
    if not path.is_file():
        return f"no recorded result {result}"
    data = json.loads(path.read_text())
    part = data.get("stages", {}).get(stage[0], {}) if stage else data
    if part.get("passed") is not True:
        return f"{pattern}: no success"
    missing = [key for key, value in (("commit", data.get("commit")), ("seconds", part.get("seconds"))) if not value]
    return f"{result} lacks {', '.join(missing)}" if missing else None


def judge_missed(pattern):
    """(fault or None, what is missed)"""
    script, result, stage = pattern.split()
    path = ROOT / result
    if not (ROOT / script).exists() or not path.is_file():
        return f"no recorded result {result}", []
    part = json.loads(path.read_text()).get("stages", {}).get(stage, {})
    if part.get("passed") is not False or not part.get("goals"):
        return f"{pattern}: no missed goal in the record", []
    return None, [goal for goal in part["goals"] if goal.startswith("MISSED")]


def judge(kind, pattern, ran):
    """A sentence per fault."""
    if kind == "missed":
        fault, _ = judge_missed(pattern)
        return [fault] if fault else []
    if kind == "long":
        fault = judge_long(pattern)
        return [fault] if fault else []
    tests = chosen(kind, pattern, ran[kind])
    if not tests:
        return [f"{kind} {pattern}: nothing of that name ran"]
    return [f"{kind} {test}: {ran[kind][test]}" for test in tests
            if ran[kind][test] != "passed" and EXCUSE not in ran[kind][test]]


def table():
    rows, faults = [], []
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) != 3 or parts[1] not in KINDS:
            faults.append(f"line {number}: not id<TAB>kind<TAB>pattern")
        else:
            rows.append(tuple(parts))
    return rows, faults


def check(ran, recording):
    rows, faults = table()
    shown = {}
    if recording:
        left = [row for row in rows if row[1] in ("long", "missed")]
        rows = [row for row in rows if row[1] not in ("long", "missed")]
        print(f"not judged, since results are being recorded: {len(left)} long ones")
    for name, kind, pattern in rows:
        shown.setdefault(name, []).extend(judge(kind, pattern, ran))
    for name in sorted(shown, key=lambda n: (n[0], int(n[1:]))):
        print(f"{'ok  ' if not shown[name] else 'FAIL'} {name}")
        for fault in shown[name]:
            print(f"     {fault}")
        for goal in [g for n, kind, pattern in rows if (n, kind) == (name, "missed") for g in judge_missed(pattern)[1]]:
            print(f"     not shown: {goal}")
    for fault in faults:
        print(f"FAIL {TABLE.name} {fault}")
    return not faults and not any(shown.values())


def count(ran, failed_steps):
    """The closing line. A test program that printed TAP counts by its lines, another one as one test."""
    passed = failed = 0
    for kind, tests in ran.items():
        if kind == "step":
            continue
        detailed = {t.split(" - ")[0] for t in tests if " - " in t} if kind.startswith("unit") else set()
        for test, state in tests.items():
            if test in detailed and state == "passed":
                continue
            passed += state == "passed"
            failed += state.startswith("failed")
    if failed_steps and not failed:
        failed = len(failed_steps)
    print(f"{passed} passed, {failed} failed")
    return passed > 0 and not failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", required=True)
    parser.add_argument("--unit", required=True)
    parser.add_argument("--unit-asan", required=True)
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--failed-steps", default="")
    parser.add_argument("--recording", action="store_true")
    args = parser.parse_args()
    ran = read_all(args)
    return 0 if (count(ran, args.failed_steps.split()) if args.count else check(ran, args.recording)) else 1


if __name__ == "__main__":
    sys.exit(main())
