-- Who wants to be told when a time is free at all: she looked, and there was none.
create table opening_wishes (
    meeting text not null,
    contact_id text not null,
    time_zone text not null,
    language text not null,
    created_at bigint not null,
    -- When the mail was planned; she is off the list then, until she asks again.
    told_at bigint,
    primary key (meeting, contact_id)
);
create index opening_wishes_meeting on opening_wishes (meeting, created_at);

-- The ordinary week that a rep wrote in the console, in the place of the one in team.yaml.
create table own_weeks (
    rep text primary key,
    -- JSON; none where the file's was taken up again
    week text,
    -- rises with each change, so that of two who write at once the second sees the first
    version bigint not null,
    account_id text not null,
    updated_at bigint not null
);
