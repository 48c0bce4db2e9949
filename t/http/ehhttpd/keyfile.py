# SPDX-License-Identifier: Apache-2.0
"""Writes a server key file in the format of include/ehealth/keyring.h, independently of `ehctl keys`."""
import base64
import datetime
import os
import shutil
from pathlib import Path

from .proc import is_root


def write_keys(path, ids=(1,), group="www-data"):
    """One fresh key for each id, the first is current. Readable by the run user's group only."""
    path = Path(path)
    today = datetime.date.today().isoformat()
    lines = []
    for key_id in ids:
        secret = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
        lines.append(f"{key_id} {secret} created={today}\n")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    with os.fdopen(fd, "w") as out:
        out.writelines(lines)
    if is_root():
        shutil.chown(path, "root", group)
    return path
