// One of several, as a native radio under a face of our own: the browser brings the arrow keys and what is read out.

import { h } from '../shared/dom';

export const radio = (group: string, label: (Node | string)[], name: string | null, pick: () => void): HTMLLabelElement =>
  h(
    'label',
    null,
    h('input', { type: 'radio', class: 'sr', name: group, 'aria-label': name, onchange: pick }),
    h('span', { class: 'pick' }, ...label),
  );
