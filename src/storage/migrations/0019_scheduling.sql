-- What the meeting's questions were answered, by the ids they have in the team's file.
alter table bookings add column answers text not null default '{}';

-- When a rep is away, and who stands in; what stands in the team's file is not repeated here.
create table absences (
    id text primary key,
    rep text not null,
    from_at bigint not null,
    to_at bigint not null,
    delegate text,
    note text,
    created_at bigint not null,
    check (from_at < to_at)
);
create index absences_end on absences (to_at);

-- Where a rep entered the rotation: the calls that she is counted with in this cycle although she never had them.
create table rotation (
    rep text primary key,
    calibration bigint not null,
    calibrated_at bigint not null
);

-- Calls given back to a rep by hand, or taken.
create table credits (
    id text primary key,
    rep text not null,
    amount bigint not null,
    note text,
    created_at bigint not null
);
create index credits_time on credits (created_at);

create index bookings_created on bookings (created_at);
