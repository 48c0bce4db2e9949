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
