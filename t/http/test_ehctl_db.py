# SPDX-License-Identifier: Apache-2.0
"""ehctl migrate, keys, users, sessions and verify-audit, on both databases. The server's dump is what the test wants."""
import base64
import contextlib
import getpass
import grp
import hashlib
import hmac
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ehhttpd import proc

AS_ROOT = os.geteuid() == 0
USER = "www-data" if AS_ROOT else getpass.getuser()
GROUP = "www-data" if AS_ROOT else grp.getgrgid(os.getegid()).gr_name
PERSON = "rpps:10101010101"
NOW = int(time.time() * 1_000_000)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Site:
    def __init__(self, database):
        self.folder = proc.Folder(prefix="eh-ctldb-")
        self.path = Path(self.folder.path)
        os.chmod(self.path, 0o755)
        # made by ehctl itself
        self.keys = self.path / "keys"
        self.state = self.path / "state"
        self.driver, self.params = database or ("sqlite3", str(self.state / "ehealth.db"))
        if not AS_ROOT:
            self.state.mkdir(mode=0o700)
        self.dump = {
            "version": 1, "user": USER, "group": GROUP, "state_dir": str(self.state), "key_file": str(self.keys),
            "database": {"driver": self.driver, "params": self.params, "connections": 16, "acquire_ms": 500,
                         "query_ms": 5000},
            "hosts": [{"name": "portal.example:443", "file": "x.conf", "line": 3, "public_url": "https://portal.example",
                       "proxy": None, "proxy_except": [], "ca_bundle": None,
                       "outbound": {"connect": 2, "total": 3, "http_loopback": False}, "tls": True,
                       "tenants": [{"name": "st-jean", "structures": ["finess:750000001"]}], "providers": []}]}

    def run(self, *args, rc=0):
        dump = self.path / "dump.json"
        dump.write_text(json.dumps(self.dump))
        done = subprocess.run([str(proc.build_dir() / "ehctl"), "--httpd", f"sh -c 'cat {dump}'", *args], capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == rc, (args, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *args, rc=0):
        return json.loads(self.run("--json", *args, rc=rc).stdout)

    @contextlib.contextmanager
    def db(self):
        if self.driver == "sqlite3":
            db = sqlite3.connect(self.params, timeout=5)
            db.isolation_level = None
        else:
            import psycopg2
            db = psycopg2.connect(self.params)
            db.autocommit = True
        try:
            yield db
        finally:
            db.close()
            if AS_ROOT and self.driver == "sqlite3":  # what this test, as root, may have left
                for f in self.state.iterdir():
                    shutil.chown(f, USER, GROUP)

    def sql(self, text, *args):
        with self.db() as db:
            cur = db.cursor()
            cur.execute(text.replace("?", "%s") if self.driver == "pgsql" else text, args)
            return cur.fetchall() if cur.description else None

    def hash(self, purpose, label, value):
        """The keyed hash of keyring.h, computed here by its description; key: the oldest."""
        line = [x for x in self.keys.read_text().splitlines() if x and not x.startswith("#")][-1]
        key = base64.urlsafe_b64decode(line.split()[1] + "=")
        derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"ehealth/1/" + purpose).derive(key)
        return b64(hmac.new(derived, label.encode() + b"\x1f" + value.encode(), hashlib.sha256).digest())

    def session(self, name, person=PERSON, provider="psc", issuer="https://op.example", subject="s1", ends_in=3600):
        self.sql("INSERT INTO eh_session (ticket_h, host, provider, subject_h, sid_h, person_h, created_at, auth_time, "
                 "expires_at, idle_limit, last_seen, claims_sealed, tokens_sealed) "
                 "VALUES (?, 'https://portal.example', ?, ?, NULL, ?, ?, ?, ?, 0, ?, 'claims', 'tokens')",
                 name.ljust(43, "_"), provider, self.hash(b"index", "subject", issuer + "\x1f" + subject),
                 self.hash(b"index", "person", person), NOW, NOW, NOW + ends_in * 1_000_000, NOW)

    def ended(self):
        rows = self.sql("SELECT ticket_h, claims_sealed, tokens_sealed FROM eh_session WHERE revoked_at IS NOT NULL")
        assert all(r[1:] == ("", "") for r in rows)  # nothing to be stolen any more
        told = self.sql("SELECT ticket_h FROM eh_revocation")
        assert sorted(told) == sorted((r[0],) for r in rows)
        return sorted(r[0].rstrip("_") for r in rows)

    def audit(self):
        return self.sql("SELECT event, outcome, subject, tenant, provider, detail FROM eh_audit ORDER BY seq")


