# SPDX-License-Identifier: Apache-2.0
"""t/acceptance.py must be able to say no."""
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import acceptance  # noqa: E402

JUNIT = """<testsuites><testsuite>
<testcase classname="t.http.test_a" name="test_good[x]"/>
<testcase classname="t.http.test_a" name="test_good[y]"/>
<testcase classname="t.http.test_a" name="test_bad"><failure message="no"/></testcase>
<testcase classname="t.http.test_a" name="test_left"><skipped message="no chromium"/></testcase>
<testcase classname="t.http.test_a" name="test_excused"><skipped message="Skipped: ../shared/data is missing"/></testcase>
<testcase classname="t.http.test_a" name="test_torn"/>
<testcase classname="t.http.test_a" name="test_torn"><error message="log"/></testcase>
</testsuite></testsuites>"""
TAP = "1..3\nok 1 - start page\nnot ok 2 - log-in\nok 3 - later # SKIP no browser\n"


@pytest.fixture
def ran(tmp_path):
    (tmp_path / "http.xml").write_text(JUNIT)
    unit = tmp_path / "t" / "unit"
    unit.mkdir(parents=True)
    (unit / "test_x.trs").write_text(":test-result: PASS\n:global-test-result: PASS\n")
    (unit / "test_x.log").write_text("1..2\nok 1 - a:b:c: Passed\nok 2 - a:d: Passed\n")
    (unit / "test_y.trs").write_text(":test-result: FAIL\n:global-test-result: FAIL\n")
    (tmp_path / "steps").write_text("asan ok\nclang failed\n")
    return {"pytest": acceptance.read_pytest(tmp_path / "http.xml"), "asan": {}, "unit": acceptance.read_unit(tmp_path),
            "unitasan": {}, "browser": acceptance.read_tap(TAP), "step": acceptance.read_steps(tmp_path / "steps")}


@pytest.mark.parametrize("kind,pattern", [
    ("pytest", "t/http/test_a.py::test_good"), ("pytest", "t/http/test_a.py::test_good[x]"),
    ("pytest", "t/http/test_a.py::test_exc*"), ("unit", "t/unit/test_x"), ("unit", "t/unit/test_x - a:b*"), ("unit", "t/unit/test_[x]"),
    ("browser", "start*"), ("step", "asan"),
])
def test_shown(ran, kind, pattern):
    assert acceptance.judge(kind, pattern, ran) == []


@pytest.mark.parametrize("kind,pattern,word", [
    ("pytest", "t/http/test_a.py::test_bad", "failed"), ("pytest", "t/http/test_a.py::test_left", "skipped"),
    ("pytest", "t/http/test_a.py::test_torn", "failed"), ("pytest", "t/http/test_a.py::*", "failed"),
    ("pytest", "t/http/test_b.py::test_good", "nothing"), ("pytest", "t/http/test_a.py::test_goo", "nothing"),
    ("asan", "t/http/test_a.py::test_good", "nothing"), ("unit", "t/unit/test_y", "failed"), ("unit", "t/unit/*", "failed"),
    ("unit", "t/unit/test_z", "nothing"), ("browser", "log-in", "failed"), ("browser", "later", "skipped"),
    ("step", "clang", "failed"), ("step", "none", "nothing"), ("long", "t/none.py t/none.json", "does not exist"),
    ("long", "t/soak.py t/none.json", "no recorded result"),
])
def test_not_shown(ran, kind, pattern, word):
    faults = acceptance.judge(kind, pattern, ran)
    assert faults and any(word in fault for fault in faults), faults


def test_table_is_well_formed_and_complete():
    rows, faults = acceptance.table()
    assert not faults
    assert {row[0] for row in rows} == {f"F{n}" for n in range(1, 8)}


@pytest.mark.parametrize("data,good", [
    ({"commit": "c", "stages": {"fuzz": {"passed": True, "seconds": 3}}}, True),
    ({"commit": "c", "stages": {"fuzz": {"passed": False, "seconds": 3}}}, False),
    ({"commit": "", "stages": {"fuzz": {"passed": True, "seconds": 3}}}, False),
    ({"commit": "c", "stages": {"fuzz": {"passed": True}}}, False),
    ({"commit": "c", "passed": True, "stages": {}}, False),
])
def test_recorded_result(tmp_path, monkeypatch, data, good):
    (tmp_path / "script").write_text("")
    (tmp_path / "result.json").write_text(json.dumps(data))
    monkeypatch.setattr(acceptance, "ROOT", tmp_path)
    assert (acceptance.judge_long("script result.json fuzz") is None) == good


def test_closing_line(ran, capsys):
    assert acceptance.count(ran, []) is False
    assert capsys.readouterr().out.strip() == "5 passed, 4 failed"
    only = {"pytest": {"a": "passed"}, "unit": {}}
    assert acceptance.count(only, []) is True
    assert acceptance.count(only, ["clang"]) is False, "a failed step without a failed test fails, too"
    assert acceptance.count({"pytest": {}}, []) is False, "nothing ran"


@pytest.mark.parametrize("stage,good", [
    ({"passed": False, "goals": ["met: a", "MISSED: b"]}, True),
    ({"passed": True, "goals": ["met: a"]}, False),
    ({"passed": False}, False),
    ({}, False),
])
def test_missed_goal_is_told_and_does_not_outlive_its_mending(tmp_path, monkeypatch, stage, good):
    (tmp_path / "script").write_text("")
    (tmp_path / "result.json").write_text(json.dumps({"commit": "c", "stages": {"memory": stage}}))
    monkeypatch.setattr(acceptance, "ROOT", tmp_path)
    fault, goals = acceptance.judge_missed("script result.json memory")
    assert (fault is None) == good and goals == (["MISSED: b"] if good else [])
