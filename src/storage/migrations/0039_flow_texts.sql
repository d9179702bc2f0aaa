-- The texts of flows' files as they were saved in the console, or met on disk when they began to run.
create table flow_texts (
    id text primary key,
    flow text not null,
    -- the file's name without its folder
    file text not null,
    -- SHA-256 of the text
    hash text not null,
    text text not null,
    -- whoever saved it in the console; nobody where it was met on disk
    account_id text references accounts (id),
    -- the earlier entry that it brought back, if it did
    restored text references flow_texts (id),
    at bigint not null
);
create index flow_texts_flow on flow_texts (flow, at);
