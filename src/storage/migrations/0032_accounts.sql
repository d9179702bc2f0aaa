-- Where a session was begun, so that its owner knows it again in a list: the network without its last part, and what the
-- browser says it is.
alter table account_sessions add column network text not null default '';
alter table account_sessions add column browser text not null default '';
alter table account_sessions add column system text not null default '';

-- The second factor (RFC 6238): its secret, sealed with the server's key; since when it is asked for (none while it is being
-- set up); the last step that a code was taken for, so that none is taken twice.
alter table accounts add column totp_sealed text;
alter table accounts add column totp_since bigint;
alter table accounts add column totp_step bigint not null default 0;

-- Codes for whoever has lost the second factor: keyed digests, each good for one login.
create table account_recovery_codes (
    code_digest text primary key,
    account_id text not null references accounts (id),
    created_at bigint not null,
    used_at bigint
);
create index account_recovery_codes_account on account_recovery_codes (account_id);
