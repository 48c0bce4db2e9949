/* SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "ehealth/audit.h"
#include "ehealth/codec.h"
#include "ehealth/crypto.h"
#include "ehealth/seal.h"
#include "text.h"

#define SEAL_MAX 1000 /* rows of one transaction: it stays far below the query deadline */
#define PAGE "1000"
#define HEAD_AAD "eh_audit_head"

/* Stored order of columns: part of the sealed format. */
#define CONTENT "seq, at, event, outcome, code, actor, subject, tenant, provider, remote, host, correlation, detail"
enum { CONTENT_COLS = 13, COL_CHAIN = CONTENT_COLS, COL_KEY, COL_SEAL };

static const eh_stmt_t any_unsealed = {
    "audit-any-unsealed", 0, {"SELECT 1 FROM eh_audit WHERE chain_seq IS NULL LIMIT 1", NULL}};
static const eh_stmt_t any_sealed = {
    "audit-any-sealed", 0, {"SELECT 1 FROM eh_audit WHERE chain_seq IS NOT NULL LIMIT 1", NULL}};
static const eh_stmt_t count_unsealed = {
    "audit-count-unsealed", 0, {"SELECT count(*) FROM eh_audit WHERE chain_seq IS NULL", NULL}};
static const eh_stmt_t lease_row = {
    "audit-lease-row",
    0,
    {"INSERT INTO eh_lease (name, holder, expires_at) VALUES ('audit-seal', '', 0) ON CONFLICT (name) DO NOTHING",
     NULL}};
/* The row's lock is the lease: it ends with the transaction, however that ends. SQLite has one writer anyway. */
static const eh_stmt_t lease_take = {"audit-lease-take",
                                     0,
                                     {"SELECT name FROM eh_lease WHERE name = 'audit-seal'",
                                      "SELECT name FROM eh_lease WHERE name = 'audit-seal' FOR UPDATE SKIP LOCKED"}};
static const eh_stmt_t read_unsealed = {
    "audit-read-unsealed",
    1,
    {"SELECT " CONTENT " FROM eh_audit WHERE chain_seq IS NULL ORDER BY seq LIMIT CAST(%s AS INTEGER)",
     "SELECT " CONTENT " FROM eh_audit WHERE chain_seq IS NULL AND tx < pg_snapshot_xmin(pg_current_snapshot()) "
     "ORDER BY seq LIMIT %s::integer"}};
static const eh_stmt_t write_seal = {
    "audit-write-seal",
    4,
    {"UPDATE eh_audit SET chain_seq = %s, key_id = %s, seal = %s WHERE seq = %s AND chain_seq IS NULL",
     "UPDATE eh_audit SET chain_seq = %s::bigint, key_id = %s::bigint, seal = %s WHERE seq = %s::bigint "
     "AND chain_seq IS NULL"}};
static const eh_stmt_t read_head = {
    "audit-read-head", 0, {"SELECT chain_seq, head_sealed FROM eh_audit_head WHERE id = 1", NULL}};
static const eh_stmt_t write_head = {
    "audit-write-head",
    2,
    {"INSERT INTO eh_audit_head (id, chain_seq, head_sealed) VALUES (1, %s, %s) ON CONFLICT (id) DO UPDATE SET "
     "chain_seq = excluded.chain_seq, head_sealed = excluded.head_sealed",
     "INSERT INTO eh_audit_head (id, chain_seq, head_sealed) VALUES (1, %s::bigint, %s) ON CONFLICT (id) DO UPDATE SET "
     "chain_seq = excluded.chain_seq, head_sealed = excluded.head_sealed"}};
/* From the least place on, not from 1: a row put in at 0 or below must not hide. */
static const eh_stmt_t read_sealed = {
    "audit-read-sealed",
    1,
    {"SELECT " CONTENT ", chain_seq, key_id, seal FROM eh_audit WHERE chain_seq > %s ORDER BY chain_seq LIMIT " PAGE,
     "SELECT " CONTENT ", chain_seq, key_id, seal FROM eh_audit WHERE chain_seq > %s::bigint ORDER BY chain_seq "
     "LIMIT " PAGE}};
#define BEFORE_FIRST "-9223372036854775808"

