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
