// Light or dark, and whether a site's own accent can carry white text.

/** Relative luminance, 0 black to 1 white (WCAG 2.2), of a computed `rgb(…)`; null when it is see-through. */
function luminance(colour: string): number | null {
  const [r = 0, g = 0, b = 0, a = 1] = (colour.match(/[\d.]+/g) || []).map(Number);
  if (a < 0.5 || !/^rgb/.test(colour)) return null;
  const part = (value: number) => (value / 255 <= 0.03928 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
}

const THEME = 'data-embudo-theme';
const isDark = matchMedia('(prefers-color-scheme: dark)');

/** Whether the ground on which `place` really stands is light or dark. */
export function ground(place: HTMLElement): string {
  for (let node: Element | null = place; node; node = node.parentElement) {
    const light = luminance(getComputedStyle(node).backgroundColor);
    if (light != null) return light < 0.35 ? 'dark' : 'light';
  }
  // A page that paints nothing has the browser's canvas, which is dark only where the page allows it.
  return /dark/.test(getComputedStyle(place).colorScheme) && isDark.matches ? 'dark' : 'light';
}

/** Dresses `place` as the site fixed it, else for its ground, else for the visitor's preference. */
export function follow(place: HTMLElement, fixed: string | undefined, on?: (place: HTMLElement) => string): void {
  const decide = () => place.setAttribute(THEME, fixed || on?.(place) || (isDark.matches ? 'dark' : 'light'));
  decide();
  isDark.addEventListener('change', decide);
}

/** The site may hold the widget to one theme: `<script … data-theme="light">`. */
export const widgetTheme = () => document.querySelector<HTMLElement>('script[data-site]')?.dataset.theme;

/** Text that can be read on the accent a site chose, when it did not choose that too. */
export function completeAccent(place: HTMLElement, root: ShadowRoot): void {
  const style = getComputedStyle(place);
  if (!style.getPropertyValue('--embudo-accent').trim() || style.getPropertyValue('--embudo-on-accent').trim()) return;
  const probe = document.createElement('i');
  probe.style.setProperty('color', 'var(--embudo-accent)');
  root.append(probe);
  const light = luminance(getComputedStyle(probe).color);
  probe.remove();
  if (light != null) place.style.setProperty('--embudo-on-accent', light > 0.3 ? '#111' : '#fff');
}