@pytest.fixture
def site(database):
    s = Site(database)
    yield s
    s.folder.remove()


@pytest.fixture
def ready(site):
    site.run("keys", "new")
    site.run("migrate")
    return site


def test_migrate_makes_what_is_missing_and_repeats_without_harm(site):
    assert site.json("migrate")["applied"] >= 1
    assert site.json("migrate") == {"applied": 0}
    assert "up to date" in site.run("migrate").stdout
    if site.driver == "sqlite3":
        for f in [site.state, *site.state.iterdir()]:
            assert f.owner() == USER and f.group() == GROUP
            assert f.stat().st_mode & 0o077 == 0
    site.sql("UPDATE eh_migration SET checksum = 'x'")
    assert "EH2006" in site.run("migrate", rc=1).stderr


def test_migrate_tells_what_is_wrong_without_the_password(site):
    site.dump["database"] = {"driver": "pgsql", "query_ms": 1000,
                             "params": "host=127.0.0.1 port=1 user=eh password=c4n4ry dbname=x"}
    said = site.run("migrate", rc=1)
    assert "EH2000" in said.stderr and "refused" in said.stderr
    assert "c4n4ry" not in said.stderr + said.stdout


def lines(site):
    return [x.split() for x in site.keys.read_text().splitlines() if x.strip() and not x.startswith("#")]


@pytest.mark.parametrize("database", [None])
def test_keys(site):
    site.run("keys", "new")
    (first,) = lines(site)
    assert first[0] == "1" and len(base64.urlsafe_b64decode(first[1] + "=")) == 32
    assert first[2] == time.strftime("created=%Y-%m-%d", time.gmtime())
    assert site.keys.stat().st_mode & 0o7777 == 0o640 and site.keys.group() == GROUP
    site.run("keys", "new", rc=1)  # never over an existing one
    assert lines(site) == [first]
    site.run("keys", "retire", "1", rc=1)  # the only one that seals

    site.keys.write_text("# ours, since 2026\n" + site.keys.read_text().replace("\n", " # first\n"))
    site.run("keys", "rotate")
    second = lines(site)[0]
    assert second[0] == "2" and second[1] != first[1]
    assert "# ours, since 2026" in site.keys.read_text() and "# first" in site.keys.read_text()
    assert site.keys.stat().st_mode & 0o7777 == 0o640 and site.keys.group() == GROUP
    assert [(k["id"], k["state"]) for k in site.json("keys", "list")["keys"]] == [(2, "current"), (1, "opens")]

    site.run("keys", "retire", "1")
    assert re.search(r"^1 \S+ created=\S+ retired # first$", site.keys.read_text(), re.M)
    assert [k["state"] for k in site.json("keys", "list")["keys"]] == ["current", "retired"]
    site.run("keys", "retire", "1", rc=1)
    site.run("keys", "retire", "2", rc=1)
    site.run("keys", "retire", "7", rc=1)
    said = site.run("keys", "list").stdout + site.run("keys", "list").stderr
    assert first[1] not in said and second[1] not in said

    (site.path / "keys.new").write_text("")  # another one is at work
    before = site.keys.read_text()
    assert "keys.new" in site.run("keys", "rotate", rc=1).stderr
    assert site.keys.read_text() == before
    site.run("keys", "burn", rc=2)
    site.run("keys", "retire", rc=2)
    assert not [f for f in site.path.iterdir() if f.name not in ("keys", "keys.new", "dump.json", "state")]


