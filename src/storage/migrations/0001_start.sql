-- One text for SQLite and PostgreSQL. Times are integer milliseconds UTC, ids are UUIDv7 texts,
-- documents are JSON texts, flags are 0 or 1.

-- people of the company -------------------------------------------------------------------------

create table accounts (
    id text primary key,
    email text not null unique,
    name text not null,
    role text not null check (role in ('admin', 'marketing', 'sdr', 'ae', 'cs', 'viewer')),
    password_hash text not null,
    language text not null default 'en',
    created_at bigint not null,
    disabled_at bigint
);

create table account_sessions (
    id_hash text primary key,
    account_id text not null references accounts (id),
    csrf text not null,
    created_at bigint not null,
    last_seen_at bigint not null,
    expires_at bigint not null
);
create index account_sessions_account on account_sessions (account_id);

-- people who visit ------------------------------------------------------------------------------

create table companies (
    id text primary key,
    domain text not null unique,
    name text not null,
    created_at bigint not null
);

create table contacts (
    id text primary key,
    email text not null unique,
    first_name text,
    last_name text,
    company_id text references companies (id),
    language text not null default 'en',
    time_zone text,
    owner_id text references accounts (id),
    stage text not null default 'visitor',
    stage_since bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    last_seen_at bigint not null
);
create index contacts_company on contacts (company_id);
create index contacts_stage on contacts (stage, last_seen_at);
create index contacts_seen on contacts (last_seen_at);

-- Where each fact about a person came from. A weakly trusted value never replaces a stronger one:
-- it waits as a suggestion.
create table contact_fields (
    contact_id text not null references contacts (id),
    name text not null,
    status text not null check (status in ('current', 'suggested')),
    value text not null,
    source text not null,
    trust bigint not null,
    at bigint not null,
    primary key (contact_id, name, status)
);

-- One row per device epoch. Another person on the same device gets a new row.
create table visitors (
    id text primary key,
    site text not null,
    contact_id text references contacts (id),
    trust bigint not null default 0,
    consent text not null default 'none',
    first_touch text,
    first_seen_at bigint not null,
    last_seen_at bigint not null
);
create index visitors_contact on visitors (contact_id);

create table visits (
    id text primary key,
    site text not null,
    visitor_id text not null,
    consent text not null,
    started_at bigint not null,
    last_at bigint not null,
    hits bigint not null,
    pages bigint not null,
    engaged_ms bigint not null default 0,
    entry_path text not null,
    exit_path text not null,
    trail text not null,
    channel text not null,
    source text,
    medium text,
    campaign text,
    referrer_host text,
    country text,
    device text,
    browser text,
    os text,
    bot_reason text
);
create index visits_visitor on visits (visitor_id, started_at);
create index visits_site on visits (site, started_at);

-- What people did, as far as scoring and the timeline want to know. Append only.
create table activities (
    id text primary key,
    contact_id text,
    visitor_id text,
    kind text not null,
    subject text,
    props text not null default '{}',
    at bigint not null
);
create index activities_contact on activities (contact_id, at);
create index activities_visitor on activities (visitor_id, at);

create table consent_texts (
    hash text primary key,
    text_id text not null,
    language text not null,
    body text not null,
    first_used_at bigint not null
);

create table consents (
    id text primary key,
    contact_id text,
    visitor_id text,
    purpose text not null,
    action text not null check (action in ('granted', 'denied', 'withdrawn')),
    text_hash text references consent_texts (hash),
    page text,
    at bigint not null
);
create index consents_contact on consents (contact_id, at);

-- lifecycle -------------------------------------------------------------------------------------

create table lifecycle_versions (
    hash text primary key,
    version bigint not null,
    body text not null,
    activated_at bigint not null
);

-- Append only but for left_at, which closes the interval.
create table stage_intervals (
    id text primary key,
    contact_id text not null references contacts (id),
    journey bigint not null,
    stage text not null,
    entered_at bigint not null,
    left_at bigint,
    actor text not null,
    rule text not null,
    reason text,
    lifecycle_hash text not null,
    evidence text not null
);
create index stage_intervals_contact on stage_intervals (contact_id, entered_at);
create unique index stage_intervals_open on stage_intervals (contact_id) where left_at is null;

-- gates and webinars ----------------------------------------------------------------------------

create table form_submissions (
    id text primary key,
    site text not null,
    form text not null,
    contact_id text not null references contacts (id),
    visitor_id text,
    fields text not null,
    page text,
    language text not null,
    nonce text unique,
    at bigint not null
);
create index form_submissions_contact on form_submissions (contact_id, at);

create table revoked_links (
    nonce text primary key,
    revoked_at bigint not null
);

create table webinar_registrations (
    webinar text not null,
    contact_id text not null references contacts (id),
    state text not null check (state in ('registered', 'attended', 'no_show', 'cancelled')),
    minutes bigint,
    registered_at bigint not null,
    state_at bigint not null,
    primary key (webinar, contact_id)
);
create index webinar_registrations_contact on webinar_registrations (contact_id);

