-- Websites that were added in the console; those of the settings' file stand there.
create table added_sites (
    key text primary key,
    name text not null,
    -- a list of texts as JSON
    origins text not null,
    language text not null,
    time_zone text not null,
    added_at bigint not null
);
