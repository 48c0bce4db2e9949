# SPDX-License-Identifier: Apache-2.0
"""`make install DESTDIR=…` in Debian's layout, what a2enmod makes of it, and the build with apxs alone."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ehhttpd import Httpd, proc
from ehhttpd.httpd import layout

ETC = Path("/etc/apache2")
debian = pytest.mark.skipif(not (ETC / "mods-available").is_dir(), reason="not Debian's layout: apache2 is not installed")


@pytest.fixture(scope="module")
def dest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dest")
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "LD_PRELOAD")}
    subprocess.run(["make", "-C", proc.build_dir(), "install", f"DESTDIR={folder}"], check=True, env=env,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield folder
    shutil.rmtree(folder)


@debian
def test_files(dest):
    modules = dest / str(layout()[1]).lstrip("/")
    assert sorted(f.name for f in modules.iterdir()) == ["mod_ehealth.so", "mod_ehealth_oidc.so"]
    examples = next(dest.glob("**/doc/*/examples"))
    assert {f.name for f in examples.iterdir()} == {f.name for f in (proc.ROOT / "conf" / "examples").iterdir()}
    etc = dest / "etc/apache2"
    assert (etc / "mods-available/ehealth.load").read_text() == f"LoadModule ehealth_module {layout()[1]}/mod_ehealth.so\n"
    lines = (etc / "conf-available/ehealth.conf").read_text().splitlines()
    assert len(lines) > 50 and all(not line.strip() or line.startswith("#") for line in lines)


@debian
def test_edited_configuration_stays(dest):
    mine = dest / "etc/apache2/conf-available/ehealth.conf"
    mine.write_text("EHealthContact me\n")
    subprocess.run(["make", "-C", proc.build_dir(), "install-data", f"DESTDIR={dest}"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert mine.read_text() == "EHealthContact me\n"
    new = mine.with_suffix(".conf.dist")
    assert "## EHealthContact" in new.read_text()
    new.replace(mine)


@debian
def test_a2enmod_enables_both_in_order(dest, tmp_path):
    confdir = tmp_path / "apache2"
    shutil.copytree(ETC, confdir, symlinks=True)
    for name in ("ehealth", "ehealth_oidc"):
        text = (dest / f"etc/apache2/mods-available/{name}.load").read_text()
        (confdir / "mods-available" / f"{name}.load").write_text(
            text.replace(str(layout()[1]) + "/mod_ehealth", f"{dest}{layout()[1]}/mod_ehealth"))
    shutil.copy(dest / "etc/apache2/conf-available/ehealth.conf", confdir / "conf-available")
    env = {**os.environ, "APACHE_CONFDIR": str(confdir), "APACHE_ENVVARS": str(confdir / "envvars"),
           "APACHE_STATE_DIRECTORY": str(tmp_path)}
    for tool in (["a2enmod", "ehealth_oidc"], ["a2enconf", "ehealth"]):
        done = subprocess.run(tool, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    enabled = sorted(f.name for f in (confdir / "mods-enabled").iterdir())
    assert enabled.index("ehealth.load") < enabled.index("ehealth_oidc.load")
    shell = f". {confdir}/envvars; export APACHE_LOCK_DIR={tmp_path}; exec {layout()[0]} -d {confdir} -f apache2.conf -M"
    done = subprocess.run(["sh", "-c", shell], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and "ehealth_module" in done.stdout and "ehealth_oidc_module" in done.stdout, done.stderr


def test_apxs_alone_builds_modules_that_load(tmp_path):
    """For those who have apxs and a compiler, but no autotools: the same modules, the same directives."""
    subprocess.run(["sh", proc.ROOT / "apxs" / "build.sh", tmp_path], check=True, stdout=subprocess.DEVNULL)
    loads = "".join(f"LoadModule {name}_module {tmp_path}/mod_{name}.so\n" for name in ("ehealth", "ehealth_oidc"))
    server = Httpd("", ehealth=())
    try:
        code, said = server.configtest(
            f"{loads}EHealthStateDir {server.state}\n<EHealthProvider staff>\nEHealthPreset oidc\n"
            "EHealthIssuer https://login.hospital.example\nEHealthClientID x\nEHealthClientSecret s\n</EHealthProvider>\n")
        assert code == 0 and "Syntax OK" in said, said
        wrong = server.configtest(loads + "EHealthNoSuchThing on\n")
        assert wrong[0] != 0 and "EHealthNoSuchThing" in wrong[1]
    finally:
        server.folder.remove()
