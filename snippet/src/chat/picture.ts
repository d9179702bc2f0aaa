import { h } from '../shared/dom';

/** A picture; where it cannot be had its words stand alone, without the browser's sign of a broken one. */
export function picture(src: string, alt: string): HTMLElement | null {
  if (!src) return h('span', { class: 'blank' });
  const image = h('img', { src, alt, referrerpolicy: 'no-referrer' });
  image.addEventListener('error', () => image.replaceWith(h('span', { class: 'blank' }, alt)));
  return image;
}
