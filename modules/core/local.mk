# libehcore: pure logic, linked statically into every module and program.
noinst_LTLIBRARIES += libehcore.la
libehcore_la_CFLAGS = $(AM_CFLAGS) -fPIC
libehcore_la_SOURCES = \
	modules/core/audit.c \
	modules/core/audit_chain.c \
	modules/core/codec.c \
	modules/core/crypto.c \
	modules/core/err.c \
	modules/core/form.c \
	modules/core/jose_private.h \
	modules/core/json.c \
	modules/core/jwk.c \
	modules/core/jwk_ed25519.c \
	modules/core/jwk_json.c \
	modules/core/jwk_pem.c \
	modules/core/jws.c \
	modules/core/keyring.c \
	modules/core/lang.c \
	modules/core/log.c \
	modules/core/metrics.c \
	modules/core/page.c modules/core/page_words.def \
	modules/core/principal.c \
	modules/core/rate.c \
	modules/core/req.c \
	modules/core/router.c \
	modules/core/seal.c \
	modules/core/text.c modules/core/text.h \
	modules/core/time.c
libehcore_la_LIBADD = $(JANSSON_LIBS) $(OPENSSL_LIBS)

pkginclude_HEADERS += \
	include/ehealth/audit.h include/ehealth/base.h include/ehealth/codec.h include/ehealth/crypto.h \
	include/ehealth/ctx.h include/ehealth/db.h include/ehealth/err.h include/ehealth/err_codes.def \
	include/ehealth/http.h include/ehealth/idp.h include/ehealth/jose.h include/ehealth/json.h \
	include/ehealth/keyring.h include/ehealth/log.h include/ehealth/metrics.h include/ehealth/page.h include/ehealth/principal.h \
	include/ehealth/provider.h include/ehealth/rate.h include/ehealth/req.h include/ehealth/seal.h include/ehealth/tenant.h