typedef struct head_t {
    int there;        /* a row exists */
    int open;         /* and it opened and agrees with its plain column */
    apr_int64_t seq;  /* 0: nothing sealed yet */
    const char *seal; /* of row seq */
} head_t;

static int parse_seq(apr_int64_t *pseq, const char *s)
{
    char *end;

    if (!s || !*s || *s == ' ' || *s == '+') return 0;
    *pseq = apr_strtoi64(s, &end, 10);
    return *end == '\0';
}

/* Every field with its length, so that no two rows have one text: "4:2026," – and "-," for NULL. */
static void add_field(eh_text_t *t, const char *s)
{
    if (s) {
        eh_text_fmt(t, "%lu:", (unsigned long)strlen(s));
        eh_text_str(t, s);
        eh_text_str(t, ",");
    } else {
        eh_text_str(t, "-,");
    }
}

/* Seal of a row at place seq after prev: base64url(HMAC(key, prev 0x1e row)); NULL when the key is unknown. */
static const char *seal_of(const eh_keyring_t *ring, apr_uint32_t key_id, const char *prev, apr_int64_t seq,
                           const char *const *cells, apr_pool_t *p)
{
    const unsigned char *key = eh_keyring_key(ring, key_id, EH_PURPOSE_AUDIT);
    unsigned char mac[EH_SHA256_LEN];
    eh_text_t t;
    int i;

    if (!key) return NULL;
    eh_text_init(&t, p, 512);
    eh_text_str(&t, prev);
    eh_text_str(&t, "\x1e"
                    "eh-audit-1,");
    eh_text_fmt(&t, "%" APR_INT64_T_FMT ",%u,", seq, (unsigned)key_id);
    for (i = 0; i < CONTENT_COLS; i++) {
        add_field(&t, cells[i]);
    }
    if (eh_hmac_sha256(mac, key, EH_KEY_LEN, t.s, t.len) != APR_SUCCESS) return NULL;
    return eh_b64url(p, mac, sizeof(mac));
}

static apr_status_t head_load(head_t *head, eh_tx_t *tx, const eh_keyring_t *ring, eh_err_t *err, apr_pool_t *p)
{
    eh_err_t ignored = {0};
    const char *plain, *space;
    apr_int64_t column;
    apr_size_t len;
    eh_rows_t *rows;
    apr_status_t rv;

    memset(head, 0, sizeof(*head));
    head->seal = "";
    if ((rv = eh_tx_select(tx, &read_head, NULL, &rows, err, p)) != APR_SUCCESS) return rv;
    if (rows->nrows == 0) return APR_SUCCESS;
    head->there = 1;
    if (!eh_cell(rows, 0, 1) ||
        eh_unseal(&plain, &len, ring, EH_PURPOSE_AUDIT, HEAD_AAD, eh_cell(rows, 0, 1), &ignored, p) != APR_SUCCESS) {
        return APR_SUCCESS;
    }
    space = strchr(plain, ' ');
    if (!space || !parse_seq(&head->seq, apr_pstrmemdup(p, plain, (apr_size_t)(space - plain))) ||
        !parse_seq(&column, eh_cell(rows, 0, 0)) || column != head->seq) {
        return APR_SUCCESS;
    }
    head->seal = apr_pstrdup(p, space + 1);
    head->open = 1;
    return APR_SUCCESS;
}

static apr_status_t head_store(const head_t *head, eh_tx_t *tx, const eh_keyring_t *ring, eh_err_t *err, apr_pool_t *p)
{
    const char *plain = apr_psprintf(p, "%" APR_INT64_T_FMT " %s", head->seq, head->seal), *args[2];
    apr_status_t rv = eh_seal(&args[1], ring, EH_PURPOSE_AUDIT, HEAD_AAD, plain, strlen(plain), err, p);

    if (rv != APR_SUCCESS) return rv;
    args[0] = apr_psprintf(p, "%" APR_INT64_T_FMT, head->seq);
    return eh_tx_exec(tx, &write_head, args, NULL, err);
}

/* --- sealing --- */

typedef struct sealing_t {
    const eh_keyring_t *ring;
    int max, sealed, waiting;
} sealing_t;

