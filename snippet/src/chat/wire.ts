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

export type Input =
  | { kind: 'choice'; choices: { id: string; label: string }[] }
  | { kind: 'text' | 'email' | 'phone' | 'number'; placeholder?: string | null; multiline?: boolean }
  | { kind: 'slot'; slots: Slot[]; zone: string; more?: boolean };

export interface Ask {
  type: 'ask';
  question: string;
  text: string;
  input: Input;
  progress?: { step: number; of: number } | null;
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
  | { type: 'text'; text: string }
  | Ask
  | Video
  | Booked
  | { type: 'invalid'; question: string; text: string }
  | { type: 'choice'; question: string; choice: string; label: string }
  | { type: 'answer'; question: string; text: string }
  | { type: 'slot'; question: string; starts_at?: number | null; zone?: string; none_fit?: boolean }
  | { type: 'human_requested' }
  | { type: 'status'; mode: Mode; agent?: Person | null; text?: string | null }
  | { type: 'end'; outcome: string };

export interface Event {
  seq: number;
  at: number;
  author: { kind: 'visitor' | 'bot' | 'agent' | 'system'; name?: string | null };
  client_id?: string | null;
  body: Body;
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
