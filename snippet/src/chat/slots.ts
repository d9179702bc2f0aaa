// Days and times of a call to choose from. Native radios bring the arrow keys.

import { h, icon } from '../shared/dom';
import { icons } from './icons';
import { picker, radio } from './picks';
import { Calendar, capital } from './time';
import type { Answer } from './answers';
import type { Words } from './words';
import type { Ask, Offer, Slot } from './wire';

/** Short lists need no calendar. */
const A_FEW = 4;

export function slots(
  { question, text }: Ask,
  input: Offer,
  words: Words,
  language: string,
  answer: Answer,
): HTMLElement {
  const calendar = new Calendar(language, input.zone);
  const city = calendar.city();
  const all = [...input.slots].sort((a, b) => a.starts_at - b.starts_at);
  const days = new Map<string, Slot[]>();
  for (const slot of all) {
    const day = calendar.day(slot.starts_at);
    days.set(day, [...(days.get(day) || []), slot]);
  }
  const when = ({ starts_at }: Slot) => `${calendar.shortDay(starts_at)}, ${calendar.time(starts_at)}`;

  const zone = h('p', { class: 'zone' });
  const times = h('div', { class: 'times' });
  const confirm = h('button', { type: 'submit', class: 'button wide' });
  const none = h('button', { type: 'button', class: 'button quiet wide' }, input.more ? words.otherTimes : words.noneFit);
  let chosen: Slot | null = null;

  const nameZone = (at: number) => {
    const offset = calendar.offset(at);
    zone.replaceChildren(icon(icons.globe), city ? `${words.zone(city)} (${offset})` : offset);
  };
  const choose = (slot: Slot | null) => {
    chosen = slot;
    confirm.hidden = !slot;
    if (slot) {
      confirm.textContent = words.confirm(when(slot));
      nameZone(slot.starts_at);
    }
  };
  const showTimes = (list: Slot[], label: (slot: Slot) => string) => {
    choose(null);
    times.replaceChildren(...list.map((slot) => radio('time', [label(slot)], null, () => choose(slot))));
  };

  const parts: HTMLElement[] = [];
  if (all.length <= A_FEW) {
    times.classList.add('few');
    showTimes(all, (slot) => capital(when(slot)));
  } else {
    const row = [...days.values()].map((list, at) => {
      const first = list[0]!.starts_at;
      const label = radio(
        'day',
        [h('small', null, calendar.weekday(first)), h('b', null, calendar.number(first)), h('small', null, calendar.month(first))],
        calendar.longDay(first),
        () => {
          nameZone(first);
          showTimes(list, (slot) => calendar.time(slot.starts_at));
        },
      );
      if (at === 0) label.querySelector('input')!.checked = true;
      return label;
    });
    parts.push(h('fieldset', { class: 'days' }, h('legend', { class: 'sr' }, words.day), h('div', { class: 'strip' }, ...row)));
    showTimes([...days.values()][0]!, (slot) => calendar.time(slot.starts_at));
  }
  if (all.length) nameZone(all[0]!.starts_at);

  none.addEventListener('click', () => answer({ type: 'slot', question, none_fit: true }, none.textContent!));
  return picker(
    text,
    () => {
      if (chosen) answer({ type: 'slot', question, starts_at: chosen.starts_at }, capital(when(chosen)));
    },
    zone,
    ...parts,
    h('fieldset', null, h('legend', { class: 'sr' }, words.time), times),
    confirm,
    none,
  );
}
