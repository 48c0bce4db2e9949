# t/unit

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
