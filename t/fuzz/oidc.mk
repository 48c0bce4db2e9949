# t/fuzz, the log-in: objects, not the archive (see modules/oidc/local.mk). Seeds are kept by hand in corpus/.
OIDC_FUZZ_TARGETS = \
	t/fuzz/fuzz_idp_psc \
	t/fuzz/fuzz_idp_iam \
	t/fuzz/fuzz_id_token \
	t/fuzz/fuzz_metadata \
	t/fuzz/fuzz_state \
	t/fuzz/fuzz_template \
	t/fuzz/fuzz_callback_query
EXTRA_DIST += t/fuzz/oidc_fuzz.h t/fuzz/idp_psc.dict t/fuzz/idp_iam.dict t/fuzz/id_token.dict
OIDC_FUZZ_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
OIDC_FUZZ_LDADD = $(libehoidc_la_OBJECTS) $(EH_CORE_LIBS)
if EH_FUZZ
noinst_PROGRAMS += $(OIDC_FUZZ_TARGETS)
else
check_PROGRAMS += $(OIDC_FUZZ_TARGETS)
TESTS += $(OIDC_FUZZ_TARGETS)
endif

t_fuzz_fuzz_idp_psc_SOURCES = t/fuzz/fuzz_idp_psc.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_idp_psc_CPPFLAGS = $(OIDC_FUZZ_CPPFLAGS)
t_fuzz_fuzz_idp_psc_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_idp_psc_LDADD = $(OIDC_FUZZ_LDADD)
t_fuzz_fuzz_idp_iam_SOURCES = t/fuzz/fuzz_idp_iam.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_idp_iam_CPPFLAGS = $(OIDC_FUZZ_CPPFLAGS)
t_fuzz_fuzz_idp_iam_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_idp_iam_LDADD = $(OIDC_FUZZ_LDADD)
t_fuzz_fuzz_id_token_SOURCES = t/fuzz/fuzz_id_token.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_id_token_CPPFLAGS = $(OIDC_FUZZ_CPPFLAGS)
t_fuzz_fuzz_id_token_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_id_token_LDADD = $(OIDC_FUZZ_LDADD)
t_fuzz_fuzz_metadata_SOURCES = t/fuzz/fuzz_metadata.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_metadata_CPPFLAGS = $(OIDC_FUZZ_CPPFLAGS)
t_fuzz_fuzz_metadata_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_metadata_LDADD = $(OIDC_FUZZ_LDADD)
t_fuzz_fuzz_state_SOURCES = t/fuzz/fuzz_state.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_state_CPPFLAGS = $(OIDC_FUZZ_CPPFLAGS)
t_fuzz_fuzz_state_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_state_LDADD = $(OIDC_FUZZ_LDADD)
t_fuzz_fuzz_template_SOURCES = t/fuzz/fuzz_template.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_template_CPPFLAGS = $(OIDC_FUZZ_CPPFLAGS)
t_fuzz_fuzz_template_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_template_LDADD = $(OIDC_FUZZ_LDADD)
t_fuzz_fuzz_callback_query_SOURCES = t/fuzz/fuzz_callback_query.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_callback_query_CPPFLAGS = $(OIDC_FUZZ_CPPFLAGS)
t_fuzz_fuzz_callback_query_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_callback_query_LDADD = $(OIDC_FUZZ_LDADD)
