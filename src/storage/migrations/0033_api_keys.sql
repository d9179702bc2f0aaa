-- Keys for programs. A key is 24 random bytes, so a plain digest of it is enough.
create table api_keys (
    id text primary key,
    name text not null,
    -- its first letters, by which people know it again
    starts_with text not null,
    digest text not null unique,
    -- the words of what it may do, with blanks between
    scopes text not null,
    created_by text references accounts (id),
    created_at bigint not null,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint
);
