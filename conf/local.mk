# conf
EXTRA_DIST += conf/errors.md
