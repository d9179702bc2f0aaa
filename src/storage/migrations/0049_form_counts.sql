-- How often forms are shown, begun and set apart, by the hour. Who it was is not kept.
create table form_counts (
    form text not null,
    site text not null,
    -- the hour's first millisecond
    hour bigint not null,
    viewed bigint not null,
    begun bigint not null,
    apart bigint not null,
    primary key (form, site, hour)
);
create index form_counts_hour on form_counts (hour);

-- The page of a form asks who sent it, and when; the page of a sequence who is where.
create index form_submissions_form on form_submissions (form, at);
create index enrolments_sequence on enrolments (sequence, state, next_at);
create index mails_template on mails (template, sent_at);

-- What else is done to many contacts than giving them an owner, and to whom if they were chosen one by one.
alter table contact_acts add column kind text not null default 'owner';
-- the sequence that they are put into or taken out of
alter table contact_acts add column subject text;
-- a list of ids as JSON; null: everybody whom the search finds
alter table contact_acts add column chosen text;
