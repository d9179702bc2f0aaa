-- What the team has to do: whom to take over, what to do for whom, and which words of a definition wait for both sides.

-- Somebody goes from one role to another. Open until it is taken, or until another takes its place.
create table handovers (
    id text primary key,
    contact_id text not null references contacts (id),
    -- who looks after her from now on
    role text not null check (role in ('marketing', 'sdr', 'ae', 'cs')),
    -- the stage that she stood in
    stage text not null,
    -- whom it goes to; nobody, if anybody of the role may take it
    account_id text references accounts (id),
    -- who handed her over; nobody, if the lifecycle did
    from_id text references accounts (id),
    note text,
    given_at bigint not null,
    -- by when it is to be taken
    due_at bigint,
    late_told_at bigint,
    taken_at bigint,
    taken_by text references accounts (id),
    -- when another took its place
    ended_at bigint
);
create unique index handovers_open on handovers (contact_id) where taken_at is null and ended_at is null;
create index handovers_given on handovers (given_at);
create index handovers_account on handovers (account_id, given_at);
create index handovers_contact on handovers (contact_id, given_at);

create table tasks (
    id text primary key,
    contact_id text not null references contacts (id),
    -- who is to do it
    account_id text not null references accounts (id),
    kind text not null check (kind in ('call', 'mail', 'meeting', 'other')),
    title text not null,
    due_at bigint,
    -- nobody, if a program gave it
    given_by text references accounts (id),
    given_at bigint not null,
    done_at bigint,
    done_by text references accounts (id)
);
create index tasks_account on tasks (account_id, done_at, due_at);
create index tasks_contact on tasks (contact_id, given_at);
create index tasks_open on tasks (done_at, due_at);

-- How far a deal has come.
create table deal_milestones (
    deal_id text not null references deals (id),
    milestone text not null check (milestone in ('discovery', 'demo', 'proposal', 'review')),
    at bigint not null,
    -- `account:ID`, `api`, or `meeting` for a call that took place
    actor text not null,
    primary key (deal_id, milestone)
);

-- Words of a definition that somebody proposed; lifecycle_texts has the words.
create table lifecycle_proposals (
    hash text primary key references lifecycle_texts (hash),
    -- `account:ID` or `api`
    actor text not null,
    note text,
    at bigint not null,
    withdrawn_at bigint
);
create index lifecycle_proposals_at on lifecycle_proposals (at);
