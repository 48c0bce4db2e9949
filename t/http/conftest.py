# SPDX-License-Identifier: Apache-2.0
"""Fixtures for tests against a real httpd. The error log of every live server is part of each test."""
import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ehhttpd import CA, Httpd, Portal, Postgres  # noqa: E402
from ehhttpd import proc  # noqa: E402


def pytest_configure():
    # ./setup ends a run with SIGTERM: as an exception, so that fixtures stop what they started
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by SIGTERM", 143))


@pytest.fixture(autouse=True)
def _error_log_is_part_of_the_test():
    """A test fails when a server that lived during it wrote a warning or worse which the test did not announce."""
    yield
    for server in list(Httpd.live):
        server.check_log()


@pytest.fixture(scope="session")
def ca():
    """A certificate authority for this run."""
    folder = proc.Folder(prefix="eh-ca-")
    yield CA(folder.path)
    folder.remove()


@pytest.fixture(scope="session")
def postgres():
    """One PostgreSQL for the run; each test takes a database of its own (create_database)."""
    server = Postgres().start()
    yield server
    server.close()


@pytest.fixture
def portal():
    """A legacy portal that records what it is asked."""
    app = Portal()
    yield app
    app.close()


@pytest.fixture
def httpd(ca):
    """A factory: httpd(conf, …) starts a server that is stopped, and its log checked, at the test's end."""
    servers = []

    def make(conf="", **kw):
        kw.setdefault("ca", ca)
        server = Httpd(conf, **kw)
        servers.append(server)
        return server.start()

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(params=["sqlite3", "pgsql"])
def database(request):
    """(driver, params) for Httpd(database=…): None means the embedded default."""
    if request.param == "sqlite3":
        return None
    server = request.getfixturevalue("postgres")
    return "pgsql", server.params(server.create_database())


def pytest_collection_modifyitems(items):
    only = os.environ.get("EH_MPM")
    if only:
        items[:] = [i for i in items if only in i.nodeid or "mpm" not in i.nodeid]
