# mod_ehealth.so: the base module. It alone links the I/O floor: one database and one outbound pool per process.
module_LTLIBRARIES += mod_ehealth.la
mod_ehealth_la_CPPFLAGS = $(AM_CPPFLAGS) $(HTTPD_CFLAGS)
mod_ehealth_la_LDFLAGS = $(MODULE_LDFLAGS)
mod_ehealth_la_SOURCES = \
	modules/ehealth/mod_ehealth.c modules/ehealth/mod_ehealth.h \
	modules/ehealth/mod_ehealth_check.c \
	modules/ehealth/mod_ehealth_config.c modules/ehealth/mod_ehealth_config.h \
	modules/ehealth/mod_ehealth_dump.c \
	modules/ehealth/mod_ehealth_error.c \
	modules/ehealth/mod_ehealth_io.c \
	modules/ehealth/mod_ehealth_jobs.c \
	modules/ehealth/mod_ehealth_limit.c \
	modules/ehealth/mod_ehealth_log.c \
	modules/ehealth/mod_ehealth_request.c \
	modules/ehealth/mod_ehealth_route.c \
	modules/ehealth/mod_ehealth_runner.c \
	modules/ehealth/mod_ehealth_shm.c \
	modules/ehealth/mod_ehealth_status.c
mod_ehealth_la_LIBADD = libehio.la libehcore.la $(CURL_LIBS) $(PQ_LIBS) $(SQLITE_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)

# For t/http alone (in a folder of its own: t/http goes into the tarball whole): a module on top of the base. -rpath makes libtool build a .so of what is never installed.
noinst_LTLIBRARIES += mod_ehprobe.la
mod_ehprobe_la_CPPFLAGS = $(AM_CPPFLAGS) $(HTTPD_CFLAGS)
mod_ehprobe_la_LDFLAGS = $(MODULE_LDFLAGS) -rpath /nonexistent
mod_ehprobe_la_SOURCES = t/probe/mod_ehprobe.c
mod_ehprobe_la_LIBADD = libehcore.la $(JANSSON_LIBS) $(OPENSSL_LIBS)
