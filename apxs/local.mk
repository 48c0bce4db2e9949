# apxs

# Guards that hold the sources to the rules of the house, and what the sanitizer runs need.
EH_GUARDS = apxs/check-layering apxs/check-directives apxs/check-tests apxs/check-providers apxs/check-errors \
	apxs/test-guards.sh
TESTS += $(EH_GUARDS)
EXTRA_DIST += $(EH_GUARDS) apxs/guardlib.py apxs/build.sh apxs/build-apr-debug.sh apxs/apr_pool_probe.c
