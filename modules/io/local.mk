# libehio: I/O behind the contracts, no httpd. One set per process: linked into mod_ehealth.so, ehctl and the tests.
noinst_LTLIBRARIES += libehio.la
libehio_la_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(PQ_CFLAGS) $(SQLITE_CFLAGS) -fPIC
libehio_la_SOURCES =
libehio_la_LIBADD =

# Providers register through a linker section. A .so takes the whole of libehio.la; a program takes from an archive only
# what it names, so programs list this variable among their own sources.
EH_IO_PROVIDERS = modules/io/keys_file.c

libehio_la_SOURCES += modules/io/keys.c $(EH_IO_PROVIDERS)
libehio_la_SOURCES += modules/io/http_curl.c modules/io/http_request.c modules/io/http_answer.c \
	modules/io/http_slots.c modules/io/http_tls.c modules/io/http_breaker.c modules/io/http_int.h
libehio_la_LIBADD += $(CURL_LIBS) $(OPENSSL_LIBS)

pkginclude_HEADERS += include/ehealth/http_pool.h include/ehealth/keys.h

# Database.
pkginclude_HEADERS += include/ehealth/db_pool.h include/ehealth/lease.h
libehio_la_SOURCES += \
	modules/io/db_breaker.c modules/io/db_internal.h modules/io/db_lease.c modules/io/db_migrate.c \
	modules/io/db_mutex.c modules/io/db_mutex.h modules/io/db_pgsql.c modules/io/db_pool.c modules/io/db_sql.h \
	modules/io/db_sqlite.c modules/io/db_tx.c modules/io/db_watch.c modules/io/db_watch.h
nodist_libehio_la_SOURCES = modules/io/db_sql.c
libehio_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)
libehio_la_LIBADD += $(PQ_LIBS) $(SQLITE_LIBS) $(OPENSSL_LIBS) $(APR_LIBS) -lpthread

# The migrations, in both dialects; also installed, for those who apply them by hand.
EH_SQL_SQLITE = conf/sql/sqlite/001_base.sql
EH_SQL_PGSQL = conf/sql/pgsql/001_base.sql
sqlitesqldir = $(datadir)/ehealth/sql/sqlite
dist_sqlitesql_DATA = $(EH_SQL_SQLITE)
pgsqlsqldir = $(datadir)/ehealth/sql/pgsql
dist_pgsqlsql_DATA = $(EH_SQL_PGSQL)
EXTRA_DIST += apxs/sql-embed.sh
CLEANFILES += modules/io/db_sql.c
modules/io/db_sql.c: apxs/sql-embed.sh $(EH_SQL_SQLITE) $(EH_SQL_PGSQL)
	@$(MKDIR_P) modules/io
	$(AM_V_GEN)cd $(srcdir) && sh apxs/sql-embed.sh $(EH_SQL_SQLITE) $(EH_SQL_PGSQL) > $(abs_builddir)/$@.tmp
	@mv $@.tmp $@
