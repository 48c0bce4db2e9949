# t/fuzz: one program a parser of outside bytes. With --enable-fuzz (clang) libFuzzer drives it (t/fuzz/run.sh); without,
# t/fuzz/standalone.c replays the corpus in make check. A new target: its name in EH_FUZZ_TARGETS, three lines, a corpus.
EH_FUZZ_TARGETS = \
	t/fuzz/fuzz_http_answer \
	t/fuzz/fuzz_http_url \
	t/fuzz/fuzz_b64url \
	t/fuzz/fuzz_form \
	t/fuzz/fuzz_json_path \
	t/fuzz/fuzz_keyring \
	t/fuzz/fuzz_seal \
	t/fuzz/fuzz_jwk \
	t/fuzz/fuzz_jws \
	t/fuzz/fuzz_router \
	t/fuzz/fuzz_cookie \
	t/fuzz/fuzz_accept_lang \
	t/fuzz/fuzz_audit_json

EXTRA_DIST += t/fuzz/corpus t/fuzz/run.sh t/fuzz/make_corpus.py
if EH_FUZZ
noinst_PROGRAMS += $(EH_FUZZ_TARGETS)
EH_FUZZ_MAIN = t/fuzz/eh_fuzz.h
EH_FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
EH_FUZZ_MAIN = t/fuzz/eh_fuzz.h t/fuzz/standalone.c
EH_FUZZ_LINK = $(AM_LDFLAGS)
AM_TESTS_ENVIRONMENT += EH_FUZZ_CORPUS='$(abs_top_srcdir)/t/fuzz/corpus'; export EH_FUZZ_CORPUS;
check_PROGRAMS += $(EH_FUZZ_TARGETS)
TESTS += $(EH_FUZZ_TARGETS)
endif

t_fuzz_fuzz_b64url_SOURCES = t/fuzz/fuzz_b64url.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_b64url_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_b64url_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_form_SOURCES = t/fuzz/fuzz_form.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_form_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_form_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_json_path_SOURCES = t/fuzz/fuzz_json_path.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_json_path_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_json_path_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_keyring_SOURCES = t/fuzz/fuzz_keyring.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_keyring_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_keyring_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_seal_SOURCES = t/fuzz/fuzz_seal.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_seal_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_seal_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_jwk_SOURCES = t/fuzz/fuzz_jwk.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_jwk_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_jwk_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_jws_SOURCES = t/fuzz/fuzz_jws.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_jws_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_jws_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_router_SOURCES = t/fuzz/fuzz_router.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_router_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_router_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_cookie_SOURCES = t/fuzz/fuzz_cookie.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_cookie_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_cookie_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_accept_lang_SOURCES = t/fuzz/fuzz_accept_lang.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_accept_lang_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_accept_lang_LDADD = $(EH_CORE_LIBS)
t_fuzz_fuzz_audit_json_SOURCES = t/fuzz/fuzz_audit_json.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_audit_json_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_audit_json_LDADD = $(EH_CORE_LIBS)

t_fuzz_fuzz_http_answer_SOURCES = t/fuzz/fuzz_http_answer.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_http_answer_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) $(CURL_CFLAGS)
t_fuzz_fuzz_http_answer_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_http_answer_LDADD = libehio.la $(EH_CORE_LIBS) $(CURL_LIBS)
t_fuzz_fuzz_http_url_SOURCES = t/fuzz/fuzz_http_url.c $(EH_FUZZ_MAIN)
t_fuzz_fuzz_http_url_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) $(CURL_CFLAGS)
t_fuzz_fuzz_http_url_LDFLAGS = $(EH_FUZZ_LINK)
t_fuzz_fuzz_http_url_LDADD = libehio.la $(EH_CORE_LIBS) $(CURL_LIBS)
