# SPDX-License-Identifier: Apache-2.0
"""torture.py --out FOLDER [stage…]: the long forms. Stages: fuzz, database, soak, bare (all, in this order).
Writes FOLDER/<date>.json: commit, seconds and, by stage, passed, seconds, executions. A result that is to show an acceptance
id is copied to t/results/<stage>.json and committed.

EH_FUZZ_SECONDS (300 a target), EH_SOAK_SECONDS (1800) and EH_BARE (folder of the bare root) change the lengths."""
import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = Path(os.environ.get("EH_WORK") or ROOT / ".work")


def run(argv, log, **env):
    """True when the program ended well; its output is in log."""
    with open(log, "w") as out:
        code = subprocess.run([str(a) for a in argv], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.STDOUT, env={**os.environ, **env}).returncode
    return code == 0


def fuzz(folder):
    """Every target for EH_FUZZ_SECONDS under AddressSanitizer, from the committed corpus on."""
    build, log = WORK / "fuzz", folder / "fuzz.log"
    build.mkdir(exist_ok=True)
    if not (build / "Makefile").exists():
        configured = subprocess.run([ROOT / "configure", "CC=clang", "--enable-fuzz"], cwd=build, stdin=subprocess.DEVNULL,
                                    stdout=open(folder / "fuzz-build.log", "w"), stderr=subprocess.STDOUT).returncode
        if configured:
            return {"passed": False, "executions": 0, "fault": f"see {folder}/fuzz-build.log"}
    if not run(["make", "-C", build, f"-j{os.cpu_count()}"], folder / "fuzz-build.log"):
        return {"passed": False, "executions": 0, "fault": f"see {folder}/fuzz-build.log"}
    passed = run(["sh", "t/fuzz/run.sh", build, os.environ.get("EH_FUZZ_SECONDS", "300")], log)
    targets = {}
    for line in log.read_text(errors="replace").splitlines():
        if match := re.match(r"^(fuzz_\w+)\b.*?(\d+) (?:executions|runs|execs)", line):
            targets[match[1]] = int(match[2])
    return {"passed": passed and bool(targets), "executions": sum(targets.values()), "targets": targets}


def database(folder):
    """PostgreSQL restarted, frozen for 60 s and down while children start, under 200 writing requests a second."""
    passed = run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "t/http/test_db_outage.py",
                  f"--junitxml={folder}/database.xml"], folder / "database.log", EH_TORTURE="1")
    text = (folder / "database.log").read_text(errors="replace")
    count = re.search(r"(\d+) passed", text)
    return {"passed": passed, "executions": int(count[1]) if count else 0}


def soak(folder):
    """Log-ins, work, refusals, log-outs and graceful restarts; no growth, a clean error log."""
    seconds = os.environ.get("EH_SOAK_SECONDS", "1800")
    run(["/usr/bin/python3", "t/soak.py", seconds], folder / "soak.log")
    last = (folder / "soak.log").read_text(errors="replace").strip().splitlines()[-1:]
    try:
        return json.loads(last[0])
    except (IndexError, ValueError):
        return {"passed": False, "executions": 0, "fault": f"see {folder}/soak.log"}


def bare(folder):
    """./setup demo and ./setup check as root in a bare Debian 12 made by debootstrap."""
    if os.geteuid() != 0:
        return {"passed": False, "executions": 0, "fault": "debootstrap and chroot need root"}
    place = os.environ.get("EH_BARE")
    with tempfile.TemporaryDirectory(prefix="eh-bare-", dir=place) as made:
        result = folder / "bare.json"
        passed = run(["bash", "t/bare/run.sh", place or made, result], folder / "bare.log")
    data = json.loads(result.read_text()) if passed and result.exists() else {}
    count = re.match(r"(\d+) passed", data.get("check", ""))
    return {**data, "passed": passed, "executions": int(count[1]) if count else 0}


STAGES = {"fuzz": fuzz, "database": database, "soak": soak, "bare": bare}


def commit():
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    dirty = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() + ("+changes" if dirty.stdout.strip() else "") if done.returncode == 0 else "unknown"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("stages", nargs="*", choices=[*STAGES, []], default=[])
    args = parser.parse_args()
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    folder = Path(args.out).resolve() / date
    folder.mkdir(parents=True)
    began = time.monotonic()
    result = {"commit": commit(), "date": date, "machine": f"{platform.machine()}, {os.cpu_count()} cores", "stages": {}}
    for name in args.stages or STAGES:
        start = time.monotonic()
        told = STAGES[name](folder)
        result["stages"][name] = {**told, "seconds": round(time.monotonic() - start)}
        print(f"  {'ok   ' if told['passed'] else 'FAIL '} {name} ({result['stages'][name]['seconds']} s, "
              f"{told['executions']} executions) {told.get('fault', '')}", flush=True)
    stages = result["stages"].values()
    result.update(passed=all(s["passed"] for s in stages), seconds=round(time.monotonic() - began),
                  executions=sum(s["executions"] for s in stages))
    path = folder.with_suffix(".json")
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"  {path}")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
