# t/unit, the log-in. The presets register through a linker section: these programs take the objects themselves, not an
# archive, which would drop them.
OIDC_TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
OIDC_TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
OIDC_TEST_LDADD = $(libehoidc_la_OBJECTS) libehcore.la $(CHECK_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(APR_LIBS)
EXTRA_DIST += t/unit/oidc_test.h

OIDC_TESTS = \
	t/unit/test_idp \
	t/unit/test_oidc_state \
	t/unit/test_oidc_token \
	t/unit/test_oidc_metadata \
	t/unit/test_oidc_callback \
	t/unit/test_oidc_template
if HAVE_CHECK
check_PROGRAMS += $(OIDC_TESTS)
TESTS += $(OIDC_TESTS)
endif
t_unit_test_idp_CPPFLAGS = $(OIDC_TEST_CPPFLAGS)
t_unit_test_idp_CFLAGS = $(OIDC_TEST_CFLAGS)
t_unit_test_idp_LDADD = $(OIDC_TEST_LDADD)
t_unit_test_oidc_state_CPPFLAGS = $(OIDC_TEST_CPPFLAGS)
t_unit_test_oidc_state_CFLAGS = $(OIDC_TEST_CFLAGS)
t_unit_test_oidc_state_LDADD = $(OIDC_TEST_LDADD)
t_unit_test_oidc_token_CPPFLAGS = $(OIDC_TEST_CPPFLAGS)
t_unit_test_oidc_token_CFLAGS = $(OIDC_TEST_CFLAGS)
t_unit_test_oidc_token_LDADD = $(OIDC_TEST_LDADD)
t_unit_test_oidc_metadata_CPPFLAGS = $(OIDC_TEST_CPPFLAGS)
t_unit_test_oidc_metadata_CFLAGS = $(OIDC_TEST_CFLAGS)
t_unit_test_oidc_metadata_LDADD = $(OIDC_TEST_LDADD)
t_unit_test_oidc_callback_CPPFLAGS = $(OIDC_TEST_CPPFLAGS)
t_unit_test_oidc_callback_CFLAGS = $(OIDC_TEST_CFLAGS)
t_unit_test_oidc_callback_LDADD = $(OIDC_TEST_LDADD)
t_unit_test_oidc_template_CPPFLAGS = $(OIDC_TEST_CPPFLAGS)
t_unit_test_oidc_template_CFLAGS = $(OIDC_TEST_CFLAGS)
t_unit_test_oidc_template_LDADD = $(OIDC_TEST_LDADD)

if HAVE_CHECK
check_PROGRAMS += t/unit/test_oidc_session
TESTS += t/unit/test_oidc_session
endif
t_unit_test_oidc_session_CPPFLAGS = $(OIDC_TEST_CPPFLAGS)
t_unit_test_oidc_session_CFLAGS = $(OIDC_TEST_CFLAGS)
t_unit_test_oidc_session_LDADD = $(libehoidc_la_OBJECTS) libehio.la libehcore.la $(CHECK_LIBS) $(JANSSON_LIBS) \
	$(OPENSSL_LIBS) $(APR_LIBS)
