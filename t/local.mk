# t
EXTRA_DIST += t/http/test_ehctl_check.py
EXTRA_DIST += t/http/test_base.py t/http/test_base_config.py t/http/test_base_install.py t/http/test_base_routes.py
EXTRA_DIST += t/http/test_db_outage.py
