// What travels between the widget and the server. Times are milliseconds UTC.

export type Mode = 'bot' | 'waiting' | 'human' | 'closed';

export interface Person {
  name: string;
  initials?: string | null;
}

export interface Slot {
  starts_at: number;
  ends_at: number;
}

export interface Choice {
  id: string;
  label: string;
  /** Its picture, and what that shows. */
  image?: string | null;
  alt?: string | null;
}

export interface Offer {
  slots: Slot[];
  zone: string;
  more?: boolean;
}

/** What kind of answer a question takes. All but choices and slots may also be typed, and go as `answer`. */
export type Input =
  | { kind: 'choice'; choices: Choice[] }
  | { kind: 'text' | 'email' | 'phone' | 'url'; placeholder?: string | null; multiline?: boolean }
  | { kind: 'number'; placeholder?: string | null; min?: number | null; max?: number | null }
  /** A day, bounds and answer as `2026-12-24`; a time of day, as `14:30`. */
  | { kind: 'date' | 'time'; min?: string | null; max?: string | null; range?: boolean }
  /** From 1 to `max`, with words for both ends. */
  | { kind: 'rating'; max: number; low?: string | null; high?: string | null }
  /** The digits of a code; it may be asked for once more. */
  | { kind: 'code'; digits: number; choices?: Choice[] }
  | ({ kind: 'slot' } & Offer);

export interface Ask {
  type: 'ask';
  question: string;
  text: string;
  input: Input;
  progress?: { step: number; of: number } | null;
  typing_ms?: number | null;
}

export interface Image {
  src: string;
  alt: string;
}

export interface Card {
  type: 'card';
  title: string;
  text?: string | null;
  image?: Image | null;
  link?: { href: string; label: string } | null;
}

export interface File {
  type: 'file';
  title: string;
  href: string;
  /** The ending of its name, such as `pdf`. */
  kind?: string | null;
}

export interface Video {
  type: 'video';
  recording: string;
  title: string;
  src: string;
  poster?: string | null;
  captions?: { src: string; language: string; label: string }[];
  duration_s?: number;
  watched_percent?: number;
}

export interface Booked {
  type: 'booked';
  booking: string;
  starts_at: number;
  ends_at: number;
  zone: string;
  with: string;
  manage?: string | null;
  location?: string | null;
  /** A calendar file, if the server offers one. */
  calendar?: string | null;
}

/** What the server writes into the log. */
export type Body =
  /** `typing_ms`: how long the bot seems to type before it. */
  | { type: 'text'; text: string; typing_ms?: number | null }
  | Ask
  | Video
  | ({ type: 'image'; caption?: string | null } & Image)
  | File
  | Card
  | Booked
  | { type: 'invalid'; question: string; text: string }
  | { type: 'choice'; question: string; choice: string; label: string }
  | { type: 'answer'; question: string; text: string }
  | { type: 'slot'; question: string; starts_at?: number | null; zone?: string; none_fit?: boolean }
  | { type: 'human_requested' }
  | { type: 'status'; mode: Mode; agent?: Person | null; text?: string | null }
  | { type: 'end'; outcome: string }
  /** After a conversation with a person: asks how it was, from 1 to 5. */
  | { type: 'satisfaction'; text: string }
  | { type: 'rated'; score: number; comment?: string | null };

export interface Event {
  seq: number;
  at: number;
  author: { kind: 'visitor' | 'bot' | 'agent' | 'system'; name?: string | null };
  client_id?: string | null;
  body: Body;
}

/** A link that was mailed to somebody was opened in this browser: is it she who sits here? */
export interface Asked {
  /** Her address, of which only the first letters can be read. */
  who: string;
  /** Stands for her in this browser's memory; it tells nothing. */
  mark: string;
}

/** What the visitor sends. */
export type Said =
  | { type: 'text'; text: string }
  | { type: 'choice'; question: string; choice: string }
  | { type: 'answer'; question: string; value: string }
  | { type: 'slot'; question: string; starts_at: number }
  | { type: 'slot'; question: string; none_fit: true }
  | { type: 'human_requested' };

export interface Started {
  conversation: string;
  token: string;
  visitor: string;
  head: number;
  mode: Mode;
  agent?: Person | null;
  bot?: Person | null;
  language?: string;
  /** Whether the person is recognised; without it the age of the visitor id decides. */
  known?: boolean;
}