create table watches (
    recording text not null,
    viewer text not null,
    contact_id text,
    ranges text not null,
    seconds double precision not null,
    percent bigint not null,
    updated_at bigint not null,
    primary key (recording, viewer)
);
create index watches_contact on watches (contact_id);

-- conversations ---------------------------------------------------------------------------------

create table conversations (
    id text primary key,
    site text not null,
    visitor_id text not null,
    contact_id text,
    flow text,
    flow_version text,
    language text not null,
    time_zone text not null,
    page text,
    mode text not null check (mode in ('bot', 'waiting', 'human', 'closed')),
    state text not null,
    head bigint not null default 0,
    visitor_read bigint not null default 0,
    agent_read bigint not null default 0,
    wake_at bigint,
    assigned_to text references accounts (id),
    outcome text,
    opened_at bigint not null,
    updated_at bigint not null,
    closed_at bigint
);
create index conversations_visitor on conversations (visitor_id, opened_at);
create index conversations_contact on conversations (contact_id, opened_at);
create index conversations_mode on conversations (mode, updated_at);
create index conversations_wake on conversations (wake_at) where wake_at is not null;

-- The one ordered log of a conversation: seq is contiguous from 1.
create table messages (
    conversation_id text not null references conversations (id),
    seq bigint not null,
    client_id text,
    author text not null check (author in ('visitor', 'bot', 'agent', 'system')),
    author_id text,
    body text not null,
    at bigint not null,
    primary key (conversation_id, seq)
);
create unique index messages_client on messages (conversation_id, client_id) where client_id is not null;

-- What a flow has already been shown to whom, for frequency caps.
create table flow_showings (
    visitor_id text not null,
    flow text not null,
    at bigint not null,
    dismissed bigint not null default 0
);
create index flow_showings_visitor on flow_showings (visitor_id, flow, at);

-- bookings --------------------------------------------------------------------------------------

-- Holds and bookings stand in one table, so that one guard (0002) covers both.
create table bookings (
    id text primary key,
    meeting text not null,
    rep text not null,
    contact_id text references contacts (id),
    visitor_id text,
    conversation_id text,
    starts_at bigint not null,
    ends_at bigint not null,
    block_from bigint not null,
    block_to bigint not null,
    state text not null check (state in ('hold', 'confirmed', 'cancelled', 'expired')),
    hold_expires_at bigint,
    sequence bigint not null default 0,
    time_zone text not null,
    language text not null,
    location text,
    notes text,
    assignment text not null default '{}',
    outcome text check (outcome in ('held', 'no_show')),
    outcome_at bigint,
    cancel_reason text,
    created_at bigint not null,
    updated_at bigint not null,
    check (starts_at < ends_at and block_from <= starts_at and ends_at <= block_to)
);
create index bookings_rep on bookings (rep, block_from);
create index bookings_contact on bookings (contact_id, starts_at);
create index bookings_start on bookings (state, starts_at);

create table idempotency_keys (
    scope text not null,
    idempotency_key text not null,
    request_hash text not null,
    status bigint not null,
    body text not null,
    created_at bigint not null,
    primary key (scope, idempotency_key)
);

-- consequences ----------------------------------------------------------------------------------

create table events (
    id text primary key,
    kind text not null,
    contact_id text,
    payload text not null,
    at bigint not null,
    dispatched_at bigint
);
create index events_waiting on events (id) where dispatched_at is null;
create index events_contact on events (contact_id, at);

create table jobs (
    id text primary key,
    kind text not null,
    dedupe_key text not null unique,
    payload text not null,
    state text not null check (state in ('ready', 'running', 'done', 'dead', 'dropped')),
    attempts bigint not null default 0,
    next_at bigint not null,
    lease_until bigint,
    lease_owner text,
    fence bigint not null default 0,
    last_error text,
    created_at bigint not null,
    done_at bigint
);
create index jobs_due on jobs (next_at) where state in ('ready', 'running');

-- Every mail that was sent, and the built-in outbox page where no mail server is configured.
create table mails (
    id text primary key,
    message_id text not null unique,
    template text not null,
    recipient text not null,
    contact_id text,
    subject text not null,
    text_body text not null,
    html_body text not null,
    calendar text,
    transport text not null check (transport in ('smtp', 'outbox')),
    sent_at bigint not null
);
create index mails_sent on mails (sent_at);
create index mails_contact on mails (contact_id, sent_at);

create table notifications (
    id text primary key,
    account_id text references accounts (id),
    kind text not null,
    title text not null,
    body text not null,
    link text not null,
    at bigint not null,
    read_at bigint
);
create index notifications_account on notifications (account_id, at);

create table projection_cursors (
    name text primary key,
    position bigint not null
);