static apr_status_t look_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    sealing_t *s = baton;
    eh_rows_t *rows;
    apr_status_t rv = eh_tx_select(tx, &any_unsealed, NULL, &rows, err, p);

    s->waiting = rv == APR_SUCCESS && rows->nrows > 0;
    return rv;
}

/* The chain goes on from a head that opens, or from nothing when nothing was ever sealed; never from a guess. */
static apr_status_t head_to_continue(head_t *head, eh_tx_t *tx, const eh_keyring_t *ring, eh_err_t *err, apr_pool_t *p)
{
    eh_rows_t *rows;
    apr_status_t rv;

    if ((rv = head_load(head, tx, ring, err, p)) != APR_SUCCESS || head->open) return rv;
    if (head->there) {
        return eh_err_setf(err, p, EH_E_AUDIT_CHAIN, APR_EGENERAL, NULL, "the row of eh_audit_head does not open");
    }
    if ((rv = eh_tx_select(tx, &any_sealed, NULL, &rows, err, p)) != APR_SUCCESS) return rv;
    if (rows->nrows > 0) {
        return eh_err_setf(err, p, EH_E_AUDIT_CHAIN, APR_EGENERAL, NULL, "sealed rows, but eh_audit_head is empty");
    }
    return APR_SUCCESS;
}

static apr_status_t seal_row(head_t *head, eh_tx_t *tx, const eh_keyring_t *ring, const char *const *cells,
                             eh_err_t *err, apr_pool_t *p)
{
    apr_uint32_t key_id = eh_keyring_current(ring);
    const char *seal = seal_of(ring, key_id, head->seal, head->seq + 1, cells, p), *args[4];
    int changed = 0;
    apr_status_t rv;

    if (!seal) return eh_err_set(err, EH_E_CRYPTO, APR_EGENERAL, NULL);
    args[0] = apr_psprintf(p, "%" APR_INT64_T_FMT, head->seq + 1);
    args[1] = apr_psprintf(p, "%u", (unsigned)key_id);
    args[2] = seal;
    args[3] = cells[0];
    if ((rv = eh_tx_exec(tx, &write_seal, args, &changed, err)) != APR_SUCCESS) return rv;
    if (changed != 1) {
        return eh_err_setf(err, p, EH_E_AUDIT_CHAIN, APR_EGENERAL, NULL, "row %s went away while it was sealed",
                           args[3]);
    }
    head->seq++;
    head->seal = seal;
    return APR_SUCCESS;
}

static apr_status_t seal_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *p)
{
    sealing_t *s = baton;
    const char *args[1] = {apr_itoa(p, s->max)};
    eh_rows_t *rows;
    head_t head;
    apr_status_t rv;
    int i;

    s->sealed = 0;
    if (!EH_OK(eh_tx_exec(tx, &lease_row, NULL, NULL, err))) return rv;
    if (!EH_OK(eh_tx_select(tx, &lease_take, NULL, &rows, err, p))) return rv;
    if (rows->nrows == 0) return APR_SUCCESS;
    if (!EH_OK(head_to_continue(&head, tx, s->ring, err, p))) return rv;
    if (!EH_OK(eh_tx_select(tx, &read_unsealed, args, &rows, err, p))) return rv;
    for (i = 0; i < rows->nrows; i++) {
        if (!EH_OK(seal_row(&head, tx, s->ring, rows->cells + i * rows->ncols, err, p))) return rv;
    }
    if (rows->nrows > 0 && !EH_OK(head_store(&head, tx, s->ring, err, p))) return rv;
    s->sealed = rows->nrows;
    return APR_SUCCESS;
}

apr_status_t eh_audit_seal(eh_db_t *db, const eh_keyring_t *ring, int max, int *psealed, eh_err_t *err, apr_pool_t *p)
{
    sealing_t s = {ring, max < 1 ? 1 : max > SEAL_MAX ? SEAL_MAX : max, 0, 0};
    apr_pool_t *ptemp;
    apr_status_t rv;

    *psealed = 0;
    apr_pool_create(&ptemp, p);
    /* A look first: an idle server takes no write lock every few seconds. */
    rv = eh_db_run(db, EH_DB_READ, look_tx, &s, err, ptemp);
    if (rv == APR_SUCCESS && s.waiting) rv = eh_db_run(db, EH_DB_WRITE, seal_tx, &s, err, ptemp);
    if (rv == APR_SUCCESS) {
        *psealed = s.sealed;
    } else {
        eh_err_keep(err, p);
    }
    apr_pool_destroy(ptemp);
    return rv;
}

