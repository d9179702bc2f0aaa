-- The flows that have run, so that conversations in them can be ended after a change and on every node.
create table flow_sets (
    -- of the names and versions of all flows in it
    digest text primary key,
    -- JSON: pairs of path and text
    files text not null
);

create table flow_versions (
    flow text not null,
    version text not null,
    digest text not null references flow_sets (digest),
    -- when it began to run last
    seen_at bigint not null,
    primary key (flow, version)
);
