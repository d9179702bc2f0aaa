-- Who is the same person, and what a person may demand of what is known about her.

-- A contact that a person took for another one keeps its row and its id; `merged_into` is who speaks for it now.
alter table contacts add column merged_into text;
-- Since when she objects to being profiled (GDPR, article 21).
alter table contacts add column profiling_off_at bigint;
-- The address without its plus tag and dots: two that are alike may be one person's, which only a person can say.
alter table contacts add column likeness text;
create index contacts_merged on contacts (merged_into);
create index contacts_likeness on contacts (likeness);
-- Text functions that both engines have: what stands before the @ is what is left when everything else is trimmed.
update contacts set likeness = replace(
        rtrim(case when email like '%+%@%' then rtrim(email, replace(email, '+', '')) else rtrim(email, replace(email, '@', '')) end, '+@'),
        '.', '')
    || '@' || substr(email, length(rtrim(email, replace(email, '@', ''))) + 1);

-- Every id that a contact stands for: its own, and those that were merged into it.
create view contact_ids (contact_id, own_id) as
    select id, id from contacts
    union all
    select merged_into, id from contacts where merged_into is not null;

-- Further addresses of a contact.
create table contact_emails (
    email text primary key,
    contact_id text not null references contacts (id),
    -- `host` or `person`
    source text not null,
    at bigint not null
);
create index contact_emails_contact on contact_emails (contact_id);

-- How the sites call their users. `bound`: the site vouched for it. `contested`: the site named another user with an
-- address that belongs to a bound one; a person decides.
create table contact_host_ids (
    site text not null,
    host_id text not null,
    contact_id text not null references contacts (id),
    state text not null check (state in ('bound', 'contested')),
    at bigint not null,
    primary key (site, host_id)
);
create index contact_host_ids_contact on contact_host_ids (contact_id);

-- Codes that prove an address. The digits stand nowhere: they are worked out from the id and the server's secret.
create table identity_codes (
    id text primary key,
    contact_id text not null references contacts (id),
    visitor_id text not null,
    language text not null,
    asked_at bigint not null,
    expires_at bigint not null,
    tries bigint not null default 0,
    used_at bigint
);
create index identity_codes_contact on identity_codes (contact_id, asked_at);

-- Merges, undone ones too. `fields` says which facts of the survivor changed, and what stood there before.
create table contact_merges (
    id text primary key,
    survivor_id text not null references contacts (id),
    merged_id text not null references contacts (id),
    actor text not null,
    fields text not null,
    at bigint not null,
    undone_at bigint,
    undone_by text
);
create index contact_merges_survivor on contact_merges (survivor_id, at);
create unique index contact_merges_open on contact_merges (merged_id) where undone_at is null;

-- The same id with another text is another version of it.
alter table consent_texts add column version bigint not null default 1;
-- The SHA-256 of the body. `hash` is the row's key: two ids may have one wording.
alter table consent_texts add column body_hash text;
update consent_texts set body_hash = hash;
alter table consents add column form text;
update consent_texts set version = (
    select count(*) from consent_texts earlier
    where earlier.text_id = consent_texts.text_id and earlier.language = consent_texts.language
        and (earlier.first_used_at < consent_texts.first_used_at
            or (earlier.first_used_at = consent_texts.first_used_at and earlier.hash <= consent_texts.hash))
);

-- What outlives an erasure: that an address said no. Only a digest that is keyed with the server's secret is kept.
create table kept_refusals (
    digest text not null,
    purpose text not null,
    at bigint not null,
    primary key (digest, purpose)
);

-- Who saw, exported, erased or merged whom.
create table audit (
    id text primary key,
    at bigint not null,
    -- `account:ID`, `api`, `cli` or `rule`
    actor text not null,
    action text not null,
    contact_id text,
    details text not null default '{}'
);
create index audit_at on audit (at);
create index audit_contact on audit (contact_id, at);
