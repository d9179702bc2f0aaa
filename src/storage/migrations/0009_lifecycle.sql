-- What will be looked at when, contact by contact: nobody is looked at before something is due.
create table lifecycle_due (
    contact_id text not null references contacts (id),
    -- 'cold', 'rules', 'track', 'sla' or 'version'
    what text not null,
    due_at bigint not null,
    -- what it was worked out from: the same again changes nothing
    basis text not null,
    primary key (contact_id, what)
);
create index lifecycle_due_at on lifecycle_due (due_at);

-- The track after the sale. Append only but for left_at, which closes the interval.
create table post_sale_intervals (
    id text primary key,
    contact_id text not null references contacts (id),
    state text not null,
    entered_at bigint not null,
    left_at bigint,
    actor text not null,
    rule text not null,
    reason text,
    lifecycle_hash text not null,
    evidence text not null
);
create index post_sale_intervals_contact on post_sale_intervals (contact_id, entered_at);
create index post_sale_intervals_state on post_sale_intervals (state, entered_at);
create unique index post_sale_intervals_open on post_sale_intervals (contact_id) where left_at is null;

-- Texts of definitions that somebody has approved or that ran, and who approved which.
create table lifecycle_texts (
    hash text primary key,
    version bigint not null,
    body text not null,
    seen_at bigint not null
);
create table lifecycle_approvals (
    hash text not null references lifecycle_texts (hash),
    side text not null check (side in ('marketing', 'sales')),
    account_id text not null references accounts (id),
    at bigint not null,
    primary key (hash, side)
);
-- The newest is the one that runs.
create table lifecycle_activations (
    id text primary key,
    hash text not null references lifecycle_texts (hash),
    reevaluate text not null check (reevaluate in ('all', 'new-events-only')),
    actor text not null,
    at bigint not null
);
