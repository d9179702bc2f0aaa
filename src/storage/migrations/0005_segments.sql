-- Who belongs to which segment of config/segments.yaml.
create table segment_members (
    segment text not null,
    contact_id text not null references contacts (id),
    since bigint not null,
    primary key (segment, contact_id)
);
create index segment_members_contact on segment_members (contact_id);
