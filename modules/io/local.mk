# libehio: I/O behind the contracts, no httpd. One set per process: linked into mod_ehealth.so, ehctl and the tests.
noinst_LTLIBRARIES += libehio.la
libehio_la_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(PQ_CFLAGS) $(SQLITE_CFLAGS) -fPIC
libehio_la_SOURCES =
libehio_la_LIBADD =

# Providers register through a linker section. A .so takes the whole of libehio.la; a program takes from an archive only
# what it names, so programs list this variable among their own sources.
EH_IO_PROVIDERS = modules/io/keys_file.c

libehio_la_SOURCES += modules/io/keys.c $(EH_IO_PROVIDERS)
libehio_la_SOURCES += modules/io/http_curl.c modules/io/http_slots.c modules/io/http_tls.c modules/io/http_breaker.c \
	modules/io/http_int.h
libehio_la_LIBADD += $(CURL_LIBS) $(OPENSSL_LIBS)

pkginclude_HEADERS += include/ehealth/http_pool.h include/ehealth/keys.h

pkginclude_HEADERS += include/ehealth/db_pool.h include/ehealth/lease.h
