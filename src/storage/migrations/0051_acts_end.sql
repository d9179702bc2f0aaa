-- What an erasure of many came to, as JSON: calls called off, what stands in CRMs, what remains.
alter table contact_acts add column outcome text;
-- Whom something that is over was done to is asked no more: what somebody typed to find them may be an address.
update contact_acts set search = '', after_place = null, chosen = null where state <> 'running';
