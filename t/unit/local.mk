# t/unit: libcheck programs, one an area, and jose_tool for the tests that hold our JOSE against others.
# A program of its own: <name>_SOURCES, <name>_CFLAGS = $(EH_TEST_CFLAGS), <name>_LDADD = $(EH_TEST_LIBS), in TESTS.
AM_TESTS_ENVIRONMENT = EH_TESTDATA='$(abs_top_srcdir)/t/data'; EH_BUILDDIR='$(abs_top_builddir)'; EH_SRCDIR='$(abs_top_srcdir)'; export EH_TESTDATA EH_BUILDDIR EH_SRCDIR;
EH_TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
EH_CORE_LIBS = libehcore.la $(JANSSON_LIBS) $(OPENSSL_LIBS) $(APR_LIBS)
EH_TEST_LIBS = $(EH_CORE_LIBS) $(CHECK_LIBS)

EXTRA_DIST += t/unit/eh_test.h t/data/jose/rfc.json t/data/jose/attacks.json t/data/jose/make_attacks.py t/http/test_jose_interop.py \
	t/http/jose_interop.mjs

check_LTLIBRARIES =
noinst_PROGRAMS += t/unit/jose_tool
t_unit_jose_tool_SOURCES = t/unit/jose_tool.c
t_unit_jose_tool_LDADD = $(EH_CORE_LIBS)

if HAVE_CHECK
EH_CORE_TESTS = t/unit/test_codec t/unit/test_json t/unit/test_crypto t/unit/test_keyring t/unit/test_seal t/unit/test_jose
check_PROGRAMS += $(EH_CORE_TESTS)
TESTS += $(EH_CORE_TESTS)
t_unit_test_codec_SOURCES = t/unit/test_codec.c
t_unit_test_codec_CFLAGS = $(EH_TEST_CFLAGS)
t_unit_test_codec_LDADD = $(EH_TEST_LIBS)
t_unit_test_json_SOURCES = t/unit/test_json.c
t_unit_test_json_CFLAGS = $(EH_TEST_CFLAGS)
t_unit_test_json_LDADD = $(EH_TEST_LIBS)
t_unit_test_crypto_SOURCES = t/unit/test_crypto.c
t_unit_test_crypto_CFLAGS = $(EH_TEST_CFLAGS)
t_unit_test_crypto_LDADD = $(EH_TEST_LIBS) -lpthread -ldl
t_unit_test_crypto_DEPENDENCIES = libehcore.la t/unit/crypto_probe.la
check_LTLIBRARIES += t/unit/crypto_probe.la
t_unit_crypto_probe_la_SOURCES = t/unit/crypto_probe.c
t_unit_crypto_probe_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
t_unit_crypto_probe_la_LIBADD = $(EH_CORE_LIBS)
t_unit_test_keyring_SOURCES = t/unit/test_keyring.c
t_unit_test_keyring_CFLAGS = $(EH_TEST_CFLAGS)
t_unit_test_keyring_LDADD = $(EH_TEST_LIBS)
t_unit_test_seal_SOURCES = t/unit/test_seal.c
t_unit_test_seal_CFLAGS = $(EH_TEST_CFLAGS)
t_unit_test_seal_LDADD = $(EH_TEST_LIBS)
t_unit_test_jose_SOURCES = t/unit/test_jose.c
t_unit_test_jose_CFLAGS = $(EH_TEST_CFLAGS)
t_unit_test_jose_LDADD = $(EH_TEST_LIBS)
endif

if HAVE_CHECK
check_PROGRAMS += t/unit/test_http
TESTS += t/unit/test_http
endif
t_unit_test_http_SOURCES = t/unit/test_http.c $(EH_IO_PROVIDERS)
t_unit_test_http_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
t_unit_test_http_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(CURL_CFLAGS)
t_unit_test_http_LDADD = libehio.la libehcore.la $(CHECK_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(APR_LIBS) -ldl
EXTRA_DIST += t/unit/http_peer.py

if HAVE_CHECK
check_PROGRAMS += t/unit/test_err
TESTS += t/unit/test_err
endif
t_unit_test_err_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_err_LDADD = libehcore.la $(APR_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += t/unit/test_router
TESTS += t/unit/test_router
endif
t_unit_test_router_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_router_LDADD = libehcore.la $(APR_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += t/unit/test_req
TESTS += t/unit/test_req
endif
t_unit_test_req_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_req_LDADD = libehcore.la $(APR_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += t/unit/test_metrics
TESTS += t/unit/test_metrics
endif
t_unit_test_metrics_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_metrics_LDADD = libehcore.la $(APR_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += t/unit/test_rate
TESTS += t/unit/test_rate
endif
t_unit_test_rate_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_rate_LDADD = libehcore.la $(APR_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += t/unit/test_audit
TESTS += t/unit/test_audit
endif
t_unit_test_audit_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_audit_LDADD = libehcore.la $(APR_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += t/unit/test_page
TESTS += t/unit/test_page
endif
t_unit_test_page_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(XML_CFLAGS)
t_unit_test_page_LDADD = libehcore.la $(APR_LIBS) $(CHECK_LIBS) $(XML_LIBS)

if HAVE_CHECK
check_PROGRAMS += t/unit/test_hot
TESTS += t/unit/test_hot
endif
t_unit_test_hot_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
t_unit_test_hot_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_hot_LDADD = libehhot.la libehcore.la $(APR_LIBS) $(CHECK_LIBS) -lpthread

if HAVE_CHECK
check_PROGRAMS += t/unit/test_keys
TESTS += t/unit/test_keys
endif
t_unit_test_keys_SOURCES = t/unit/test_keys.c $(EH_IO_PROVIDERS)
t_unit_test_keys_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_keys_LDADD = libehio.la libehcore.la $(CHECK_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(APR_LIBS)

# Database: one body, two databases.
if HAVE_CHECK
check_PROGRAMS += t/unit/test_db_sqlite t/unit/test_db_pgsql
TESTS += t/unit/test_db_sqlite t/unit/test_db_pgsql
endif
t_unit_test_db_sqlite_SOURCES = t/unit/test_db_sqlite.c t/unit/db_contract.h
t_unit_test_db_sqlite_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)
t_unit_test_db_sqlite_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(SQLITE_CFLAGS)
t_unit_test_db_sqlite_LDADD = libehio.la libehcore.la $(CHECK_LIBS) $(SQLITE_LIBS) $(APR_LIBS)
t_unit_test_db_pgsql_SOURCES = t/unit/test_db_pgsql.c t/unit/db_contract.h
t_unit_test_db_pgsql_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)
t_unit_test_db_pgsql_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(PQ_CFLAGS)
t_unit_test_db_pgsql_LDADD = libehio.la libehcore.la $(CHECK_LIBS) $(PQ_LIBS) $(APR_LIBS)
EXTRA_DIST += t/unit/db_contract.c t/unit/pg.sh

if HAVE_CHECK
check_PROGRAMS += t/unit/test_audit_chain
TESTS += t/unit/test_audit_chain
endif
t_unit_test_audit_chain_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)
t_unit_test_audit_chain_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
t_unit_test_audit_chain_LDADD = libehio.la libehcore.la $(CHECK_LIBS) $(APR_LIBS)
