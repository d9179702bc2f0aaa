-- What counts as reached: a page or an event that somebody gave a name.
create table traffic_goals (
    id text primary key,
    site text not null,
    name text not null,
    goal text not null,
    created_at bigint not null,
    created_by text not null references accounts (id)
);
create index traffic_goals_site on traffic_goals (site, name);

-- Ways of several steps. The version is one higher after each change: whoever saves tells which one she began with.
create table traffic_funnels (
    id text primary key,
    site text not null,
    name text not null,
    -- a list of steps as JSON: 'page:/', 'event:signup', 'stage:mql'
    steps text not null,
    version bigint not null,
    changed_at bigint not null,
    changed_by text not null references accounts (id)
);
create index traffic_funnels_site on traffic_funnels (site, name);

-- Links to a site's traffic for people without an account. The secret part stands in the link; without the row it opens
-- nothing.
create table traffic_shares (
    id text primary key,
    site text not null,
    name text not null,
    nonce text not null,
    created_at bigint not null,
    created_by text not null references accounts (id),
    -- null: it ends only when somebody ends it
    expires_at bigint,
    revoked_at bigint
);
create index traffic_shares_site on traffic_shares (site, created_at);

-- Who is told of a site's traffic by mail, and what she was told last (days are numbers since 1970-01-01).
create table traffic_letters (
    account_id text not null references accounts (id),
    site text not null,
    weekly bigint not null default 0,
    spikes bigint not null default 0,
    -- a spike is so many times the usual of the hour, and at least so many visits
    factor bigint not null default 5,
    at_least bigint not null default 50,
    -- the Monday whose week before was told
    week_told bigint not null,
    -- the day on which a spike was told
    spike_told bigint not null,
    primary key (account_id, site)
);
