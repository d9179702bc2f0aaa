// What all pickers are made of: a form, and one of several as a native radio under a face of our own, to which the browser
// brings the arrow keys and what is read out.

import { h } from '../shared/dom';

export const radio = (group: string, label: (Node | string)[], name: string | null, pick: () => void): HTMLLabelElement =>
  h(
    'label',
    null,
    h('input', { type: 'radio', class: 'sr', name: group, 'aria-label': name, onchange: pick }),
    h('span', { class: 'pick' }, ...label),
  );

/** A picker, and what its last button does. */
export const picker = (label: string, pick: () => void, ...parts: (Node | false)[]): HTMLElement =>
  h(
    'form',
    {
      class: 'card picker',
      'aria-label': label,
      onsubmit: (event: Event) => {
        event.preventDefault();
        pick();
      },
    },
    ...parts,
  );
