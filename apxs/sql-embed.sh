#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the migrations given as arguments (conf/sql/<dialect>/NNN_name.sql, any order) as a C table, so that a server
# needs no path to them. The .sql files stay the one source.
set -e
cat <<'END'
/* Made from conf/sql by apxs/sql-embed.sh: do not edit. */
#include "modules/io/db_sql.h"

const eh_sqlfile_t eh_sqlfiles[] = {
END
for f in "$@"; do
    printf '%s %s\n' "$(basename "$f")" "$f"
done | LC_ALL=C sort | while read -r name file; do
    case $file in
    */sqlite/*) dialect=EH_DB_SQLITE ;;
    */pgsql/*) dialect=EH_DB_PGSQL ;;
    *) echo "sql-embed: $file is in no dialect's folder" >&2; exit 1 ;;
    esac
    case $name in
    [0-9][0-9][0-9]_*.sql) ;;
    *) echo "sql-embed: $file is not named NNN_name.sql" >&2; exit 1 ;;
    esac
    version=$(expr "$name" : '0*\([1-9][0-9]*\)_')
    printf '    {%s, %s, "%s",\n' "$dialect" "$version" "$name"
    LC_ALL=C sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' -e 's/^/     "/' -e 's/$/\\n"/' "$file"
    printf '    },\n'
done
cat <<'END'
    {EH_DB_DIALECTS, 0, 0, 0},
};
END
