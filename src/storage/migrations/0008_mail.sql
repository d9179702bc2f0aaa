-- Who wants which letters. `unconfirmed` gets nothing but the question whether the address is hers.
create table subscriptions (
    contact_id text not null references contacts (id),
    topic text not null,
    state text not null check (state in ('unconfirmed', 'confirmed', 'unsubscribed')),
    source text not null,
    asked_at bigint not null,
    confirmed_at bigint,
    state_at bigint not null,
    primary key (contact_id, topic)
);
create index subscriptions_topic on subscriptions (topic, state);

-- Mails that ask for a confirmation, past and planned: the cap against floods counts them.
create table confirmation_mails (
    contact_id text not null references contacts (id),
    at bigint not null
);
create index confirmation_mails_contact on confirmation_mails (contact_id, at);

-- Somebody wants no letters until then.
create table mail_pauses (
    contact_id text primary key references contacts (id),
    until_at bigint not null
);

-- Addresses that are not written to. The address stands as a keyed digest, so that it survives the person's erasure
-- without naming her. The scope is `all`, `marketing` or a topic.
create table suppressions (
    address text not null,
    scope text not null,
    reason text not null
        check (reason in ('hard_bounce', 'complaint', 'soft_bounces', 'manual', 'unsubscribed')),
    detail text,
    since bigint not null,
    until_at bigint,
    primary key (address, scope, reason)
);

-- What mail servers and providers told about our mails, each once.
create table mail_feedback (
    source text not null,
    told_id text not null,
    kind text not null,
    address text not null,
    mail_id text,
    at bigint not null,
    primary key (source, told_id)
);
create index mail_feedback_address on mail_feedback (address, kind, at);

-- A place for one letter within the most that somebody gets in some days, taken before it is sent.
create table letter_slots (
    mail_id text primary key,
    contact_id text not null references contacts (id),
    at bigint not null
);
create index letter_slots_contact on letter_slots (contact_id, at);

-- Clicks on links of letters. The verdict can be worked out again from what stands here.
create table mail_clicks (
    id text primary key,
    mail_id text not null,
    contact_id text not null references contacts (id),
    link bigint not null,
    address text not null,
    at bigint not null,
    signs text not null,
    seen_at bigint,
    verdict text not null check (verdict in ('human', 'unsure', 'machine')),
    reasons text not null
);
create index mail_clicks_mail on mail_clicks (mail_id, at);
create index mail_clicks_contact on mail_clicks (contact_id, at);

-- Who walks through which sequence of letters. `once_key` is what makes somebody enter only once.
create table enrolments (
    id text primary key,
    sequence text not null,
    contact_id text not null references contacts (id),
    once_key text not null,
    state text not null check (state in ('active', 'done', 'left')),
    step bigint not null,
    next_at bigint not null,
    reason text,
    entered_at bigint not null,
    ended_at bigint,
    unique (sequence, contact_id, once_key)
);
create index enrolments_due on enrolments (next_at) where state = 'active';
create index enrolments_contact on enrolments (contact_id, entered_at);

-- Since when a job fails: a job that only waits for its time is in no trouble.
alter table jobs add column trouble_since bigint;

-- Which letters a mail is of: a topic, `marketing` for an invitation, nothing for an answer.
alter table mails add column topic text;
