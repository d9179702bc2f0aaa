// What can be answered with a click instead of words: one file for each picker, chosen here by the question's kind.

import { h, icon } from '../shared/dom';
import { outside } from '../shared/address';
import { day, time } from './days';
import { icons } from './icons';
import { picture } from './picture';
import { slots } from './slots';
import type { Words } from './words';
import type { Ask, Choice, Said } from './wire';

export type Answer = (said: Said, shown: string) => void;

export function answers(ask: Ask, words: Words, language: string, answer: Answer): HTMLElement | null {
  const { input, question } = ask;
  const value = (value: string, shown: string) => answer({ type: 'answer', question, value }, shown);
  switch (input.kind) {
    case 'choice':
    case 'code':
      return input.choices ? choices(ask.text, input.choices, (id, label) => answer({ type: 'choice', question, choice: id }, label)) : null;
    case 'rating':
      return rating(ask.text, input, words, value);
    case 'date':
      return day(ask.text, input, words, language, value);
    case 'time':
      return time(ask.text, input, words, value);
    case 'slot':
      return slots(ask, input, words, language, answer);
    default:
      return null;
  }
}

function choices(label: string, list: Choice[], choose: (id: string, label: string) => void): HTMLElement {
  const hasPictures = list.some(({ image }) => image && outside(image));
  return h(
    'div',
    { class: hasPictures ? 'pictures' : 'choices', role: 'group', 'aria-label': label },
    ...list.map(({ id, label, image, alt }) =>
      h(
        'button',
        { type: 'button', class: hasPictures ? 'picture' : 'choice', onclick: () => choose(id, label) },
        hasPictures && picture(image ? outside(image) : '', alt === label ? '' : alt || ''),
        h('span', null, label),
      ),
    ),
  );
}

/** Up to five are stars, more are numbers; one click answers. */
function rating(
  label: string,
  { max, low, high }: { max: number; low?: string | null; high?: string | null },
  words: Words,
  answer: (value: string, shown: string) => void,
): HTMLElement {
  const hasStars = max <= 5;
  const steps = Array.from({ length: max }, (_, at) => {
    const value = at + 1;
    const end = (at ? at === max - 1 && high : low) || '';
    const name = words.progress(value, max) + (end && `, ${end}`);
    return h(
      'button',
      { type: 'button', class: hasStars ? 'star' : 'pick', 'aria-label': name, title: end || null, onclick: () => answer(`${value}`, words.progress(value, max)) },
      hasStars ? icon(icons.star) : `${value}`,
    );
  });
  return h(
    'div',
    { class: 'card rating', role: 'group', 'aria-label': label },
    h('div', { class: hasStars ? 'stars' : 'scale' }, ...steps),
    (low || high) && h('p', { class: 'ends', 'aria-hidden': 'true' }, h('span', null, low || ''), h('span', null, high || '')),
  );
}
