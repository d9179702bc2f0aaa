-- What proves a consent: the network that it was said from (/24, /48) and what the browser calls itself.
alter table consents add column network text;
alter table consents add column user_agent text;

-- Who of its people said a fact about a company; null if it was said by somebody else, or by one who was erased.
alter table company_fields add column contact_id text;
create index company_fields_contact on company_fields (contact_id);

-- What somebody less believed said about a company: it waits for a person.
create table company_suggestions (
    company_id text not null references companies (id),
    name text not null,
    value text not null,
    source text not null,
    trust bigint not null,
    contact_id text,
    at bigint not null,
    primary key (company_id, name)
);
create index company_suggestions_contact on company_suggestions (contact_id);

-- How often somebody wants letters. Without a row: as they come.
create table mail_frequencies (
    contact_id text primary key references contacts (id),
    frequency text not null check (frequency in ('all', 'weekly', 'monthly')),
    at bigint not null
);
