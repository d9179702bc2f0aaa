-- Somebody of the company has spoken to a visitor who had not asked for it: once a day at most for one visitor.
create table approaches (
    conversation_id text primary key,
    visitor_id text not null,
    site text not null,
    account_id text not null,
    at bigint not null,
    -- When her page took it; none: she has not seen it yet.
    reached_at bigint
);
create index approaches_visitor on approaches (visitor_id, at);
create index approaches_waiting on approaches (at) where reached_at is null;

-- When a contact was on a site last, to within a minute, and when somebody was told of it last.
create table arrivals (
    contact_id text primary key,
    at bigint not null,
    told_at bigint
);
