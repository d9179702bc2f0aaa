-- The browsers in which colleagues want notices although no page of the console is open. The address is a secret: whoever
-- has it can send to the browser. It is sealed with the server's key, as is what notices are encrypted with.
create table push_devices (
    id text primary key,
    account_id text not null references accounts (id),
    -- by which the same browser is known again
    endpoint_digest text not null unique,
    sealed_endpoint text not null,
    host text not null,
    p256dh text not null,
    sealed_auth text not null,
    -- what the browser says it is
    browser text not null,
    system text not null,
    -- the session it was last seen in: who logs out there gets nothing there
    session_hash text,
    created_at bigint not null,
    seen_at bigint not null,
    told_at bigint
);
create index push_devices_account on push_devices (account_id);
create index push_devices_session on push_devices (session_hash);
