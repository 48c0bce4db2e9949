# t/unit, the log-in. The presets register through a linker section: these programs take the objects themselves, not an
# archive, which would drop them.
OIDC_TEST_LDADD = $(libehoidc_la_OBJECTS) libehcore.la $(CHECK_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(APR_LIBS)

if HAVE_CHECK
check_PROGRAMS += t/unit/test_idp
TESTS += t/unit/test_idp
endif
t_unit_test_idp_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
t_unit_test_idp_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_idp_LDADD = $(OIDC_TEST_LDADD)
