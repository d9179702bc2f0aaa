-- What reps and kinds of meetings were called, and where reps are written to, as the team's file said it last: calls that
-- lie ahead outlive the lines of the file.
create table team_known (
    -- rep, meeting
    kind text not null,
    id text not null,
    -- of a rep: where she is written to
    email text,
    -- the rest (JSON)
    known text not null,
    seen_at bigint not null,
    primary key (kind, id)
);

-- By how much the clock was set the last time, when, by the clock after it, and which process saw it first: two nodes follow
-- one step once.
create table clock_steps (
    name text primary key,
    by_ms bigint not null,
    at bigint not null,
    seen_by bigint not null
);

-- The rep's zone when the time was told, and how far her clock was from UTC then.
alter table bookings add column rep_zone text;
alter table bookings add column rep_offset_s bigint;

-- Of a mail to a colleague that did not arrive: to which rep.
alter table undelivered add column rep text;
