# t
EXTRA_DIST += t/http/test_ehctl_check.py
EXTRA_DIST += t/http/test_base.py t/http/test_base_config.py t/http/test_base_install.py t/http/test_base_routes.py
EXTRA_DIST += t/http/test_db_outage.py

# The whole of what the tests are, so that the tarball can be checked like the tree.
EXTRA_DIST += t/ACCEPTANCE.tsv t/acceptance.py t/package.json t/package-lock.json t/http t/browser t/bench t/bare t/demo t/torture.py
dist-hook:
	find '$(distdir)' -name __pycache__ -prune -exec rm -rf {} +
