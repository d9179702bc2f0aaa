-- The calendars in which reps are busy elsewhere. Addresses and passwords are sealed with the server's key: the address
-- of a feed is its secret.
create table calendars (
    id text primary key,
    rep text not null,
    kind text not null check (kind in ('ics', 'caldav')),
    -- 'file' for those of team.yaml, 'console' for those that a rep connected herself
    origin text not null check (origin in ('file', 'console')),
    sealed_url text not null,
    -- a keyed digest, by which the same calendar is known again
    url_digest text not null,
    host text not null,
    login text,
    sealed_password text,
    -- whether calls are written into it
    is_written bigint not null default 0,
    etag text,
    last_modified text,
    tried_at bigint,
    fetched_at bigint,
    -- when it was last read as a whole, and not only found to be unchanged
    expanded_at bigint,
    -- until when what was read is believed; then the rep counts as busy all the time
    good_until bigint not null default 0,
    fault text,
    fault_detail text,
    failures bigint not null default 0,
    -- since when people know that it is not believed any more
    told_at bigint,
    created_at bigint not null,
    unique (rep, url_digest)
);
create index calendars_good on calendars (good_until);

-- When they say that their rep is busy, merged and in order.
create table calendar_busy (
    calendar_id text not null references calendars (id) on delete cascade,
    rep text not null,
    from_at bigint not null,
    to_at bigint not null
);
create index calendar_busy_time on calendar_busy (to_at, from_at);
create index calendar_busy_calendar on calendar_busy (calendar_id);

-- The secret part of the address of a rep's own feed; another one revokes it.
create table calendar_feeds (
    rep text primary key,
    nonce text not null,
    created_at bigint not null
);

-- Which calls stand in which calendar, and under which version.
create table calendar_writes (
    booking_id text not null,
    calendar_id text not null references calendars (id) on delete cascade,
    etag text,
    sequence bigint not null,
    written_at bigint not null,
    primary key (booking_id, calendar_id)
);
