// What follows what was said: that it was read, and, when a conversation with a person is over, how it was.

import { h, icon } from '../shared/dom';
import { icons } from './icons';
import type { Words } from './words';

const MOST = 5;
const COMMENT = 500;

/** How it was: a score from 1 to 5, and a word about it for whoever has one. `send` says whether it arrived. */
export function satisfaction(
  question: string,
  words: Words,
  send: (score: number, comment: string) => Promise<boolean>,
): HTMLElement {
  let score = 0;
  const comment = h('textarea', { class: 'field', rows: 2, maxlength: COMMENT, 'aria-label': words.rateComment, placeholder: words.rateComment });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const more = h('div', { class: 'rate-more', hidden: true }, comment, problem, h('button', { type: 'submit', class: 'button' }, words.send));
  const stars = Array.from({ length: MOST }, (_, at) => {
    const end = at === 0 ? words.rateLow : at === MOST - 1 ? words.rateHigh : '';
    return h(
      'button',
      {
        type: 'button',
        class: 'star',
        'aria-pressed': 'false',
        'aria-label': words.progress(at + 1, MOST) + (end && `, ${end}`),
        title: end,
        onclick: () => {
          score = at + 1;
          stars.forEach((star, index) => {
            star.setAttribute('aria-pressed', String(index === at));
            star.classList.toggle('on', index <= at);
          });
          more.hidden = false;
        },
      },
      icon(icons.star),
    );
  });
  const form = h(
    'form',
    {
      class: 'card rating',
      onsubmit: async (event: Event) => {
        event.preventDefault();
        if (!score) return;
        problem.textContent = '';
        // Answered: the log says it, and this form goes.
        if (!(await send(score, comment.value.trim()))) problem.textContent = words.refused;
      },
    },
    h('p', { class: 'rate-question', id: 'rate' }, question),
    h('div', { class: 'stars', role: 'group', 'aria-labelledby': 'rate' }, ...stars),
    h('p', { class: 'ends', 'aria-hidden': 'true' }, h('span', null, words.rateLow), h('span', null, words.rateHigh)),
    more,
  );
  return form;
}

/** Says under the last thing that the visitor said that it was read; nothing takes that away again. */
export function markRead(log: HTMLElement, text: string): void {
  const rows = log.querySelectorAll('.row.ours');
  const last = rows[rows.length - 1];
  const before = log.querySelector('.read');
  if (before && (!text || !last?.contains(before))) before.remove();
  if (text && last && !last.querySelector('.read, .note')) {
    // It can be found, but nobody is interrupted by it.
    last.querySelector('.stack')!.append(h('p', { class: 'read', 'aria-live': 'off' }, text));
  }
}
