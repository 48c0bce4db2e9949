/* SPDX-License-Identifier: Apache-2.0 */
/** The migrations of conf/sql, compiled in by apxs/sql-embed.sh: in order, ended by dialect EH_DB_DIALECTS. */
#ifndef EH_DB_SQL_H
#define EH_DB_SQL_H

#include "ehealth/db.h"

typedef struct eh_sqlfile_t {
    eh_db_dialect_e dialect;
    int version;
    const char *name;
    const char *sql;
} eh_sqlfile_t;

extern const eh_sqlfile_t eh_sqlfiles[];

#endif
