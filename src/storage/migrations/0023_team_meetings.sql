-- Who else of the team is there. The second of two has a row of her own, so that the one guard (0002) covers both
-- calendars; it follows the first one's row in everything and is no call of its own.
alter table bookings add column companion text;
alter table bookings add column companion_of text;
create index bookings_companion on bookings (companion_of) where companion_of is not null;

-- Who wants to be told when an earlier time is free, on which days (bits from Monday, 1) and between which minutes of
-- her own clock; until the call.
create table earlier_wishes (
    booking_id text primary key references bookings (id),
    days bigint not null check (days between 1 and 127),
    from_minute bigint not null,
    to_minute bigint not null,
    created_at bigint not null,
    ended_at bigint,
    check (0 <= from_minute and from_minute < to_minute and to_minute <= 1440)
);
create index earlier_wishes_open on earlier_wishes (created_at) where ended_at is null;

-- An earlier time that is kept for one who waits, for a while.
create table earlier_offers (
    id text primary key,
    booking_id text not null references bookings (id),
    -- The hold that keeps it.
    hold_id text not null references bookings (id),
    starts_at bigint not null,
    expires_at bigint not null,
    answer text check (answer in ('taken', 'declined')),
    created_at bigint not null
);
create index earlier_offers_booking on earlier_offers (booking_id, created_at);

-- Times that were given back by a move or by an absence that is over. Those of cancelled calls and of old holds stand
-- with the bookings.
create table freed_times (
    id text primary key,
    rep text not null,
    from_at bigint not null,
    to_at bigint not null,
    freed_at bigint not null
);
create index freed_times_end on freed_times (to_at);
