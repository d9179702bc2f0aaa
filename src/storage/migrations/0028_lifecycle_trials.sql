-- Trials of definitions that somebody asked for in the console: a worker takes them up, and tells how far it is.
create table lifecycle_trials (
    id text primary key,
    -- 'backtest', 'diff' or 'lift'
    kind text not null check (kind in ('backtest', 'diff', 'lift')),
    -- the text that is tried, and the one that it is compared with
    hash text not null references lifecycle_texts (hash),
    against text not null references lifecycle_texts (hash),
    since bigint not null,
    until bigint not null,
    -- the stage that foretells, and the one that is foretold
    stage text not null,
    outcome text not null,
    account_id text references accounts (id),
    created_at bigint not null,
    state text not null check (state in ('waiting', 'running', 'done', 'failed', 'stopped')),
    -- whoever works at it, and when that was last known
    runner text,
    alive_at bigint,
    asked bigint not null default 0,
    total bigint not null default 0,
    done_at bigint,
    -- the figures, without people
    answer text,
    error text
);
create index lifecycle_trials_hash on lifecycle_trials (hash, created_at);
create index lifecycle_trials_open on lifecycle_trials (created_at) where state in ('waiting', 'running');

-- Who would stand elsewhere.
create table lifecycle_trial_people (
    trial_id text not null references lifecycle_trials (id),
    position bigint not null,
    contact_id text not null references contacts (id),
    what text not null check (what in ('enters', 'leaves', 'moves')),
    from_stage text,
    from_rule text,
    to_stage text,
    to_rule text,
    primary key (trial_id, position)
);
create index lifecycle_trial_people_contact on lifecycle_trial_people (contact_id);

-- Who came and went of late, for the list of segments.
create index events_segments on events (at) where kind in ('segment_entered', 'segment_left');
