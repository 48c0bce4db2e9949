# ehctl: each command registers itself; add its file here.
bin_PROGRAMS += ehctl
ehctl_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(APU_CFLAGS)
ehctl_SOURCES = modules/tools/ehctl.h modules/tools/ehctl.c modules/tools/ehctl_ports.c
ehctl_SOURCES += modules/tools/ehctl_check.h modules/tools/ehctl_check.c \
	modules/tools/ehctl_check_files.c modules/tools/ehctl_check_host.c modules/tools/ehctl_check_net.c
ehctl_SOURCES += modules/tools/ehctl_args.h modules/tools/ehctl_args.c modules/tools/ehctl_audit.c \
	modules/tools/ehctl_keys.c modules/tools/ehctl_migrate.c modules/tools/ehctl_sessions.c modules/tools/ehctl_users.c
ehctl_SOURCES += $(EH_IO_PROVIDERS)
ehctl_LDADD = libehio.la libehcore.la $(CURL_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(APR_LIBS)
