# t
EXTRA_DIST += t/http/test_ehctl_check.py
EXTRA_DIST += t/http/test_base.py t/http/test_base_config.py t/http/test_base_install.py t/http/test_base_routes.py
EXTRA_DIST += t/http/test_db_outage.py

# The whole of what the tests are, so that the tarball can be checked like the tree.
EXTRA_DIST += t/ACCEPTANCE.tsv t/acceptance.py t/package.json t/package-lock.json t/http t/browser t/bench t/bare t/demo t/results t/soak.py t/torture.py
# A folder is packed from the source and from the build tree: what was built there does not belong in it.
dist-hook:
	find '$(distdir)' \( -name __pycache__ -o -name .pytest_cache -o -name .libs -o -name .deps \) -prune -exec rm -rf {} +
	find '$(distdir)' \( -name '*.o' -o -name '*.lo' -o -name '*.trs' -o -name .dirstamp -o -path '*/t/*.log' \) -exec rm -f {} +
	find '$(distdir)/t' -type f -exec sh -c 'head -c 4 "$$1" | grep -q ELF' sh {} \; -exec rm -f {} \;
