-- What stands for whom in a CRM. A row without `remote_id` is being made, or was tried and nobody knows what became of it.
create table crm_links (
    -- the connection's name in crm.yaml
    crm text not null,
    kind text not null check (kind in ('contact', 'company', 'deal', 'activity')),
    -- our id: of a contact, a company, a deal (or of the contact, if she works for no company), a call
    own_id text not null,
    remote_id text,
    -- whom it is about, if it is about a person
    contact_id text,
    -- a digest of what was sent last: the same is not sent again
    sent text,
    -- our stage or status that was sent last
    pushed text,
    -- how it stands over there, as far as that is known
    seen text,
    -- who makes it at this moment, and until when nobody else does
    claimed_by text,
    claimed_until bigint,
    -- when it was tried to make it, if nobody knows whether that worked
    tried_at bigint,
    sent_at bigint,
    created_at bigint not null,
    primary key (crm, kind, own_id)
);
create index crm_links_remote on crm_links (crm, kind, remote_id);
create index crm_links_contact on crm_links (contact_id);

-- How each connection does.
create table crm_states (
    crm text primary key,
    -- when something was last taken over there, and when we were last told something
    sent_at bigint,
    heard_at bigint,
    failing_since bigint,
    error text,
    error_at bigint,
    -- until when it wants no more calls
    resume_at bigint,
    -- how much we were told of that we do not know, and the latest of it
    unknown bigint not null default 0,
    unknown_id text
);
