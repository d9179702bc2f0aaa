-- Whom to look at again, because something happened to them: a row for each person, however much it was.
create table contact_marks (
    contact_id text primary key references contacts (id),
    -- kinds of activities and of changes, separated by spaces
    what text not null,
    at bigint not null
);
create index contact_marks_at on contact_marks (at);

-- What segments of config/segments.yaml say of a contact. A row is kept of those who belong, and of those whom time alone
-- may bring in.
create table segment_states (
    segment text not null,
    contact_id text not null references contacts (id),
    is_member bigint not null,
    since bigint not null,
    -- when to ask again, though nothing happens
    due_at bigint,
    primary key (segment, contact_id)
);
create index segment_states_contact on segment_states (contact_id);
create index segment_states_due on segment_states (due_at);
create index segment_states_members on segment_states (segment, is_member, since);

-- How far everybody has been asked about a segment whose condition is new.
create table segment_fills (
    segment text primary key,
    hash text not null,
    after_contact text not null,
    is_done bigint not null
);

-- Companies: what is known of them, and where it came from.
alter table companies add column employees bigint;
alter table companies add column industry text;
alter table companies add column country text;
alter table companies add column revenue text;

create table company_fields (
    company_id text not null references companies (id),
    name text not null,
    value text not null,
    source text not null,
    trust bigint not null,
    at bigint not null,
    primary key (company_id, name)
);

-- Deals: what a company might buy, and who of its people has a part in it.
create table deals (
    id text primary key,
    company_id text not null references companies (id),
    name text not null,
    -- in the smallest unit of the currency (ISO 4217)
    amount bigint,
    currency text not null,
    status text not null check (status in ('open', 'won', 'lost')),
    reason text,
    owner_id text references accounts (id),
    opened_at bigint not null,
    closed_at bigint,
    kickoff_at bigint,
    live_at bigint
);
create index deals_company on deals (company_id, opened_at);
create index deals_closed on deals (status, closed_at);

create table deal_people (
    deal_id text not null references deals (id),
    contact_id text not null references contacts (id),
    role text not null,
    at bigint not null,
    primary key (deal_id, contact_id)
);
create index deal_people_contact on deal_people (contact_id);

-- Offers that somebody has taken; a code is given once.
create table offer_claims (
    code text primary key,
    offer text not null,
    contact_id text not null references contacts (id),
    claimed_at bigint not null,
    expires_at bigint,
    redeemed_at bigint,
    unique (offer, contact_id)
);
create index offer_claims_contact on offer_claims (contact_id);

-- What campaigns cost, by day; importing a day again replaces it.
create table campaign_costs (
    day text not null,
    source text not null,
    campaign text not null,
    amount bigint not null,
    currency text not null,
    primary key (day, source, campaign)
);
