-- What sort of company it is: school, foundation, maker ….
alter table companies add column kind text;

-- Whether a campaign is to win customers or to keep them.
alter table campaign_costs add column purpose text not null default 'winning';

-- The call to action that led to a form.
alter table form_submissions add column cta text;
create index form_submissions_cta on form_submissions (site, cta, at);
