-- Prepared answers that the company's people write in the console. Those of the file stand beside them.
create table chat_replies (
    shortcut text primary key,
    title_en text not null,
    title_es text not null,
    text_en text not null,
    text_es text not null,
    changed_at bigint not null,
    changed_by text not null references accounts (id)
);
