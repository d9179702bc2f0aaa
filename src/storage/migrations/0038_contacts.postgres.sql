-- People and companies are found by the words that they are known by: in small letters, without accents, each a row. A
-- search reads a range of words, so words are compared byte by byte on both engines.

alter table contacts add column sort_name text collate "C" not null default '';
-- 0: its words are still to be written down
alter table contacts add column is_indexed bigint not null default 0;
create table contact_words (
    contact_id text not null references contacts (id),
    word text collate "C" not null,
    primary key (contact_id, word)
);
create index contact_words_word on contact_words (word, contact_id);

alter table companies add column sort_name text collate "C" not null default '';
alter table companies add column is_indexed bigint not null default 0;
create table company_words (
    company_id text not null references companies (id),
    word text collate "C" not null,
    primary key (company_id, word)
);
create index company_words_word on company_words (word, company_id);

create index contacts_unindexed on contacts (id) where is_indexed = 0;
create index companies_unindexed on companies (id) where is_indexed = 0;
create index companies_by_name on companies (sort_name, id);
create index contacts_by_seen on contacts (last_seen_at, id);
create index contacts_by_created on contacts (created_at, id);
create index contacts_by_name on contacts (sort_name, id);
create index contacts_by_stage on contacts (stage, merged_into);

-- Ways to look at the list of contacts that somebody saved: what stands in the address after the `?`.
create table contact_views (
    id text primary key,
    account_id text not null references accounts (id),
    name text not null,
    query text not null,
    is_shared bigint not null,
    created_at bigint not null
);
create index contact_views_account on contact_views (account_id, name);

-- Which columns somebody wants to see in the list, as words with blanks between.
create table contact_columns (
    account_id text primary key references accounts (id),
    columns text not null
);

-- Lists of contacts that somebody brings. Each line waits in a row of its own until a worker takes it; what was taken is
-- forgotten when the import is over, but for lines that were refused.
create table contact_imports (
    id text primary key,
    account_id text not null references accounts (id),
    name text not null,
    -- the cells of the head, and what each column is taken for, as lists in JSON
    head text not null,
    mapping text not null,
    state text not null check (state in ('draft', 'running', 'done', 'stopped')),
    total bigint not null,
    made bigint not null default 0,
    changed bigint not null default 0,
    same bigint not null default 0,
    refused bigint not null default 0,
    created_at bigint not null,
    done_at bigint
);
create index contact_imports_open on contact_imports (created_at) where state = 'running';
create table contact_import_lines (
    import_id text not null references contact_imports (id),
    line bigint not null,
    -- what stands in the column of addresses, in small letters: whoever is erased is erased here, too
    email text not null,
    cells text not null,
    state text not null check (state in ('waiting', 'done', 'refused')),
    reason text,
    primary key (import_id, line)
);
create index contact_import_lines_state on contact_import_lines (import_id, state, line);
create index contact_import_lines_email on contact_import_lines (email);

-- Things that are done to everybody whom a search finds, in the background; what was there before is kept until it is too
-- late to undo it.
create table contact_acts (
    id text primary key,
    account_id text not null references accounts (id),
    -- who looks after them from now on; null: nobody
    owner_id text references accounts (id),
    -- whom it concerns: the search as JSON, and where it has come to
    search text not null,
    after_place text,
    state text not null check (state in ('running', 'done', 'undoing', 'undone')),
    looked_at bigint not null default 0,
    changed bigint not null default 0,
    created_at bigint not null,
    done_at bigint
);
create index contact_acts_open on contact_acts (created_at) where state in ('running', 'undoing');
create table contact_act_people (
    act_id text not null references contact_acts (id),
    contact_id text not null references contacts (id),
    owner_before text,
    primary key (act_id, contact_id)
);
create index contact_act_people_contact on contact_act_people (contact_id);
