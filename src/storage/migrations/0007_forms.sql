-- Submissions that look odd: set apart until a person lets them in or throws them away. They are nobody's.
create table form_quarantine (
    id text primary key,
    site text not null,
    form text not null,
    reason text not null,
    sent text not null,
    nonce text not null unique,
    at bigint not null
);
create index form_quarantine_at on form_quarantine (at);

-- The way that led to a form: campaign, click, referrer, first page.
alter table form_submissions add column attribution text not null default '{}';

-- Every link of a contact, to a file or recording, or of the one to the other, that was made until then is taken back.
-- Empty stands for all of them.
create table revoked_links_of (
    contact_id text not null,
    subject text not null,
    until bigint not null,
    primary key (contact_id, subject)
);

-- When a webinar takes place, as its registrants were told last; and whether it was called off.
create table webinar_dates (
    webinar text primary key,
    starts_at bigint not null,
    duration_ms bigint not null,
    sequence bigint not null,
    cancelled_at bigint,
    reason text
);
