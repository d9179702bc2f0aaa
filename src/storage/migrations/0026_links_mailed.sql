-- When a file was mailed to whom by way of a form: nobody's inbox is flooded by whoever types an address into forms.
create table links_mailed (
    id text primary key,
    contact_id text not null,
    asset text not null,
    at bigint not null
);
create index links_mailed_contact on links_mailed (contact_id, at);
