dnl SPDX-License-Identifier: Apache-2.0
dnl EH_SANITIZERS: --enable-asan, --enable-ubsan, --enable-fuzz (clang), --enable-coverage (gcc).
AC_DEFUN([EH_SANITIZERS], [
  AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan], [build with AddressSanitizer])])
  AC_ARG_ENABLE([ubsan], [AS_HELP_STRING([--enable-ubsan], [build with UndefinedBehaviorSanitizer])])
  AC_ARG_ENABLE([fuzz], [AS_HELP_STRING([--enable-fuzz], [build the libFuzzer targets (needs CC=clang)])])
  AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [instrument for gcov])])
  EH_SAN_FLAGS=
  AS_IF([test "x$enable_asan" = xyes], [EH_SAN_FLAGS="$EH_SAN_FLAGS -fsanitize=address"])
  AS_IF([test "x$enable_ubsan" = xyes],
        [EH_SAN_FLAGS="$EH_SAN_FLAGS -fsanitize=undefined -fno-sanitize-recover=undefined"])
  AS_IF([test "x$enable_fuzz" = xyes], [EH_SAN_FLAGS="$EH_SAN_FLAGS -fsanitize=address,fuzzer-no-link"])
  AS_IF([test -n "$EH_SAN_FLAGS"], [EH_SAN_FLAGS="$EH_SAN_FLAGS -fno-omit-frame-pointer -g"])
  AS_IF([test "x$enable_coverage" = xyes], [EH_SAN_FLAGS="$EH_SAN_FLAGS --coverage -O0 -g"])
  AC_SUBST([EH_SAN_FLAGS])
  AM_CONDITIONAL([EH_FUZZ], [test "x$enable_fuzz" = xyes])
])