/* --- verification --- */

typedef struct verify_t {
    const eh_keyring_t *ring;
    apr_pool_t *page;   /* cleared for each page */
    const char *cursor; /* chain_seq read last, as text */
    eh_rows_t *rows;
    head_t head;      /* read after rows, so it is never older than they are */
    apr_int64_t last; /* place of the last sound row, 0 = none */
    char seal[64];    /* its seal */
    apr_int64_t unsealed;
} verify_t;

static apr_status_t page_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    verify_t *v = baton;
    const char *args[1] = {v->cursor};
    apr_status_t rv;

    if (!EH_OK(eh_tx_select(tx, &read_sealed, args, &v->rows, err, v->page))) return rv;
    return head_load(&v->head, tx, v->ring, err, v->page);
}

static apr_status_t count_tx(eh_tx_t *tx, void *baton, eh_err_t *err, apr_pool_t *ptemp)
{
    verify_t *v = baton;
    eh_rows_t *rows;
    apr_status_t rv = eh_tx_select(tx, &count_unsealed, NULL, &rows, err, ptemp);

    if (rv == APR_SUCCESS) parse_seq(&v->unsealed, eh_cell(rows, 0, 0));
    return rv;
}

static int key_id_of(apr_uint32_t *pid, const char *s)
{
    apr_int64_t n;

    if (!parse_seq(&n, s) || n < 1 || n > APR_UINT32_MAX) return 0;
    *pid = (apr_uint32_t)n;
    return 1;
}

static int same(const char *a, const char *b) { return a && b && eh_equal(a, strlen(a), b, strlen(b)); }

/* What is wrong with the row that should stand at v->last + 1; NULL when nothing is. */
static const char *row_fault(const verify_t *v, const char *const *cells, apr_pool_t *p)
{
    apr_int64_t place, expected = v->last + 1;
    apr_uint32_t key_id;

    if (!parse_seq(&place, cells[COL_CHAIN])) return "edited";
    if (place != expected) return place > expected ? "missing" : "order";
    if (!key_id_of(&key_id, cells[COL_KEY])) return "edited";
    if (!eh_keyring_key(v->ring, key_id, EH_PURPOSE_AUDIT)) return "key";
    return same(seal_of(v->ring, key_id, v->seal, place, cells, p), cells[COL_SEAL]) ? NULL : "edited";
}

/* A row whose seal is genuine at another place of the chain was moved, not edited. Reads the chain once more. */
static apr_status_t was_moved(int *pmoved, const verify_t *v, eh_db_t *db, const char *const *bad, eh_err_t *err,
                              apr_pool_t *p)
{
    verify_t w = {.ring = v->ring, .cursor = BEFORE_FIRST};
    apr_uint32_t key_id;
    apr_status_t rv = APR_SUCCESS;
    int i;

    *pmoved = 0;
    if (!key_id_of(&key_id, bad[COL_KEY])) return APR_SUCCESS;
    *pmoved = same(seal_of(v->ring, key_id, "", 1, bad, p), bad[COL_SEAL]);
    apr_pool_create(&w.page, p);
    while (!*pmoved) {
        apr_pool_clear(w.page);
        if (!EH_OK(eh_db_run(db, EH_DB_READ, page_tx, &w, err, w.page)) || w.rows->nrows == 0) break;
        for (i = 0; i < w.rows->nrows && !*pmoved; i++) {
            const char *const *cells = w.rows->cells + i * w.rows->ncols;
            apr_int64_t place;

            if (!cells[COL_SEAL] || !parse_seq(&place, cells[COL_CHAIN])) continue;
            /* Of two neighbours that changed places the one before stands at the place of the one after. */
            *pmoved = same(seal_of(v->ring, key_id, cells[COL_SEAL], place + 1, bad, w.page), bad[COL_SEAL]) ||
                      same(seal_of(v->ring, key_id, cells[COL_SEAL], place, bad, w.page), bad[COL_SEAL]);
        }
        w.cursor = apr_pstrdup(p, eh_cell(w.rows, w.rows->nrows - 1, COL_CHAIN));
    }
    if (rv != APR_SUCCESS) eh_err_keep(err, p);
    apr_pool_destroy(w.page);
    return rv;
}

