# t
EXTRA_DIST += t/http/test_ehctl_check.py
