// A day out of a month, and a time of day. Who would rather type it can: the line below takes the same answer.

import { h, icon } from '../shared/dom';
import { icons } from './icons';
import { picker, radio } from './picks';
import { Calendar, capital, here } from './time';
import type { Words } from './words';

type Bounds = { min?: string | null; max?: string | null; range?: boolean };
type Answer = (value: string, shown: string) => void;

const DAY_MS = 86_400_000;
/** More times than this are shown by the hour. */
const TIMES = 25;

const key = (at: number) => new Date(at).toISOString().slice(0, 10);
const at = (key: string) => Date.parse(`${key}T00:00Z`);
const monthOf = (at: number, months = 0) => {
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1);
};

/** Days as people say them: `2026-12-24` is Thursday 24 December 2026, and a stroke between two of them a dash. What is no
 * such day stays as it is. */
export const spokenDay = (days: string, language: string): string =>
  days.replace(/\/?(\d{4}-\d\d-\d\d)/g, (it, day) => (at(day) ? (it == day ? '' : ' – ') + capital(new Calendar(language, 'UTC').fullDay(at(day))) : it));

/** The day `months` later, or the last of that month where it has no such day. */
const later = (day: number, months: number) => {
  const first = monthOf(day, months);
  return Math.min(first + day - monthOf(day), monthOf(first, 1) - DAY_MS);
};

/** Where the reader's week begins: 1 is Monday, 7 is Sunday. */
function weekStart(locale: string): number {
  try {
    const known = new Intl.Locale(locale) as Intl.Locale & { getWeekInfo?(): { firstDay: number }; weekInfo?: { firstDay: number } };
    return (known.getWeekInfo?.() || known.weekInfo)?.firstDay || 1;
  } catch {
    return 1;
  }
}

/** A month as a grid: arrows go by day and week, Home and End within the week, Page keys by month. */
export function day(label: string, { min, max, range }: Bounds, words: Words, language: string, answer: Answer): HTMLElement {
  const calendar = new Calendar(language, 'UTC');
  const today = at(here(Date.now())[0]!);
  const first = min ? at(min) : -Infinity;
  const last = max ? at(max) : Infinity;
  const within = (day: number) => Math.max(first, Math.min(last, day));
  const start = weekStart(calendar.locale);
  const offset = (day: number) => (new Date(day).getUTCDay() - start + 7) % 7;
  /** The day that the keyboard is on, and the one that was picked, or the first and the last. */
  let on = within(today);
  let chosen: number[] = [];

  const title = h('p', { class: 'month', id: 'month', 'aria-live': 'polite' });
  const weeks = h('tbody');
  const confirm = h('button', { type: 'submit', class: 'button wide', hidden: true });
  const turn = (months: number, name: string) =>
    h('button', { type: 'button', class: 'tool', 'aria-label': name, title: name, onclick: () => move(later(on, months), false) }, icon(months < 0 ? icons.back : icons.on, 'arrow'));
  const before = turn(-1, words.monthBefore);
  const after = turn(1, words.monthAfter);

  const draw = () => {
    const month = monthOf(on);
    title.textContent = capital(calendar.monthYear(on));
    before.disabled = month <= first;
    after.disabled = monthOf(on, 1) > last;
    const rows: HTMLElement[] = [];
    for (let from = month - offset(month) * DAY_MS; from < monthOf(on, 1); from += 7 * DAY_MS) {
      rows.push(h('tr', null, ...Array.from({ length: 7 }, (_, index) => cell(from + index * DAY_MS, month))));
    }
    weeks.replaceChildren(...rows);
  };
  const cell = (day: number, month: number) => {
    if (monthOf(day) !== month) return h('td');
    const isChosen = day >= chosen[0]! && day <= (chosen[1] || chosen[0]!);
    return h(
      'td',
      null,
      h(
        'button',
        {
          type: 'button',
          class: 'pick',
          tabindex: day === on ? 0 : -1,
          'aria-label': calendar.longDay(day),
          'aria-pressed': `${isChosen}`,
          'aria-current': day === today ? 'date' : null,
          disabled: day < first || day > last,
          onclick: () => {
            // A second day ends the range; a third one, or an earlier one, begins another.
            chosen = range && !chosen[1] && day >= chosen[0]! ? [chosen[0]!, day] : [day];
            confirm.hidden = !!range && !chosen[1];
            confirm.textContent = words.choose(chosen.map((day) => calendar.shortDay(day)).join(' – '));
            move(day, true);
          },
        },
        calendar.number(day),
      ),
    );
  };
  const move = (to: number, follows: boolean) => {
    on = within(to);
    draw();
    if (follows) weeks.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
  };
  const keys = (event: KeyboardEvent) => {
    const isRtl = getComputedStyle(weeks).direction === 'rtl';
    const along = isRtl ? -DAY_MS : DAY_MS;
    const to = {
      ArrowLeft: on - along,
      ArrowRight: on + along,
      ArrowUp: on - 7 * DAY_MS,
      ArrowDown: on + 7 * DAY_MS,
      Home: on - offset(on) * DAY_MS,
      End: on + (6 - offset(on)) * DAY_MS,
      PageUp: later(on, event.shiftKey ? -12 : -1),
      PageDown: later(on, event.shiftKey ? 12 : 1),
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to, true);
  };

  draw();
  const names = Array.from({ length: 7 }, (_, index) => {
    // 5 January 1970 was a Monday.
    const day = (4 + start - 1 + index) * DAY_MS;
    return h('th', { scope: 'col', abbr: calendar.weekday(day, 'long') }, calendar.weekday(day, 'short').slice(0, 2));
  });
  return picker(
    label,
    () => {
      const days = chosen.map(key).join('/');
      answer(days, spokenDay(days, language));
    },
    h('div', { class: 'turn' }, before, title, after),
    h('table', { class: 'days-grid', 'aria-labelledby': 'month', onkeydown: keys }, h('thead', null, h('tr', null, ...names)), weeks),
    confirm,
  );
}

const minutes = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
const two = (number: number) => `${number}`.padStart(2, '0');

/** The times of a day, by the half hour where they are few. */
export function time(label: string, { min, max }: Bounds, words: Words, answer: Answer): HTMLElement {
  const from = minutes(min || '00:00');
  const to = minutes(max || '23:59');
  const step = (to - from) / 30 < TIMES ? 30 : 60;
  let chosen = '';
  const confirm = h('button', { type: 'submit', class: 'button wide', hidden: true });
  const times: HTMLElement[] = [];
  for (let at = from; at <= to; at += step) {
    const clock = `${two(Math.floor(at / 60))}:${two(at % 60)}`;
    times.push(
      radio('time', [clock], null, () => {
        chosen = clock;
        confirm.hidden = false;
        confirm.textContent = words.choose(clock);
      }),
    );
  }
  return picker(
    label,
    () => answer(chosen, chosen),
    h('fieldset', null, h('legend', { class: 'sr' }, words.time), h('div', { class: 'times' }, ...times)),
    confirm,
  );
}
