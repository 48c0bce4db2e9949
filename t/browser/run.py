# SPDX-License-Identifier: Apache-2.0
"""run.py RESULTS.tap SCREENSHOTS: starts the demonstration's world, drives it in Chromium, leaves TAP and pictures."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))

from world import World, proc  # noqa: E402

from ehhttpd import Portal  # noqa: E402
from ehhttpd.op import node  # noqa: E402

TIMEOUT = 300


def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    sys.exit("browser tests: chromium is missing: apt-get install chromium")


def main(results, pictures):
    results, pictures = Path(results), Path(pictures)
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    home = proc.Folder(prefix="eh-chromium-")
    portal = Portal()
    try:
        with World(portal.url) as world:
            env = {**os.environ, "EH_URL": world.url, "EH_CHROMIUM": chromium(), "EH_SCREENSHOTS": str(pictures),
                   "EH_NODE_MODULES": str(proc.WORK / "npm" / "node_modules"), "HOME": str(home.path),
                   "XDG_CONFIG_HOME": str(home.path), "XDG_CACHE_HOME": str(home.path)}
            env.pop("NODE_OPTIONS", None)
            done = subprocess.run([str(node()), str(Path(__file__).with_name("demo.mjs"))], env=env, timeout=TIMEOUT,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            results.parent.mkdir(parents=True, exist_ok=True)
            results.write_text(done.stdout)
            sys.stdout.write(done.stdout)
            code = done.returncode
    finally:
        portal.close()
        home.remove()
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
