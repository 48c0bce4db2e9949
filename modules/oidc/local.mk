# modules/oidc

# The protocol and the presets: no httpd. A module links libehoidc.la (libtool takes a convenience library whole); a program
# must list $(libehoidc_la_OBJECTS) in its LDADD instead, because a plain archive drops the EH_PROVIDER objects.
OIDC_IDP_SOURCES = \
	modules/oidc/idp_iamconnect.c modules/oidc/idp_oidc.c modules/oidc/idp_prosanteconnect.c
OIDC_FEATURE_SOURCES = $(OIDC_IDP_SOURCES) \
	modules/oidc/oidc.h modules/oidc/oidc_cache.h modules/oidc/oidc_claims.h modules/oidc/oidc_principal.h \
	modules/oidc/oidc_store.h modules/oidc/oidc_userinfo.h \
	modules/oidc/oidc_authorize.c modules/oidc/oidc_cache.c modules/oidc/oidc_callback.c modules/oidc/oidc_claims.c \
	modules/oidc/oidc_client.c modules/oidc/oidc_logout.c modules/oidc/oidc_metadata.c modules/oidc/oidc_principal.c \
	modules/oidc/oidc_provider.c modules/oidc/oidc_session.c modules/oidc/oidc_state.c modules/oidc/oidc_store.c \
	modules/oidc/oidc_template.c modules/oidc/oidc_token.c modules/oidc/oidc_userinfo.c
noinst_LTLIBRARIES += libehoidc.la
libehoidc_la_CFLAGS = $(AM_CFLAGS) -fPIC
libehoidc_la_SOURCES = $(OIDC_FEATURE_SOURCES)

# The hot path: sessions in memory, header hygiene; no httpd either.
noinst_LTLIBRARIES += libehhot.la
libehhot_la_CFLAGS = $(AM_CFLAGS) -fPIC
libehhot_la_SOURCES = \
	modules/oidc/hot_cache.c modules/oidc/hot_cache.h modules/oidc/hot_cookie.c modules/oidc/hot_cookie.h \
	modules/oidc/hot_names.c modules/oidc/hot_names.h modules/oidc/hot_slots.c modules/oidc/hot_slots.h

# mod_ehealth_oidc.so: httpd's side.
module_LTLIBRARIES += mod_ehealth_oidc.la
mod_ehealth_oidc_la_CPPFLAGS = $(AM_CPPFLAGS) $(HTTPD_CFLAGS)
mod_ehealth_oidc_la_LDFLAGS = $(MODULE_LDFLAGS)
mod_ehealth_oidc_la_SOURCES = \
	modules/oidc/mod_ehealth_oidc.c modules/oidc/mod_ehealth_oidc.h \
	modules/oidc/mod_ehealth_oidc_authn.c \
	modules/oidc/mod_ehealth_oidc_authz.c \
	modules/oidc/mod_ehealth_oidc_cache.c \
	modules/oidc/mod_ehealth_oidc_check.c \
	modules/oidc/mod_ehealth_oidc_config.c \
	modules/oidc/mod_ehealth_oidc_metrics.c \
	modules/oidc/mod_ehealth_oidc_provider.c modules/oidc/mod_ehealth_oidc_provider.h \
	modules/oidc/mod_ehealth_oidc_routes.c \
	modules/oidc/mod_ehealth_oidc_scrub.c
mod_ehealth_oidc_la_LIBADD = libehhot.la libehoidc.la libehcore.la $(JANSSON_LIBS) $(OPENSSL_LIBS)
