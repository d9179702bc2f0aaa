-- Arms of A/B tests in flows: which conversation went through which.
create table chat_arms (
    conversation_id text not null references conversations (id) on delete cascade,
    flow text not null,
    step text not null,
    arm text not null,
    at bigint not null,
    primary key (conversation_id, step)
);
create index chat_arms_flow on chat_arms (flow, step, arm);

-- What `do` steps have done, each once: the key is conversation:step:visit.
create table chat_actions (
    key text primary key,
    conversation_id text not null references conversations (id) on delete cascade,
    action text not null,
    done bigint not null,
    at bigint not null
);
create index chat_actions_conversation on chat_actions (conversation_id);
