# ehctl: each command registers itself; add its file here.
bin_PROGRAMS += modules/tools/ehctl
modules_tools_ehctl_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(APU_CFLAGS)
modules_tools_ehctl_SOURCES = modules/tools/ehctl.h modules/tools/ehctl.c modules/tools/ehctl_ports.c
modules_tools_ehctl_SOURCES += modules/tools/ehctl_check.h modules/tools/ehctl_check.c \
	modules/tools/ehctl_check_files.c modules/tools/ehctl_check_host.c modules/tools/ehctl_check_net.c
modules_tools_ehctl_SOURCES += $(EH_IO_PROVIDERS)
modules_tools_ehctl_LDADD = libehio.la libehcore.la $(CURL_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) $(APR_LIBS)
