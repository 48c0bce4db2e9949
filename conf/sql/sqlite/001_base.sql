-- SPDX-License-Identifier: Apache-2.0
-- Base tables: what mod_ehealth and mod_ehealth_oidc need. Times are µs since 1970 (UTC). Columns named *_h hold keyed
-- hashes (base64url HMAC-SHA-256), *_sealed hold sealed text: nothing here identifies a person without the key file.

CREATE TABLE eh_lease (
    name       TEXT PRIMARY KEY,
    holder     TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE eh_session (
    ticket_h      TEXT PRIMARY KEY,          -- SHA-256 of the 256-bit ticket in the browser's cookie
    host          TEXT NOT NULL,             -- public URL of the virtual host it was made on
    provider      TEXT NOT NULL,
    subject_h     TEXT NOT NULL,             -- issuer and sub
    sid_h         TEXT,                      -- issuer and sid
    person_h      TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    auth_time     BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,           -- absolute end
    idle_limit    BIGINT NOT NULL,           -- µs; 0 = none
    last_seen     BIGINT NOT NULL,
    revoked_at    BIGINT,
    claims_sealed TEXT NOT NULL,             -- under the server key and the ticket
    tokens_sealed TEXT NOT NULL,             -- under the server key: a job can refresh and log out without the browser
    generation    BIGINT NOT NULL DEFAULT 1  -- grows when tokens or claims are replaced
);
CREATE INDEX eh_session_subject ON eh_session (subject_h);
CREATE INDEX eh_session_sid ON eh_session (sid_h);
CREATE INDEX eh_session_person ON eh_session (person_h);
CREATE INDEX eh_session_expires ON eh_session (expires_at);

-- Appended in the transaction that ends a session; every node polls it.
CREATE TABLE eh_revocation (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket_h TEXT NOT NULL,
    at       BIGINT NOT NULL
);

-- A state is used once: its digest is stored at the callback, and only then.
CREATE TABLE eh_used_state (
    state_h    TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX eh_used_state_expires ON eh_used_state (expires_at);

-- Grants by an administrator (`ehctl users grant`): a person belongs to a tenant.
CREATE TABLE eh_grant (
    tenant        TEXT NOT NULL,
    person_h      TEXT NOT NULL,
    person_sealed TEXT NOT NULL,             -- so that an administrator can list whom he granted
    granted_at    BIGINT NOT NULL,
    granted_by    TEXT NOT NULL,
    expires_at    BIGINT,
    PRIMARY KEY (tenant, person_h)
);

-- PostgreSQL adds: tx xid8 NOT NULL DEFAULT pg_current_xact_id(). The sealer takes only rows with
-- tx < pg_snapshot_xmin(pg_current_snapshot()), so that no transaction still open can slip a row in before sealed ones.
CREATE TABLE eh_audit (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    at          BIGINT NOT NULL,
    event       TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    code        TEXT NOT NULL,
    actor       TEXT NOT NULL,
    subject     TEXT NOT NULL,
    tenant      TEXT NOT NULL,
    provider    TEXT NOT NULL,
    remote      TEXT NOT NULL,
    host        TEXT NOT NULL,
    correlation TEXT NOT NULL,
    detail      TEXT NOT NULL,
    chain_seq   BIGINT UNIQUE,               -- place in the sealed order; NULL = not yet sealed
    key_id      BIGINT,
    seal        TEXT                         -- HMAC over the previous seal and this row
);
CREATE INDEX eh_audit_at ON eh_audit (at);

-- One row: the chain's head, sealed, so that a cut tail is noticed.
CREATE TABLE eh_audit_head (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    chain_seq   BIGINT NOT NULL,
    head_sealed TEXT NOT NULL
);