def test_grants(ready):
    begun = int(time.time() * 1_000_000)  # not NOW: that is when the tests were collected
    ready.run("users", "grant", "--tenant", "st-jean", "--person", PERSON)
    ready.run("users", "grant", "--tenant", "st-jean", "--person", "ssin:85010112345", "--days=30")
    rows = ready.sql("SELECT tenant, person_h, person_sealed, expires_at, granted_by FROM eh_grant ORDER BY granted_at")
    assert rows[0][:2] == ("st-jean", ready.hash(b"index", "person", PERSON)) and rows[0][3] is None
    assert 0 <= rows[1][3] - begun - 30 * 86400 * 1_000_000 < 120_000_000
    assert all("10101010101" not in str(r) and "85010112345" not in str(r) for r in rows)
    assert all(r[4].startswith("ehctl uid=") for r in rows)
    assert [(g["tenant"], g["person"]) for g in ready.json("users", "list")["grants"]] == [
        ("st-jean", PERSON), ("st-jean", "ssin:85010112345")]
    assert ready.json("users", "list", "--tenant", "elsewhere") == {"grants": []}

    ready.run("keys", "rotate")  # the index stays, and what was sealed opens
    assert ready.json("users", "list")["grants"][0]["person"] == PERSON
    ready.run("users", "grant", "--tenant", "st-jean", "--person", PERSON, "--days", "1")  # again: replaces
    assert len(ready.json("users", "list")["grants"]) == 2

    ready.run("users", "revoke", "--tenant", "st-jean", "--person", PERSON)
    ready.run("users", "revoke", "--tenant", "st-jean", "--person", PERSON, rc=1)
    assert [g["person"] for g in ready.json("users", "list")["grants"]] == ["ssin:85010112345"]
    log_id = ready.hash(b"logid", "person", PERSON)
    assert [(e, o, s, t) for e, o, s, t, _, _ in ready.audit() if s == log_id] == [
        ("users.granted", "ok", log_id, "st-jean"), ("users.granted", "ok", log_id, "st-jean"),
        ("users.revoked", "ok", log_id, "st-jean")]
    assert len(ready.audit()) == 4
    assert all(re.fullmatch(r"uid=\d+", a[5]) for a in ready.audit())

    # a row moved to another tenant does not open
    ready.sql("UPDATE eh_grant SET tenant = 'other'")
    assert "cannot be opened" in ready.run("users", "list").stdout


def test_grants_refuse_what_would_have_no_effect(ready):
    assert "st-joan" in ready.run("users", "grant", "--tenant", "st-joan", "--person", PERSON, rc=1).stderr
    for bad in ("10101010101", "RPPS:1", "rpps:", ":1", "rpps:1 2", "rpps:\x1b[0m"):
        ready.run("users", "grant", "--tenant", "st-jean", "--person", bad, rc=2)
    for bad in ("0", "-1", "3651", "1x", ""):
        ready.run("users", "grant", "--tenant", "st-jean", "--person", PERSON, "--days=" + bad, rc=2)
    ready.run("users", "grant", "--tenant", "st-jean", rc=2)
    ready.run("users", "grant", "--tenant", "st-jean", "--person", rc=2)
    ready.run("users", "revoke", "--tenant", "st-jean", "--person", PERSON, "--days", "1", rc=2)
    ready.run("users", "list", "--person", PERSON, rc=2)
    ready.run("users", "list", "--nonsense", rc=2)
    ready.run("users", rc=2)
    assert ready.sql("SELECT count(*) FROM eh_grant") == [(0,)] and ready.audit() == []


