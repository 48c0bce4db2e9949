# SPDX-License-Identifier: Apache-2.0
"""What README.md tells people to write passes configtest as it stands."""
import re
import shutil

import pytest

from ehhttpd import Httpd, proc, write_keys

TEXT = (proc.ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```apache\n(.*?)^```$", TEXT, re.M | re.S)
PROVIDERS = [b for b in BLOCKS if "<EHealthProvider" in b]
PORTALS = [b for b in BLOCKS if "<Location" in b]


@pytest.fixture
def server(ca):
    server = Httpd(ca=ca)
    write_keys(server.dir / "conf" / "keys")
    for name in ("psc.secret", "staff.secret"):
        path = server.dir / "conf" / name
        path.write_text("secret\n")
        path.chmod(0o640)
        if server.user:
            shutil.chown(path, "root", server.user)
    yield server
    server.folder.remove()


def configtest(server, text):
    code, said = server.configtest(text.replace("/etc/ehealth/", f"{server.dir}/conf/"))
    assert code == 0, said


def test_there_is_what_is_promised():
    assert len(PROVIDERS) == 3 and len(PORTALS) == 1
    for block in PROVIDERS:
        assert len([line for line in block.splitlines() if line.strip() and not line.startswith("#")]) <= 10


@pytest.mark.parametrize("block", PROVIDERS, ids=lambda b: re.search(r"EHealthPreset +(\w+)", b)[1])
def test_provider_block(server, block):
    configtest(server, block)


def test_portal_block(server):
    configtest(server, PROVIDERS[0] + PORTALS[0])


def test_a_wrong_word_is_told(server):
    code, said = server.configtest(PROVIDERS[0].replace("/etc/ehealth/", f"{server.dir}/conf/")
                                   .replace("prosanteconnect", "prosanteconect"))
    assert code != 0 and "prosanteconnect" in said


def test_readme_link():
    assert (proc.ROOT / "README").resolve() == proc.ROOT / "README.md"
