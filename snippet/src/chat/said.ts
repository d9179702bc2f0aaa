// What the log says, in words: of answers that travelled as ids, of changes, and in short for the card over the launcher.

import { spokenDay } from './days';
import type { Talk } from './talk';
import { Calendar, capital } from './time';
import type { Words } from './words';
import type { Body, Mode, Person } from './wire';

/** What the visitor said. */
export function spoken(body: Body, { talk, words, language, zone }: { talk: Talk; words: Words; language: string; zone?: string }): string {
  switch (body.type) {
    case 'text':
      return body.text;
    case 'choice':
      return body.label;
    case 'answer': {
      const input = talk.answered?.question === body.question && talk.answered.input;
      if (input && input.kind === 'rating') return words.progress(Number(body.text), input.max);
      return input && input.kind === 'date' ? spokenDay(body.text, language) : body.text;
    }
    case 'slot': {
      if (!body.starts_at) return words.noneFit;
      const calendar = new Calendar(language, zone);
      return capital(`${calendar.shortDay(body.starts_at)}, ${calendar.time(body.starts_at)}`);
    }
    case 'human_requested':
      return words.human;
    case 'rated':
      return words.progress(body.score, 5) + (body.comment ? `: ${body.comment}` : '');
    default:
      return '';
  }
}

/** A change of who has the word. */
export function standing(mode: Mode, before: Mode, agent: Person | null, words: Words): string {
  if (mode === 'human' && agent) return words.joined(agent.name);
  if (mode === 'waiting') return words.looking;
  if (mode === 'closed') return words.ended;
  return before === 'human' && agent ? words.left(agent.name) : '';
}

/** What somebody said, on one line; nothing for what is not said to the visitor. */
export function inShort(body: Body, words: Words): string {
  switch (body.type) {
    case 'text':
    case 'ask':
      return body.text;
    case 'video':
    case 'file':
    case 'card':
      return body.title;
    case 'image':
      return body.caption || body.alt;
    case 'booked':
      return words.booked;
    default:
      return '';
  }
}
