# t/unit

if HAVE_CHECK
check_PROGRAMS += test_http
TESTS += test_http
endif
test_http_SOURCES = t/unit/test_http.c $(EH_IO_PROVIDERS)
test_http_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
test_http_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(CURL_CFLAGS)
test_http_LDADD = libehio.la libehcore.la $(CHECK_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(APR_LIBS) -ldl
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
