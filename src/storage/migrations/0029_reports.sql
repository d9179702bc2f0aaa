-- Reports ask by kind and time, by when conversations began, and which mails came back.
create index activities_kind on activities (kind, at);
create index conversations_opened on conversations (opened_at);
create index mail_feedback_mail on mail_feedback (mail_id) where mail_id is not null;
