-- Texts that must be there when the files they came from are not what they should be.
create table kept_texts (
    name text primary key,
    -- of the body
    hash text not null,
    body text not null,
    kept_at bigint not null
);