def test_sessions_are_listed_and_ended(ready):
    ready.session("A", subject="s1")
    ready.session("B", subject="s2", person="rpps:2")
    ready.session("C", subject="s3", person="rpps:3", provider="iam")
    ready.session("D", subject="s4", person="rpps:4", provider="iam")
    ready.session("E", ends_in=-5)
    assert {s["id"].rstrip("_") for s in ready.json("sessions", "list")["sessions"]} == {"A", "B", "C", "D"}
    assert [s["id"] for s in ready.json("sessions", "list", "--person", "rpps:2")["sessions"]] == ["B".ljust(12, "_")]
    assert "B____" in ready.run("sessions", "list", "--provider", "psc").stdout

    assert ready.json("sessions", "revoke", "--person", PERSON) == {"revoked": 1}
    assert ready.ended() == ["A"]
    assert ready.json("sessions", "revoke", "--person", PERSON) == {"revoked": 0}
    assert ready.json("sessions", "revoke", "--issuer", "https://op.example", "--subject", "s2") == {"revoked": 1}
    assert ready.ended() == ["A", "B"]
    assert ready.json("sessions", "revoke", "--issuer", "https://other.example", "--subject", "s3") == {"revoked": 0}
    assert ready.json("sessions", "revoke", "--id", "C".ljust(12, "_")) == {"revoked": 1}
    assert ready.json("sessions", "revoke", "--provider", "psc") == {"revoked": 0}
    assert ready.json("sessions", "revoke", "--all") == {"revoked": 1}
    assert ready.ended() == ["A", "B", "C", "D"]  # not E, which had ended by itself
    assert ready.json("sessions", "list")["sessions"] == []
    assert [(a[0], re.sub(r"uid=\d+", "uid", a[5])) for a in ready.audit()] == [
        ("sessions.revoked", "uid by=person count=1"), ("sessions.revoked", "uid by=subject count=1"),
        ("sessions.revoked", "uid by=id count=1"), ("sessions.revoked", "uid by=all count=1")]
    assert ready.audit()[0][2] == ready.hash(b"logid", "person", PERSON)


def test_sessions_need_one_clear_choice(ready):
    ready.session("A")
    ready.run("sessions", "revoke", rc=2)
    ready.run("sessions", "revoke", "--all", "--provider", "psc", rc=2)
    ready.run("sessions", "revoke", "--subject", "s1", rc=2)
    ready.run("sessions", "revoke", "--id", "A", rc=2)
    ready.run("sessions", "revoke", "--all=yes", rc=2)
    ready.run("sessions", "revoke", "everything", rc=2)
    assert ready.ended() == []


def test_verify_audit(ready):
    assert ready.json("verify-audit")["sound"] is True
    ready.run("users", "grant", "--tenant", "st-jean", "--person", PERSON)
    verdict = ready.json("verify-audit")
    assert (verdict["sound"], verdict["rows"], verdict["unsealed"]) == (True, 0, 1)  # the server seals, later
    assert "0 sealed rows, 1 not sealed yet" in ready.run("verify-audit").stdout
    # a seal that is none
    ready.sql("UPDATE eh_audit SET chain_seq = 1, key_id = 1, seal = 'forged'")
    verdict = ready.json("verify-audit", rc=1)
    assert verdict["sound"] is False and verdict["bad_seq"] == 1 and verdict["reason"] != ""
    assert "BROKEN at row 1" in ready.run("verify-audit", rc=1).stdout
    ready.run("verify-audit", "--fast", rc=2)


@pytest.mark.parametrize("database", [None])
@pytest.mark.parametrize("args", [("migrate",), ("keys", "list"), ("users", "list"), ("sessions", "list"), ("verify-audit",)])
def test_a_server_that_tells_nothing_has_its_own_exit_code(site, args):
    done = subprocess.run([str(proc.build_dir() / "ehctl"), "--httpd", "false", *args], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 3 and "EH1001" in done.stderr and done.stdout == ""


def test_no_root_owned_file_is_left_behind(ready):
    ready.run("users", "grant", "--tenant", "st-jean", "--person", PERSON)
    ready.run("sessions", "list")
    if ready.driver == "sqlite3":
        assert {f.owner() for f in ready.state.iterdir()} == {USER}
