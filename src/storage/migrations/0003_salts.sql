-- What the identifiers of visitors who allow none are made with: one a day, thrown away when it is older than yesterday.
create table salts (
    -- days since 1970-01-01, UTC
    day bigint primary key,
    salt text not null
);
