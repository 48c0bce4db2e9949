dnl SPDX-License-Identifier: Apache-2.0
dnl EH_FIND_APXS: asks apxs where httpd, its headers and its module folder are.
AC_DEFUN([EH_FIND_APXS], [
  AC_ARG_WITH([apxs], [AS_HELP_STRING([--with-apxs=PATH], [apxs of the httpd to build for])],
              [APXS=$withval], [AC_PATH_PROGS([APXS], [apxs apxs2])])
  AS_IF([test -z "$APXS" || test ! -x "$APXS"],
        [AC_MSG_ERROR([apxs not found: install apache2-dev (Debian) or httpd-devel, or give --with-apxs=PATH])])
  AC_SUBST([APXS])
  dnl --with-apr=PATH: a pool-debug APR for the sanitizer build (apxs/build-apr-debug.sh).
  AC_ARG_WITH([apr], [AS_HELP_STRING([--with-apr=PATH], [apr-1-config to use])], [APR_CONFIG=$withval],
              [APR_CONFIG=`$APXS -q APR_CONFIG`])
  AC_ARG_WITH([apu], [AS_HELP_STRING([--with-apu=PATH], [apu-1-config to use])], [APU_CONFIG=$withval],
              [APU_CONFIG=`$APXS -q APU_CONFIG`])
  AS_IF([test ! -x "$APR_CONFIG"], [AC_MSG_ERROR([apr-1-config not found at '$APR_CONFIG'])])
  AS_IF([test ! -x "$APU_CONFIG"], [AC_MSG_ERROR([apu-1-config not found at '$APU_CONFIG'])])
  APR_CFLAGS="`$APR_CONFIG --includes --cppflags` `$APU_CONFIG --includes`"
  APR_LIBS="`$APU_CONFIG --link-ld --libs` `$APR_CONFIG --link-ld --libs`"
  HTTPD_CFLAGS="-I`$APXS -q INCLUDEDIR`"
  AC_SUBST([APR_CFLAGS]) AC_SUBST([APR_LIBS]) AC_SUBST([HTTPD_CFLAGS])
  HTTPD=`$APXS -q SBINDIR`/`$APXS -q PROGNAME`
  AC_SUBST([HTTPD])
  httpd_moduledir=`$APXS -q LIBEXECDIR`
  AC_ARG_WITH([moduledir], [AS_HELP_STRING([--with-moduledir=DIR], [where to install the modules @<:@apxs' LIBEXECDIR@:>@])],
              [httpd_moduledir=$withval])
  moduledir=$httpd_moduledir
  AC_SUBST([moduledir])
  dnl Debian's layout: mods-available and conf-available beside apache2.conf.
  AC_ARG_WITH([confdir], [AS_HELP_STRING([--with-confdir=DIR], [httpd's configuration folder @<:@apxs' SYSCONFDIR@:>@])],
              [httpd_confdir=$withval], [httpd_confdir=`$APXS -q SYSCONFDIR`])
  AC_SUBST([httpd_confdir])
  AM_CONDITIONAL([DEBIAN_LAYOUT], [test -d "$httpd_confdir/mods-available"])
])
