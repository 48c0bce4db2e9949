# conf: the reference configuration, and on Debian-like systems what a2enmod and a2enconf look for.
dist_doc_DATA = conf/ehealth.conf conf/errors.md
examplesdir = $(docdir)/examples
dist_examples_DATA = conf/examples/prosanteconnect.conf conf/examples/iamconnect.conf conf/examples/oidc.conf \
	conf/examples/legacy-portal.conf conf/examples/pgsql-multi-node.conf
EXTRA_DIST += conf/ehealth.load.in conf/ehealth_oidc.load.in
CLEANFILES += conf/ehealth.load conf/ehealth_oidc.load

# a2enmod ehealth_oidc enables ehealth too ("# Depends:"); mods-enabled is read in alphabetical order, so that the base
# is loaded first.
EH_LOADS = conf/ehealth.load conf/ehealth_oidc.load
$(EH_LOADS): %: $(srcdir)/%.in Makefile
	@$(MKDIR_P) conf
	$(AM_V_GEN)$(SED) 's,[@]moduledir[@],$(moduledir),' $(srcdir)/$@.in > $@

if DEBIAN_LAYOUT
modsavaildir = $(httpd_confdir)/mods-available
nodist_modsavail_DATA = $(EH_LOADS)

# A configuration that an administrator has edited stays; the new reference is laid beside it.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(httpd_confdir)/conf-available'
	@to='$(DESTDIR)$(httpd_confdir)/conf-available/ehealth.conf'; \
	if test -f "$$to" && ! cmp -s $(srcdir)/conf/ehealth.conf "$$to"; then \
	    echo "$$to was edited and stays; the new reference is $$to.dist"; to="$$to.dist"; \
	fi; \
	echo "installing $$to"; $(INSTALL_DATA) $(srcdir)/conf/ehealth.conf "$$to"
uninstall-local:
	@at='$(DESTDIR)$(httpd_confdir)/conf-available/ehealth.conf'; rm -f "$$at.dist"; \
	if cmp -s $(srcdir)/conf/ehealth.conf "$$at"; then rm -f "$$at"; fi
endif

# libtool's own files have no business among httpd's modules.
install-data-hook:
	cd '$(DESTDIR)$(moduledir)' && rm -f $(module_LTLIBRARIES)
uninstall-hook:
	cd '$(DESTDIR)$(moduledir)' 2>/dev/null && rm -f $(module_LTLIBRARIES:.la=.so) || :

# `make distcheck` installs below its own prefix, not into this machine's httpd.
AM_DISTCHECK_CONFIGURE_FLAGS = --with-moduledir='$${dc_install_base}/modules' --with-confdir='$${dc_install_base}/etc'
