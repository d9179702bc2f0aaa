-- Who was asked to take a conversation that waits, one after the other; at most one of them at a time.
create table chat_offers (
    id text primary key,
    conversation_id text not null references conversations (id),
    account_id text not null references accounts (id),
    -- why: 'owner' (of the contact) or 'turn' (asked longest ago)
    rule text not null,
    -- who was asked for the same wait: the step of the flow that asked
    round bigint not null,
    offered_at bigint not null,
    until bigint not null,
    ended_at bigint,
    -- 'accepted', 'passed' (the time was over) or 'withdrawn'
    ending text
);
create unique index chat_offers_open on chat_offers (conversation_id) where ended_at is null;
create index chat_offers_account on chat_offers (account_id, offered_at);
create index chat_offers_due on chat_offers (until) where ended_at is null;

-- What the company's people tell one another about a conversation. Never part of its log.
create table chat_notes (
    id text primary key,
    conversation_id text not null references conversations (id),
    -- after which entry of the log it was written
    after_seq bigint not null,
    account_id text not null references accounts (id),
    -- whom it is meant for, if it was written when the conversation was passed on
    to_account_id text references accounts (id),
    client_id text not null,
    body text not null,
    at bigint not null
);
create unique index chat_notes_client on chat_notes (conversation_id, client_id);
create index chat_notes_conversation on chat_notes (conversation_id, at);

-- How visitors liked a conversation with a person.
create table chat_ratings (
    conversation_id text primary key references conversations (id),
    account_id text references accounts (id),
    score bigint not null check (score between 1 and 5),
    comment text,
    at bigint not null
);
create index chat_ratings_at on chat_ratings (at);

-- Questions that were left when nobody was there, until somebody has answered them.
create table chat_left (
    conversation_id text primary key references conversations (id),
    question text not null,
    left_at bigint not null,
    answered_at bigint,
    answered_by text references accounts (id)
);
create index chat_left_open on chat_left (left_at) where answered_at is null;
