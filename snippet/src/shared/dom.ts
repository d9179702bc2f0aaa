// Elements are made by hand: no HTML text, no style attribute, nothing that a strict policy would have to allow.

type Value = string | number | boolean | null | undefined | ((event: any) => void);
type Child = Node | string | null | undefined | false;

/** `h('button', { class: 'x', onclick: act }, 'Send')`. An absent or false value leaves the attribute out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  values?: Record<string, Value> | null,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const key in values) {
    const value = values[key];
    if (typeof value === 'function') element.addEventListener(key.slice(2), guarded(value));
    else if (value != null && value !== false) element.setAttribute(key, value === true ? '' : `${value}`);
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/** Our mistakes are told in the console and stay there: they never reach the page's own error handling. */
export const guarded =
  <A extends unknown[]>(act: (...given: A) => unknown) =>
  (...given: A): void => {
    try {
      const result = act(...given);
      if (result instanceof Promise) result.catch(complain);
    } catch (mistake) {
      complain(mistake);
    }
  };

export const complain = (mistake: unknown) => console.warn('embudo:', mistake);

const SVG = 'http://www.w3.org/2000/svg';

/** An icon of 20 by 20, drawn in strokes of the text's colour. It says nothing: a word stands beside it. */
export function icon(path: string, look = 'icon'): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add(look);
  const line = document.createElementNS(SVG, 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

/** Constructed sheets need no permission of a content policy. */
export function sheet(text: string): CSSStyleSheet {
  const made = new CSSStyleSheet();
  made.replaceSync(text);
  return made;
}

/** Gives a shadow root its whole dress. */
export const dress = (root: ShadowRoot, ...styles: string[]): void => {
  root.adoptedStyleSheets = styles.map(sheet);
};
