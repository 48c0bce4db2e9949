# SPDX-License-Identifier: Apache-2.0
"""A private httpd with real peers around it: what the tests in t/http, the demo and the benches start.

Everything listens on 127.0.0.1, on ports chosen at run time, and dies with the process that started it.
"""
from .ca import CA
from .client import Browser, Response
from .httpd import Httpd, LogError
from .keyfile import write_keys
from .op import Op
from .pg import Postgres
from .portal import Portal

__all__ = ["Browser", "CA", "Httpd", "LogError", "Op", "Portal", "Postgres", "Response", "write_keys"]