static apr_status_t judge_row(const char **preason, const verify_t *v, eh_db_t *db, const char *const *cells,
                              eh_err_t *err, apr_pool_t *p)
{
    const char *fault = row_fault(v, cells, p);
    int moved = 0;
    apr_status_t rv = APR_SUCCESS;

    *preason = fault;
    if (!fault || strcmp(fault, "edited") != 0) return rv;
    if (EH_OK(was_moved(&moved, v, db, cells, err, p)) && moved) *preason = "order";
    /* The first row does not verify and the head does not open either: it is the key that is another. */
    if (!moved && v->last == 0 && v->head.there && !v->head.open) *preason = "key";
    return rv;
}

/* At the end of the rows. 1 = judged, *preason NULL when sound; 0 = rows came in meanwhile, go on. */
static int judge_end(const char **preason, const verify_t *v, apr_int64_t *floor)
{
    *preason = NULL;
    if (!v->head.there) {
        if (v->last > 0) *preason = "tail";
        return 1;
    }
    if (!v->head.open) {
        *preason = v->last > 0 ? "tail" : "key";
        return 1;
    }
    if (v->head.seq == v->last) {
        if (v->last > 0 && !same(v->head.seal, v->seal)) *preason = "tail";
        return 1;
    }
    /* Beyond the head there can be no row; and what a head named before this page was read must have been in it. */
    if (v->head.seq < v->last || *floor > v->last) {
        *preason = "tail";
        return 1;
    }
    *floor = v->head.seq;
    return 0;
}

static apr_status_t walk(const char **preason, verify_t *v, eh_db_t *db, eh_err_t *err, apr_pool_t *p)
{
    apr_int64_t floor = 0;
    apr_status_t rv;
    int i;

    *preason = NULL;
    for (;;) {
        apr_pool_clear(v->page);
        v->cursor = v->last > 0 ? apr_psprintf(v->page, "%" APR_INT64_T_FMT, v->last) : BEFORE_FIRST;
        if (!EH_OK(eh_db_run(db, EH_DB_READ, page_tx, v, err, p))) return rv;
        if (v->rows->nrows == 0 && judge_end(preason, v, &floor)) return APR_SUCCESS;
        for (i = 0; i < v->rows->nrows; i++) {
            const char *const *cells = v->rows->cells + i * v->rows->ncols;

            if (!EH_OK(judge_row(preason, v, db, cells, err, v->page)) || *preason) return rv;
            v->last++;
            apr_cpystrn(v->seal, cells[COL_SEAL], sizeof(v->seal));
        }
    }
}

apr_status_t eh_audit_verify(eh_db_t *db, const eh_keyring_t *ring, eh_audit_verdict_t *verdict, eh_err_t *err,
                             apr_pool_t *p)
{
    verify_t v = {.ring = ring};
    const char *reason = NULL;
    apr_pool_t *ptemp;
    apr_status_t rv;

    memset(verdict, 0, sizeof(*verdict));
    verdict->reason = verdict->head = "";
    apr_pool_create(&v.page, p);
    apr_pool_create(&ptemp, p);
    if (EH_OK(walk(&reason, &v, db, err, ptemp)) && EH_OK(eh_db_run(db, EH_DB_READ, count_tx, &v, err, ptemp))) {
        verdict->rows = v.last;
        verdict->unsealed = v.unsealed;
        verdict->reason = reason ? reason : "";
        verdict->bad_seq = reason ? v.last + 1 : 0;
        if (v.last > 0) verdict->head = apr_psprintf(p, "%" APR_INT64_T_FMT " %s", v.last, v.seal);
    }
    if (rv != APR_SUCCESS) eh_err_keep(err, p);
    apr_pool_destroy(ptemp);
    apr_pool_destroy(v.page);
    return rv;
}
